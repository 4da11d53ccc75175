//! The merchant's server.

use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};

use lambda::Clock;
use paykassma::{BaseUrl, Unbuildable, tls};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{redirect, retry};

/// The most time that a connection may take, with its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that was not used for so long is not used again: the server may have closed it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// An event, as it is posted.
#[derive(Clone, Debug)]
pub struct SignedEvent<'a> {
    /// The event's id.
    pub id: &'a str,
    /// When this attempt was made, in seconds since 1970.
    pub timestamp: u64,
    /// One signature for each key.
    pub signature: String,
    /// The body that is signed: one JSON object.
    pub body: &'a str,
}

/// The server did not take an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the merchant's server did not take it: {reason}")]
pub struct NotTaken {
    /// What it answered, or why it did not. Without the URL.
    pub reason: String,
    /// When it wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// The right to post events to the merchant's server.
pub trait Post: Sync {
    /// Posts an event once.
    fn post(&self, event: SignedEvent<'_>) -> impl Future<Output = Result<(), NotTaken>> + Send;
}

/// The HTTP client for the merchant's server. It follows no redirect and repeats nothing by itself.
#[derive(Clone, Debug)]
pub struct Receiver<A> {
    http: reqwest::Client,
    url: BaseUrl,
    clock: A,
}

impl<A> Receiver<A> {
    /// Builds the client for the server at this URL: `https`, or `http` on this machine. `timeout` is the limit for a whole request.
    ///
    /// # Errors
    /// [`Unbuildable`]. Its text does not have the URL.
    pub fn at(url: &str, timeout: Duration, clock: A) -> Result<Self, Unbuildable> {
        let url = BaseUrl::parse(url)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .https_only(url.is_https())
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .build()?;
        Ok(Self { http, url, clock })
    }
}

impl<A: Clock> Post for Receiver<A> {
    async fn post(&self, event: SignedEvent<'_>) -> Result<(), NotTaken> {
        let SignedEvent { id, timestamp, signature, body } = event;
        let request = self.http.post(self.url.as_url().clone()).body(body.to_owned());
        let request = request.header(CONTENT_TYPE, "application/json").header(ID, id);
        let request = request.header(TIMESTAMP, timestamp).header(SIGNATURE, signature);
        let not_sent = |error: reqwest::Error| NotTaken { reason: reason(error), retry_after: None };
        let response = request.send().await.map_err(not_sent)?;
        if response.status().is_success() {
            return Ok(());
        }
        let retry_after = retry_after(response.headers(), self.clock.now_ms());
        Err(NotTaken { reason: format!("HTTP {}", response.status().as_u16()), retry_after })
    }
}

/// The deepest cause says most. The URL may have something in it that only the merchant knows.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    date.checked_sub(Duration::from_millis(now_ms))
}
