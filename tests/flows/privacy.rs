//! No secret and no person in any output.

use local::{Credentials, Secrets, StackOptions};
use serde_json::{Value, json};

use crate::flows::support::{Site, options, order, with, withdrawal};

fn marked() -> Credentials {
    Credentials {
        merchant_token: "marker-merchant-token".into(),
        secrets: Secrets {
            pluginapi_secret: "marker-pluginapi-secret".into(),
            withdrawal_private_key: "marker-withdrawal-key".into(),
            access_key: "access-key".into(),
            postback_private_key: "marker-postback-key".into(),
            postback_token: "marker-postback-token".into(),
            events_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        },
    }
}

async fn start() -> Site {
    Site::start_with(StackOptions { credentials: Some(marked()), log_level: "trace".into(), ..options() }).await
}

fn marked_order(id: &str) -> Value {
    with(
        &with(&order(id), "label", &json!("marker-label")),
        "window",
        &json!({"success_url": "http://[::1]/?user=marker-page"}),
    )
}

fn marked_withdrawal(id: &str) -> Value {
    let withdrawal = with(&withdrawal(id), "label", &json!("marker-label"));
    with(&with(&withdrawal, "comment", &json!("marker-comment")), "account_number", &json!("9876501234"))
}

fn leaks(texts: &[String]) -> Vec<&String> {
    texts.iter().filter(|text| text.contains("marker") || text.contains("9876501234")).collect()
}

#[tokio::test]
async fn no_secret_and_no_person_is_in_any_log() {
    let site = start().await;
    site.post("/deposits", &marked_order("o1")).await;
    site.pay("47752123519", "700").await;
    for fault in ["hang", "html", "reset_after", "accepted_but_lost", "message_string"] {
        site.fault("activate", fault, 1).await;
        site.activate("o1", "47752123519").await;
    }
    site.activate("o1", "47752123519").await;
    site.until("payment#paytm#47752123519", "credited").await;
    for (id, fault) in [("w1", "hang"), ("w2", "reset_before"), ("w3", "message_map"), ("w4", "html")] {
        site.fault("withdrawal", fault, 1).await;
        site.post("/withdrawals", &marked_withdrawal(id)).await;
    }
    site.post("/withdrawals", &marked_withdrawal("w5")).await;
    site.settle("w5", 1).await;
    site.until("withdrawal#w5", "paid").await;
    let batch = json!({"transaction_id": "47752123518", "custom_transaction_id": "o1", "label": "marker-thief",
        "amount": "700", "direction": "ingoing"});
    site.control("postbacks", &batch).await;
    site.control("postbacks", &with(&batch, "tamper", &json!({"signature": "x"}))).await;
    site.post("/withdrawals", &json!({"label": "marker-label", "marker-field": 1})).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let logs = site.logs();
    assert!(logs.iter().any(|line| line.contains("deposit.credited")), "there are logs: {logs:#?}");
    assert_eq!(leaks(&logs), [""; 0]);
}

/// Has the provider repeat the fields of the next request.
async fn echo(site: &Site, on: &str, status: &str) {
    site.control("faults", &json!({"on": on, "fault": "echo", "status": status})).await;
}

/// Has the provider answer with a person instead of a status.
async fn odd_status(site: &Site, on: &str) {
    let body = json!({"status": "marker-label", "message": "marker-comment 9876501234"}).to_string();
    site.control("faults", &json!({"on": on, "fault": "status", "code": 200, "body": body})).await;
}

async fn repeated_deposits(site: &Site) {
    echo(site, "create", "fail").await;
    let rejected = site.post("/deposits", &marked_order("o1")).await;
    assert_eq!((rejected.status, &rejected.body["message"]), (422, &json!("label: ***")));
    odd_status(site, "create").await;
    assert_eq!(site.post("/deposits", &marked_order("o1")).await.status, 503);
    assert_eq!(site.post("/deposits", &marked_order("o1")).await.status, 201);
    odd_status(site, "activate").await;
    site.activate("o1", "47752123519").await;
    for (status, number) in
        [("pending", "47752123519"), ("possible_transaction_created", "47752123517"), ("fail", "47752123516")]
    {
        echo(site, "activate", status).await;
        let answer = site.activate("o1", number).await;
        assert_eq!(answer.body["message"], format!("label: ***; key1: {number}"));
    }
    site.events("deposit.activation_failed", 1).await;
    site.pay("47752123518", "700").await;
    site.activate("o1", "47752123518").await;
    site.events("deposit.credited", 1).await;
}

async fn repeated_withdrawals(site: &Site) {
    let message = json!("label: ***; account_number: ***; comment: ***");
    echo(site, "withdrawal", "fail").await;
    let rejected = site.post("/withdrawals", &marked_withdrawal("w1")).await;
    assert_eq!((rejected.status, &rejected.body["message"]), (422, &message));
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429})).await;
    echo(site, "withdrawal", "fail").await;
    site.post("/withdrawals", &marked_withdrawal("w2")).await;
    site.until("withdrawal#w2", "rejected").await;
    odd_status(site, "withdrawal").await;
    site.post("/withdrawals", &marked_withdrawal("w3")).await;
    let failed = site.events("withdrawal.failed", 2).await;
    assert!(failed.iter().all(|event| event["data"]["message"] == message), "{failed:#?}");
    for id in ["w1", "w2"] {
        let read = site.get(&format!("/withdrawals/{id}")).await.body;
        let last = read["attempts"].as_array().unwrap().last().unwrap();
        assert_eq!((&read["message"], &last["message"]), (&message, &message));
    }
    site.events("withdrawal.unknown", 1).await;
}

#[tokio::test]
async fn what_the_provider_repeats_of_a_request_is_logged_nowhere_and_masked_elsewhere() {
    let site = start().await;
    repeated_deposits(&site).await;
    repeated_withdrawals(&site).await;
    let mut events = site.stack.events();
    for event in &mut events {
        if event["type"] == "deposit.credited" {
            assert_eq!(event["data"].as_object_mut().unwrap().remove("label"), Some(json!("marker-label")));
        }
    }
    let mut read = Vec::new();
    for path in ["/deposits/o1", "/withdrawals/w1", "/withdrawals/w2", "/withdrawals/w3", "/transactions?state=unknown"]
    {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        read.push(answer.body);
    }
    let mut rows = Vec::new();
    for id in ["w1", "w2", "w3"] {
        let row = site.stack.item(&format!("withdrawal#{id}")).await.unwrap().unwrap();
        rows.push(json!([row["message"], row["attempts"]]));
    }
    let texts: Vec<_> = events.iter().chain(&read).chain(&rows).map(Value::to_string).collect();
    assert_eq!(leaks(&texts), [""; 0]);
    assert_eq!(leaks(&site.logs()), [""; 0]);
}
