//! One postback on its way to the merchant, and the answer.

use std::io;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// No answer to a postback may take longer. A function with a cold start needs less.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the merchant's side answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// Whether the provider stops sending: 200 and `{"status":"ok"}`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        #[derive(Deserialize)]
        struct Status {
            status: String,
        }

        let ok = serde_json::from_str(&self.body).is_ok_and(|Status { status }| status == "ok");
        self.status == 200 && ok
    }
}

/// The merchant's side did not answer. The text does not contain the URL, which carries a secret token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(String);

/// Sends postbacks to one URL of a merchant.
#[derive(Clone)]
pub struct MerchantClient {
    http: reqwest::Client,
    url: SecretString,
}

impl MerchantClient {
    /// Builds the client. It uses no proxy, follows no redirect and repeats nothing by itself.
    ///
    /// # Errors
    /// TLS or the HTTP client cannot be set up.
    pub fn new(url: SecretString) -> io::Result<Self> {
        let tls = paykassma::tls().map_err(io::Error::other)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(TIMEOUT)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { http, url })
    }

    /// Sends a body once.
    ///
    /// # Errors
    /// [`NoAnswer`] when no complete answer came.
    pub async fn send(&self, body: String) -> Result<Answer, NoAnswer> {
        let no_answer = |error: reqwest::Error| NoAnswer(error.without_url().to_string());
        let request = self.http.post(self.url.expose_secret()).header(CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        Ok(Answer { status, body: response.text().await.map_err(no_answer)? })
    }
}
