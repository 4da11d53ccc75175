//! Amounts that decide the outcome.

use std::time::Duration;

use serde_json::{Value, json};

use crate::deposits::activation;
use crate::withdrawals::{PATH, insufficient, ok, request, signed};
use crate::{Bench, with};

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.control("settings", json!({"test_amounts": true})).await;
    bench
}

/// Enters a number with an amount.
async fn enter(bench: &Bench, amount: &str) -> Value {
    bench.activate(&with(&activation("order-1"), "amount", serde_json::from_str(amount).unwrap())).await
}

fn paid_amounts(postbacks: &[Value]) -> Vec<&str> {
    postbacks.iter().map(|body| body["additional_data"][0]["amount"].as_str().unwrap()).collect()
}

fn statuses(postbacks: &[Value]) -> Vec<i64> {
    postbacks.iter().map(|body| body["additional_data"][0]["withdrawal_status"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_payment_is_there_at_once() {
    let bench = bench().await;
    assert_eq!(enter(&bench, "521").await["status"], "ok");
    assert_eq!(paid_amounts(&bench.postbacks(1).await), ["521"]);
    // The same number again is the same payment.
    assert_eq!(enter(&bench, "521").await["status"], "ok");
    bench.postbacks(1).await;
}

#[tokio::test]
async fn a_payment_comes_later() {
    let bench = bench().await;
    assert_eq!(enter(&bench, "522").await["status"], "pending");
    assert!(bench.merchant.received().is_empty());
    assert_eq!(paid_amounts(&bench.postbacks(1).await), ["522"]);
    assert_eq!(enter(&bench, "522").await["status"], "ok");
}

#[tokio::test]
async fn a_payment_never_comes() {
    for (amount, answer) in [("523", "pending"), ("527", "possible_transaction_created")] {
        let bench = bench().await;
        assert_eq!(enter(&bench, amount).await["status"], answer);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(bench.merchant.received().is_empty(), "{amount}");
    }
}

#[tokio::test]
async fn a_payment_has_another_amount() {
    let bench = bench().await;
    assert_eq!(enter(&bench, "524").await["deposit_amount"], 525);
    assert_eq!(paid_amounts(&bench.postbacks(1).await), ["525"]);
}

#[tokio::test]
async fn a_number_is_rejected() {
    let bench = bench().await;
    let answer = enter(&bench, "525").await;
    assert_eq!(answer, json!({"status": "fail", "message": "The transaction was not found"}));
}

#[tokio::test]
async fn a_postback_comes_twenty_times() {
    let bench = bench().await;
    assert_eq!(enter(&bench, "526").await["status"], "ok");
    let postbacks = bench.postbacks(20).await;
    assert!(postbacks.iter().all(|body| *body == postbacks[0]));
}

#[tokio::test]
async fn a_payment_that_was_made_counts_more_than_a_test_amount() {
    let bench = bench().await;
    let payment = json!({"transaction_id": activation("order-1")["key1"], "amount": "525"});
    bench.control("payments", payment).await;
    assert_eq!(enter(&bench, "525").await["status"], "ok");
}

#[tokio::test]
async fn no_amount_decides_while_test_amounts_are_off() {
    let bench = Bench::new().await;
    assert_eq!(enter(&bench, "521").await["status"], "pending");
    assert_eq!(bench.call(PATH, &signed(&request("w-16", 316))).await, ok());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(bench.merchant.received().is_empty());
}

#[tokio::test]
async fn a_withdrawal_ends_as_its_amount_says() {
    for (amount, expected) in [(311, vec![1]), (312, vec![5]), (314, vec![]), (315, vec![1, 5]), (300, vec![])] {
        let bench = bench().await;
        assert_eq!(bench.call(PATH, &signed(&request("w", amount))).await, ok());
        assert_eq!(statuses(&bench.postbacks(expected.len()).await), expected, "{amount}");
    }
}

#[tokio::test]
async fn the_answer_to_a_withdrawal_is_lost_and_it_is_paid_all_the_same() {
    let bench = bench().await;
    bench.post(PATH, &signed(&request("w", 313)).to_string()).await.unwrap_err();
    assert_eq!(statuses(&bench.postbacks(1).await), [1]);
}

#[tokio::test]
async fn a_withdrawal_is_not_accepted() {
    let bench = bench().await;
    assert_eq!(bench.call(PATH, &signed(&request("w-16", 316))).await, insufficient());
    for (id, amount, status) in [("w-17", 317, 404), ("w-18", 318, 503)] {
        assert_eq!(bench.post(PATH, &signed(&request(id, amount)).to_string()).await.unwrap().0, status);
        assert_eq!(bench.look(&format!("withdrawals/{id}")).await["accepted_count"], 0);
    }
    assert!(bench.merchant.received().is_empty());
}

#[tokio::test]
async fn a_postback_comes_before_the_answer() {
    let bench = bench().await;
    assert_eq!(bench.call(PATH, &signed(&request("w", 319))).await, ok());
    assert_eq!(bench.merchant.received().len(), 1);
}
