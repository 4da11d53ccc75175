//! What the control API's calls share: the reading of a body, the answer and the error.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::json_response::json_response;

/// A control call that is answered with an error: a status and a sentence.
pub(crate) struct ControlError(pub(crate) StatusCode, pub(crate) String);

impl ControlError {
    /// Answers 400: the call cannot be understood.
    pub(crate) fn bad_request(message: &impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_string())
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (self.0, answer(&json!({"message": self.1}))).into_response()
    }
}

/// Reads a control call's body. Its content type does not matter, so that plain `curl -d` works.
pub(crate) fn read_body<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| ControlError::bad_request(&error))
}

/// Answers with a value as JSON.
pub(crate) fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => json_response(text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
