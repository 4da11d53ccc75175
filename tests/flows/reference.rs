//! One reference leads through the logs of all functions, and what is reported is counted.

use serde_json::{Value, json};

use crate::flows::support::Site;

/// A function's log lines, each one JSON object with its time and level.
fn lines(site: &Site, function: &str) -> Vec<Value> {
    let parse = |line: String| {
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{function}: {error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{function}: {line}");
        line
    };
    site.stack.logs(function).into_iter().map(parse).collect()
}

/// What a function logs about a reference.
fn about(site: &Site, function: &str, reference: &str) -> Vec<Value> {
    let mut lines = lines(site, function);
    lines.retain(|line| line["reference"] == reference);
    assert!(!lines.is_empty(), "{function} says nothing of {reference}: {:#?}", site.stack.logs(function));
    lines
}

fn is_counted(line: &Value, event: &str) -> bool {
    let directive = json!({"Namespace": "Paykassma/paykassma", "Dimensions": [["event"]], "Metrics": [{"Name": "Events", "Unit": "Count"}]});
    line["event"] == event && line["Events"] == 1 && line["_aws"]["CloudWatchMetrics"][0] == directive
}

#[tokio::test]
async fn a_deposit_is_followed_through_all_functions_by_one_reference() {
    let site = Site::start().await;
    site.order("o1").await;
    site.activate("o1", "47752123519").await;
    site.pay("47752123519", "700").await;
    site.events("deposit.credited", 1).await;
    site.get("/deposits/o1").await;
    for function in ["create-deposit", "activate", "event-publisher", "transaction-reader"] {
        about(&site, function, "deposit#o1");
    }
    let received = about(&site, "postback-receiver", "deposit#o1");
    let credits: Vec<_> = received.iter().filter(|line| is_counted(line, "deposit.credited")).collect();
    assert_eq!(credits.len(), 1, "{received:#?}");
    assert_eq!(credits[0]["payment"], "payment#paytm#47752123519");
    assert_eq!(credits[0]["Credited"], 700);
}

#[tokio::test]
async fn a_waiting_payment_that_its_late_order_differs_from_is_reported_at_once() {
    let site = Site::start().await;
    let payment =
        json!({"transaction_id": "47752123519", "amount": "1", "custom_transaction_id": "o1", "label": "another-user"});
    site.control("payments", &payment).await;
    site.until("payment#paytm#47752123519", "unmatched").await;
    site.order("o1").await;
    assert_eq!(site.state("payment#paytm#47752123519").await, "quarantined");
    let registered = about(&site, "create-deposit", "deposit#o1");
    assert!(registered.iter().any(|line| is_counted(line, "deposit.quarantined")), "{registered:#?}");
}

#[tokio::test]
async fn a_withdrawal_is_followed_through_all_functions_by_one_reference() {
    let site = Site::start().await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429})).await;
    assert_eq!(site.withdraw("w1").await.status, 202);
    site.until("withdrawal#w1", "submitted").await;
    site.settle("w1", 1).await;
    site.events("withdrawal.paid", 1).await;
    site.get("/withdrawals/w1").await;
    for function in ["create-withdrawal", "withdrawal-submitter", "event-publisher", "transaction-reader"] {
        about(&site, function, "withdrawal#w1");
    }
    let received = about(&site, "postback-receiver", "withdrawal#w1");
    assert!(received.iter().any(|line| is_counted(line, "withdrawal.paid")), "{received:#?}");
}

#[tokio::test]
async fn what_nobody_ends_is_reported_with_its_age() {
    let site = Site::start().await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w1").await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let report = async || {
        site.stack.invoke("attention-reporter", &json!({})).await.unwrap();
        let mut lines = lines(&site, "attention-reporter");
        let ages = lines.split_off(lines.len() - attention_reporter::REPORTED.len()).into_iter();
        ages.map(|line| (line["attention"].clone(), line["OldestAttentionSeconds"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    let ages = report().await;
    assert!(ages.iter().all(|(kind, age)| (*age >= 2) == (kind == "unknown")), "{ages:?}");
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
    let ages = report().await;
    assert!(ages.iter().all(|(_, age)| *age == 0), "{ages:?}");
}
