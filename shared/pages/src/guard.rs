//! Who may call a server on this machine: its programs, and pages of the server itself. Other web pages may not.
//!
//! Without this, any page that a developer opens can call the server: with a request to another site, or under a name of its own that it
//! lets point to 127.0.0.1 (DNS rebinding).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tower_http::csrf::{CsrfLayer, ProtectionError};

/// The names that always mean this machine.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// The port that clients leave out.
const HTTP_PORT: u16 = 80;

/// What each answer says to browsers, unless the answer has its own value.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Another name of this machine: what `--host` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Reads a name or an address, without a port.
    ///
    /// # Errors
    /// It is no name, or there is a port or something else around it.
    ///
    /// ```
    /// assert!(pages::HostName::parse("sandbox.example").is_ok());
    /// assert!(pages::HostName::parse("sandbox.example:3100").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let authority: Option<Authority> = text.parse().ok();
        match authority.filter(|authority| authority.host() == text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err("must be a host name or an address, without a scheme and a port"),
        }
    }
}

/// The names under which a server may be called.
struct Names {
    port: u16,
    host: Option<HostName>,
}

impl Names {
    /// Whether a `Host` is one of the names: a loopback name with this port, or the other name with any port, since a tunnel has its own.
    fn include(&self, host: &str) -> bool {
        let split = host.rsplit_once(':').and_then(|(name, port)| Some((name, read_port(port)?)));
        let (name, port) = split.unwrap_or((host, HTTP_PORT));
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        (port == self.port && LOOPBACK.into_iter().any(is))
            || self.host.as_ref().is_some_and(|HostName(known)| is(known))
    }

    /// Whether the request names one host only, and it is one of the names.
    fn include_host_of(&self, request: &Request) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        let authority = request.uri().authority();
        authority.is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(host)) && self.include(host)
    }
}

/// A port as every client writes it: without a sign and leading zeros.
fn read_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| port.to_string() == text)
}

/// Puts the guard in front of a server's routes. `port` is the server's own, and `host` another name for this machine.
///
/// - A request whose `Host` is not exactly a loopback name with this port, or `host`, is answered 421.
/// - A request that changes something and comes from a page of another origin is answered 403. Programs send neither `Origin` nor
///   `Sec-Fetch-Site`.
/// - Every answer tells browsers to load nothing, to guess no types, and to remember nothing, unless it has its own headers.
pub fn guard(routes: Router, port: u16, host: Option<&HostName>) -> Router {
    let names = Names { port, host: host.cloned() };
    let same_origin = CsrfLayer::new().with_rejection_response(|_: ProtectionError| {
        refuse(StatusCode::FORBIDDEN, "a page of another origin may not call this server")
    });
    routes.layer(same_origin).layer(from_fn_with_state(Arc::new(names), check_host))
}

async fn check_host(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let mut response = if names.include_host_of(&request) {
        next.run(request).await
    } else {
        let loopback = LOOPBACK.map(|name| format!("{name}:{}", names.port)).join(", ");
        refuse(
            StatusCode::MISDIRECTED_REQUEST,
            &format!("this server is called as {loopback}; start it with --host NAME to call it by another name"),
        )
    };
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, json!({ "message": message }).to_string()).into_response()
}
