//! Runs of the local stack with the real functions in which something goes wrong, and the metrics that they leave.

use std::time::Duration;

use local::StackOptions;
use serde_json::json;

use crate::alarms::metrics::{Metrics, line};
use crate::flows::postbacks::{postback, signed};
use crate::flows::support::{Site, options};
use lambda::{Clock, System};

/// The metrics of a run, with the numbers of messages in the queues at its end.
async fn metrics(site: &Site) -> Metrics {
    // The last lines are on their way from the functions' processes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut lines = site.stack.metrics();
    for (queue, url) in [
        ("DeadLetterQueue", site.stack.dead_letter_queue_url()),
        ("SetAsideQueue", site.stack.set_aside_queue_url()),
        ("UnpublishedQueue", site.stack.unpublished_queue_url()),
    ] {
        let names = ["", "NotVisible", "Delayed"].map(|it| format!("ApproximateNumberOfMessages{it}"));
        let got =
            site.stack.sqs("GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": names})).await.unwrap();
        for (name, metric) in names.iter().zip(["Visible", "NotVisible", "Delayed"]) {
            let count: u64 = got["Attributes"][name].as_str().unwrap().parse().unwrap();
            let metric = format!("ApproximateNumberOfMessages{metric}");
            lines.push(line("AWS/SQS", ("QueueName", queue), (&metric, count), System.now_ms()));
        }
    }
    Metrics::read(lines)
}

async fn report(site: &Site) {
    site.stack.invoke("attention-reporter", &json!({})).await.unwrap();
}

/// Makes a row so many hours older.
async fn age(site: &Site, key: &str, hours: u64) {
    let mut row = site.row(key).await;
    for name in ["created_at", "changed_at", "state_since", "attention_at"] {
        if let Some(at) = row[name]["N"].as_str() {
            row[name] = json!({"N": (at.parse::<u64>().unwrap() - hours * 3_600_000).to_string()});
        }
    }
    site.put(&row).await;
}

