//! One connection to one host, made when it is first needed.

use std::error::Error;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const AMAZON_ROOTS: &[u8] = include_bytes!("../../../shared/lambda/src/amazon_roots.pem");

#[expect(clippy::disallowed_methods, reason = "a program of its own, without lambda")]
pub(crate) fn setting(name: &str) -> Result<String, Box<dyn Error>> {
    std::env::var(name).map_err(|_| format!("{name} is missing").into())
}

pub(crate) struct Endpoint {
    address: String,
    tls: bool,
}

impl Endpoint {
    pub(crate) fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), tls: false }
    }

    pub(crate) fn parse(url: &str) -> Result<Self, Box<dyn Error>> {
        let address = url.strip_prefix("https://").ok_or("an endpoint begins with https://")?;
        Ok(Self { address: address.to_owned(), tls: true })
    }
}

pub(crate) struct Connection {
    endpoint: Endpoint,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, sender: None }
    }

    pub(crate) fn host(&self) -> &str {
        &self.endpoint.address
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<(HeaderMap, Bytes), Box<dyn Error>> {
        self.send(Method::GET, path, &HeaderMap::new(), Bytes::new()).await
    }

    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &HeaderMap,
        body: String,
    ) -> Result<(HeaderMap, Bytes), Box<dyn Error>> {
        self.send(Method::POST, path, headers, body.into()).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes), Box<dyn Error>> {
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
        request.headers_mut().extend(headers.clone());
        request.headers_mut().insert(HOST, HeaderValue::from_str(self.host())?);
        let sender = match &mut self.sender {
            Some(sender) => sender,
            None => self.sender.insert(connect(&self.endpoint).await?),
        };
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(format!("{} answered {}", self.endpoint.address, response.status()).into());
        }
        let (head, body) = response.into_parts();
        Ok((head.headers, body.collect().await?.to_bytes()))
    }
}

async fn connect(endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>, Box<dyn Error>> {
    let stream = TcpStream::connect(&endpoint.address).await?;
    stream.set_nodelay(true)?;
    if !endpoint.tls {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        return Ok(sender);
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(AMAZON_ROOTS) {
        roots.add(certificate?)?;
    }
    roots.add(CertificateDer::from_pem_file(setting("EXTRA_ROOT")?)?)?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (host, _) = endpoint.address.split_once(':').unwrap_or((&endpoint.address, ""));
    let stream = TlsConnector::from(Arc::new(tls)).connect(ServerName::try_from(host.to_owned())?, stream).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
