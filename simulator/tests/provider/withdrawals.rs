//! Withdrawals: checks, duplicates, balance and results.

use secrecy::SecretString;
use serde_json::{Value, json};
use signing::{WithdrawalValue, sign_withdrawal};

use crate::{Bench, WITHDRAWAL_KEY, verify, with, without};

pub(crate) const PATH: &str = "/v2/withdrawal/create";

pub(crate) fn request(withdrawal_id: &str, amount: u64) -> Value {
    json!({"withdrawal_id": withdrawal_id, "payment_system": "paytm", "amount": amount, "currency_code": "INR",
        "label": "160496026", "comment": "withdrawal", "account_number": "1234560079", "is_test": true})
}

pub(crate) fn signed(request: &Value) -> Value {
    let texts: Vec<(&str, String)> = request
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let values = texts.iter().map(|(key, text)| match text.as_str() {
        "true" => (*key, WithdrawalValue::Flag(true)),
        "false" => (*key, WithdrawalValue::Flag(false)),
        text => (*key, WithdrawalValue::Text(text)),
    });
    let signature = sign_withdrawal(values, &SecretString::from(WITHDRAWAL_KEY));
    with(request, "signature", json!(signature))
}

async fn submit(bench: &Bench, withdrawal_id: &str, amount: u64) -> Value {
    bench.call(PATH, &signed(&request(withdrawal_id, amount))).await
}

pub(crate) fn ok() -> Value {
    json!({"status": "ok"})
}

fn duplicate() -> Value {
    json!({"status": "fail", "message": "withdrawal_id already exists"})
}

pub(crate) fn insufficient() -> Value {
    json!({"status": "fail", "message": {"withdrawals_sum_amount": ["Insufficient balance"]}})
}

#[tokio::test]
async fn the_vectors_of_the_protocol_are_accepted() {
    let bench = Bench::new().await;
    let sample = request("85858053", 1000);
    bench.control("settings", json!({"dedup": false})).await;
    for (request, signature) in [
        (sample.clone(), "3d8fc365d83ffeaeff1d10df2087ccd8729e00c0"),
        (with(&sample, "is_test", json!(false)), "44f8e60f5697fb262b306d426ec90ebc2d615377"),
        (without(&with(&sample, "is_test", json!(false)), "comment"), "e110daf4bf5b55b32764022b7eff34bf2b8df725"),
    ] {
        assert_eq!(bench.call(PATH, &with(&request, "signature", json!(signature))).await, ok());
    }
    assert!(bench.logged("withdrawal 85858053: signature accepted"));
    let standing = bench.look("withdrawals/85858053").await;
    assert_eq!(
        (&standing["received"], &standing["distinct_bodies"], &standing["accepted_count"]),
        (&json!(3), &json!(3), &json!(3))
    );
}

#[tokio::test]
async fn a_signature_over_other_values_is_refused() {
    let bench = Bench::new().await;
    let signed = signed(&request("w-1", 1000));
    for (field, value) in [("amount", json!(1001)), ("is_test", json!(false)), ("label", json!("other"))] {
        let answer = bench.call(PATH, &with(&signed, field, value)).await;
        assert_eq!(answer, json!({"status": "fail", "message": "Invalid signature"}), "{field}");
    }
    assert!(bench.logged("withdrawal w-1: signature refused") && !bench.logged("accepted"));
    assert_eq!(bench.look("withdrawals/w-1").await["state"], "rejected");
    assert_eq!(bench.call(PATH, &signed).await, ok());
}

#[tokio::test]
async fn each_broken_field_of_a_withdrawal_is_named() {
    let bench = Bench::new().await;
    let right = request("w-1", 1000);
    bench.control("settings", json!({"withdrawal_min": 100, "withdrawal_max": 5000})).await;
    for (field, value) in [
        ("withdrawal_id", json!("x".repeat(37))),
        ("withdrawal_id", json!(7)),
        ("payment_system", json!("nagad")),
        ("amount", json!("1000")),
        ("amount", json!(1000.5)),
        ("amount", json!(99)),
        ("amount", json!(5001)),
        ("currency_code", json!("USD")),
        ("is_test", json!(1)),
        ("label", json!("x".repeat(37))),
        ("account_number", json!("123456007")),
        ("account_number", json!("123456007x")),
        ("secret", json!("x")),
    ] {
        let answer = bench.call(PATH, &signed(&with(&right, field, value))).await;
        assert!(answer["message"][field].is_array(), "{field}: {answer}");
    }
    for field in right.as_object().unwrap().keys().filter(|field| *field != "comment") {
        let answer = bench.call(PATH, &signed(&without(&right, field))).await;
        assert!(answer["message"][field].is_array(), "{field}: {answer}");
    }
    let answer = bench.call(PATH, &right).await;
    assert!(answer["message"]["signature"].is_array(), "{answer}");
}

