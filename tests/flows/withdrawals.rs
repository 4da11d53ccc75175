//! Withdrawals, from the merchant's request to the provider's last word.

use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::operator::Tool;
use crate::flows::support::{Site, options, with, withdrawal};

#[tokio::test]
async fn a_withdrawal_goes_all_the_way() {
    let site = Site::start().await;
    for (id, status, state) in [("w1", 1, "paid"), ("w2", 5, "failed")] {
        assert_eq!(site.withdraw(id).await.state(), (201, "submitted"));
        let log = site.stack.simulator().unwrap().log();
        assert!(log.contains(&format!("withdrawal {id}: signature accepted")), "{log:#?}");
        site.settle(id, status).await;
        site.until(&format!("withdrawal#{id}"), state).await;
    }
}

#[tokio::test]
async fn the_same_withdrawal_again_is_answered_as_before_and_another_one_refused() {
    let site = Site::start().await;
    let first = site.withdraw("w1").await;
    let again = site.withdraw("w1").await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let others = [
        ("amount", json!(1001)),
        ("account_number", json!("1234560078")),
        ("label", json!("thief")),
        ("comment", json!("x")),
        ("is_test", json!(true)),
    ];
    for (field, value) in others {
        let other = site.post("/withdrawals", &with(&withdrawal("w1"), field, &value)).await;
        assert_eq!((other.status, other.code()), (409, "id_taken"), "{other:?}");
        assert!(other.body["message"].as_str().unwrap().contains(field));
    }
    assert_eq!(site.ask("withdrawals/w1").await["received"], 1);
}

#[tokio::test]
async fn a_rejected_withdrawal_says_why_and_stays_rejected() {
    let site = Site::start().await;
    site.control("settings", &json!({"balance": 999})).await;
    for _ in 0..2 {
        let rejected = site.withdraw("w1").await;
        assert_eq!((rejected.status, rejected.code()), (422, "provider_rejected"));
        assert_eq!(rejected.body["message"], "withdrawals_sum_amount: Insufficient balance");
    }
    assert_eq!(site.state("withdrawal#w1").await, "rejected");
    assert_eq!(site.ask("withdrawals/w1").await["received"], 1);
}

#[tokio::test]
async fn what_was_surely_not_processed_is_sent_again_with_the_same_bytes() {
    let site = Site::start().await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 2})).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    assert_eq!(site.state("withdrawal#w1").await, "waiting");
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    site.until("withdrawal#w1", "submitted").await;
    let found = site.get("/withdrawals/w1").await.body;
    let outcomes: Vec<_> = found["attempts"].as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
    assert_eq!(outcomes, ["not_sent", "not_sent", "accepted"], "{found}");
    let seen = site.ask("withdrawals/w1").await;
    assert_eq!((&seen["distinct_bodies"], &seen["accepted_count"]), (&json!(1), &json!(1)), "{seen}");
}

