//! API Gateway's HTTP API: routes, the authorizer, events of payload format 2.0 and their answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::authorization::{Authorization, Authorizer, iam_caller};
use crate::event::request_event;
use crate::function::Function;
use crate::functions::{AUTHORIZER, Api, PathParameters, Route, find_route};
use crate::instance::Failure;
use crate::logs::Logs;

/// API Gateway's limit on a request's body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// How long API Gateway waits for a function, as the template has it.
pub const INTEGRATION_LIMIT: Duration = Duration::from_secs(29);

/// The deployed functions by name.
pub(crate) type Functions = BTreeMap<&'static str, Arc<Function>>;

/// The HTTP front of the functions.
pub(crate) struct HttpApi {
    pub(crate) api: Api,
    pub(crate) functions: Functions,
    pub(crate) authorizer: Authorizer,
    pub(crate) logs: Arc<Logs>,
}

/// What API Gateway itself answers, without a function or in its place.
enum GatewayError {
    NotFound,
    Unauthorized,
    Forbidden,
    BodyTooLarge,
    FunctionFailed,
    FunctionTooSlow,
    FunctionThrottled,
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            GatewayError::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            GatewayError::Unauthorized => (StatusCode::UNAUTHORIZED, "Unauthorized"),
            GatewayError::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            GatewayError::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            GatewayError::FunctionFailed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            GatewayError::FunctionTooSlow | GatewayError::FunctionThrottled => {
                (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
        };
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        (status, content_type, json!({ "message": message }).to_string()).into_response()
    }
}

/// Builds the server.
pub(crate) fn router(api: HttpApi) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(api))
}

async fn handle(State(api): State<Arc<HttpApi>>, request: Request) -> Response {
    let response = answer(&api, request).await.into_response();
    let status = response.status();
    let values = [("Count", 1), ("4xx", status.is_client_error().into()), ("5xx", status.is_server_error().into())];
    api.logs.count("AWS/ApiGateway", &[("ApiId", api.api.id())], &values);
    response
}

async fn answer(api: &HttpApi, request: Request) -> Result<Response, GatewayError> {
    let (parts, body) = request.into_parts();
    let route = find_route(api.api, parts.method.as_str(), parts.uri.path());
    let (route, parameters) = route.ok_or(GatewayError::NotFound)?;
    let caller = match route.api {
        Api::Merchant => api.authorize(route, &parameters, &parts).await.map(|()| None)?,
        Api::Operator => Some(iam_caller(&parts).ok_or(GatewayError::Forbidden)?),
        Api::Postbacks => None,
    };
    let function = api.functions.get(route.function).ok_or(GatewayError::NotFound)?;
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| GatewayError::BodyTooLarge)?;
    let event = request_event(route, &parameters, &parts, &body, caller.as_deref());
    let invocation = function.invoke(event.to_string().into());
    let outcome = timeout(INTEGRATION_LIMIT, invocation).await;
    let answer = outcome.map_err(|_| GatewayError::FunctionTooSlow)?;
    let answer = answer.map_err(|failure| match failure {
        Failure::Throttled => GatewayError::FunctionThrottled,
        Failure::Reported(_) | Failure::NotStarted(_) | Failure::Ended | Failure::TimedOut(_) | Failure::Stopped => {
            GatewayError::FunctionFailed
        }
    })?;
    response(&answer).ok_or(GatewayError::FunctionFailed)
}

impl HttpApi {
    async fn authorize(&self, route: &Route, parameters: &PathParameters, parts: &Parts) -> Result<(), GatewayError> {
        let function = self.functions.get(AUTHORIZER).ok_or(GatewayError::FunctionFailed)?;
        match self.authorizer.check(function, route, parameters, parts).await {
            Authorization::Granted => Ok(()),
            Authorization::Missing => Err(GatewayError::Unauthorized),
            Authorization::Denied => Err(GatewayError::Forbidden),
            Authorization::Failed => Err(GatewayError::FunctionFailed),
        }
    }
}

/// A function's answer in payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response(answer: &[u8]) -> Option<Response> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded { BASE64_STANDARD.decode(body).ok()? } else { body.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).ok()?;
        response.headers_mut().insert(name, HeaderValue::try_from(value).ok()?);
    }
    for cookie in answer.cookies {
        let cookie = HeaderValue::try_from(cookie).ok()?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_becomes_a_response() {
        let answer = br#"{"statusCode":201,"headers":{"x-a":"1"},"multiValueHeaders":{},"cookies":["a=1","b=2"],
            "body":"aGk=","isBase64Encoded":true}"#;
        let response = response(answer).unwrap();
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["x-a"], "1");
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "hi");
    }

    #[test]
    fn a_malformed_answer_is_none() {
        for answer in
            ["", "null", "{}", r#"{"statusCode":9}"#, r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#]
        {
            assert!(response(answer.as_bytes()).is_none(), "{answer}");
        }
    }
}
