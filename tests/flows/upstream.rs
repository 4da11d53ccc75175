//! What the stand-ins in front of the local stack's servers share: they forward calls, or answer as `DynamoDB` does.

use std::sync::OnceLock;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The server behind a stand-in. It is named after the stand-in has started, because the stack is told the stand-in's URL.
#[derive(Default)]
pub(crate) struct Upstream(OnceLock<(reqwest::Client, String)>);

impl Upstream {
    pub(crate) fn set(&self, url: &str) {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        self.0.set((http, url.to_owned())).unwrap();
    }

    pub(crate) async fn forward(&self, mut headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
        let (http, url) = self.0.get().unwrap();
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let answer = http.post(url).headers(headers).body(body).send().await.unwrap();
        (answer.status(), answer.headers().clone(), answer.bytes().await.unwrap())
    }
}

/// Serves the routes on a free port, and gives the URL.
pub(crate) async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, routes).await });
    url
}

/// Refuses a call as `DynamoDB` does.
pub(crate) fn refuse(kind: &str) -> Response {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
    (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": "injected"}).to_string()).into_response()
}

/// Cancels a transaction because of one of its items.
pub(crate) fn cancel(body: &[u8], code: &str) -> Response {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let mut codes = vec!["None"; asked["TransactItems"].as_array().unwrap().len()];
    let place = fastrand::usize(..codes.len());
    codes[place] = code;
    let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let text = json!({"__type": kind, "Message": "injected", "CancellationReasons": reasons}).to_string();
    (StatusCode::BAD_REQUEST, text).into_response()
}
