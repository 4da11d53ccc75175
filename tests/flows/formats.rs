//! The format of rows: each release names the one that it writes, and never writes over a newer one.

use std::collections::BTreeSet;

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::operator_audit::damage;
use crate::flows::postbacks::{elements, ok, send_text, signed};
use crate::flows::support::{Site, options};

/// A signed list of payments of 700: number and order.
fn list(site: &Site, payments: &[(&str, &str)]) -> String {
    let payments: Vec<_> = payments.iter().map(|(number, order)| (*number, *order, "700")).collect();
    signed(site, &json!(elements(&payments)).to_string())
}

fn try_again() -> (u16, String) {
    (503, "try_again".into())
}

async fn set_format(site: &Site, key: &str, format: u64) -> Value {
    damage(site, key, "#value", json!({"#value": "format"}), &json!({"N": format.to_string()})).await;
    site.row(key).await
}

/// What the receiver answers to a report of a withdrawal.
async fn report(site: &Site, id: &str, status: i64) -> Value {
    let report = json!({"withdrawal_id": id, "withdrawal_status": status, "amount": "1000",
        "label": "160496026", "direction": "outgoing"});
    site.control("postbacks", &report).await["statuses"].take()
}

#[tokio::test]
async fn every_row_names_the_format_of_its_writer() {
    let site = Site::start_with(StackOptions { withdrawal_ceiling_per_day: "5000".into(), ..options() }).await;
    let tool = Tool::of(&site);
    site.order("o1").await;
    site.activate("o1", "47752120001").await;
    for number in ["47752120001", "47752120002", "47752120003"] {
        assert_eq!(send_text(&site, &list(&site, &[(number, "o1")])).await, ok());
    }
    let numbers: Vec<_> = (100..121).map(|number| number.to_string()).collect();
    let waiting: Vec<_> = numbers.iter().map(|number| (number.as_str(), "unknown")).collect();
    assert_eq!(send_text(&site, &list(&site, &waiting)).await, ok());
    assert_eq!(send_text(&site, &signed(&site, "[5]")).await, ok());
    site.withdraw("w1").await;
    for (id, status) in [("w1", 1), ("w1", 5), ("w2", 1)] {
        assert_eq!(report(&site, id, status).await, json!({"200": 1}));
    }
    for (id, outcome) in [("w1", "paid"), ("w2", "paid"), ("payment#paytm#100", "rejected")] {
        assert_eq!(tool.resolve(id, outcome, &[]).await.0, 0);
    }
    let table = site.table().await;
    let kinds: BTreeSet<_> = table.keys().map(|key| key.split('#').next().unwrap()).collect();
    let all = [
        "ceiling",
        "deposit",
        "entries",
        "evidence",
        "list",
        "number",
        "payment",
        "table",
        "unreadable",
        "waiting",
        "withdrawal",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
    // The release before may change each row but those with a decision that names its caller.
    let expected = |row: &Value| {
        let is_decided =
            row["resolutions"]["L"].as_array().is_some_and(|all| all.iter().any(|it| !it["M"]["caller"].is_null()));
        json!({"N": if is_decided { "2" } else { "1" }})
    };
    let others: Vec<_> = table.iter().filter(|(_, row)| row["format"] != expected(row)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn a_payment_for_an_order_of_a_newer_release_waits_and_is_credited_by_that_release() {
    let site = Site::start().await;
    for id in ["o1", "o2", "good"] {
        site.order(id).await;
    }
    // One row can be read all the same, and the other one not.
    let before = [site.row("deposit#o1").await, site.row("deposit#o2").await];
    let mut newer = before.clone();
    newer[0]["state"] = json!({"S": "settled"});
    for row in &mut newer {
        row["format"] = json!({"N": "3"});
        site.put(row).await;
    }
    let postbacks = [list(&site, &[("1", "o1")]), list(&site, &[("2", "o2")])];
    let several = list(&site, &[("3", "o1"), ("4", "good"), ("5", "o2")]);
    for _ in 0..2 {
        for postback in &postbacks {
            assert_eq!(send_text(&site, postback).await, try_again());
        }
    }
    assert_eq!(site.keys("payment#").await, [""; 0]);
    assert_eq!(send_text(&site, &several).await, try_again());
    assert_eq!(site.keys("payment#").await, ["payment#paytm#4"]);
    assert_eq!([site.row("deposit#o1").await, site.row("deposit#o2").await], newer);
    let progress = site.keys("list#").await.remove(0);
    assert_eq!((site.state(&progress).await.as_str(), site.credits("good").await.len()), ("unfinished", 1));

    for row in &before {
        site.put(row).await;
    }
    for postback in postbacks.iter().chain([&several]) {
        assert_eq!(send_text(&site, postback).await, ok());
    }
    for (id, credits) in [("o1", 2), ("o2", 2), ("good", 1)] {
        assert_eq!(site.credits(id).await.len(), credits);
    }
    assert_eq!(site.state(&progress).await, "done");
    let (status, said) = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn a_row_of_a_newer_release_is_never_written_over_although_it_can_be_read() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    // A registration, and a payment for an order that is not registered.
    let unregistered = list(&site, &[("1", "o1")]);
    assert_eq!(send_text(&site, &unregistered).await, ok());
    let place = set_format(&site, "deposit#o1", 3).await;
    assert_eq!(send_text(&site, &list(&site, &[("2", "o1")])).await, try_again());
    let registered = site.order("o1").await;
    assert_eq!((registered.status, registered.code()), (503, "try_again"));
    assert_eq!(site.row("deposit#o1").await, place);
    set_format(&site, "deposit#o1", 1).await;
    assert_eq!(site.order("o1").await.status, 201);
    assert_eq!(site.credits("o1").await, ["700"]);

    // A number that a user entered, and a payment that is held.
    site.order("o2").await;
    site.activate("o2", "47752120002").await;
    let claim = set_format(&site, "payment#paytm#47752120002", 3).await;
    let postback = list(&site, &[("47752120002", "o2")]);
    assert_eq!(send_text(&site, &postback).await, try_again());
    assert_eq!(site.activate("o2", "47752120002").await.code(), "try_again");
    assert_eq!(site.row("payment#paytm#47752120002").await, claim);
    assert!(site.credits("o2").await.is_empty());
    set_format(&site, "payment#paytm#47752120002", 1).await;
    assert_eq!(send_text(&site, &postback).await, ok());
    assert_eq!(site.credits("o2").await, ["700"]);

    // The provider is asked for an order. Its answer is not recorded, and the call counts as unknown.
    site.order("o3").await;
    let order = set_format(&site, "deposit#o3", 3).await;
    site.activate("o3", "47752120003").await;
    assert_eq!(site.row("deposit#o3").await, order);
    assert_eq!(site.state("payment#paytm#47752120003").await, "claimed");

    // A withdrawal: its report, the request again, and a person.
    site.withdraw("w1").await;
    let row = set_format(&site, "withdrawal#w1", 3).await;
    assert_eq!(report(&site, "w1", 1).await, json!({"503": 1}));
    assert_eq!(site.withdraw("w1").await.code(), "try_again");
    assert_ne!(tool.resolve("w1", "paid", &[]).await.0, 0);
    assert_eq!(site.row("withdrawal#w1").await, row);
    set_format(&site, "withdrawal#w1", 1).await;
    assert_eq!(report(&site, "w1", 1).await, json!({"200": 1}));
    assert_eq!(site.state("withdrawal#w1").await, "paid");
    let contradicted = set_format(&site, "withdrawal#w1", 3).await;
    assert_eq!(report(&site, "w1", 5).await, json!({"503": 1}));
    assert_eq!(site.row("withdrawal#w1").await, contradicted);

    // An element that a person would decide about.
    assert_eq!(send_text(&site, &signed(&site, "[5]")).await, ok());
    let key = site.keys("unreadable#").await.remove(0);
    let row = set_format(&site, &key, 3).await;
    assert_ne!(tool.resolve(&key, "rejected", &[]).await.0, 0);
    assert_eq!(site.row(&key).await, row);
}

/// Takes attributes away from a row, and gives it others.
async fn spoil(site: &Site, key: &str, without: &[&str], with: Value) -> Value {
    let mut row = site.row(key).await;
    for name in without {
        row.as_object_mut().unwrap().remove(*name).unwrap();
    }
    row.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    site.put(&row).await;
    row
}

/// The keys that a merchant's list has, and its rows that cannot be read.
async fn listed(site: &Site, state: &str) -> (usize, Vec<String>) {
    let found = site.get(&format!("/transactions?state={state}")).await;
    assert_eq!(found.status, 200, "{state}: {found:?}");
    let rows = found.body["transactions"].as_array().unwrap();
    let unreadable = rows.iter().filter(|row| row["kind"] == "unreadable_row");
    let unreadable = unreadable.map(|row| {
        assert_eq!((&row["state"], &row["attention"]), (&json!("unreadable"), &json!(state)));
        row["key"].as_str().unwrap().to_owned()
    });
    (rows.len(), unreadable.collect())
}

/// A newer release's row with a state that we do not know, a damaged row, and a row of a kind that we do not know, among good ones.
async fn with_unreadable_rows(site: &Site) {
    for id in ["w1", "w2", "w3"] {
        site.withdraw(id).await;
    }
    assert_eq!(send_text(site, &list(site, &[("1", "o1")])).await, ok());
    assert_eq!(send_text(site, &list(site, &[("2", "o1")])).await, ok());
    site.order("o2").await;
    for number in ["47752120001", "47752120002", "47752120003"] {
        let held = json!({"transaction_id": number, "custom_transaction_id": "o2", "label": "x", "amount": "700",
            "direction": "ingoing"});
        site.control("postbacks", &held).await;
        assert_eq!(site.state(&format!("payment#paytm#{number}")).await, "quarantined");
    }
    let newer = json!({"format": {"N": "3"}, "state": {"S": "settled"}});
    spoil(site, "withdrawal#w1", &[], newer.clone()).await;
    spoil(site, "withdrawal#w2", &["attempts"], json!({})).await;
    spoil(site, "payment#paytm#1", &["version"], json!({})).await;
    spoil(site, "payment#paytm#47752120001", &[], newer).await;
    for kind in ["open", "unmatched", "conflict"] {
        let gift = json!({"transaction_id": {"S": format!("gift#{kind}")}, "version": {"N": "1"},
            "attention": {"S": kind}, "attention_at": {"N": "5"}});
        site.put(&gift).await;
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_no_other_in_any_list() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    with_unreadable_rows(&site).await;
    let open = ["gift#open", "withdrawal#w1", "withdrawal#w2"].map(str::to_owned).to_vec();
    assert_eq!(listed(&site, "open").await, (4, open.clone()));
    assert_eq!(listed(&site, "unknown").await, (3, open.clone()), "each of them may be unknown");
    let unmatched = ["gift#unmatched", "payment#paytm#1"].map(str::to_owned).to_vec();
    assert_eq!(listed(&site, "unmatched").await, (3, unmatched));
    assert_eq!(listed(&site, "quarantined").await, (3, vec!["payment#paytm#47752120001".into()]));
    let conflict = [&["gift#conflict".to_owned()][..], &open].concat();
    assert_eq!(listed(&site, "conflict").await, (4, conflict));

    let rows = tool.json(&["list"]).await;
    let ids = |state: &str| -> BTreeSet<_> {
        rows.iter().filter(|row| row["state"] == state).map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let unreadable = ["gift#conflict", "gift#open", "gift#unmatched", "payment#paytm#1", "payment#paytm#47752120001"];
    let unreadable = [&unreadable[..], &["withdrawal#w1", "withdrawal#w2"]].concat();
    assert_eq!(ids("unreadable"), unreadable.iter().map(|it| (*it).to_owned()).collect());
    assert_eq!((rows.len(), ids("submitted").len(), ids("quarantined").len()), (11, 1, 2), "{rows:?}");
    for id in ["w1", "withdrawal#w2", "payment#paytm#1"] {
        let (status, said) = tool.run(&["show", id]).await;
        assert_eq!((status, said.contains("unreadable")), (1, true), "{id}: {said}");
    }
    assert_eq!(tool.resolve("w1", "paid", &[]).await.0, 3, "nothing is decided on what cannot be read");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_no_other_in_any_command() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    with_unreadable_rows(&site).await;
    for number in ["47752120002", "47752120003"] {
        let contested = json!({"mismatch": {"S": "order_currency_code"}});
        spoil(&site, &format!("payment#paytm#{number}"), &[], contested).await;
    }
    let (status, said) = tool.run(&["replay", "--held", "order_currency_code"]).await;
    assert_eq!(
        (status, said.contains("2 payments in 2 lists") && said.contains("1 rows cannot be read")),
        (1, true),
        "{said}"
    );

    let audited = tool.json(&["audit"]).await;
    let unreadable = audited.iter().filter(|it| it["rule"] == "unreadable").count();
    assert_eq!((unreadable, audited.last().unwrap()["rows"].is_u64()), (7, true), "{audited:?}");

    site.stack.invoke("attention-reporter", &json!({})).await.unwrap();
    let logs = site.stack.logs("attention-reporter").join("\n");
    let age = |name: &str| {
        let line = logs.lines().rfind(|line| line.contains(&format!("\"attention\":\"{name}\""))).unwrap();
        serde_json::from_str::<Value>(line).unwrap()["OldestAttentionSeconds"].as_u64().unwrap()
    };
    assert!(age("unreadable") > 1_000_000_000, "{logs}");
    assert_eq!((age("unread"), age("not_submitted")), (0, 0), "{logs}");
}
