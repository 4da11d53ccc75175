//! An HTTP answer with a JSON body.

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Answers 200 with a JSON text.
pub(crate) fn json_response(text: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.into()).into_response()
}
