//! Secrets Manager is away for longer than a copy may be used: the receiver's own handler against the local stack, with a clock that a test
//! moves on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::Separator;
use lambda::{Aws, Clock, ErrorReply, Handler, Request, Secrets, Settings, System};
use postback_receiver::{Deps, Keys};
use serde_json::json;
use store::{DynamoDb, TableCheck};

use crate::flows::postbacks::signed;
use crate::flows::support::Site;
use crate::flows::upstream::{Upstream, serve};

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

fn postback(site: &Site, number: &str) -> String {
    let element = json!([{"label": "631317234", "amount": "700", "type": 2, "status": 1, "currency_code": "INR", "wallet_type": "paytm",
        "transaction_id": number, "plugin_custom_order_id": "order-1"}]);
    signed(site, &element.to_string())
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
        let body = postback(&site, number);
        let request = Request { body: body.as_bytes(), path: &[("token", token)], ..Request::default() };
        let answered = receiver.handle(request).await;
        let answered = answered.map_or_else(|error| error.status(), |reply| reply.status);
        assert_eq!(answered, status, "after {minute} minutes");
    }
    assert_eq!(site.credits("order-1").await, ["700"; 4], "each payment is credited once");
}
