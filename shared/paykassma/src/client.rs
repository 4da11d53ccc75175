//! Sends a request at most once, and reports what is certain about it afterwards.

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

/// The most time that a connection may take, with its TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Unbuildable {
    /// The address is not allowed.
    #[error(transparent)]
    Address(#[from] InvalidValue),
    /// The TLS library reports this error.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The HTTP library reports this error.
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

/// The HTTP client for the provider. It never follows a redirect and never retries. It never uses a connection twice: a connection
/// that went stale while the function was frozen would make the outcome of a request unknown.
#[derive(Clone, Debug)]
pub struct Client {
    base: BaseUrl,
    http: reqwest::Client,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered<T> {
    /// What the provider said, or what is certain without an answer.
    pub said: T,
    /// The HTTP code if it is 401, 403 or 404. Then a secret or an address is wrong, here or at the provider, and every such call fails.
    pub misconfigured: Option<u16>,
}

impl<T> From<T> for Answered<T> {
    fn from(said: T) -> Self {
        Self { said, misconfigured: None }
    }
}

/// What is known about a request after it was sent.
pub(crate) enum Reply {
    /// HTTP 2xx or 4xx. The body can be believed.
    Answered(StatusCode, String),
    /// The provider certainly processed nothing: there was no connection, or the answer is HTTP 429.
    NotSent(String),
    /// The provider may have processed the request: no answer, half an answer, HTTP 5xx or a redirect.
    Unknown(String),
}

impl Reply {
    /// Adds to what was said whether our configuration is wrong.
    pub(crate) fn answered<T>(self, judge: impl FnOnce(Self) -> T) -> Answered<T> {
        let misconfigured = match &self {
            Self::Answered(code, _) => Some(code.as_u16()).filter(|code| [401, 403, 404].contains(code)),
            Self::NotSent(_) | Self::Unknown(_) => None,
        };
        Answered { said: judge(self), misconfigured }
    }
}

impl Client {
    /// Builds the client for the provider at this URL.
    ///
    /// # Errors
    /// [`Unbuildable`]. Its text does not have the URL.
    pub fn at(url: &str, timeout: Duration) -> Result<Self, Unbuildable> {
        Self::new(BaseUrl::parse(url)?, timeout)
    }

    /// Builds the client. `timeout` is the limit for a whole request. Connecting may take at most half of it, and at most 2 s.
    ///
    /// # Errors
    /// [`Unbuildable`] if TLS cannot be set up.
    pub fn new(base: BaseUrl, timeout: Duration) -> Result<Self, Unbuildable> {
        // The limit for the whole request does not tell whether a connection was made, so this limit must come well before it.
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

/// The TLS settings of all our clients: rustls with ring, and built-in root certificates.
///
/// # Errors
/// If ring does not support a protocol version.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(TLS_SERVER_ROOT_CERTS.iter().cloned());
    #[cfg(feature = "extra-root")]
    roots.add_parsable_certificates(extra_root());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The certificate in the file that `EXTRA_ROOT` names, in PEM.
#[cfg(feature = "extra-root")]
fn extra_root() -> Option<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    std::env::var_os("EXTRA_ROOT").and_then(|file| PemObject::from_pem_file(file).ok())
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

/// Says what went wrong, and its first cause. Never has the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let first_cause = successors(error.source(), |&cause| cause.source()).last();
    let first_cause = first_cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    clean(&format!("{error}{first_cause}"))
}
