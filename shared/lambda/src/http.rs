//! HTTP requests and replies: one JSON object each way.

use std::future::Future;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, RETRY_AFTER};
use lambda_http::{Body, RequestExt, Response, service_fn};
use serde::Serialize;
use tracing::{error, info};

use crate::{BadRequest, BadSetting};

/// Why a function does not do what it was asked for. Its `Display` is for the caller: causes go to the log beforehand.
pub trait ErrorReply: std::error::Error {
    /// The HTTP status.
    fn status(&self) -> StatusCode;

    /// What kind of refusal this is, for programs.
    fn code(&self) -> &'static str;

    /// The field at fault.
    fn field(&self) -> Option<&str> {
        None
    }
}

impl ErrorReply for BadRequest {
    fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Field { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_request",
            Self::Field { .. } => "invalid_field",
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Malformed(_) => None,
            Self::Field { field, .. } => Some(field),
        }
    }
}

/// What a handler is given.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The body's bytes.
    pub body: &'a [u8],
    /// The variable part of the path, decoded; empty where the route has none.
    pub path_parameter: &'a str,
}

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// One JSON object.
    pub body: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Reply {
    /// Answers with a JSON object.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status, body },
            Err(error) => {
                error!(%error, "the reply could not be written");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: "{}".into() }
            }
        }
    }

    /// Answers with a refusal, and logs it.
    pub fn refuse(refusal: &impl ErrorReply) -> Self {
        let (status, code) = (refusal.status(), refusal.code());
        if status.is_server_error() {
            error!(status = status.as_u16(), code, "refused: {refusal}");
        } else {
            info!(status = status.as_u16(), code, field = refusal.field(), "refused");
        }
        Self::new(status, &ErrorBody { code, message: refusal.to_string(), field: refusal.field() })
    }

    pub(crate) fn into_response(self) -> Result<Response<Body>, lambda_http::Error> {
        let mut response = Response::builder().status(self.status).header(CONTENT_TYPE, "application/json");
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response = response.header(RETRY_AFTER, "5");
        }
        Ok(response.body(Body::Text(self.body))?)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("this function is not set up; its operator finds the reason in its log")]
pub(crate) struct NotSetUp;

impl ErrorReply for NotSetUp {
    fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn code(&self) -> &'static str {
        "try_again"
    }
}

/// What a function does with a request.
pub trait Handle: Send + Sync {
    /// Why it may refuse.
    type Error: ErrorReply;

    /// Answers a request. A refusal is logged and answered, never handed to the runtime.
    fn handle(&self, request: Request<'_>) -> impl Future<Output = Result<Reply, Self::Error>> + Send;
}

/// Answers requests for as long as the function lives. With a bad setting, every answer is 503.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve<H: Handle>(
    path_parameter: &'static str,
    set_up: Result<H, BadSetting>,
) -> Result<(), lambda_http::Error> {
    let handler = set_up.inspect_err(|error| error!("not set up: {error}")).ok();
    let handler = handler.as_ref();
    let answer = |request: lambda_http::Request| async move {
        let parameters = request.path_parameters();
        let path_parameter = parameters.first(path_parameter).unwrap_or_default();
        let request = Request { body: request.body(), path_parameter };
        reply(handler, request).await.into_response()
    };
    lambda_http::run(service_fn(answer)).await
}

async fn reply<H: Handle>(handler: Option<&H>, request: Request<'_>) -> Reply {
    let Some(handler) = handler else { return Reply::refuse(&NotSetUp) };
    handler.handle(request).await.unwrap_or_else(|refusal| Reply::refuse(&refusal))
}
