//! API Gateway's authorizers: the Lambda authorizer, which asks its function and remembers the answer under the identity source, and
//! IAM's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::{ACCOUNT, REGION};
use crate::clock::now_ms;
use crate::event::request_event;
use crate::function::Function;
use crate::functions::{PathParameters, Route};

/// How long an answer is remembered.
const REMEMBERED_MS: u64 = 300_000;
/// How many answers are remembered. Then all are forgotten: the function is asked again.
const REMEMBERED: usize = 10_000;

/// What the authorizer makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    Granted,
    /// There is no identity source: the function is not asked.
    Missing,
    Denied,
    /// The function failed, which is not remembered.
    Failed,
}

/// The simple response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    is_authorized: bool,
}

/// The answers that are remembered, by the hash of the identity source: until when, and whether the request may go on.
#[derive(Default)]
pub(crate) struct Authorizer(Mutex<HashMap<[u8; 32], (u64, bool)>>);

impl Authorizer {
    pub(crate) async fn check(
        &self,
        function: &Arc<Function>,
        route: &Route,
        parameters: &PathParameters,
        parts: &Parts,
    ) -> Authorization {
        let Some(source) = identity_source(&parts.headers) else { return Authorization::Missing };
        let remembered = self.remembered(&source);
        let is_authorized = if remembered.is_some() {
            remembered
        } else {
            let event = authorizer_event(route, parameters, parts, &source);
            let answer = function.invoke(event.to_string().into()).await.ok();
            let answer = answer.and_then(|answer| serde_json::from_slice::<Answer>(&answer).ok());
            answer.map(|answer| self.remember(&source, answer.is_authorized))
        };
        match is_authorized {
            Some(true) => Authorization::Granted,
            Some(false) => Authorization::Denied,
            None => Authorization::Failed,
        }
    }

    fn remembered(&self, source: &str) -> Option<bool> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(&hash(source)).filter(|(until_ms, _)| now_ms() < *until_ms).map(|(_, is_authorized)| *is_authorized)
    }

    fn remember(&self, source: &str, is_authorized: bool) -> bool {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(hash(source), (now_ms().saturating_add(REMEMBERED_MS), is_authorized));
        is_authorized
    }
}

/// What the function gets as the caller's identity: the header's values as they came, joined.
fn identity_source(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::AUTHORIZATION).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    Some(values.collect::<Vec<_>>().join(",")).filter(|source| !source.is_empty())
}

fn hash(source: &str) -> [u8; 32] {
    Sha256::digest(source).into()
}

/// Builds the event in payload format 2.0: the request's own, without its body.
fn authorizer_event(route: &Route, parameters: &PathParameters, parts: &Parts, source: &str) -> Value {
    let mut event = request_event(route, parameters, parts, b"", None);
    if let Some(fields) = event.as_object_mut() {
        fields.remove("body");
        fields.remove("isBase64Encoded");
        let (method, path) = (route.method, parts.uri.path());
        let route_arn = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:local/$default/{method}{path}");
        fields.insert("type".into(), json!("REQUEST"));
        fields.insert("routeArn".into(), json!(route_arn));
        fields.insert("identitySource".into(), json!([source]));
    }
    event
}

/// The caller of a request that is signed as IAM wants it: a user with the name of its access key. The signature itself is not checked.
pub(crate) fn iam_caller(parts: &Parts) -> Option<String> {
    let given = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (access_key, _) = given.strip_prefix("AWS4-HMAC-SHA256 Credential=")?.split_once('/')?;
    Some(format!("arn:aws:iam::{ACCOUNT}:user/{access_key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_tokens_is_not_remembered_whole() {
        let authorizer = Authorizer::default();
        for token in 0..=REMEMBERED {
            authorizer.remember(&format!("Bearer {token}"), false);
        }
        let last = format!("Bearer {REMEMBERED}");
        assert_eq!((authorizer.remembered("Bearer 0"), authorizer.remembered(&last)), (None, Some(false)));
        assert!(authorizer.0.lock().unwrap().len() <= REMEMBERED);
    }
}
