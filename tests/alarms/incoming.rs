//! The alarms about incoming money.

use futures_util::FutureExt;
use serde_json::{Value, json};

use crate::alarms::run::{Case, made_older, report, run};
use crate::flows::operator::Tool;
use crate::flows::postbacks::{elements, signed};
use crate::flows::support::{Site, options};

pub(super) const CASES: [Case; 10] = [
    Case::new("PaymentUnmatchedAlarm", |site| pay(site, "47752120001", "nobody").boxed_local()),
    Case::new("DepositQuarantinedAlarm", |site| altered_label(site).boxed_local()),
    Case::new("PaymentConflictAlarm", |site| two_amounts(site).boxed_local()),
    Case::new("PostbackUnreadableAlarm", |site| no_payment(site).boxed_local()),
    Case::new("AttentionAgeAlarm", |site| old_payment(site).boxed_local())
        .mended(|site| register_its_order(site).boxed_local()),
    Case::new("PostbackUnfinishedAlarm", |site| given_up(site).boxed_local()).mended(|site| replay(site).boxed_local()),
    Case::new("CreditsStoppedAlarm", |site| number_without_a_postback(site).boxed_local()),
    Case::new("BadSignaturesAlarm", |site| changed_list(site).boxed_local()),
    Case::new("MalformedPostbacksAlarm", |site| garbage(site).boxed_local()),
    Case::new("PostbackApi4xxAlarm", |site| wrong_token(site).boxed_local()),
];

#[tokio::test]
async fn each_alarm_about_incoming_money_fires_and_clears() {
    run(options(), &CASES).await;
}

/// A user pays for an order in the payment window.
async fn pay(site: &Site, number: &str, order: &str) {
    let payment =
        json!({"transaction_id": number, "amount": "700", "custom_transaction_id": order, "label": "631317234"});
    site.control("payments", &payment).await;
}

/// The provider sends a postback for an order once, with these fields in place of the usual ones.
async fn send(site: &Site, order: &str, number: &str, fields: Value) -> Value {
    let mut postback =
        json!({"transaction_id": number, "amount": "700", "custom_transaction_id": order, "label": "631317234"});
    postback.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    site.control("postbacks", &postback).await["statuses"].take()
}

async fn altered_label(site: &Site) {
    site.order("altered").await;
    assert_eq!(send(site, "altered", "47752120002", json!({"tamper": {"label": "thief"}})).await, json!({"200": 1}));
}

async fn two_amounts(site: &Site) {
    site.order("two-amounts").await;
    for amount in ["700", "7"] {
        assert_eq!(send(site, "two-amounts", "47752120003", json!({"amount": amount})).await, json!({"200": 1}));
    }
}

async fn no_payment(site: &Site) {
    assert_eq!(site.postback(signed(site, r#"[{"a":1}]"#).into()).await.status, 200);
}

const OLD: &str = "payment#paytm#47752120004";

async fn old_payment(site: &Site) {
    pay(site, "47752120004", "late-order").await;
    site.until(OLD, "unmatched").await;
    site.put(&made_older(site.row(OLD).await, 25 * 60)).await;
    report(site).await;
}

async fn register_its_order(site: &Site) {
    site.order("late-order").await;
    site.until(OLD, "credited").await;
    report(site).await;
}

async fn list(site: &Site) -> Value {
    let key = site.keys("list#").await.remove(0);
    site.row(&key).await
}

/// As the receiver leaves a list of which it could not store everything.
async fn given_up(site: &Site) {
    for order in ["first", "second"] {
        site.order(order).await;
    }
    let payments = elements(&[("47752120005", "first", "700"), ("47752120006", "second", "700")]);
    assert_eq!(site.postback(signed(site, &json!(payments).to_string()).into()).await.status, 200);
    let mut row = list(site).await;
    row["copies"]["L"][0]["M"].as_object_mut().unwrap().remove("is_done").unwrap();
    row["state"] = json!({"S": "unfinished"});
    row["attention"] = json!({"S": "unfinished"});
    row["attention_at"] = row["copies"]["L"][0]["M"]["received_at"].clone();
    site.put(&made_older(row, 16)).await;
    report(site).await;
}

async fn replay(site: &Site) {
    let row = list(site).await;
    let (status, said) = Tool::of(site).run(&["replay", row["transaction_id"]["S"].as_str().unwrap()]).await;
    assert_eq!(status, 0, "{said}");
    report(site).await;
}

async fn number_without_a_postback(site: &Site) {
    site.order("waits").await;
    assert_eq!(site.activate("waits", "47752120007").await.status, 200);
}

async fn changed_list(site: &Site) {
    assert_eq!(send(site, "o1", "47752120008", json!({"tamper": {"signed_byte": 3}})).await, json!({"401": 1}));
}

async fn garbage(site: &Site) {
    assert_eq!(site.postback(b"{".to_vec()).await.status, 400);
}

async fn wrong_token(site: &Site) {
    assert_eq!(site.post(&format!("/postbacks/{}", "x".repeat(64)), &json!({})).await.status, 404);
}
