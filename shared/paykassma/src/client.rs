//! One request, sent at most once, and the evidence of what became of it.

use std::error::Error;
use std::iter::successors;
use std::sync::Arc;
use std::time::Duration;

use domain::InvalidValue;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, redirect, retry};
use rustls::{ClientConfig, RootCertStore};
use url::Url;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::BaseUrl;
use crate::answer::clean;

/// How long a connection may take to be made, its TLS handshake included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a client can't be built.
#[derive(Debug, thiserror::Error)]
pub enum Unbuildable {
    /// By the address.
    #[error(transparent)]
    Address(#[from] InvalidValue),
    /// By the TLS library.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// By the HTTP library.
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

/// The provider's client. It never follows a redirect, never retries and never uses a connection twice: one that went
/// stale while the function was frozen would make a request's outcome unknown.
#[derive(Clone, Debug)]
pub struct Client {
    base: BaseUrl,
    http: reqwest::Client,
}

/// What became of one request.
pub(crate) enum Reply {
    /// HTTP 2xx or 4xx, whose body may be believed.
    Answered(StatusCode, String),
    /// The provider surely processed nothing: the connection was never made, or HTTP 429.
    NotSent(String),
    /// It may have: no answer, half an answer, 5xx, a redirect.
    Unknown(String),
}

impl Client {
    /// Builds the client for the provider at this URL.
    ///
    /// # Errors
    /// [`Unbuildable`], without the URL.
    pub fn at(url: &str, timeout: Duration) -> Result<Self, Unbuildable> {
        Self::new(BaseUrl::parse(url)?, timeout)
    }

    /// Builds the client. A request has `timeout` in all, of which its connection has at most 2 s and half.
    ///
    /// # Errors
    /// [`Unbuildable`] when TLS can't be set up.
    pub fn new(base: BaseUrl, timeout: Duration) -> Result<Self, Unbuildable> {
        // well before the whole request's limit, which could not distinguish a connection that was never made
        let connect_timeout = timeout.checked_div(2).map_or(CONNECT_TIMEOUT, |half| half.min(CONNECT_TIMEOUT));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .https_only(base.is_https())
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(connect_timeout)
            .timeout(timeout)
            .build()?;
        Ok(Self { base, http })
    }

    pub(crate) async fn post(&self, path: &str, body: String) -> Reply {
        self.post_to(self.base.with(path, []), body).await
    }

    pub(crate) async fn post_with_secret(&self, path: &str, secret: &str, body: String) -> Reply {
        self.post_to(self.base.with(path, [("secret", secret)]), body).await
    }

    async fn post_to(&self, url: Url, body: String) -> Reply {
        let response = match self.http.post(url).header(CONTENT_TYPE, "application/json").body(body).send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() || error.is_builder() => return Reply::NotSent(reason(error)),
            Err(error) => return Reply::Unknown(reason(error)),
        };
        let code = response.status();
        if code == StatusCode::TOO_MANY_REQUESTS {
            return Reply::NotSent("HTTP 429".into());
        }
        if !code.is_success() && !code.is_client_error() {
            return Reply::Unknown(format!("HTTP {}", code.as_u16()));
        }
        read(response).await.map_or_else(Reply::Unknown, |text| Reply::Answered(code, text))
    }
}

/// The TLS of every client of ours: rustls with ring, and the roots that are built in.
///
/// # Errors
/// When ring lacks a protocol version.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(TLS_SERVER_ROOT_CERTS.iter().cloned());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn read(mut response: Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reason)? {
        if body.len().saturating_add(chunk.len()) > MAX_ANSWER {
            return Err(format!("the answer has more than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| "the answer is not UTF-8".into())
}

/// What went wrong and its first cause, without the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let first_cause = successors(error.source(), |&cause| cause.source()).last();
    let first_cause = first_cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    clean(&format!("{error}{first_cause}"))
}
