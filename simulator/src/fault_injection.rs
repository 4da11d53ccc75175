//! Makes calls go wrong on the real socket, as ordered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use crate::calls::RecordedCall;
use crate::connection::Reset;
use crate::faults::{Call, Fault, Kind};
use crate::json_response::json_response;
use crate::provider::Provider;

/// The size of a huge answer.
const HUGE: usize = 10 * 1024 * 1024;

/// The fields that an echo repeats.
const ECHOED: [&str; 4] = ["label", "account_number", "comment", "key1"];

/// More of a request is not read.
const LONGEST_REQUEST: usize = 1024 * 1024;

/// Runs around a call: records it, and makes it go wrong if a fault was ordered for it.
pub(crate) async fn inject(
    State((provider, call)): State<(Arc<Provider>, Call)>,
    ConnectInfo(reset): ConnectInfo<Reset>,
    request: Request,
    next: Next,
) -> Response {
    let fault = provider.edit().faults.take(call);
    if let Some(fault) = &fault {
        provider.log(format!("{call:?}: fault {:?}, processed: {}", fault.kind, fault.is_processed()));
    }
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    // A connection that is reset before the request is read: then it is not read.
    let is_read = !matches!(fault, Some(Fault { kind: Kind::ResetBefore, .. }));
    let body = if is_read { to_bytes(body, LONGEST_REQUEST).await.unwrap_or_default() } else { Bytes::new() };
    let is_processed = fault.as_ref().is_none_or(Fault::is_processed);
    let request = Request::from_parts(head, Body::from(body.clone()));
    let answer = if is_processed { next.run(request).await } else { StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (head, answer) = answer.into_parts();
    let answer = to_bytes(answer, HUGE).await.unwrap_or_default();
    let said: &[u8] = if is_processed { &answer } else { b"(not processed)" };
    let recorded =
        RecordedCall::new(&path, &body, head.status.as_u16(), said, fault.as_ref().map(|fault| fault.kind.to_string()));
    let bytes = recorded.bytes();
    provider.edit().calls.add(recorded, bytes);
    let answer = Response::from_parts(head, Body::from(answer));
    match fault {
        Some(fault) => spoil(fault.kind, answer, repeated(&body), &reset, &provider).await,
        None => answer,
    }
}

/// A message that repeats a request's fields.
fn repeated(body: &[u8]) -> String {
    let fields: Value = serde_json::from_slice(body).unwrap_or_default();
    let repeated = ECHOED.iter().filter_map(|name| Some(format!("{name}: {}", fields.get(name)?.as_str()?)));
    repeated.collect::<Vec<_>>().join("; ")
}

async fn spoil(kind: Kind, answer: Response, repeated: String, reset: &Reset, provider: &Provider) -> Response {
    match kind {
        Kind::ResetBefore | Kind::ResetAfter => {
            reset.arm();
            answer
        }
        Kind::SlowHeaders { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            answer
        }
        Kind::SlowBody { ms } => slow_body(answer, Duration::from_millis(ms)),
        Kind::Hang => {
            provider.stopped().await;
            answer
        }
        Kind::Status { code, body, ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            bare(code, body)
        }
        Kind::Empty => StatusCode::OK.into_response(),
        Kind::Html => Html("<!DOCTYPE html><html><body>It works</body></html>").into_response(),
        Kind::Truncated => truncated(answer).await,
        Kind::TrailingComma => json_response(r#"{"status":"ok",}"#),
        Kind::UnknownStatus => json_response(r#"{"status":"processing"}"#),
        Kind::MessageString { message } => json_response(json!({"status": "fail", "message": message}).to_string()),
        Kind::MessageMap => {
            json_response(r#"{"status":"fail","message":{"withdrawals_sum_amount":["Insufficient balance"]}}"#)
        }
        Kind::EmptyList => json_response(r#"{"status":"ok","params":[]}"#),
        Kind::NullParams => json_response(r#"{"status":"ok","params":null}"#),
        Kind::NoParams => json_response(r#"{"status":"ok"}"#),
        Kind::ByteOrderMark => marked(answer).await,
        Kind::NoStatus { code } => {
            bare(code, r#"{"message":"The data is invalid","errors":{"label":["The label is too long"]}}"#.to_owned())
        }
        Kind::Echo { status } => json_response(json!({"status": status, "message": repeated}).to_string()),
        Kind::Huge => json_response(format!(r#"{{"status":"ok","padding":"{}"}}"#, "x".repeat(HUGE))),
        Kind::AcceptedButLost => bare(502, "Bad Gateway".to_owned()),
    }
}

/// Answers with a status and a text. A redirection names a place, so that a client that follows it is noticed.
fn bare(code: u16, body: String) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/_redirected")], body).into_response();
    }
    (status, body).into_response()
}

/// Sends the headers at once and the body later.
fn slow_body(answer: Response, delay: Duration) -> Response {
    let (mut head, body) = answer.into_parts();
    let late = stream::once(async move {
        tokio::time::sleep(delay).await;
        Ok::<Bytes, Infallible>(to_bytes(body, HUGE).await.unwrap_or_default())
    });
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from_stream(late))
}

/// Sends a byte-order mark before the JSON.
async fn marked(answer: Response) -> Response {
    let whole = to_bytes(answer.into_body(), HUGE).await.unwrap_or_default();
    json_response(["\u{feff}".as_bytes(), &whole].concat())
}

/// Sends a complete HTTP message with half of its JSON.
async fn truncated(answer: Response) -> Response {
    let whole = to_bytes(answer.into_body(), HUGE).await.unwrap_or_default();
    let half = whole.len().div_ceil(2);
    json_response(String::from_utf8_lossy(whole.get(..half).unwrap_or_default()).into_owned())
}
