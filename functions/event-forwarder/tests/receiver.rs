//! The HTTP client, on real sockets.

#![cfg(test)]

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use event_forwarder::{NotTaken, Post, Receiver, SignedEvent};
use lambda::System;
use tokio::net::TcpListener;

const TIMEOUT: Duration = Duration::from_millis(500);

async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, routes).await });
    url
}

async fn post(url: &str) -> Result<(), NotTaken> {
    let event =
        SignedEvent { id: "9f0c", timestamp: 1_700_000_000, signature: "v1,a v1,b".into(), body: r#"{"id":"9f0c"}"# };
    Receiver::at(url, TIMEOUT, System).unwrap().post(event).await
}

async fn answered(answer: impl IntoResponse + Clone + Send + Sync + 'static) -> Result<(), NotTaken> {
    let url = serve(Router::new().fallback(async move || answer.clone())).await;
    post(&url).await
}

#[tokio::test]
async fn an_event_arrives_with_the_headers_of_the_standard_and_its_own_body() {
    let answer = async |headers: HeaderMap, body: Bytes| {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let all =
            [header("content-type"), header("webhook-id"), header("webhook-timestamp"), header("webhook-signature")];
        let expected = ["application/json", "9f0c", "1700000000", "v1,a v1,b"];
        if all == expected && body == r#"{"id":"9f0c"}"# { StatusCode::NO_CONTENT } else { StatusCode::BAD_REQUEST }
    };
    let url = serve(Router::new().route("/events", axum::routing::post(answer))).await;
    assert_eq!(post(&url).await, Ok(()));
}

#[tokio::test]
async fn only_a_2xx_counts_as_taken() {
    for status in [200, 201, 202, 204] {
        assert_eq!(answered(StatusCode::from_u16(status).unwrap()).await, Ok(()), "{status}");
    }
    for status in [400, 401, 404, 410, 429, 500, 503] {
        let not_taken = answered(StatusCode::from_u16(status).unwrap()).await.unwrap_err();
        assert_eq!(not_taken, NotTaken { reason: format!("HTTP {status}"), retry_after: None });
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let elsewhere = serve(Router::new().fallback(async || StatusCode::OK)).await;
    for status in [301, 302, 307, 308] {
        let answer = (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, elsewhere.clone())]);
        assert_eq!(answered(answer).await.unwrap_err().reason, format!("HTTP {status}"));
    }
}

#[tokio::test]
async fn a_retry_after_is_seconds_or_a_date() {
    let with = async |value: &'static str| {
        let answer = (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, value)]);
        answered(answer).await.unwrap_err().retry_after
    };
    assert_eq!(with("120").await, Some(Duration::from_mins(2)));
    assert_eq!(with("Sun, 06 Nov 1994 08:49:37 GMT").await, None, "it is over");
    assert!(with("Fri, 06 Nov 2099 08:49:37 GMT").await.unwrap() > Duration::from_hours(24));
    for nonsense in ["soon", "-1", "1.5", ""] {
        assert_eq!(with(nonsense).await, None, "{nonsense}");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_silent_or_away_has_not_taken_it() {
    let slow = async || -> Response {
        tokio::time::sleep(TIMEOUT * 2).await;
        StatusCode::OK.into_response()
    };
    assert!(post(&serve(Router::new().fallback(slow)).await).await.is_err());
    let away = post("http://127.0.0.1:9/secret-path").await.unwrap_err();
    assert!(!away.reason.contains("secret-path"), "{away}");
}

#[test]
fn only_https_or_this_machine_is_an_address() {
    for (url, is_allowed) in [
        ("https://shop.example.com/events", true),
        ("http://127.0.0.1:8080/events", true),
        ("http://shop.example.com/events", false),
        ("https://user:key@shop.example.com/events", false),
        ("events", false),
    ] {
        assert_eq!(Receiver::at(url, TIMEOUT, System).is_ok(), is_allowed, "{url}");
    }
}
