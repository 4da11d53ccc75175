//! The API of the stack that people call: requests that are signed with the person's own AWS credentials.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::config::Region;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use lambda::{Clock, System};
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Done, Failure};
use crate::unreached::Unreached;

/// The service whose name a signature has.
const SERVICE: &str = "execute-api";
/// How often a request is sent at most while it is answered 429 or 503. Whatever people ask for may be asked for again: a recorded
/// decision is answered as before, and the receiver goes on where its time was up.
const MAX_TRIES: u32 = 5;

/// The API.
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    region: Region,
    credentials: SharedCredentialsProvider,
}

/// What a function answered, or API Gateway in its place.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// The fields of an answer that is an error. API Gateway's own have a message alone.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    code: String,
    message: String,
    field: String,
}

impl Api {
    pub(crate) fn new(
        http: reqwest::Client,
        url: String,
        region: Region,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        Self { http, url, region, credentials }
    }

    /// Posts a JSON object, and reads the one that is answered.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|error| Failure::NoAnswer(error.to_string()))?;
        let answer = self.send_again(path, body).await?;
        if answer.status != 200 {
            return Err(answer.failure(path));
        }
        let unread = |error| Failure::NoAnswer(format!("{path} answered what this tool cannot read: {error}"));
        serde_json::from_str(&answer.body).map_err(unread)
    }

    /// Posts a postback, and posts it again while the receiver could not store all of it.
    pub(crate) async fn postback(&self, body: Vec<u8>) -> Result<Answer, Failure> {
        self.send_again("/postbacks", body).await
    }

    /// Posts a body, and posts it again while it is answered that there is no time for it now.
    async fn send_again(&self, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        for _ in 1..MAX_TRIES {
            let answer = self.send(path, body.clone()).await?;
            if !matches!(answer.status, 429 | 503) {
                return Ok(answer);
            }
            System.sleep(Duration::from_secs(1)).await;
        }
        self.send(path, body).await
    }

    /// Posts a body once.
    pub(crate) async fn send(&self, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.url);
        let unreached = |error: reqwest::Error| Failure::Unreached(Unreached::of_api(&error));
        let mut request = self.http.post(&url).header(CONTENT_TYPE, "application/json");
        for (name, value) in self.signature(&url, &body).await? {
            request = request.header(name, value);
        }
        let response = request.body(body).send().await.map_err(unreached)?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: response.text().await.map_err(unreached)? })
    }

    /// The headers that sign a request.
    async fn signature(&self, url: &str, body: &[u8]) -> Result<Vec<(String, String)>, Failure> {
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| Failure::Unreached(Unreached::of_api(&error)))?;
        let identity = credentials.into();
        let unsigned = |error: String| Failure::Usage(format!("the request cannot be signed: {error}"));
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_ref())
            .name(SERVICE)
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(error.to_string()))?;
        let headers = std::iter::once((CONTENT_TYPE.as_str(), "application/json"));
        let request = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body));
        let request = request.map_err(|error| unsigned(error.to_string()))?;
        let signed = sign(request, &parameters.into()).map_err(|error| unsigned(error.to_string()))?;
        let (instructions, _) = signed.into_parts();
        Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(System.now_ms())).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl Answer {
    pub(crate) fn done(&self) -> Done {
        if self.status == 200 { Done::Well } else { Done::Found }
    }

    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.status, self.body)
    }

    /// Why nothing was done.
    fn failure(&self, path: &str) -> Failure {
        let ErrorBody { code, message, field } = serde_json::from_str(&self.body).unwrap_or_default();
        let option = match field.as_str() {
            "" => String::new(),
            "id" => "ID: ".into(),
            "outcome" => "--as: ".into(),
            "version" => "--confirm: ".into(),
            field => format!("--{}: ", field.replace('_', "-")),
        };
        match (self.status, code.as_str()) {
            (409, "same_number") => Failure::NotAllowed(format!(
                "{message}. `show` that payment: if it is the same money, reject this one; if not, repeat the command with --different-payment"
            )),
            (409, "changed") => Failure::Changed(message),
            (404 | 409, code) if !code.is_empty() => Failure::NotAllowed(format!("{option}{message}")),
            (401 | 403, _) => Failure::Denied(format!(
                "POST {path} was answered {message}. Your AWS role may lack the policy: docs/operator.md says which one it needs"
            )),
            (400 | 413 | 422, _) => Failure::Usage(format!("{option}{message}")),
            (status, _) => Failure::NoAnswer(format!("POST {path} was answered {status} {message}")),
        }
    }
}
