//! What the provider's calls share: the secret, the strict reading and the answer.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::json_response::json_response;
use crate::provider::Provider;
use crate::request_fields::{Fields, Rejection};

/// The secret in a deposit call's URL.
#[derive(Deserialize)]
pub(crate) struct Access {
    secret: Option<String>,
}

impl Access {
    /// Whether the call has the provider's secret.
    pub(crate) fn is_right(&self, provider: &Provider) -> bool {
        self.secret.as_deref().is_some_and(|secret| provider.is_pluginapi_secret(secret))
    }
}

/// Answers a call to a path that the provider does not have.
pub(crate) async fn unknown_path() -> Response {
    not_found()
}

/// The provider's page for an unknown path, and for a missing or wrong secret.
pub(crate) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Html("<html><body><h1>Not found</h1></body></html>")).into_response()
}

/// Reads a call's fields.
pub(crate) fn read_fields(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Rejection> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Rejection::text("The content type must be application/json"));
    }
    Fields::read(body)
}

/// Gives the value of a call's id field for the log, whether the value is acceptable or not.
pub(crate) fn id_for_log(fields: &Result<Fields, Rejection>, field: &str) -> String {
    fields.as_ref().ok().and_then(|fields| fields.remaining().read(field)).unwrap_or_default()
}

/// Answers 200 in any case: whether the call succeeded is in the body.
pub(crate) fn reply(provider: &Provider, call: &str, answer: Result<String, Rejection>) -> Response {
    let text = answer.unwrap_or_else(|message| json!({"status": "fail", "message": message}).to_string());
    provider.log(format!("{call}: answered {text}"));
    json_response(text)
}
