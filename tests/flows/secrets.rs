//! Secrets Manager is away for longer than a copy may be used: the receiver's own handler against the local stack, with a clock that a test
//! moves on. And the counts that say when a rotation can end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::Separator;
use lambda::{Aws, AwsError, Clock, ErrorReply, Handler, Request, SecretStore, Secrets, Settings, System};
use paykassma::PostbackBody;
use postback_receiver::{Deps, Keys};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use signing::Spelling;
use store::{DynamoDb, Memory, TableCheck};

use crate::flows::postbacks::postback;
use crate::flows::support::Site;
use crate::flows::upstream::{Upstream, serve};
use crate::simulation::output::logged;

/// The stack's Secrets Manager, which can be switched off.
#[derive(Default)]
struct SecretsManager {
    upstream: Upstream,
    is_away: AtomicBool,
}

async fn answer(State(server): State<Arc<SecretsManager>>, headers: HeaderMap, body: Bytes) -> Response {
    if server.is_away.load(Ordering::Relaxed) {
        let error = json!({"__type": "InternalServiceError"}).to_string();
        return (StatusCode::INTERNAL_SERVER_ERROR, error).into_response();
    }
    server.upstream.forward(headers, body).await.into_response()
}

/// The time, so many minutes later.
#[derive(Clone, Default)]
struct Later(Arc<AtomicU64>);

impl Clock for Later {
    fn now_ms(&self) -> u64 {
        System.now_ms().saturating_add(self.0.load(Ordering::Relaxed).saturating_mul(60_000))
    }

    fn nonce(&self) -> String {
        System.nonce()
    }

    fn random_below(&self, bound: u64) -> u64 {
        System.random_below(bound)
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        System.sleep(time)
    }
}

#[tokio::test]
async fn while_secrets_cannot_be_read_a_postback_is_credited_for_an_hour_and_then_waits() {
    let site = Site::start().await;
    assert_eq!(site.order("order-1").await.status, 201);
    let server = Arc::new(SecretsManager::default());
    server.upstream.set(site.stack.secrets_url());
    let url = serve(Router::new().fallback(answer).with_state(Arc::clone(&server))).await;
    let settings = Settings::of(&[
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_REGION", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", site.stack.dynamodb_url()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
    ]);
    let aws = Aws::new(&settings).unwrap();
    let time = Later::default();
    let secret_id = "paykassma-postbacks".to_owned();
    let receiver = Deps {
        table: DynamoDb::new(aws.dynamodb(&settings), site.stack.table_name().to_owned()),
        check: TableCheck::new(site.stack.table_stream_arn()),
        keys: Secrets::<Keys, _>::new(aws.secrets_manager(&settings), secret_id, time.clone()),
        clock: time.clone(),
        separator: Separator::Dot,
    };
    let token = site.stack.credentials().secrets.postback_token.as_str();
    for (minute, is_away, number, status) in [
        (0, false, "1", 200),
        (6, true, "2", 200),
        (59, true, "3", 200),
        (61, true, "4", 503),
        (90, true, "4", 503),
        (91, false, "4", 200),
        (92, false, "4", 200),
    ] {
        time.0.store(minute, Ordering::Relaxed);
        server.is_away.store(is_away, Ordering::Relaxed);
        let body = postback(&site, &[(number, "order-1", "700")]).to_string();
        let request = Request { body: body.as_bytes(), path: &[("token", token)], ..Request::default() };
        let answered = receiver.handle(request).await;
        let answered = answered.map_or_else(|error| error.status(), |reply| reply.status);
        assert_eq!(answered, status, "after {minute} minutes");
    }
    assert_eq!(site.credits("order-1").await, ["700"; 4], "each payment is credited once");
}

/// Secrets that stay as they are.
struct Known<T>(Arc<T>);

impl<T: DeserializeOwned> Known<T> {
    fn new(secret: &Value) -> Self {
        Self(Arc::new(serde_json::from_value(secret.clone()).unwrap()))
    }
}

impl<T: Send + Sync> SecretStore<T> for Known<T> {
    async fn current(&self) -> Result<Arc<T>, AwsError> {
        Ok(Arc::clone(&self.0))
    }

    async fn renewed(&self) -> Result<Option<Arc<T>>, AwsError> {
        Ok(None)
    }
}

/// The values that are counted while this runs.
fn counted(run: impl Future<Output = ()>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let log = logged(|| runtime.block_on(run));
    let values = log.split("value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    values.collect()
}

/// What the receiver counts of a postback to the URL with this token, signed with this private key.
fn counted_of_postback(secret: &Value, token: &str, private_key: &str) -> Vec<String> {
    let receiver = Deps {
        table: Memory::default(),
        check: TableCheck::new("arn:stream"),
        keys: Known::<Keys>::new(secret),
        clock: System,
        separator: Separator::Dot,
    };
    let body = PostbackBody::sign("[]", Spelling::Flagged, "public", &private_key.into()).unwrap().to_string();
    counted(async {
        let request = Request { body: body.as_bytes(), path: &[("token", token)], ..Request::default() };
        drop(receiver.handle(request).await);
    })
}

#[test]
fn which_value_of_a_postback_secret_was_used_is_counted_while_there_are_two() {
    let mut secret = json!({"postback_token": "new", "access_key": "public", "postback_private_key": "now"});
    assert_eq!(counted_of_postback(&secret, "new", "now"), [""; 0], "it costs nothing without a rotation");
    secret["postback_token_previous"] = json!("old");
    secret["postback_private_key_previous"] = json!("before");
    for (token, private_key, expected) in [
        ("new", "now", &["postback_token.current", "postback_keys.current"][..]),
        ("old", "before", &["postback_token.previous", "postback_keys.previous"]),
        ("old", "forged", &["postback_token.previous"]),
        ("other", "now", &[]),
    ] {
        assert_eq!(counted_of_postback(&secret, token, private_key), expected, "{token} {private_key}");
    }
}

/// The hashes of the tokens `new` and `old`.
const NEW_HASH: &str = "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437";
const OLD_HASH: &str = "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4";

#[test]
fn which_token_of_the_merchant_was_used_is_counted_while_there_are_two() {
    let of = |hashes: Value, token: &str| {
        let authorizer = authorizer::Deps { keys: Known::new(&json!({"merchant_token_hashes": hashes})) };
        let request = serde_json::from_value(json!({"identitySource": [format!("Bearer {token}")]})).unwrap();
        counted(async {
            let _ = authorizer.handle(&request).await;
        })
    };
    assert_eq!(of(json!([NEW_HASH]), "new"), [""; 0]);
    for (token, expected) in
        [("new", &["merchant_token.current"][..]), ("old", &["merchant_token.previous"]), ("other", &[])]
    {
        assert_eq!(of(json!([NEW_HASH, OLD_HASH]), token), expected, "{token}");
    }
}
