//! Postbacks made through the control API: right, repeated, shuffled and tampered with.

use serde_json::{Value, json};
use signing::NotVerified;

use crate::{Bench, OK, verify, with};

fn deposit() -> Value {
    json!({"label": "user-1", "amount": "700", "transaction_id": "47752123519", "custom_transaction_id": "order-1"})
}

async fn sent(bench: &Bench, batch: Value) -> Vec<String> {
    bench.control("postbacks", batch).await;
    bench.merchant.received()
}

#[tokio::test]
async fn copies_go_out_at_the_same_time_and_are_summed_up() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(503, "busy"), (503, "busy")]);
    let batch = with(&with(&deposit(), "copies", json!(200)), "parallel", json!(50));
    let summary = bench.control("postbacks", batch).await;
    assert_eq!(summary, json!({"sent": 200, "statuses": {"200": 198, "503": 2}, "bodies": ["busy", OK]}));
    let received = bench.merchant.received();
    assert!(received.iter().all(|body| *body == received[0]));
    verify(&received[0]).unwrap();
    assert_eq!(bench.look("postbacks").await[0]["sends"], 200);
}

#[tokio::test]
async fn a_copy_is_repeated_only_when_asked_to() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(500, ""), (500, "")]);
    assert_eq!(bench.control("postbacks", deposit()).await["sent"], 1);
    let summary = bench.control("postbacks", with(&deposit(), "until_ok", json!(true))).await;
    assert_eq!(summary["statuses"], json!({"200": 1, "500": 1}));
}

#[tokio::test]
async fn a_changed_signed_byte_is_still_json_and_does_not_verify() {
    let bench = Bench::new().await;
    for place in 0..60 {
        let body = sent(&bench, with(&deposit(), "tamper", json!({"signed_byte": place}))).await.pop().unwrap();
        serde_json::from_str::<Value>(&body).unwrap();
        assert_eq!(verify(&body).unwrap_err(), NotVerified::Signature, "{place}");
    }
}

#[tokio::test]
async fn a_changed_unsigned_field_still_verifies() {
    let bench = Bench::new().await;
    let unsigned = json!({"amount": 70000, "label": "thief", "currency_code": "USD", "wallet_type": "upi_l",
        "direction": "outgoing"});
    for (field, value) in unsigned.as_object().unwrap() {
        let body = sent(&bench, with(&deposit(), "tamper", json!({field: value}))).await.pop().unwrap();
        verify(&body).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(&body[field], value);
        assert_eq!(body["additional_data"][0]["amount"], "700");
    }
}

#[tokio::test]
async fn signature_and_access_key_can_be_wrong_or_missing() {
    let bench = Bench::new().await;
    for (batch, reason) in [
        (with(&deposit(), "sign", json!(false)), NotVerified::Signature),
        (with(&deposit(), "tamper", json!({"signature": "0".repeat(40)})), NotVerified::Signature),
        (with(&deposit(), "tamper", json!({"access_key": "another"})), NotVerified::AccessKey),
    ] {
        let body = sent(&bench, batch).await.pop().unwrap();
        assert_eq!(verify(&body).unwrap_err(), reason);
    }
}

