//! What the provider's calls share: the secret, the strict reading, the answer.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use crate::fields::{Fields, Rejection};
use crate::server;
use crate::state::World;

/// The secret in a deposit call's URL.
#[derive(Deserialize)]
pub(crate) struct Access {
    secret: Option<String>,
}

/// Answers a path or a secret that the provider does not know.
pub(crate) async fn unknown_path() -> Response {
    not_found()
}

/// The provider's page for what it does not know.
pub(crate) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, Html("<html><body><h1>Not found</h1></body></html>")).into_response()
}

/// Reads a call's fields.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Fields, Rejection> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Rejection::text("The content type must be application/json"));
    }
    Fields::read(body)
}

/// Gives a call's id for the log, whether it is right or not.
pub(crate) fn named(fields: &Result<Fields, Rejection>, id: &str) -> String {
    let fields = fields.as_ref().ok();
    fields.and_then(|fields| fields.sent().read(id)).unwrap_or_default()
}

impl World {
    /// Whether a deposit call carries the right secret.
    pub(crate) fn admits(&self, access: &Access) -> bool {
        access.secret.as_deref() == Some(self.pluginapi_secret.expose_secret())
    }

    /// Answers 200 in any case: the provider's verdict is in the body.
    pub(crate) fn reply(&self, call: &str, answer: Result<String, Rejection>) -> Response {
        let text = answer.unwrap_or_else(|message| json!({"status": "fail", "message": message}).to_string());
        self.log(format!("{call}: answered {text}"));
        server::json(text)
    }
}
