//! A change that this release cannot read: it waits in a queue of its own, and nothing else waits for it.

use std::time::Duration;

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::calls::with_ceiling;
use crate::flows::support::{Site, options};

/// A withdrawal as a newer release may write it.
fn newer(id: &str, comment: &str) -> Value {
    json!({"transaction_id": {"S": format!("withdrawal#{id}")}, "version": {"N": "1"}, "format": {"N": "2"},
        "state": {"S": "of_tomorrow"}, "withdrawal_id": {"S": id}, "comment": {"S": comment}})
}

/// Takes the messages that are in a queue now.
async fn messages(site: &Site, queue_url: String) -> Vec<Value> {
    let receive =
        json!({"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "VisibilityTimeout": 1});
    let mut answer = site.stack.sqs("ReceiveMessage", &receive).await.unwrap();
    let messages = answer["Messages"].take();
    let bodies = messages.as_array().cloned().unwrap_or_default().into_iter();
    bodies.map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()).collect()
}

/// Waits until the queue of changes that were set aside gives a message.
async fn set_aside(site: &Site) -> Value {
    for _ in 0..200 {
        if let Some(message) = messages(site, site.stack.set_aside_queue_url()).await.pop() {
            return message;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing was set aside: {:#?}", site.stack.logs("event-publisher"));
}

/// How many messages wait, wherever they are.
async fn waiting(site: &Site) -> u64 {
    let names = ["", "NotVisible", "Delayed"].map(|it| format!("ApproximateNumberOfMessages{it}"));
    let get = json!({"QueueUrl": site.stack.set_aside_queue_url(), "AttributeNames": names});
    let got = site.stack.sqs("GetQueueAttributes", &get).await.unwrap();
    names.iter().map(|name| got["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap()).sum()
}

async fn until_waiting(site: &Site, count: u64) {
    for _ in 0..400 {
        if waiting(site).await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} wait, not {count}: {:#?}", waiting(site).await, site.stack.logs("event-publisher"));
}

async fn credit(site: &Site, order: &str, number: &str) {
    site.order(order).await;
    let payment =
        json!({"transaction_id": number, "amount": "700", "custom_transaction_id": order, "label": "631317234"});
    site.control("payments", &payment).await;
}

#[tokio::test]
async fn an_unreadable_change_keeps_no_other_event_waiting() {
    let site = Site::start().await;
    credit(&site, "o1", "47752123511").await;
    site.put(&newer("w1", "")).await;
    for index in 2..10 {
        credit(&site, &format!("o{index}"), &format!("4775212351{index}")).await;
    }
    site.events("deposit.credited", 9).await;
    let message = set_aside(&site).await;
    assert_eq!(message["reason"], "unreadable");
    assert_eq!(message["record"]["dynamodb"]["NewImage"], newer("w1", ""), "the message has the whole row");
    assert!(message["record"]["dynamodb"]["SequenceNumber"].is_string());
    assert_eq!(messages(&site, site.stack.unpublished_queue_url()).await, Vec::<Value>::new(), "nothing was given up");
    let logs = site.stack.logs("event-publisher");
    let counted = logs.iter().filter(|line| line.contains(r#""event":"event.set_aside""#)).count();
    assert_eq!(counted, 1, "{logs:#?}");
}

#[tokio::test]
async fn a_change_that_was_set_aside_is_published_once_it_can_be_read() {
    let site = Site::start().await;
    site.put(&newer("w1", "")).await;
    let message = set_aside(&site).await;
    // The release that can read it: the row's state is one of today's.
    let mut readable = message.clone();
    let foreign =
        crate::flows::events::event("event-publisher/published")["Records"][0]["dynamodb"]["NewImage"].clone();
    readable["record"]["dynamodb"]["NewImage"] = foreign;
    let send = json!({"QueueUrl": site.stack.set_aside_queue_url(), "MessageBody": readable.to_string()});
    site.stack.sqs("SendMessage", &send).await.unwrap();
    let events = site.events("withdrawal.foreign", 1).await;
    assert_eq!((&events[0]["transaction"], &events[0]["version"]), (&json!("withdrawal#85858061"), &json!(1)));
    assert_eq!(events[0]["time_ms"].as_u64(), message["at_ms"].as_u64(), "the time of the change");
    until_waiting(&site, 1).await;
    let again = set_aside(&site).await;
    assert_eq!(again, message, "what cannot be read yet is tried again and stays");
    assert_eq!(site.stack.events().len(), 1);
}

#[tokio::test]
async fn a_change_that_is_too_large_for_a_message_blocks_nothing() {
    let site = Site::start_with(StackOptions { set_aside_retry_seconds: 0, ..options() }).await;
    site.put(&newer("w1", &"x".repeat(300_000))).await;
    credit(&site, "o1", "47752123511").await;
    site.events("deposit.credited", 1).await;
    let message = set_aside(&site).await;
    assert!(message["record"].is_null());
    let position = &message["position"]["dynamodb"];
    assert_eq!(position["Keys"], json!({"transaction_id": {"S": "withdrawal#w1"}}));
    assert!(position["SequenceNumber"].is_string(), "{message}");
}

#[tokio::test]
async fn of_the_changes_of_a_deposit_one_reaches_the_publisher_and_of_a_withdrawal_two() {
    let site = Site::start_with(with_ceiling("1000000")).await;
    let invocations = || site.stack.invocations("event-publisher");
    site.order("o1").await;
    site.activate("o1", "47752123511").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(invocations(), 0, "until then, nothing is published");
    site.pay("47752123511", "700").await;
    site.events("deposit.credited", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(invocations(), 1, "the payment's row is quiet");
    site.withdraw("w1").await;
    site.events("withdrawal.submitted", 1).await;
    site.settle("w1", 1).await;
    site.events("withdrawal.paid", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(invocations(), 3);
}
