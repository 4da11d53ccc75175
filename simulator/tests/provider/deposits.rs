//! Create, activate and the postbacks of payments.

use serde_json::{Value, json};

use crate::{Bench, OK, SECRET, verify, with, without};

const KEY1: &str = "47381113468";

pub(crate) fn activation(custom_transaction_id: &str) -> Value {
    json!({"currency_code": "INR", "wallet_type": "paytm", "label": "user/55", "key1": KEY1, "amount": 500,
        "custom_transaction_id": custom_transaction_id})
}

fn window_payment() -> Value {
    json!({"transaction_id": KEY1, "amount": "12.50", "custom_transaction_id": "order-1", "label": "user-1"})
}

#[tokio::test]
async fn a_missing_or_wrong_secret_is_not_found() {
    let bench = Bench::new().await;
    let calls = ["/api/v1/transaction/create/paytm", "/api/v1/transaction/activate"];
    for path in calls.iter().flat_map(|call| [(*call).to_owned(), format!("{call}?secret=wrong")]) {
        let (status, text) = bench.post(&path, "{}").await.unwrap();
        assert_eq!(status, 404, "{path}");
        assert!(text.contains("Not found"), "{path}");
    }
}

#[tokio::test]
async fn create_answers_what_the_user_has_to_pay_to() {
    let bench = Bench::new().await;
    let path = |wallet: &str| format!("/api/v1/transaction/create/{wallet}?secret={SECRET}");
    let request = json!({"currency": "INR", "label": "eligendi"});
    let answer = bench.call(&path("paytm"), &request).await;
    assert_eq!(answer, json!({"status": "ok", "params": {"identifier": "6234234234"}}));
    let answer = bench.call(&path("bkash"), &with(&request, "currency", json!("BDT"))).await;
    assert_eq!(answer["params"]["account_type"], "personal");
    let unknown = bench.call(&path("paypal"), &request).await;
    assert_eq!(unknown, json!({"status": "fail", "message": "The payment system is not known"}));
    for (field, value) in [
        ("currency", json!("IN")),
        ("currency", json!("USD")),
        ("label", json!(55)),
        ("label", json!("x".repeat(191))),
        ("custom_transaction_id", json!("x")),
    ] {
        let answer = bench.call(&path("paytm"), &with(&request, field, value)).await;
        assert!(answer["message"][field].is_array(), "{field}: {answer}");
    }
}

