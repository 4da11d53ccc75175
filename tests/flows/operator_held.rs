//! The operator's tool decides about payments that are held: odd numbers, a number that comes twice, an order that cannot be
//! written.

use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::operator_audit::damage;
use crate::flows::postbacks::{elements, signed};
use crate::flows::support::Site;

async fn send(site: &Site, list: &str) {
    let answer = site.postback(signed(site, list).into()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Sends payments of 700: number and order.
async fn pay(site: &Site, payments: &[(&str, &str)]) {
    let payments: Vec<_> = payments.iter().map(|(number, order)| (*number, *order, "700")).collect();
    send(site, &json!(elements(&payments)).to_string()).await;
}

/// What an audit reports: its exit status, and the rule and the row of each line.
async fn audit(tool: &Tool, more: &[&str]) -> (i32, Vec<(String, String)>) {
    let (status, said) = tool.run(&[&["--json", "audit"], more].concat()).await;
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = lines.filter_map(|it| Some((it["rule"].as_str()?.to_owned(), it["id"].as_str()?.to_owned())));
    (status, found.collect())
}

#[tokio::test]
async fn a_payment_with_an_odd_number_is_credited_under_the_number_that_a_person_states() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    let list = json!(elements(&[("NUMBER", "o1", "700")])).to_string();
    send(&site, &list.replace(r#""NUMBER""#, "4.775212351912346e+22")).await;
    let listed = &tool.json(&["list"]).await[0];
    assert_eq!((&listed["attention"], &listed["amount"]), (&json!("unreadable"), &json!("700")));
    let id = listed["id"].as_str().unwrap();
    let (status, said) = tool.run(&["show", id]).await;
    assert_eq!((status, said.contains("a payment of 700 INR by paytm, order o1")), (0, true), "{said}");

    let (status, said) = tool.resolve(id, "credited", &[]).await;
    assert_eq!((status, said.contains("--number: state the payment's number")), (3, true), "{said}");
    let number = ["--number", "47752123519123460000000"];
    assert_eq!(tool.resolve(id, "rejected", &number).await.0, 2);
    let (status, said) = tool.resolve(id, "credited", &number).await;
    let credited = "deposit#o1 is credited with payment#paytm#47752123519123460000000";
    assert_eq!((status, said.contains(credited)), (0, true), "{said}");
    assert_eq!(site.credits("o1").await, ["700"]);
    assert_eq!(tool.resolve(id, "credited", &number).await.0, 3, "it is credited");
    assert!(tool.json(&["list"]).await.is_empty());
    assert_eq!(audit(&tool, &["--strict"]).await, (0, vec![]));
}

#[tokio::test]
async fn a_number_that_comes_twice_for_an_order_is_credited_again_only_if_a_person_states_that_the_payments_differ() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    pay(&site, &[("ab1", "o1")]).await;
    pay(&site, &[("00AB1", "o1")]).await;
    let held = "payment#paytm#00AB1";
    assert_eq!(site.state(held).await, "quarantined");
    let (status, said) = tool.run(&["replay", "--held", "same_number"]).await;
    assert_eq!((status, said.contains("1 payments are still held")), (1, true), "{said}");
    let (status, said) = tool.resolve(held, "credited", &[]).await;
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("by payment#paytm#ab1") && said.contains("--different-payment"), "{said}");
    assert_eq!(audit(&tool, &[]).await, (0, vec![]));

    let (status, said) = tool.resolve(held, "credited", &["--different-payment"]).await;
    assert_eq!(status, 0, "{said}");
    assert_eq!(site.credits("o1").await, ["700", "700"]);
    let listed = vec![("same_number".to_owned(), "payment#paytm#ab1".to_owned())];
    assert_eq!(audit(&tool, &[]).await, (0, listed.clone()));
    assert_eq!(audit(&tool, &["--strict"]).await, (1, listed));
    let (status, said) = tool.run(&["show", "number#o1#ab1"]).await;
    assert_eq!((status, said.contains("o1 was credited for payment#paytm#ab1")), (0, true), "{said}");
}

#[tokio::test]
async fn what_could_not_be_written_to_its_order_is_replayed_with_one_command() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    site.order("o2").await;
    let order = site.stack.item("deposit#o1").await.unwrap().unwrap();
    damage(&site, "deposit#o1", "#value", json!({"#value": "label"}), &json!({"BOOL": true})).await;
    pay(&site, &[("1", "o1"), ("2", "o1"), ("3", "o2")]).await;
    pay(&site, &[("4", "o1")]).await;
    let payments = async || {
        let mut found = Vec::new();
        for number in 1..=4 {
            found.push(site.state(&format!("payment#paytm#{number}")).await);
        }
        found
    };
    assert_eq!(payments().await, ["quarantined", "quarantined", "credited", "quarantined"]);
    let replay = ["--json", "replay", "--held", "order_unwritable"];
    assert_eq!(tool.run(&replay).await.0, 1, "the order is as it was");

    let put = json!({"TableName": site.stack.table_name(), "Item": order});
    site.stack.dynamodb("PutItem", &put).await.unwrap();
    let (status, said) = tool.run(&replay).await;
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let became = json!({"state": "credited", "why": "", "payments": 3});
    let summary = json!({"payments": 3, "lists": 2, "failed": 0, "still_held": 0, "unreadable": 0});
    assert_eq!((status, lines), (0, vec![became, summary]));
    assert_eq!(payments().await, ["credited"; 4]);
    assert_eq!(site.credits("o1").await, ["700"; 3]);
    assert_eq!(tool.run(&replay).await.0, 0, "nothing is held any more");
    assert_eq!(tool.run(&["replay", "--held", "label"]).await.0, 2, "an unsigned field differed");
    assert_eq!(audit(&tool, &["--strict"]).await, (0, vec![]));

    let id = tool.json(&["show", "payment#paytm#2"]).await;
    assert_eq!((&id[0]["evidence"][0]["element"], &id[0]["evidence"][0]["elements"]), (&json!(1), &json!(3)));
    assert_eq!(id[0]["evidence"][0]["said"]["transaction_id"], "2");
    let list = id[0]["row"]["facts"]["evidence"]["list"].as_str().unwrap();
    let (status, said) = tool.run(&["show", &format!("evidence#{list}")]).await;
    assert_eq!((status, said.contains("all 3 elements")), (0, true), "{said}");
    let (status, said) = tool.run(&["replay", &format!("list#{list}")]).await;
    assert_eq!((status, said.contains("all its elements are stored")), (3, true), "{said}");
    assert_eq!(tool.run(&["replay", &format!("evidence#{list}")]).await.0, 3);
}
