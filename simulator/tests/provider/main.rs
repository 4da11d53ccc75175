//! The simulated provider on its own sockets, with a small merchant that can answer wrongly.

#![cfg(test)]

mod backoffice;
mod deposits;
mod faults;
mod guard;
mod pages;
mod postbacks;
mod test_amounts;
mod window;
mod withdrawals;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::{NotVerified, PostbackKeys, Verified};
use tokio::net::TcpListener;

use simulator::{Simulator, SimulatorOptions};

const SECRET: &str = "plugin-secret";
const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";
const POSTBACK_KEY: &str = "postback-key";
const WITHDRAWAL_KEY: &str = "test_private_key";
const OK: &str = r#"{"status":"ok"}"#;

/// The merchant's side: stores what it receives, and answers first from a script and then ok.
#[derive(Clone, Default)]
struct Merchant(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    received: Vec<String>,
    script: VecDeque<(u16, String)>,
}

impl Merchant {
    async fn open(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/postbacks/token", listener.local_addr().unwrap());
        let routes = Router::new().route("/postbacks/token", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn answer_first(&self, script: &[(u16, &str)]) {
        let script = script.iter().map(|(status, text)| (*status, (*text).to_owned()));
        self.0.lock().unwrap().script.extend(script);
    }

    fn received(&self) -> Vec<String> {
        self.0.lock().unwrap().received.clone()
    }
}

async fn take(State(Merchant(desk)): State<Merchant>, body: String) -> (StatusCode, String) {
    let mut desk = desk.lock().unwrap();
    desk.received.push(body);
    let (status, text) = desk.script.pop_front().unwrap_or_else(|| (200, OK.to_owned()));
    (StatusCode::from_u16(status).unwrap(), text)
}

/// A simulated provider, its merchant, and a client for both APIs.
struct Bench {
    simulator: Simulator,
    merchant: Merchant,
    http: reqwest::Client,
}

impl Bench {
    async fn new() -> Self {
        let merchant = Merchant::default();
        let simulator = Simulator::start(SimulatorOptions {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            postback_url: merchant.open().await,
            pluginapi_secret: SECRET.to_owned(),
            withdrawal_private_key: WITHDRAWAL_KEY.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            postback_private_key: POSTBACK_KEY.to_owned(),
            repeat_after: Duration::from_millis(20),
            late_after: Duration::from_millis(200),
            test_amounts: false,
            window_urls: BTreeMap::from([("2".to_owned(), "http://localhost:8080/ok".to_owned())]),
            host: None,
        })
        .await
        .unwrap();
        Self { simulator, merchant, http: client() }
    }

    async fn post(&self, path: &str, body: &str) -> reqwest::Result<(u16, String)> {
        let url = format!("{}{path}", self.simulator.url());
        let request = self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    async fn call(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.post(path, &body.to_string()).await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        self.call(&format!("/_control/{path}"), &body).await
    }

    async fn look(&self, path: &str) -> Value {
        let url = format!("{}/_control/{path}", self.simulator.url());
        serde_json::from_str(&self.http.get(url).send().await.unwrap().text().await.unwrap()).unwrap()
    }

    async fn activate(&self, body: &Value) -> Value {
        self.call(&format!("/api/v1/transaction/activate?secret={SECRET}"), body).await
    }

    /// Waits until the merchant has received so many postbacks, and a little longer in case there is one too many.
    async fn postbacks(&self, count: usize) -> Vec<Value> {
        for _ in 0..500 {
            if self.merchant.received().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(80)).await;
        let received = self.merchant.received();
        assert_eq!(received.len(), count);
        received.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
    }

    fn logged(&self, part: &str) -> bool {
        self.simulator.log().iter().any(|line| line.contains(part))
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(paykassma::tls().unwrap())
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .unwrap()
}

fn verify(body: &str) -> Result<Verified<'_>, NotVerified> {
    static PRIVATE_KEY: LazyLock<SecretString> = LazyLock::new(|| SecretString::from(POSTBACK_KEY));
    signing::verify(body.as_bytes(), &PostbackKeys::new(ACCESS_KEY, &PRIVATE_KEY))
}

fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[field] = value;
    body
}

fn without(body: &Value, field: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove(field);
    body
}

#[tokio::test]
async fn a_dropped_simulator_answers_nobody_and_repeats_nothing() {
    let bench = Bench::new().await;
    bench.merchant.answer_first(&[(500, "no"); 100]);
    let payment = json!({"transaction_id": "1", "amount": 1, "custom_transaction_id": "d", "label": "l"});
    bench.control("payments", payment).await;
    while bench.merchant.received().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let Bench { simulator, merchant, http } = bench;
    let url = simulator.url().to_owned();
    drop(simulator);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = merchant.received().len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(merchant.received().len(), before);
    assert!(http.get(url).send().await.unwrap_err().is_connect());
}