/// All is well: a deposit is credited and a withdrawal paid, and attention-reporter has run.
pub(crate) async fn healthy() -> Metrics {
    let site = Site::start().await;
    site.order("o1").await;
    site.activate("o1", "47752123511").await;
    site.pay("47752123511", "700").await;
    site.withdraw("w1").await;
    site.settle("w1", 1).await;
    site.events("deposit.credited", 1).await;
    site.events("withdrawal.paid", 1).await;
    report(&site).await;
    for _ in 0..100 {
        if site.stack.logs("event-publisher").iter().any(|it| it.contains("stream.heartbeat")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    metrics(&site).await
}

/// Postbacks that are not as they should be.
pub(crate) async fn bad_postbacks() -> Metrics {
    let site = Site::start_with(StackOptions { set_aside_retry_seconds: 900, ..options() }).await;
    site.order("o1").await;
    let send = async |payments: &[(&str, &str, &str)]| {
        site.postback(postback(&site, payments).to_string().into()).await.status
    };
    assert_eq!(send(&[("47752123511", "unknown-order", "700")]).await, 200);
    assert_eq!(send(&[("47752123512", "o1", "700")]).await, 200);
    assert_eq!(send(&[("47752123512", "o1", "900")]).await, 200);
    assert_eq!(send(&[("47752123513", "o1", "much")]).await, 200);
    let held = json!({"transaction_id": "47752123514", "custom_transaction_id": "o1", "label": "631317234", "amount": "7",
        "direction": "ingoing", "tamper": {"amount": 8}});
    site.control("postbacks", &held).await;
    let foreign = json!({"withdrawal_id": "w9", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    site.control("postbacks", &foreign).await;
    assert_eq!(site.postback(b"{}".to_vec()).await.status, 400);
    let forged = signed(&site, "[]").replacen(r#""signature":"0"#, r#""signature":"1"#, 1);
    let forged = forged.replacen(r#""signature":""#, r#""signature":"0"#, 1);
    assert_eq!(site.postback(forged.into()).await.status, 401);
    assert_eq!(site.post("/postbacks/another", &json!({})).await.status, 404);
    // A payment whose row a newer release has written.
    let newer = |key: &str| {
        json!({"transaction_id": {"S": key}, "version": {"N": "1"}, "format": {"N": "99"},
        "state": {"S": "of_tomorrow"}})
    };
    site.put(&newer("payment#paytm#47752123516")).await;
    for _ in 0..3 {
        assert_eq!(send(&[("47752123515", "o1", "700"), ("47752123516", "o1", "700")]).await, 503);
    }
    site.put(&newer("withdrawal#w8")).await;
    let unfinished = site.keys("list#").await.pop().unwrap();
    age(&site, &unfinished, 1).await;
    age(&site, "payment#paytm#47752123511", 25).await;
    report(&site).await;
    let position =
        json!({"QueueUrl": site.stack.unpublished_queue_url(), "MessageBody": "as Lambda sends it after six hours"});
    site.stack.sqs("SendMessage", &position).await.unwrap();
    for _ in 0..100 {
        if site.stack.logs("event-publisher").iter().any(|it| it.contains(r#""event":"event.set_aside""#)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    metrics(&site).await
}

/// Withdrawals that do not go as they should.
pub(crate) async fn bad_withdrawals() -> Metrics {
    let site = Site::start_with(StackOptions { max_receive_count: 2, ..options() }).await;
    for id in ["w1", "w2"] {
        site.withdraw(id).await;
    }
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
    site.settle("w1", 5).await;
    site.events("withdrawal.conflict", 1).await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w3").await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 403, "times": 1})).await;
    site.withdraw("w4").await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 3})).await;
    site.withdraw("w5").await;
    site.events("withdrawal.needs_review", 1).await;
    site.control("settings", &json!({"balance": 1})).await;
    for id in ["w6", "w7", "w8"] {
        assert_eq!(site.withdraw(id).await.code(), "provider_rejected");
    }
    age(&site, "withdrawal#w2", 25).await;
    age(&site, "withdrawal#w3", 3).await;
    age(&site, "withdrawal#w5", 3).await;
    report(&site).await;
    for _ in 0..200 {
        let get =
            json!({"QueueUrl": site.stack.dead_letter_queue_url(), "AttributeNames": ["ApproximateNumberOfMessages"]});
        let got = site.stack.sqs("GetQueueAttributes", &get).await.unwrap();
        if got["Attributes"]["ApproximateNumberOfMessages"] != "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    metrics(&site).await
}

/// A withdrawal above the ceiling.
pub(crate) async fn above_the_ceiling() -> Metrics {
    let site = Site::start_with(StackOptions { withdrawal_ceiling_per_hour: "999".into(), ..options() }).await;
    assert_eq!(site.withdraw("w1").await.code(), "limit_reached");
    metrics(&site).await
}

/// Users enter numbers, and the provider sends no postback. Nobody runs attention-reporter.
pub(crate) async fn silent_provider() -> Metrics {
    let site = Site::start().await;
    site.control("settings", &json!({"send_postbacks": false})).await;
    site.order("o1").await;
    site.pay("47752123511", "700").await;
    assert_eq!(site.activate("o1", "47752123511").await.status, 200);
    metrics(&site).await
}

/// Each call of a function ends by its time limit.
pub(crate) async fn functions_that_are_killed() -> Metrics {
    let site = Site::start_with(StackOptions { time_limit: Duration::ZERO, ..options() }).await;
    // Now and then one is faster than the clock.
    for _ in 0..20 {
        let postback = postback(&site, &[("47752123511", "o1", "700")]).to_string();
        let statuses = [site.order("o1").await.status, site.postback(postback.into()).await.status];
        if statuses == [500, 500] {
            return metrics(&site).await;
        }
    }
    panic!("no call was killed: {:#?}", site.logs());
}

/// A table that was copied from another stack's.
pub(crate) async fn wrong_table() -> Metrics {
    let site = Site::start().await;
    site.put(&json!({"transaction_id": {"S": "table#"}, "version": {"N": "1"}, "format": {"N": "1"},
        "state": {"S": "in_service"}, "stream": {"S": "arn:another"}, "generation": {"N": "1"}}))
        .await;
    let refused = site.postback(postback(&site, &[("47752123511", "o1", "700")]).to_string().into()).await;
    assert_eq!(refused.code(), "wrong_table");
    metrics(&site).await
}

/// Secrets Manager cannot be reached.
pub(crate) async fn no_secrets() -> Metrics {
    let away = ("authorizer".into(), "AWS_ENDPOINT_URL_SECRETS_MANAGER".into(), "http://127.0.0.1:9".into());
    let environment: Vec<_> = options().environment.into_iter().chain([away]).collect();
    let site = Site::start_with(StackOptions { environment, ..options() }).await;
    assert_eq!(site.order("o1").await.status, 500);
    metrics(&site).await
}

/// The merchant's server does not take events.
pub(crate) async fn merchant_away() -> Metrics {
    let site = Site::start_with(StackOptions { events: Some("http://127.0.0.1:9/".into()), ..options() }).await;
    site.order("o1").await;
    site.postback(postback(&site, &[("47752123511", "o1", "700")]).to_string().into()).await;
    site.events("deposit.credited", 1).await;
    for _ in 0..100 {
        if site.stack.metrics().iter().any(|it: &String| it.contains("RetryInvocationAttempts")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    metrics(&site).await
}

/// What no run of the local stack leaves: the only value of this metric.
pub(crate) fn only(namespace: &str, of: (&str, &str), value: (&str, u64)) -> Metrics {
    Metrics::read([line(namespace, of, value, System.now_ms())])
}