#[tokio::test]
async fn elements_are_completed_and_signed_together_or_one_by_one() {
    let bench = Bench::new().await;
    let elements: Vec<Value> = (0..10).map(|n| json!({"transaction_id": n.to_string(), "amount": "5.50"})).collect();
    let body = sent(&bench, json!({"label": "user-1", "elements": elements})).await.pop().unwrap();
    verify(&body).unwrap();
    let postback: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(postback["additional_data"].as_array().unwrap().len(), 10);
    assert_eq!(postback["additional_data"][9]["bank_details"]["bank_code"], "");
    assert!(body.contains(r#""amount":5.50,"#), "the first element's amount is at the top");

    let separate = json!({"elements": elements, "separate": true, "shuffle": true, "copies": 3});
    assert_eq!(bench.control("postbacks", separate).await["sent"], 30);
    let ids: Vec<String> = bench.merchant.received()[1..]
        .iter()
        .map(|body| {
            verify(body).unwrap();
            let postback: Value = serde_json::from_str(body).unwrap();
            postback["additional_data"][0]["transaction_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut sorted = ids.clone();
    sorted.sort();
    assert_ne!(ids[..10], sorted[..10]);
    assert!((0..10).all(|n| ids.iter().filter(|id| **id == n.to_string()).count() == 3));
}

#[tokio::test]
async fn shuffled_copies_carry_the_same_elements_in_another_order() {
    let bench = Bench::new().await;
    let elements: Vec<Value> = (0..10).map(|n| json!({"transaction_id": n.to_string()})).collect();
    let bodies = sent(&bench, json!({"elements": elements, "shuffle": true, "copies": 4})).await;
    assert!(bodies.iter().all(|body| verify(body).is_ok()));
    assert!(bodies[1..].iter().any(|body| *body != bodies[0]));
}

#[tokio::test]
async fn an_empty_list_and_a_raw_body_go_out_as_they_are() {
    let bench = Bench::new().await;
    let body = sent(&bench, json!({"elements": []})).await.pop().unwrap();
    assert!(body.ends_with(r#""additional_data":[]}"#));
    let body = sent(&bench, json!({"body": "{not json"})).await.pop().unwrap();
    assert_eq!(body, "{not json");
}

#[tokio::test]
async fn an_outgoing_postback_needs_no_withdrawal() {
    let bench = Bench::new().await;
    let batch = json!({"direction": "outgoing", "withdrawal_id": "unknown", "withdrawal_status": 5, "amount": 10});
    let body = sent(&bench, batch).await.pop().unwrap();
    verify(&body).unwrap();
    let element = serde_json::from_str::<Value>(&body).unwrap()["additional_data"][0].clone();
    assert_eq!((&element["withdrawal_id"], &element["withdrawal_status"]), (&json!("unknown"), &json!(5)));
    assert_eq!(element["transaction_id"], "");
}

#[tokio::test]
async fn the_default_spelling_is_ascii_on_the_wire_and_verifies() {
    let bench = Bench::new().await;
    let label = "भुगतान/\u{2028}\u{1f600}\\";
    let batch = json!({"label": label, "elements": [{"comment": label}]});
    let flagged = sent(&bench, batch.clone()).await.pop().unwrap();
    assert!(flagged.contains("भुगतान/\\u2028\u{1f600}\\\\\""), "{flagged}");
    bench.control("settings", json!({"wire_spelling": "default"})).await;
    let default = sent(&bench, batch).await.pop().unwrap();
    assert!(default.is_ascii() && default.contains(r"\/\u2028\ud83d\ude00\\"), "{default}");
    for body in [&flagged, &default] {
        verify(body).unwrap();
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["additional_data"][0]["comment"], label);
    }
}

#[tokio::test]
async fn an_escape_that_is_given_stays_one_escape() {
    let bench = Bench::new().await;
    bench.control("settings", json!({"wire_spelling": "default"})).await;
    let given = r#"{"elements":[{"comment":"a\/b \\/ \u00e9"}]}"#;
    assert_eq!(bench.post("/_control/postbacks", given).await.unwrap().0, 200);
    let body = bench.merchant.received().remove(0);
    assert!(body.contains(r#""comment":"a\/b \\\/ \u00e9""#), "{body}");
    verify(&body).unwrap();
}

#[tokio::test]
async fn a_batch_that_cannot_be_understood_is_refused() {
    let bench = Bench::new().await;
    for body in
        ["", "{", r#"{"copys":2}"#, r#"{"copies":100001}"#, r#"{"amount":"1e3"}"#, r#"{"tamper":{"signed_byte":"x"}}"#]
    {
        let (status, _) = bench.post("/_control/postbacks", body).await.unwrap();
        assert_eq!(status, 400, "{body}");
    }
    assert!(bench.merchant.received().is_empty());
}
