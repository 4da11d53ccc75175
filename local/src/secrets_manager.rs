//! Secrets Manager: the one operation that the functions use.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, REGION};

/// The name under which the functions find their secrets.
pub(crate) const SECRET_ID: &str = "paykassma";

/// Builds the server, around the secrets as one JSON document.
pub(crate) fn router(secrets: String) -> Router {
    Router::new().fallback(answer).with_state(secrets)
}

async fn answer(State(secret): State<String>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if target != Some("secretsmanager.GetSecretValue") {
        return reply(StatusCode::BAD_REQUEST, &json!({"__type": "UnknownOperationException"}));
    }
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    if input.get("SecretId").and_then(Value::as_str) != Some(SECRET_ID) {
        let message = "Secrets Manager can't find the specified secret.";
        let refusal = json!({"__type": "ResourceNotFoundException", "Message": message});
        return reply(StatusCode::BAD_REQUEST, &refusal);
    }
    reply(StatusCode::OK, &value(&secret))
}

fn value(secret: &str) -> Value {
    json!({
        "ARN": format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{SECRET_ID}"),
        "Name": SECRET_ID,
        "SecretString": secret,
        "VersionId": "00000000-0000-4000-8000-000000000001",
        "VersionStages": ["AWSCURRENT"],
    })
}

fn reply(status: StatusCode, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, content_type, body.to_string()).into_response()
}
