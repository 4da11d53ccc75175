//! Stand-ins for AWS and the provider: TLS, and the same answer each time, so that what is measured is the function.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::serve::Listener;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The rows that stand in the table: an order, a withdrawal that waits to be sent.
const ROWS: &str = include_str!("rows.json");

/// The functions' keys, which are those of the invocation events.
const SECRETS: &str = r#"{"merchant_token_hashes":["71c57aecfd26e867d4b575d2ce87f64d1b3157ee7c481a66d5c4e17e28b642f0"],"pluginapi_secret":"test_plugin_secret","withdrawal_private_key":"test_private_key","access_key":"FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK","postback_private_key":"test_private_key","postback_token":"test_postback_token"}"#;

/// Starts a server on a port of its own and gives its URL: each service is a host, and so a connection, of its own.
pub(crate) async fn start(tls: &Arc<ServerConfig>) -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let secure = Secure { listener, acceptor: TlsAcceptor::from(Arc::clone(tls)) };
    let rows: Arc<Value> = Arc::new(serde_json::from_str(ROWS)?);
    let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let rows = Arc::clone(&rows);
        async move { answer(&rows, &uri, &headers, &body).to_string() }
    };
    tokio::spawn(async { axum::serve(secure, Router::new().fallback(answer)).await });
    Ok(url)
}

struct Secure {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, peer)) = self.listener.accept().await
                && stream.set_nodelay(true).is_ok()
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

fn answer(rows: &Value, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Value {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (_, operation) = target.split_once('.').unwrap_or_default();
    match operation {
        "GetItem" => get_item(rows, body),
        "Query" => json!({"Items": [], "Count": 0, "ScannedCount": 0}),
        "GetSecretValue" => json!({"ARN": "arn", "Name": "paykassma", "VersionId": "1", "SecretString": SECRETS}),
        "SendMessage" => send_message(body),
        "PutEvents" => json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}),
        "" => of_provider(uri.path()),
        _ => json!({}),
    }
}

fn get_item(rows: &Value, body: &[u8]) -> Value {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let key = input.pointer("/Key/transaction_id/S").and_then(Value::as_str);
    key.and_then(|key| rows.get(key)).map_or_else(|| json!({}), |row| json!({"Item": row}))
}

fn send_message(body: &[u8]) -> Value {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = input.get("MessageBody").and_then(Value::as_str).unwrap_or_default();
    json!({"MessageId": "1", "MD5OfMessageBody": hex::encode(<md5::Md5 as md5::Digest>::digest(message))})
}

fn of_provider(path: &str) -> Value {
    let currency = json!({"code": "INR", "symbol": "₹"});
    match path {
        "/api/v1/transaction/activate" => {
            json!({"status": "ok", "deposit": true, "deposit_amount": 700, "currency": currency})
        }
        "/v2/withdrawal/create" => json!({"status": "ok"}),
        _ => json!({"status": "ok", "params": {"identifier": "6234234234"}}),
    }
}