#[tokio::test]
async fn a_repeated_id_is_refused_or_paid_twice_as_set() {
    let bench = Bench::new().await;
    assert_eq!(submit(&bench, "w-1", 1000).await, ok());
    assert_eq!(submit(&bench, "w-1", 1000).await, duplicate());
    let standing = bench.look("withdrawals/w-1").await;
    assert_eq!(
        standing,
        json!({"withdrawal_id": "w-1", "state": "new", "status": null, "received": 2,
        "distinct_bodies": 1, "accepted_count": 1})
    );
    bench.control("settings", json!({"dedup": false})).await;
    assert_eq!(submit(&bench, "w-1", 1000).await, ok());
    assert_eq!(bench.look("withdrawals/w-1").await["accepted_count"], 2);
}

#[tokio::test]
async fn the_balance_counts_what_is_new_and_incomplete() {
    let bench = Bench::new().await;
    bench.control("settings", json!({"balance": 1500})).await;
    assert_eq!(submit(&bench, "w-1", 1000).await, ok());
    assert_eq!(submit(&bench, "w-2", 501).await, insufficient());
    assert_eq!(submit(&bench, "w-3", 500).await, ok());
    assert_eq!(submit(&bench, "w-1", 1000).await, duplicate());
    bench.control("settings", json!({"balance_first": true})).await;
    assert_eq!(submit(&bench, "w-1", 1000).await, insufficient());
    bench.control("withdrawals/w-1/settle", json!({"status": 1})).await;
    assert_eq!(submit(&bench, "w-2", 501).await, ok());
    bench.control("settings", json!({"balance": null})).await;
    assert_eq!(submit(&bench, "w-4", 1_000_000).await, ok());
}

#[tokio::test]
async fn a_settled_withdrawal_is_posted_back_signed_until_ok() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(503, "no")]);
    submit(&bench, "w-1", 1000).await;
    assert_eq!(bench.control("withdrawals/w-1/settle", json!({"status": 5})).await, json!({"postback": 0}));
    let postback = bench.postbacks(2).await.remove(0);
    verify(&bench.merchant.received()[0]).unwrap();
    assert_eq!(postback["direction"], "outgoing");
    assert_eq!(postback["label"], "160496026");
    assert_eq!(postback["amount"], 1000);
    let element = &postback["additional_data"][0];
    assert_eq!(element["transaction_id"], "");
    assert_eq!(element["withdrawal_id"], "w-1");
    assert_eq!(element["withdrawal_status"], 5);
    assert_eq!(element["amount"], "1000");
    assert_eq!(element["account_number"], "1234560079");
    let standing = bench.look("withdrawals/w-1").await;
    assert_eq!((&standing["state"], &standing["status"]), (&json!("settled"), &json!(5)));
}

#[tokio::test]
async fn a_settlement_can_contradict_the_request_and_an_earlier_one() {
    let bench = Bench::new().await;
    submit(&bench, "w-1", 1000).await;
    bench.control("withdrawals/w-1/settle", json!({"status": 1})).await;
    bench.postbacks(1).await;
    bench.control("withdrawals/w-1/settle", json!({"status": 7, "amount": "999.99"})).await;
    let element = bench.postbacks(2).await[1]["additional_data"][0].clone();
    assert_eq!((&element["withdrawal_status"], &element["amount"]), (&json!(7), &json!("999.99")));
    let (status, _) = bench.post("/_control/withdrawals/none/settle", r#"{"status":1}"#).await.unwrap();
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_early_postback_comes_before_the_answer() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(500, "not yet")]);
    bench.control("settings", json!({"early_postback": true})).await;
    assert_eq!(submit(&bench, "w-1", 1000).await, ok());
    assert!(!bench.merchant.received().is_empty());
    let postbacks = bench.postbacks(2).await;
    assert_eq!(postbacks[1]["additional_data"][0]["withdrawal_status"], 1);
}
