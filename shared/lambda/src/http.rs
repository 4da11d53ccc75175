//! HTTP requests and replies of a function behind API Gateway. Every reply is one JSON object.

use std::error::Error;
use std::future::Future;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt, Response, service_fn};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::error;

use crate::metrics::count_error;
use crate::{BadRequest, BadSetting};

/// An error of a handler that becomes a reply. Its `Display` is for the caller; its `source` is for the log alone.
pub trait ErrorReply: Error {
    /// The HTTP status.
    fn status(&self) -> StatusCode;

    /// The kind of error, for programs.
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

/// Names with their values, decoded.
pub type Parameters<'a> = &'a [(&'a str, &'a str)];

/// A request as a handler gets it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The body's bytes.
    pub body: &'a [u8],
    /// The variable parts of the path.
    pub path: Parameters<'a>,
    /// The query.
    pub query: Parameters<'a>,
    /// The route by which API Gateway has found the function, such as `POST /decisions`.
    pub route: &'a str,
    /// Who calls, as API Gateway has verified it: an ARN. `None` for a route without IAM authorization.
    pub caller: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// The variable part of the path with this name; `None` where the route has none.
    #[must_use]
    pub fn path_parameter(&self, name: &str) -> Option<&'a str> {
        value(self.path, name)
    }

    /// The query's values of these names. Any other name, and a name that appears twice, is an error.
    ///
    /// # Errors
    /// [`BadRequest::Field`] with the name at fault.
    pub fn query_parameters<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'a str>; N], BadRequest> {
        for (name, _) in self.query {
            let field = || name.chars().take(64).collect::<String>();
            if !names.contains(name) {
                return Err(BadRequest::field(&field(), "is not a parameter of this request"));
            }
            if self.query.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(BadRequest::field(&field(), "appears twice"));
            }
        }
        Ok(names.map(|name| value(self.query, name)))
    }
}

fn value<'a>(parameters: Parameters<'a>, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
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
    /// A reply with a JSON object.
    pub fn new(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status, body },
            Err(error) => {
                error!(%error, "the reply could not be written");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: "{}".into() }
            }
        }
    }

    /// The reply to an error. This is the one place where an error is logged and counted.
    pub fn of_error(error: &impl ErrorReply) -> Self {
        count_error(error.status().as_u16(), error.code(), error.field(), cause(error).as_deref());
        Self::new(error.status(), &ErrorBody { code: error.code(), message: error.to_string(), field: error.field() })
    }

    fn headers(&self) -> impl Iterator<Item = (HeaderName, &'static str)> + use<> {
        let retry = (self.status == StatusCode::SERVICE_UNAVAILABLE).then_some((RETRY_AFTER, "5"));
        std::iter::once((CONTENT_TYPE, "application/json")).chain(retry)
    }

    fn into_response(self) -> Result<Response<Body>, lambda_http::Error> {
        let response = Response::builder().status(self.status);
        let response = self.headers().fold(response, |response, (name, value)| response.header(name, value));
        Ok(response.body(Body::Text(self.body))?)
    }

    /// As API Gateway takes it from a function that answers it by itself.
    fn into_value(self) -> Value {
        let headers: Value = self.headers().map(|(name, value)| (name.to_string(), Value::from(value))).collect();
        json!({"statusCode": self.status.as_u16(), "headers": headers, "body": self.body})
    }
}

/// All that an error comes from, the nearest first.
fn cause(error: &impl Error) -> Option<String> {
    let sources = std::iter::successors(error.source(), |source| (*source).source());
    sources.map(ToString::to_string).reduce(|all, next| format!("{all}: {next}"))
}

#[derive(Debug, thiserror::Error)]
#[error("this function is not set up; its operator finds the reason in its log")]
struct NotSetUp;

impl ErrorReply for NotSetUp {
    fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    fn code(&self) -> &'static str {
        "try_again"
    }
}

/// The code of an error: the table is not the one that the stack serves. It has an alarm of its own.
pub const WRONG_TABLE: &str = "wrong_table";