#[tokio::test]
async fn a_postback_may_come_before_the_submissions_answer() {
    let site = Site::start().await;
    site.control("settings", &json!({"early_postback": true})).await;
    assert_eq!(site.withdraw("w1").await.state(), (201, "submitted"));
    assert_eq!(site.state("withdrawal#w1").await, "paid");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_until_the_postback_and_is_not_sent_again() {
    for (id, fault) in [("w1", "accepted_but_lost"), ("w2", "reset_after"), ("w3", "hang"), ("w4", "truncated")] {
        let site = Site::start().await;
        site.fault("withdrawal", fault, 1).await;
        assert_eq!(site.withdraw(id).await.state(), (202, "pending"), "{fault}");
        let key = format!("withdrawal#{id}");
        assert_eq!(site.state(&key).await, "unknown", "{fault}");
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        assert_eq!(site.state(&key).await, "unknown", "{fault}: the armed message changes nothing");
        assert_eq!(site.ask(&format!("withdrawals/{id}")).await["received"], 1);
        site.settle(id, 1).await;
        site.until(&key, "paid").await;
    }
}

#[tokio::test]
async fn where_the_deployment_says_so_an_unknown_attempt_is_sent_again_and_no_fail_releases_it() {
    let site = Site::start_with(StackOptions { resend_unknown: "on".into(), ..options() }).await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.control("settings", &json!({"balance": 1000, "balance_first": true})).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    for _ in 0..200 {
        if site.ask("withdrawals/w1").await["received"].as_u64() >= Some(2) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let seen = site.ask("withdrawals/w1").await;
    assert_eq!((&seen["distinct_bodies"], &seen["accepted_count"]), (&json!(1), &json!(1)), "{seen}");
    assert_eq!(site.state("withdrawal#w1").await, "unknown", "Insufficient balance is our own first attempt");
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
}

#[tokio::test]
async fn a_submitter_killed_between_send_and_answer_leaves_an_unknown_that_the_postback_settles() {
    let mut options = options();
    options.provider_timeout_ms = 15_000;
    options.sender_lifetime_ms = 1_000;
    let site = Site::start_with(options).await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429})).await;
    site.fault("withdrawal", "hang", 1).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    site.until("withdrawal#w1", "sending").await;
    while site.ask("withdrawals/w1").await["accepted_count"] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    site.stack.kill("withdrawal-submitter").await;
    site.until("withdrawal#w1", "unknown").await;
    site.settle("w1", 1).await;
    site.until("withdrawal#w1", "paid").await;
    assert_eq!(site.ask("withdrawals/w1").await["accepted_count"], 1);
}

#[tokio::test]
async fn a_function_that_outlives_its_time_limit_is_killed_and_nothing_is_lost() {
    let mut options = options();
    options.provider_timeout_ms = 60_000;
    options.sender_time_limit = std::time::Duration::from_secs(2);
    options.sender_lifetime_ms = 1_000;
    let site = Site::start_with(options).await;
    site.fault("withdrawal", "hang", 1).await;
    assert!(site.withdraw("w1").await.status >= 500);
    site.until("withdrawal#w1", "unknown").await;
    site.settle("w1", 5).await;
    site.until("withdrawal#w1", "failed").await;
}

