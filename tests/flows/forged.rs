//! An intruder who can write to the table: nothing that he writes is published as money.

use serde_json::{Value, json};

use crate::flows::postbacks::postback;
use crate::flows::support::{Site, with, withdrawal};

const GENUINE: &str = "47752123511";

async fn pay(site: &Site, number: &str, order: &str) {
    let body = postback(site, &[(number, order, "700")]);
    assert_eq!(site.postback(body.to_string().into()).await.status, 200);
}

async fn item(site: &Site, key: &str) -> Value {
    site.stack.item(key).await.unwrap().unwrap()
}

async fn put(site: &Site, item: &Value) {
    site.stack.dynamodb("PutItem", &json!({"TableName": site.stack.table_name(), "Item": item})).await.unwrap();
}

/// The text of an item with these parts replaced, as an item.
fn altered(item: &Value, replaced: &[(&str, &str)]) -> Value {
    let text = replaced.iter().fold(item.to_string(), |text, (from, to)| text.replace(from, to));
    serde_json::from_str(&text).unwrap()
}

/// The reasons why changes of this row were set aside, once there are so many.
async fn set_aside(site: &Site, key: &str, count: usize) -> Vec<String> {
    for _ in 0..200 {
        let logs = site.stack.logs("event-publisher");
        let lines = logs.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let found: Vec<_> = lines
            .filter(|line| line["event"] == "event.set_aside" && line["reference"] == key)
            .map(|line| line["reason"].as_str().unwrap().to_owned())
            .collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{key} was not set aside: {:#?}", site.stack.logs("event-publisher"));
}

#[tokio::test]
async fn a_forged_credit_is_set_aside_and_every_genuine_one_is_published() {
    let site = Site::start().await;
    site.order("o1").await;
    pay(&site, GENUINE, "o1").await;
    site.events("deposit.credited", 1).await;
    let (payment, order) = (item(&site, &format!("payment#paytm#{GENUINE}")).await, item(&site, "deposit#o1").await);
    // A payment that was never made, of 1,000,000, with an invented signature; and an order with that credit.
    let rows = [("700", "1000000"), (GENUINE, "66666666666"), ("o1", "o2")];
    let mut forged = altered(&payment, &rows);
    forged["facts"]["M"]["evidence"]["M"]["signature"]["S"] = json!("0".repeat(40));
    put(&site, &forged).await;
    put(&site, &altered(&order, &rows)).await;
    let reasons = set_aside(&site, "deposit#o2", 1).await;
    assert_eq!(reasons[0], "unproved: no key verifies the signature");
    // The genuine evidence of one payment does not prove another one.
    let copied = [(GENUINE, "55555555555"), ("o1", "o3")];
    put(&site, &with(&payment, "transaction_id", &json!({"S": "payment#paytm#55555555555"}))).await;
    put(&site, &altered(&order, &copied)).await;
    let reasons = set_aside(&site, "deposit#o3", 1).await;
    assert_eq!(reasons[0], "unproved: the payment's row has another order, amount or currency");
    pay(&site, "47752123512", "o1").await;
    let events = site.events("deposit.credited", 2).await;
    let numbers: Vec<_> = events.iter().map(|event| &event["data"]["transaction_id"]).collect();
    assert_eq!(numbers, [&json!(GENUINE), &json!("47752123512")]);
}

#[tokio::test]
async fn a_forged_end_of_a_withdrawal_is_set_aside() {
    let site = Site::start().await;
    site.order("o1").await;
    pay(&site, GENUINE, "o1").await;
    let genuine = item(&site, &format!("payment#paytm#{GENUINE}")).await["facts"].clone();
    for (id, state, facts) in [
        ("w1", "paid", altered(&genuine, &[("700", "1000")])),
        ("w2", "failed", altered(&genuine, &[("700", "1000")])),
        ("w3", "failed", genuine.clone()),
        ("w4", "paid", Value::Null),
        ("w5", "failed", Value::Null),
    ] {
        assert_eq!(site.post("/withdrawals", &withdrawal(id)).await.status, 201);
        let row = item(&site, &format!("withdrawal#{id}")).await;
        let mut row = with(&with(&row, "state", &json!({"S": state})), "version", &json!({"N": "3"}));
        row["facts"] = facts;
        let is_mark = |name: &str| ["quiet", "attention", "attention_at"].contains(&name);
        row.as_object_mut().unwrap().retain(|name, value| !is_mark(name) && !value.is_null());
        put(&site, &row).await;
        set_aside(&site, &format!("withdrawal#{id}"), 1).await;
    }
    site.events("withdrawal.submitted", 5).await;
    let events = site.stack.events();
    let ended = |event: &&Value| ["withdrawal.paid", "withdrawal.failed"].contains(&event["type"].as_str().unwrap());
    assert_eq!(events.iter().filter(ended).count(), 0, "{events:#?}");
}