/// What a function does with a request.
pub trait Handler: Send + Sync {
    /// Why it may fail.
    type Error: ErrorReply;

    /// Answers a request. An error becomes a reply, and never reaches the runtime.
    fn handle(&self, request: Request<'_>) -> impl Future<Output = Result<Reply, Self::Error>> + Send;
}

/// Answers requests for as long as the function lives. With a bad setting, every answer is 503.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve<H: Handler>(set_up: Result<H, BadSetting>) -> Result<(), lambda_http::Error> {
    let handler = set_up.inspect_err(|error| error!("not set up: {error}")).ok();
    let handler = handler.as_ref();
    let answer = |request: lambda_http::Request| async move { reply(handler, &request).await.into_response() };
    lambda_http::run(service_fn(answer)).await
}

/// Answers a request that came as an event, for a function that has other events too.
pub(crate) async fn answer_event<H: Handler>(handler: Option<&H>, event: &str) -> Result<Value, lambda_http::Error> {
    Ok(reply(handler, &lambda_http::request::from_str(event)?).await.into_value())
}

/// What API Gateway says of a request beside the request itself.
fn route_and_caller(context: &RequestContext) -> (&str, Option<&str>) {
    let RequestContext::ApiGatewayV2(context) = context else { return ("", None) };
    let iam = context.authorizer.as_ref().and_then(|authorizer| authorizer.iam.as_ref());
    (context.route_key.as_deref().unwrap_or_default(), iam.and_then(|iam| iam.user_arn.as_deref()))
}

async fn reply<H: Handler>(handler: Option<&H>, request: &lambda_http::Request) -> Reply {
    let Some(handler) = handler else { return Reply::of_error(&NotSetUp) };
    let (path, query) = (request.path_parameters(), request.query_string_parameters());
    let (path, query): (Vec<_>, Vec<_>) = (path.iter().collect(), query.iter().collect());
    let (route, caller) = request.request_context_ref().map_or(("", None), route_and_caller);
    let request = Request { body: request.body(), path: &path, query: &query, route, caller };
    handler.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_taken_by_name_and_nothing_else_is_allowed() {
        let names = ["state", "cursor"];
        let of = |query| Request { path: &[("id", "1")], query, ..Request::default() };
        let request = of(&[("state", "unknown")]);
        assert_eq!(request.query_parameters(names), Ok([Some("unknown"), None]));
        assert_eq!((request.path_parameter("id"), request.path_parameter("state")), (Some("1"), None));
        let other = of(&[("stat", "unknown")]);
        assert_eq!(other.query_parameters(names), Err(BadRequest::field("stat", "is not a parameter of this request")));
        let twice = of(&[("state", "a"), ("state", "a")]);
        assert_eq!(twice.query_parameters(names), Err(BadRequest::field("state", "appears twice")));
    }

    #[test]
    fn a_reply_to_an_event_has_what_an_http_response_has() {
        for (status, retry) in [(StatusCode::OK, Value::Null), (StatusCode::SERVICE_UNAVAILABLE, json!("5"))] {
            let reply = Reply::new(status, &json!({"code": "try_again"}));
            let response = reply.clone().into_response().unwrap();
            let value = reply.into_value();
            assert_eq!((&value["statusCode"], &value["headers"]["retry-after"]), (&json!(status.as_u16()), &retry));
            let headers =
                response.headers().iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())));
            assert_eq!(value["headers"], headers.collect::<Value>());
            assert_eq!(value["body"], r#"{"code":"try_again"}"#);
        }
    }

    #[test]
    fn the_log_gets_every_cause_and_the_caller_none() {
        #[derive(Debug, thiserror::Error)]
        #[error("try later")]
        struct Outer(#[source] crate::AwsError);

        let error = Outer(crate::AwsError("throttled".into()));
        assert_eq!((error.to_string(), cause(&error)), ("try later".into(), Some("throttled".into())));
    }
}
