//! How long a function goes on with its copy of a secret, against a server that answers as Secrets Manager does, or not at all.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use lambda::{Aws, AwsError, Clock, SecretStore, Secrets, Settings};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// What the server does.
#[derive(Clone, Debug)]
enum Mode {
    Secret(&'static str),
    Error(u16, &'static str),
    NoText,
    Silence,
}

#[derive(Debug)]
struct Server {
    mode: Mode,
    requests: u64,
}

async fn answer(State(server): State<Arc<Mutex<Server>>>) -> (StatusCode, String) {
    let mode = {
        let mut server = server.lock().await;
        server.requests += 1;
        server.mode.clone()
    };
    let value = |text: Option<&str>| json!({"ARN": "arn", "Name": "secret", "SecretString": text});
    let (status, body) = match mode {
        Mode::Secret(text) => (200, value(Some(text))),
        Mode::NoText => (200, value(None)),
        Mode::Error(status, code) => (status, json!({"__type": code, "Message": "marker"})),
        Mode::Silence => std::future::pending().await,
    };
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

/// The time that a test says it is. Who waits for the server waits for a tenth of a second only where the test says so.
#[derive(Clone, Debug, Default)]
struct Time {
    now_ms: Arc<AtomicU64>,
    is_impatient: bool,
}

impl Clock for Time {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn nonce(&self) -> String {
        String::new()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(if self.is_impatient { time / 20 } else { time * 20 }).await;
    }
}

#[derive(Debug, Deserialize)]
struct Keys {
    key: String,
}

struct World {
    server: Arc<Mutex<Server>>,
    time: Time,
    secrets: Secrets<Keys, Time>,
}

impl World {
    /// A function that has read the secret at the time 0.
    async fn warm(is_impatient: bool) -> Self {
        let world = Self::cold(is_impatient).await;
        assert_eq!(world.current().await, Ok("old".into()));
        world
    }

    async fn cold(is_impatient: bool) -> Self {
        let server = Arc::new(Mutex::new(Server { mode: Mode::Secret(r#"{"key":"old"}"#), requests: 0 }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let settings = Settings::of(&[
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", "local"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
        ]);
        let client = Aws::new(&settings).unwrap().secrets_manager(&settings);
        let time = Time { is_impatient, ..Time::default() };
        Self { server, secrets: Secrets::new(client, "secret".into(), time.clone()), time }
    }

    async fn set(&self, mode: Mode) {
        self.server.lock().await.mode = mode;
    }

    fn at(&self, now_ms: u64) {
        self.time.now_ms.store(now_ms, Ordering::Relaxed);
    }

    async fn current(&self) -> Result<String, AwsError> {
        self.secrets.current().await.map(|keys| keys.key.clone())
    }

    async fn renewed(&self) -> Result<Option<String>, AwsError> {
        Ok(self.secrets.renewed().await?.map(|keys| keys.key.clone()))
    }

    /// The requests since the last look.
    async fn requests(&self) -> u64 {
        std::mem::take(&mut self.server.lock().await.requests)
    }
}

/// All that may pass by itself.
fn transient() -> Vec<Mode> {
    vec![
        Mode::Silence,
        Mode::Error(400, "ThrottlingException"),
        Mode::Error(500, "InternalServiceError"),
        Mode::Error(503, "ServiceUnavailable"),
        Mode::Error(400, "ExpiredTokenException"),
        Mode::Error(400, "AnErrorOfTomorrow"),
        Mode::NoText,
        Mode::Secret(""),
        Mode::Secret("marker"),
        Mode::Secret(r#"{"other":"marker"}"#),
        Mode::Secret(r#"{"key":5}"#),
    ]
}

fn refusals() -> Vec<Mode> {
    vec![
        Mode::Error(400, "AccessDeniedException"),
        Mode::Error(400, "ResourceNotFoundException"),
        Mode::Error(400, "InvalidRequestException"),
        Mode::Error(400, "DecryptionFailure"),
        Mode::Error(400, "UnrecognizedClientException"),
    ]
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_used_for_an_hour() {
    for mode in transient() {
        let world = World::warm(matches!(mode, Mode::Silence)).await;
        world.set(mode.clone()).await;
        for minutes in [4, 5, 30, 59] {
            world.at(minutes * MINUTE);
            assert_eq!(world.current().await, Ok("old".into()), "{mode:?} after {minutes} minutes");
        }
        if !matches!(mode, Mode::Silence) {
            world.at(60 * MINUTE);
            let error = world.current().await.unwrap_err();
            assert!(!format!("{error:?}").contains("marker"), "{mode:?}: {error}");
        }
        world.set(Mode::Secret(r#"{"key":"new"}"#)).await;
        world.at(61 * MINUTE);
        assert_eq!(world.current().await, Ok("new".into()), "{mode:?} has passed");
    }
}

#[tokio::test]
async fn a_refusal_or_a_missing_secret_ends_it_at_once() {
    for mode in refusals() {
        let world = World::warm(false).await;
        world.set(mode.clone()).await;
        world.at(4 * MINUTE);
        assert_eq!(world.current().await, Ok("old".into()), "nobody has looked yet");
        world.at(5 * MINUTE);
        assert!(world.current().await.is_err(), "{mode:?}");
        world.set(Mode::Error(500, "InternalServiceError")).await;
        world.at(6 * MINUTE);
        assert!(world.current().await.is_err(), "{mode:?} has left no copy");
        world.set(Mode::Secret(r#"{"key":"new"}"#)).await;
        world.at(7 * MINUTE);
        assert_eq!(world.current().await, Ok("new".into()));
    }
}

#[tokio::test]
async fn a_secret_is_read_at_most_every_10_seconds() {
    let world = World::warm(false).await;
    assert_eq!(world.requests().await, 1);
    world.set(Mode::Secret("unreadable")).await;
    for second in 300..330 {
        world.at(second * SECOND);
        assert_eq!(world.current().await, Ok("old".into()));
    }
    assert_eq!(world.requests().await, 3);
    world.set(Mode::Error(400, "AccessDeniedException")).await;
    for second in 330..350 {
        world.at(second * SECOND);
        assert!(world.current().await.is_err() && world.renewed().await.is_err());
    }
    assert_eq!(world.requests().await, 2, "with no copy, too");
}

#[tokio::test]
async fn who_has_a_copy_does_not_wait_for_a_new_one() {
    let world = World::warm(true).await;
    world.set(Mode::Silence).await;
    world.at(5 * MINUTE);
    let waited = tokio::time::timeout(Duration::from_secs(1), world.current()).await;
    assert_eq!(waited, Ok(Ok("old".into())), "the client itself waits for five seconds");
}

#[tokio::test]
async fn a_copy_that_seems_outdated_is_read_again_once_a_minute() {
    let world = World::warm(false).await;
    world.set(Mode::Secret(r#"{"key":"new"}"#)).await;
    world.at(59 * SECOND);
    assert_eq!(world.renewed().await, Ok(None));
    world.at(60 * SECOND);
    assert_eq!((world.renewed().await, world.current().await), (Ok(Some("new".into())), Ok("new".into())));
    world.at(119 * SECOND);
    assert_eq!((world.renewed().await, world.requests().await), (Ok(None), 2));
}

/// Within 300 s the copy counts as current, so a wrong signature is wrong. After that, nobody can say so.
#[tokio::test]
async fn while_a_secret_cannot_be_read_a_young_copy_is_current_and_an_old_one_is_not() {
    for mode in transient().into_iter().filter(|mode| !matches!(mode, Mode::Silence)) {
        let world = World::warm(false).await;
        world.set(mode.clone()).await;
        world.at(2 * MINUTE);
        assert_eq!(world.renewed().await, Ok(None), "{mode:?}");
        world.at(6 * MINUTE);
        assert!(world.renewed().await.is_err(), "{mode:?}");
        assert_eq!(world.current().await, Ok("old".into()), "what verifies with the copy is taken");
    }
}

#[tokio::test]
async fn without_a_copy_a_failure_is_an_error() {
    let world = World::cold(false).await;
    world.set(Mode::Error(500, "InternalServiceError")).await;
    assert!(world.current().await.is_err());
    world.set(Mode::Secret(r#"{"key":"new"}"#)).await;
    world.at(10 * SECOND);
    assert_eq!(world.current().await, Ok("new".into()));
}

#[tokio::test]
async fn a_bad_secret_is_described_without_its_values() {
    for (text, said) in [
        ("{}", "the secrets failed: the secret: missing field `key`"),
        ("marker", "the secrets failed: the secret is not the JSON that it must be"),
        (r#"{"key":{"marker":5}}"#, "the secrets failed: the secret is not the JSON that it must be"),
    ] {
        let world = World::cold(false).await;
        world.set(Mode::Secret(text)).await;
        assert_eq!(world.current().await, Err(AwsError(said.into())));
    }
}
