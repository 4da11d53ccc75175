//! Calls to the stand-ins for AWS, in AWS's own JSON over HTTP.

use std::time::Duration;

use serde_json::Value;

/// AWS's account on this machine.
pub(crate) const ACCOUNT: &str = "000000000000";
/// The region of everything.
pub(crate) const REGION: &str = "ap-south-1";

/// A stand-in's error, or why a call did not reach it.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct AwsError {
    /// The error's name in the API, such as `ResourceInUseException`.
    pub kind: String,
    /// The stand-in's own words.
    pub message: String,
}

impl From<reqwest::Error> for AwsError {
    fn from(error: reqwest::Error) -> Self {
        AwsError { kind: "NoAnswer".into(), message: error.without_url().to_string() }
    }
}

/// Builds the HTTP client for loopback addresses: no proxy, no redirects, a time limit above SQS's long poll.
///
/// # Errors
///
/// The client could not be set up.
pub(crate) fn http_client() -> reqwest::Result<reqwest::Client> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(std::iter::empty())
        .timeout(Duration::from_secs(40))
        .build()
}

/// One service of AWS at one address.
#[derive(Clone)]
pub(crate) struct Service {
    http: reqwest::Client,
    url: String,
    prefix: &'static str,
}

impl Service {
    pub(crate) fn new(http: reqwest::Client, url: String, prefix: &'static str) -> Self {
        Service { http, url, prefix }
    }

    /// Another service at the same address.
    pub(crate) fn with_prefix(&self, prefix: &'static str) -> Self {
        Service { prefix, ..self.clone() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls one operation.
    pub(crate) async fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let response = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{}.{operation}", self.prefix))
            .header("x-amz-date", "20250101T000000Z")
            .header("authorization", AUTHORIZATION)
            .body(input.to_string())
            .send()
            .await?;
        let ok = response.status().is_success();
        let body = response.bytes().await?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if ok { Ok(answer) } else { Err(refusal(&answer)) }
    }
}

/// The stand-ins want a signature and do not check it.
pub(crate) const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=local/20250101/ap-south-1/local/aws4_request, SignedHeaders=host, Signature=0";

fn refusal(answer: &Value) -> AwsError {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("__type").rsplit('#').next().unwrap_or_default();
    AwsError { kind: kind.to_owned(), message: format!("{}{}", text("message"), text("Message")) }
}
