//! Secrets Manager: the one operation that the functions use.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, REGION};

/// The names of the secrets, one for each purpose.
pub(crate) const DEPOSITS: &str = "paykassma-deposits";
pub(crate) const WITHDRAWALS: &str = "paykassma-withdrawals";
pub(crate) const POSTBACKS: &str = "paykassma-postbacks";
pub(crate) const TOKENS: &str = "paykassma-tokens";
pub(crate) const EVENTS: &str = "paykassma-events";

/// The texts of secrets, by their names.
pub(crate) type Texts = BTreeMap<&'static str, String>;

/// Builds the server, around the secrets.
pub(crate) fn router(secrets: Texts) -> Router {
    Router::new().fallback(answer).with_state(Arc::new(secrets))
}

async fn answer(State(secrets): State<Arc<Texts>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if target != Some("secretsmanager.GetSecretValue") {
        return reply(StatusCode::BAD_REQUEST, &json!({"__type": "UnknownOperationException"}));
    }
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    let found = input.get("SecretId").and_then(Value::as_str).and_then(|name| secrets.get_key_value(name));
    let Some((name, text)) = found else {
        let message = "Secrets Manager can't find the specified secret.";
        let refusal = json!({"__type": "ResourceNotFoundException", "Message": message});
        return reply(StatusCode::BAD_REQUEST, &refusal);
    };
    reply(StatusCode::OK, &value(name, text))
}

fn value(name: &str, text: &str) -> Value {
    json!({
        "ARN": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"),
        "Name": name,
        "SecretString": text,
        "VersionId": "00000000-0000-4000-8000-000000000001",
        "VersionStages": ["AWSCURRENT"],
    })
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, content_type, body.to_string()).into_response()
}