#[tokio::test]
async fn when_the_attempts_are_used_up_a_person_is_asked_and_nothing_is_refunded() {
    let site = Site::start_with(StackOptions { max_receive_count: 2, ..options() }).await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 9})).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    let depth =
        json!({"QueueUrl": site.stack.dead_letter_queue_url(), "AttributeNames": ["ApproximateNumberOfMessages"]});
    let mut dead = String::new();
    for _ in 0..300 {
        let attributes = site.stack.sqs("GetQueueAttributes", &depth).await.unwrap();
        dead = attributes["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap_or_default().to_owned();
        if dead == "1" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(dead, "1");
    assert_eq!(site.state("withdrawal#w1").await, "waiting");
    assert_eq!(site.attribute("withdrawal#w1", "needs_review").await, "the attempts are used up");
}

#[tokio::test]
async fn what_contradicts_the_outcome_is_recorded_and_not_applied() {
    let site = Site::start().await;
    site.withdraw("w1").await;
    site.settle("w1", 3).await;
    site.control("withdrawals/w1/settle", &json!({"status": 1, "amount": "100"})).await;
    let key = "withdrawal#w1";
    for _ in 0..100 {
        if site.attribute(key, "contradictions").await.matches("mismatch").count() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(site.state(key).await, "submitted");
    site.settle("w1", 1).await;
    site.until(key, "paid").await;
    site.settle("w1", 5).await;
    for _ in 0..100 {
        if site.attribute(key, "contradictions").await.matches("mismatch").count() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let contradictions = site.attribute(key, "contradictions").await;
    for mismatch in ["status", "withdrawal_amount", "outcome"] {
        assert!(contradictions.contains(mismatch), "{mismatch}: {contradictions}");
    }
    assert_eq!(site.state(key).await, "paid");
}

/// The ages that the reporter reports, in seconds.
async fn reported(site: &Site, name: &str) -> u64 {
    site.stack.invoke("attention-reporter", &json!({})).await.unwrap();
    let logs = site.stack.logs("attention-reporter");
    let mut lines = logs.iter().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["attention"] == name).unwrap()["OldestAttentionSeconds"].as_u64().unwrap()
}

const HOUR_MS: u64 = 3_600_000;

/// Makes a row older, as if it had been written so many hours ago.
fn aged(row: &Value, hours: u64) -> Value {
    let mut row = row.clone();
    for name in ["created_at", "changed_at", "state_since", "attention_at"] {
        let at: u64 = row[name]["N"].as_str().unwrap().parse().unwrap();
        row[name] = json!({"N": at.saturating_sub(hours.saturating_mul(HOUR_MS)).to_string()});
    }
    row
}

#[tokio::test]
async fn a_withdrawal_whose_message_is_lost_is_reported_and_moved_on_by_a_person() {
    // The armed message does not come.
    let site = Site::start_with(StackOptions { submission_delay_seconds: 900, ..options() }).await;
    let tool = Tool::of(&site);
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 1})).await;
    assert_eq!(site.withdraw("w1").await.state(), (202, "pending"));
    assert_eq!(site.state("withdrawal#w1").await, "waiting");
    site.put(&aged(&site.row("withdrawal#w1").await, 3)).await;
    assert!(reported(&site, "not_submitted").await >= 3 * 3_600);
    let listed = tool.json(&["list", "--kind", "open", "--older-than", "2h"]).await;
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["state"]), (1, &json!("withdrawal#w1"), &json!("waiting")));

    let redrive = ["redrive", "--withdrawal", "w1"];
    assert_eq!(tool.run(&[&redrive[..], &["--dry-run"]].concat()).await.0, 0);
    assert_eq!(site.state("withdrawal#w1").await, "waiting");
    let (status, said) = tool.run(&redrive).await;
    assert_eq!(status, 0, "{said}");
    site.until("withdrawal#w1", "submitted").await;
    assert_eq!(reported(&site, "not_submitted").await, 0);
    assert_eq!(tool.run(&redrive).await.0, 3, "there is nothing to submit");
    assert_eq!(tool.run(&["redrive", "--withdrawal", "w9"]).await.0, 3);
    assert_eq!(site.ask("withdrawals/w1").await["accepted_count"], 1);
}

#[tokio::test]
async fn an_attempt_whose_sender_died_is_given_up_without_its_message_and_a_person_ends_it() {
    let site = Site::start_with(StackOptions { submission_delay_seconds: 900, ..options() }).await;
    let tool = Tool::of(&site);
    site.withdraw("w1").await;
    // As the sender left it that died an hour ago.
    let mut row = aged(&site.row("withdrawal#w1").await, 1);
    row["state"] = json!({"S": "sending"});
    row["attempts"]["L"][0]["M"]["started_at"] = row["created_at"].clone();
    row["attempts"]["L"][0]["M"].as_object_mut().unwrap().remove("ended").unwrap();
    site.put(&row).await;
    assert_eq!(tool.resolve("w1", "failed", &[]).await.0, 3, "an attempt is on its way");
    assert_eq!(reported(&site, "not_submitted").await, 0, "it is given up before it is reported");
    assert_eq!(site.state("withdrawal#w1").await, "unknown");
    assert_eq!(site.attribute("withdrawal#w1", "attention").await, "open");
    assert_eq!(reported(&site, "unknown").await / 3_600, 0, "it has been unknown since now");
    assert_eq!(tool.resolve("w1", "failed", &[]).await.0, 0);
    assert_eq!(site.attribute("withdrawal#w1", "attention").await, "");
    site.events("withdrawal.unknown", 1).await;
}
