//! The alarms about events, and about the services that the functions need.

use axum::Router;
use axum::http::StatusCode;
use futures_util::FutureExt;
use local::{STREAM_LIMITS, StackOptions, StreamLimits, WhenBusy};
use serde_json::json;

use crate::alarms::run::{Case, empty, report, run};
use crate::flows::support::{Site, options};
use crate::flows::upstream::serve;

/// With a merchant's server that accepts nothing.
pub(super) const EVENTS: [Case; 4] = [
    Case::new("EventsRetriedAlarm", |site| credit(site, "47752120001").boxed_local()),
    Case::new("EventsUndeliveredAlarm", |site| credit(site, "47752120002").boxed_local())
        .mended(|site| empty(site, site.stack.undelivered_queue_url()).boxed_local()),
    Case::new("EventSetAsideAlarm", |site| newer_row(site, "newer").boxed_local()),
    Case::new("EventsWaitingAlarm", |site| newer_row(site, "waits").boxed_local())
        .mended(|site| empty(site, site.stack.set_aside_queue_url()).boxed_local()),
];

/// With bad settings, and with services that are away.
pub(super) const BROKEN: [Case; 9] = [
    Case::new("EventsStoppedAlarm", |site| report(site).boxed_local()),
    // A second stands for 10 minutes.
    Case::new("EventsLateAlarm", |site| report(site).boxed_local()).stretched(600.0),
    Case::new("EventsUnpublishedAlarm", |site| report(site).boxed_local())
        .mended(|site| empty(site, site.stack.unpublished_queue_url()).boxed_local()),
    Case::new("EventsStuckAlarm", |site| event_that_nobody_takes(site).boxed_local())
        .mended(|site| empty(site, site.stack.events_queue_url()).boxed_local()),
    Case::new("TryAgainAlarm", |site| three_requests(site).boxed_local()),
    Case::new("Api5xxAlarm", |site| request(site).boxed_local()),
    Case::new("SecretUnavailableAlarm", |site| postback(site).boxed_local()),
    Case::new("PostbackUnavailableAlarm", |site| postback(site).boxed_local()).and_not("PostbackApi5xxAlarm"),
    Case::new("WrongTableAlarm", |site| wrong_table(site).boxed_local()),
];

/// With functions that may have one process each.
pub(super) const BUSY: [Case; 2] = [
    Case::new("FunctionThrottlesAlarm", |site| two_orders(site).boxed_local()),
    Case::new("PostbackApi5xxAlarm", |site| two_postbacks(site).boxed_local()),
];

#[tokio::test]
async fn each_alarm_about_events_fires_and_clears() {
    let refusing = serve(Router::new().fallback(StatusCode::SERVICE_UNAVAILABLE)).await;
    let posting =
        StackOptions { events: Some(refusing), events_first_retry_seconds: 1, events_give_up_seconds: 2, ..options() };
    run(posting, &EVENTS).await;
}

#[tokio::test]
async fn each_alarm_about_what_is_broken_fires_and_clears() {
    let nobody = "http://127.0.0.1:1";
    let environment = [
        ("event-publisher", "EVENT_BUS_NAME", ""),
        ("transaction-reader", "TABLE_NAME", ""),
        ("postback-receiver", "AWS_ENDPOINT_URL_SECRETS_MANAGER", nobody),
        ("create-withdrawal", "TABLE_STREAM_ARN", "arn:aws:dynamodb:ap-south-1:000000000000:table/other/stream/now"),
    ];
    let environment = environment.map(|(function, name, value)| (function.into(), name.into(), value.into())).into();
    let stream_limits = StreamLimits { retries: 10, ..STREAM_LIMITS };
    run(StackOptions { environment, stream_limits, ..options() }, &BROKEN).await;
}

#[tokio::test]
async fn each_alarm_about_too_many_calls_fires_and_clears() {
    run(StackOptions { function_concurrency: 1, when_busy: WhenBusy::Refuse, ..options() }, &BUSY).await;
}

async fn credit(site: &Site, number: &str) {
    let order = format!("order-{number}");
    site.order(&order).await;
    let payment =
        json!({"transaction_id": number, "amount": "700", "custom_transaction_id": order, "label": "631317234"});
    site.control("payments", &payment).await;
}

/// A withdrawal in a state that this release does not know.
async fn newer_row(site: &Site, id: &str) {
    let row = json!({"transaction_id": {"S": format!("withdrawal#{id}")}, "version": {"N": "1"}, "format": {"N": "2"},
        "state": {"S": "of_tomorrow"}, "withdrawal_id": {"S": id}});
    site.put(&row).await;
}

/// Without a merchant's server, nothing takes events from the queue.
async fn event_that_nobody_takes(site: &Site) {
    let send = json!({"QueueUrl": site.stack.events_queue_url(), "MessageBody": "{}"});
    site.stack.sqs("SendMessage", &send).await.unwrap();
}

async fn request(site: &Site) {
    assert_eq!(site.get("/deposits/o1").await.code(), "try_again");
}

async fn three_requests(site: &Site) {
    for _ in 0..3 {
        request(site).await;
    }
}

async fn postback(site: &Site) {
    assert_eq!(site.postback(b"{}".to_vec()).await.status, 503);
}

async fn wrong_table(site: &Site) {
    assert_eq!(site.withdraw("w1").await.code(), "wrong_table");
}

async fn two_orders(site: &Site) {
    let (first, second) = tokio::join!(site.order("o1"), site.order("o2"));
    assert!(first.status >= 500 || second.status >= 500, "{first:?}, {second:?}");
}

/// The first one starts the process.
async fn two_postbacks(site: &Site) {
    let postback = || site.postback(b"{}".to_vec());
    let (first, second) = tokio::join!(postback(), postback());
    assert!(first.status == 503 || second.status == 503, "{first:?}, {second:?}");
}
