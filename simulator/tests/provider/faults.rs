//! Every fault, seen from the other end of the socket.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::{Bench, SECRET};

fn path() -> String {
    format!("/api/v1/transaction/activate?secret={SECRET}")
}

fn activation() -> Value {
    json!({"currency_code": "INR", "wallet_type": "paytm", "label": "55", "key1": "47381113468", "amount": 500,
        "custom_transaction_id": "order-1"})
}

async fn order(bench: &Bench, fault: &str, more: Value) {
    let mut body = json!({"on": "activate", "fault": fault});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.control("faults", body).await;
}

async fn activate(bench: &Bench) -> reqwest::Result<(u16, String)> {
    bench.post(&path(), &activation().to_string()).await
}

/// An activation has had its effect when another number for the same order is refused.
async fn was_processed(bench: &Bench) -> bool {
    let mut other = activation();
    other["key1"] = json!("47381113469");
    bench.activate(&other).await["status"] == "fail"
}

/// Connects, sends what is given, and reads to the end.
async fn raw(bench: &Bench, request: &str) -> std::io::Result<Vec<u8>> {
    let address = bench.simulator.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

fn head(bench: &Bench, length: usize) -> String {
    let (path, host) = (path(), bench.simulator.url().replace("http://", ""));
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_reset_before_needs_no_body_and_has_no_effect() {
    let bench = Bench::new().await;
    order(&bench, "reset_before", json!({"processed": true})).await;
    let error = raw(&bench, &head(&bench, 1000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(!was_processed(&bench).await);
}

#[tokio::test]
async fn a_reset_after_loses_the_answer_and_keeps_the_effect() {
    for fault in ["reset_after", "process_then_reset"] {
        let bench = Bench::new().await;
        order(&bench, fault, json!({})).await;
        let body = activation().to_string();
        let error = raw(&bench, &(head(&bench, body.len()) + &body)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(was_processed(&bench).await);
    }
}

#[tokio::test]
async fn slow_headers_come_late_and_slow_bodies_after_their_headers() {
    let bench = Bench::new().await;
    for (fault, headers_late) in [("slow_headers", true), ("slow_body", false)] {
        order(&bench, fault, json!({"ms": 700})).await;
        let url = format!("{}{}", bench.simulator.url(), path());
        let request = bench.http.post(url).header("content-type", "application/json").body(activation().to_string());
        let start = Instant::now();
        let response = request.send().await.unwrap();
        assert_eq!(start.elapsed() >= Duration::from_millis(700), headers_late, "{fault}");
        assert!(response.text().await.unwrap().contains("pending"), "{fault}");
        assert!(start.elapsed() >= Duration::from_millis(700), "{fault}");
    }
}

#[tokio::test]
async fn a_hanging_call_is_processed_and_never_answered() {
    let bench = Bench::new().await;
    order(&bench, "hang", json!({})).await;
    assert!(tokio::time::timeout(Duration::from_millis(500), activate(&bench)).await.is_err());
    assert!(was_processed(&bench).await);
}

#[tokio::test]
async fn statuses_come_as_ordered_and_without_effect_unless_asked() {
    for code in [301, 404, 429, 500, 503] {
        let bench = Bench::new().await;
        order(&bench, "status", json!({"code": code, "body": "sorry"})).await;
        assert_eq!(activate(&bench).await.unwrap(), (code, "sorry".to_owned()));
        assert!(!was_processed(&bench).await);
    }
    let bench = Bench::new().await;
    order(&bench, "status", json!({"code": 429, "ms": 300})).await;
    let start = Instant::now();
    assert_eq!(activate(&bench).await.unwrap().0, 429);
    assert!(start.elapsed() >= Duration::from_millis(300));
    order(&bench, "status", json!({"code": 502, "processed": true})).await;
    assert_eq!(activate(&bench).await.unwrap().0, 502);
    assert!(was_processed(&bench).await);
}

#[tokio::test]
async fn spoilt_answers_are_as_named() {
    for (fault, status, text, processed) in [
        ("empty", 200, "", true),
        ("html", 200, "<!DOCTYPE html><html><body>It works</body></html>", true),
        ("trailing_comma", 200, r#"{"status":"ok",}"#, true),
        ("unknown_status", 200, r#"{"status":"processing"}"#, true),
        ("accepted_but_lost", 502, "Bad Gateway", true),
        ("empty_list", 200, r#"{"status":"ok","params":[]}"#, true),
        ("null_params", 200, r#"{"status":"ok","params":null}"#, true),
        ("no_params", 200, r#"{"status":"ok"}"#, true),
        ("no_status", 422, r#"{"message":"The data is invalid","errors":{"label":["The label is too long"]}}"#, false),
        ("message_string", 200, r#"{"message":"The request was refused","status":"fail"}"#, false),
        (
            "message_map",
            200,
            r#"{"status":"fail","message":{"withdrawals_sum_amount":["Insufficient balance"]}}"#,
            false,
        ),
    ] {
        let bench = Bench::new().await;
        order(&bench, fault, json!({})).await;
        assert_eq!(activate(&bench).await.unwrap(), (status, text.to_owned()), "{fault}");
        assert_eq!(was_processed(&bench).await, processed, "{fault}");
    }
}

#[tokio::test]
async fn an_echo_repeats_the_fields_of_the_request() {
    for (asked, status) in [(json!({}), "fail"), (json!({"status": "pending", "processed": true}), "pending")] {
        let bench = Bench::new().await;
        order(&bench, "echo", asked).await;
        let (_, text) = activate(&bench).await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer, json!({"status": status, "message": "label: 55; key1: 47381113468"}));
        assert_eq!(was_processed(&bench).await, status == "pending");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_a_whole_message_with_half_a_json() {
    let bench = Bench::new().await;
    order(&bench, "truncated", json!({})).await;
    let (status, text) = activate(&bench).await.unwrap();
    assert_eq!(status, 200);
    assert!(text.starts_with(r#"{"status":"pending""#) && serde_json::from_str::<Value>(&text).is_err());
}

#[tokio::test]
async fn a_marked_answer_is_the_answer_behind_a_byte_order_mark() {
    let bench = Bench::new().await;
    order(&bench, "byte_order_mark", json!({})).await;
    let (status, text) = activate(&bench).await.unwrap();
    assert_eq!(status, 200);
    assert!(text.starts_with("\u{feff}{\"status\":\"pending\""), "{text}");
    assert!(was_processed(&bench).await);
}

#[tokio::test]
async fn a_huge_answer_is_valid_and_over_ten_megabytes() {
    let bench = Bench::new().await;
    order(&bench, "huge", json!({})).await;
    let (_, text) = activate(&bench).await.unwrap();
    assert!(text.len() > 10 * 1024 * 1024);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["status"], "ok");
}

#[tokio::test]
async fn an_order_holds_for_its_own_calls_and_its_number_of_times() {
    let bench = Bench::new().await;
    order(&bench, "status", json!({"code": 500, "times": 2})).await;
    bench.control("faults", json!({"on": "withdrawal", "fault": "empty"})).await;
    order(&bench, "status", json!({"code": 429})).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(activate(&bench).await.unwrap().0);
    }
    assert_eq!(statuses, [500, 500, 429, 200]);
    order(&bench, "status", json!({"code": 500, "times": 9})).await;
    let url = format!("{}/_control/faults", bench.simulator.url());
    bench.http.delete(url).send().await.unwrap();
    assert_eq!(activate(&bench).await.unwrap().0, 200);
    let (status, _) = bench.post("/_control/faults", r#"{"on":"activate","fault":"unheard"}"#).await.unwrap();
    assert_eq!(status, 400);
}
