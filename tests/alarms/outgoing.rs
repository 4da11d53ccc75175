//! The alarms about outgoing money, and those that attention-reporter raises.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use local::StackOptions;
use serde_json::json;
use std::sync::Arc;

use crate::alarms::run::{Case, eventually, made_older, report, run_on, until_empty};
use crate::flows::operator::Tool;
use crate::flows::support::{Site, options, with, withdrawal};
use crate::flows::upstream::{Upstream, refuse, serve};

pub(super) const CASES: [Case; 13] = [
    Case::new("WithdrawalUnknownAlarm", |site| lose_the_answer(site, "lost").boxed_local()),
    Case::new("WithdrawalNeedsReviewAlarm", |site| use_up_all_attempts(site, "used-up").boxed_local()),
    Case::new("DeadLettersAlarm", |site| use_up_all_attempts(site, "dead").boxed_local())
        .mended(|site| redrive(site).boxed_local()),
    Case::new("WithdrawalLimitReachedAlarm", |site| ask_for_too_much(site).boxed_local()),
    Case::new("WithdrawalConflictAlarm", |site| paid_and_failed(site).boxed_local()),
    Case::new("WithdrawalForeignAlarm", |site| made_by_hand(site).boxed_local()),
    Case::new("WithdrawalUnknownAgeAlarm", |site| unknown_for_long(site).boxed_local())
        .mended(|site| end(site, "long-unknown").boxed_local()),
    Case::new("WithdrawalNotSubmittedAlarm", |site| waiting_for_long(site).boxed_local())
        .mended(|site| end(site, "long-waiting").boxed_local()),
    Case::new("WithdrawalNotReportedAlarm", |site| submitted_for_long(site).boxed_local())
        .mended(|site| end(site, "long-submitted").boxed_local()),
    Case::new("WithdrawalsUnreadAlarm", |site| cannot_be_read(site).boxed_local())
        .mended(|site| end(site, UNREAD).boxed_local()),
    Case::new("WithdrawalsRejectedAlarm", |site| no_balance(site).boxed_local()),
    Case::new("ProviderMisconfiguredAlarm", |site| forbidden(site).boxed_local()),
    Case::new("FunctionErrorsAlarm", |site| crash(site).boxed_local()),
];

#[tokio::test]
async fn each_alarm_about_outgoing_money_fires_and_clears() {
    let upstream = Arc::new(Upstream::default());
    let table = serve(Router::new().fallback(read_most).with_state(Arc::clone(&upstream))).await;
    let mut options = StackOptions {
        max_receive_count: 2,
        submission_delay_seconds: 1,
        visibility_timeout_seconds: 1,
        withdrawal_ceiling_per_hour: "1000000".into(),
        ..options()
    };
    options.environment.push(("attention-reporter".into(), "AWS_ENDPOINT_URL_DYNAMODB".into(), table));
    let site = Site::start_with(options).await;
    upstream.set(site.stack.dynamodb_url());
    run_on(&site, &CASES).await;
}

/// A withdrawal whose row the table does not give to attention-reporter.
const UNREAD: &str = "cannot-be-read";

async fn read_most(State(upstream): State<Arc<Upstream>>, headers: HeaderMap, body: Bytes) -> Response {
    let is_batch = headers["x-amz-target"].as_bytes().ends_with(b".BatchGetItem");
    if is_batch && String::from_utf8_lossy(&body).contains(UNREAD) {
        return refuse("ProvisionedThroughputExceededException");
    }
    upstream.forward(headers, body).await.into_response()
}

fn key(id: &str) -> String {
    format!("withdrawal#{id}")
}

/// Makes a withdrawal's row older, and has it reported.
async fn report_older(site: &Site, id: &str, hours: u64) {
    site.put(&made_older(site.row(&key(id)).await, hours.saturating_mul(60))).await;
    report(site).await;
}

/// The provider pays.
async fn end(site: &Site, id: &str) {
    if site.state(&key(id)).await == "waiting" {
        site.until(&key(id), "submitted").await;
    }
    site.settle(id, 1).await;
    site.until(&key(id), "paid").await;
    report(site).await;
}

async fn lose_the_answer(site: &Site, id: &str) {
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    assert_eq!(site.withdraw(id).await.state(), (202, "pending"));
    site.until(&key(id), "unknown").await;
}

/// The provider does not process so many calls.
async fn busy(site: &Site, times: u32) {
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": times})).await;
}

/// One call of create-withdrawal, and two of withdrawal-submitter.
async fn use_up_all_attempts(site: &Site, id: &str) {
    busy(site, 3).await;
    assert_eq!(site.withdraw(id).await.state(), (202, "pending"));
    eventually(site, "a review", async || !site.attribute(&key(id), "needs_review").await.is_empty()).await;
}

/// Sends the dead letters back until both withdrawals are submitted. Otherwise they would meet what goes wrong in the next cases.
async fn redrive(site: &Site) {
    let tool = Tool::of(site);
    eventually(site, "both are submitted", async || {
        let (status, said) = tool.run(&["redrive"]).await;
        assert_eq!(status, 0, "{said}");
        site.state(&key("used-up")).await == "submitted" && site.state(&key("dead")).await == "submitted"
    })
    .await;
    until_empty(site, &site.stack.dead_letter_queue_url()).await;
}

async fn ask_for_too_much(site: &Site) {
    let refused = site.post("/withdrawals", &with(&withdrawal("large"), "amount", &json!(1_000_001))).await;
    assert_eq!(refused.code(), "limit_reached");
}

async fn paid_and_failed(site: &Site) {
    site.withdraw("both").await;
    site.settle("both", 1).await;
    site.until(&key("both"), "paid").await;
    site.settle("both", 5).await;
}

async fn made_by_hand(site: &Site) {
    let foreign = json!({"withdrawal_id": "by-hand", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    site.control("postbacks", &foreign).await;
}

async fn unknown_for_long(site: &Site) {
    lose_the_answer(site, "long-unknown").await;
    report_older(site, "long-unknown", 3).await;
}

async fn waiting_for_long(site: &Site) {
    busy(site, 1).await;
    assert_eq!(site.withdraw("long-waiting").await.state(), (202, "pending"));
    report_older(site, "long-waiting", 3).await;
}

async fn submitted_for_long(site: &Site) {
    assert_eq!(site.withdraw("long-submitted").await.state(), (201, "submitted"));
    report_older(site, "long-submitted", 25).await;
}

async fn cannot_be_read(site: &Site) {
    assert_eq!(site.withdraw(UNREAD).await.state(), (201, "submitted"));
    let reported = site.stack.invoke("attention-reporter", &json!({})).await;
    assert!(reported.is_err(), "{reported:?}");
}

async fn no_balance(site: &Site) {
    site.control("settings", &json!({"balance": 0})).await;
    for id in ["poor1", "poor2", "poor3"] {
        assert_eq!(site.withdraw(id).await.code(), "provider_rejected");
    }
    site.control("settings", &json!({"balance": 1_000_000})).await;
}

async fn forbidden(site: &Site) {
    site.control("faults", &json!({"on": "create", "fault": "status", "code": 403})).await;
    assert!(site.order("forbidden").await.status >= 500);
}

/// The process of a function dies while it waits for the provider.
async fn crash(site: &Site) {
    site.fault("create", "hang", 1).await;
    let kill = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        site.stack.kill("create-deposit").await;
    };
    assert_eq!(tokio::join!(site.order("crash"), kill).0.status, 500);
}