#[tokio::test]
async fn each_broken_field_of_an_activation_is_named() {
    let bench = Bench::new().await;
    let right = activation("order-1");
    for (field, value) in [
        ("amount", json!("500")),
        ("amount", json!(0)),
        ("amount", json!(-5)),
        ("key1", json!("1234567890")),
        ("key1", json!("1234567890123")),
        ("key1", json!("4738111346x")),
        ("key1", json!(47_381_113_468_u64)),
        ("wallet_type", json!("paypal")),
        ("currency_code", json!("BDT")),
        ("label", json!("")),
        ("custom_transaction_id", json!("x".repeat(191))),
        ("secret", json!(SECRET)),
    ] {
        let answer = bench.activate(&with(&right, field, value)).await;
        assert_eq!(answer["status"], "fail");
        assert!(answer["message"][field].is_array(), "{field}: {answer}");
    }
    for field in right.as_object().unwrap().keys() {
        let answer = bench.activate(&without(&right, field)).await;
        assert!(answer["message"][field].is_array(), "{field}: {answer}");
    }
    assert_eq!(bench.activate(&right).await["status"], "pending", "nothing of the refused ones was stored");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let bench = Bench::new().await;
    let path = format!("/api/v1/transaction/activate?secret={SECRET}");
    for body in ["", "[]", "{", "{} {}"] {
        let (status, text) = bench.post(&path, body).await.unwrap();
        assert_eq!((status, text.as_str()), (200, r#"{"message":"The body is not a JSON object","status":"fail"}"#));
    }
}

#[tokio::test]
async fn a_paid_number_is_activated_and_posted_back_until_ok() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(500, OK), (200, "ok"), (200, r#"{"status":"no"}"#), (201, OK), (301, OK)]);
    bench.control("payments", json!({"transaction_id": KEY1, "amount": "700.10"})).await;
    let (_, answer) = bench
        .post(&format!("/api/v1/transaction/activate?secret={SECRET}"), &activation("order-1").to_string())
        .await
        .unwrap();
    let expected = r#"{"status":"ok","deposit":true,"deposit_amount":700.10,"currency":{"code":"INR","symbol":"INR"}}"#;
    assert_eq!(answer, expected);

    let postbacks = bench.postbacks(6).await;
    let bodies = bench.merchant.received();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "every repeat is the same");
    verify(&bodies[0]).unwrap();
    assert!(bodies[0].contains(r#""amount":700.10,"#), "the text of the amount survives");
    let postback = &postbacks[0];
    assert_eq!(postback["label"], "user/55");
    assert_eq!(postback["direction"], "ingoing");
    let [element] = postback["additional_data"].as_array().unwrap().as_slice() else { panic!("one element") };
    assert_eq!(element["amount"], "700.10");
    assert_eq!(element["transaction_id"], KEY1);
    assert_eq!(element["plugin_custom_order_id"], "order-1");
    assert_eq!(element["withdrawal_id"], Value::Null);
    let sent = &bench.look("postbacks").await[0];
    assert_eq!((&sent["sends"], &sent["delivered"], &sent["last_status"]), (&json!(6), &json!(true), &json!(200)));
}

#[tokio::test]
async fn the_body_has_the_fields_of_the_page_in_their_order() {
    let bench = Bench::new().await;
    bench.control("payments", window_payment()).await;
    bench.postbacks(1).await;
    let body = bench.merchant.received().remove(0);
    let mut at = 0;
    for key in
        "signature wallet_type amount currency_code label converted_amount direction created_datetime access_key \
                additional_data activated_datetime exchanger_identifier comment amount currency_code wallet_type \
                stockpiling_id transaction_id transaction_type plugin_custom_order_id withdrawal_id withdrawal_status \
                account_number account_name account_email bank_details bank_code branch_code"
            .split_whitespace()
    {
        at += body[at..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} in {body}")) + key.len();
    }
}

#[tokio::test]
async fn a_late_payment_goes_to_the_first_order_that_waits_for_it() {
    let bench = Bench::new().await;
    assert_eq!(bench.activate(&activation("first")).await["status"], "pending");
    bench.control("settings", json!({"activation_default": "possible_transaction_created"})).await;
    let second = bench.activate(&activation("second")).await;
    assert_eq!(second["status"], "possible_transaction_created");
    bench.control("payments", json!({"transaction_id": KEY1, "amount": 700})).await;
    let postbacks = bench.postbacks(1).await;
    assert_eq!(postbacks[0]["additional_data"][0]["plugin_custom_order_id"], "first");
    assert_eq!(bench.activate(&activation("first")).await["deposit_amount"], 700);
    assert_eq!(bench.activate(&activation("second")).await["status"], "fail");
    bench.postbacks(1).await;
}

#[tokio::test]
async fn an_order_id_belongs_to_one_number_and_one_label() {
    let bench = Bench::new().await;
    let first = bench.activate(&activation("order-1")).await;
    assert_eq!(bench.activate(&activation("order-1")).await, first);
    for (field, value) in [("key1", json!("47381113469")), ("label", json!("another"))] {
        let answer = bench.activate(&with(&activation("order-1"), field, value)).await;
        assert_eq!(answer["status"], "fail", "{field}");
    }
}

#[tokio::test]
async fn with_unique_ids_an_id_is_accepted_once_even_for_the_same_number_and_label() {
    let bench = Bench::new().await;
    bench.control("settings", json!({"unique_ids": true})).await;
    bench.control("faults", json!({"on": "activate", "fault": "status", "code": 503})).await;
    let path = format!("/api/v1/transaction/activate?secret={SECRET}");
    assert_eq!(bench.post(&path, &activation("order-1").to_string()).await.unwrap().0, 503);
    assert_eq!(bench.activate(&activation("order-1")).await["status"], "pending", "a call without effect used no id");
    let used = json!({"status": "fail", "message": "The custom_transaction_id has already been used"});
    assert_eq!(bench.activate(&activation("order-1")).await, used);
    bench.control("payments", json!({"transaction_id": KEY1, "amount": 700})).await;
    assert_eq!(bench.activate(&activation("order-1")).await, used, "paid or not");
    assert_eq!(bench.postbacks(1).await[0]["additional_data"][0]["plugin_custom_order_id"], "order-1");
    bench.control("settings", json!({"unique_ids": false})).await;
    assert_eq!(bench.activate(&activation("order-1")).await["deposit_amount"], 700);
}

#[tokio::test]
async fn a_payment_through_the_window_is_posted_back_without_an_activation() {
    let bench = Bench::new().await;
    assert_eq!(bench.control("payments", window_payment()).await, json!({"postback": 0}));
    let postbacks = bench.postbacks(1).await;
    assert_eq!(postbacks[0]["label"], "user-1");
    assert_eq!(postbacks[0]["additional_data"][0]["plugin_custom_order_id"], "order-1");
    let (status, _) = bench.post("/_control/payments", &window_payment().to_string()).await.unwrap();
    assert_eq!(status, 409, "a payment happens once");
    let (status, _) = bench.post("/_control/payments", &without(&window_payment(), "label").to_string()).await.unwrap();
    assert_eq!(status, 400);
    assert_eq!(bench.activate(&activation("thief")).await["status"], "fail");
}

#[tokio::test]
async fn postbacks_are_held_back_while_sending_is_off() {
    let bench = Bench::new().await;
    bench.control("settings", json!({"send_postbacks": false})).await;
    bench.control("payments", window_payment()).await;
    bench.postbacks(0).await;
    bench.control("settings", json!({"send_postbacks": true})).await;
    bench.postbacks(1).await;
}

#[tokio::test]
async fn an_unknown_setting_changes_nothing() {
    let bench = Bench::new().await;
    let before = bench.look("settings").await;
    for change in [json!({"dedup": false, "dedupe": true}), json!({"dedup": "no"})] {
        let (status, _) = bench.post("/_control/settings", &change.to_string()).await.unwrap();
        assert_eq!(status, 400);
    }
    assert_eq!(bench.look("settings").await, before);
}
