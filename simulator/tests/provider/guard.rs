//! Which requests reach the simulator, byte for byte on its socket.

use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
use simulator::{HostName, guard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Bench;

const PAYMENT: &str =
    r#"{"transaction_id":"47752123519","amount":"500","custom_transaction_id":"order-1","label":"user-1"}"#;

/// Sends lines of a head and a body, and gives the status and the whole answer. `PORT` stands for the server's port.
async fn send(port: u16, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = head.replace("PORT", &port.to_string());
    let request = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// A server with one page and one route that changes something, behind the guard.
async fn guarded(host: Option<&str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = Router::new()
        .route("/", get(async || ([("content-security-policy", "script-src 'self'")], "page")))
        .route("/pay", post(async || "paid"));
    let host = host.map(|name| HostName::parse(name).unwrap());
    let routes = guard(routes, port, host.as_ref());
    tokio::spawn(async { axum::serve(listener, routes).await });
    port
}

fn port(bench: &Bench) -> u16 {
    bench.simulator.url().rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn another_sites_page_cannot_credit_an_order() {
    let bench = Bench::new().await;
    let port = port(&bench);
    for (head, status) in [
        ("Host: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: text/plain", 421),
        ("Host: evil.example:PORT", 421),
        ("Host: 127.0.0.1:PORT\r\nOrigin: http://evil.example\r\nContent-Type: text/plain", 403),
        // The shop's own page, on another port of this machine, is another origin.
        ("Host: localhost:PORT\r\nOrigin: http://localhost:8080\r\nSec-Fetch-Site: same-site", 403),
    ] {
        let head = format!("POST /_control/payments HTTP/1.1\r\n{head}");
        let (answered, answer) = send(port, &head, PAYMENT).await;
        assert_eq!(answered, status, "{head}");
        let said: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(said["message"].is_string(), "{answer}");
    }
    assert_eq!(bench.look("postbacks").await, Value::Array(Vec::new()));
    let (status, _) = send(port, "POST /_control/payments HTTP/1.1\r\nHost: 127.0.0.1:PORT", PAYMENT).await;
    assert_eq!((status, bench.postbacks(1).await.len()), (200, 1));
}

#[tokio::test]
async fn only_a_loopback_name_with_the_servers_port_is_its_name() {
    let port = guarded(None).await;
    for host in ["127.0.0.1:PORT", "localhost:PORT", "LocalHost:PORT", "[::1]:PORT"] {
        assert_eq!(send(port, &format!("POST /pay HTTP/1.1\r\nHost: {host}"), "").await.0, 200, "{host}");
    }
    for host in [
        "",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "::1:PORT",
        "127.0.0.1:80",
        "127.0.0.1:PORT0",
        "127.0.0.1:0PORT",
        "127.0.0.1:+PORT",
        "127.0.0.1:",
        "127.0.0.1:PORT:PORT",
        "127.0.0.1:PORT.evil.example",
        "127.0.0.1:PORT@evil.example",
        "evil.example@127.0.0.1:PORT",
        "127.0.0.1.evil.example:PORT",
        "evil-127.0.0.1:PORT",
        "localhost.evil.example:PORT",
        "evillocalhost:PORT",
        "localhost.:PORT",
        "127.0.0.1:PORT, evil.example",
        "127.0.0.1:PORT/",
        "http://127.0.0.1:PORT",
        "0.0.0.0:PORT",
        "127.1:PORT",
        "2130706433:PORT",
        "l\u{f6}calhost:PORT",
        "evil.example",
        "evil.example:PORT",
    ] {
        assert_eq!(send(port, &format!("GET / HTTP/1.1\r\nHost: {host}"), "").await.0, 421, "{host}");
    }
}

#[tokio::test]
async fn a_request_names_one_host_and_it_is_that_of_its_uri() {
    let port = guarded(None).await;
    for (head, status) in [
        ("GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT", 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:PORT", 421),
        ("GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: evil.example", 421),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example", 421),
        ("GET http://127.0.0.1:PORT@evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:PORT", 421),
        ("GET http://evil.example@127.0.0.1:PORT/ HTTP/1.1\r\nHost: 127.0.0.1:PORT", 421),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example", 421),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1:PORT", 421),
        ("GET / HTTP/1.1\r\nAccept: */*", 421),
        ("GET / HTTP/1.0\r\nAccept: */*", 421),
        ("GET / HTTP/1.1\r\nX-Forwarded-Host: 127.0.0.1:PORT\r\nHost: evil.example", 421),
        ("GET /nothing HTTP/1.1\r\nHost: evil.example", 421),
        ("DELETE /pay HTTP/1.1\r\nHost: evil.example", 421),
    ] {
        assert_eq!(send(port, head, "").await.0, status, "{head}");
    }
}

#[tokio::test]
async fn only_programs_and_pages_of_the_same_origin_change_something() {
    let port = guarded(None).await;
    for (headers, status) in [
        ("Accept: */*", 200),
        ("Origin: http://127.0.0.1:PORT", 200),
        ("Origin: http://127.0.0.1:PORT\r\nSec-Fetch-Site: same-origin", 200),
        // A form of a page that sends no referrer has no origin to show.
        ("Origin: null\r\nSec-Fetch-Site: same-origin", 200),
        ("Origin: null", 403),
        ("Origin: null\r\nSec-Fetch-Site: cross-site", 403),
        ("Origin: http://evil.example\r\nContent-Type: text/plain", 403),
        ("Origin: http://127.0.0.1:PORT.evil.example", 403),
        ("Origin: http://127.0.0.1", 403),
        ("Origin: http://localhost:PORT", 403),
        ("Origin: http://localhost:8080\r\nSec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
    ] {
        let head = format!("POST /pay HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n{headers}");
        assert_eq!(send(port, &head, "").await.0, status, "{head}");
    }
    // A link of another site leads to the page.
    let link = "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate";
    assert_eq!(send(port, link, "").await.0, 200);
}

#[tokio::test]
async fn another_name_is_accepted_with_any_port_and_nothing_around_it() {
    let port = guarded(Some("Sandbox.example")).await;
    for host in ["sandbox.example", "sandbox.example:443", "SANDBOX.example:PORT", "127.0.0.1:PORT"] {
        assert_eq!(send(port, &format!("GET / HTTP/1.1\r\nHost: {host}"), "").await.0, 200, "{host}");
    }
    for host in
        ["evil.sandbox.example", "sandbox.example.evil.example", "sandbox.example:", "sandbox.example:x", "localhost"]
    {
        assert_eq!(send(port, &format!("GET / HTTP/1.1\r\nHost: {host}"), "").await.0, 421, "{host}");
    }
    let form = |origin: &str| format!("POST /pay HTTP/1.1\r\nHost: sandbox.example\r\nOrigin: https://{origin}");
    assert_eq!(send(port, &form("sandbox.example"), "").await.0, 200);
    assert_eq!(send(port, &form("evil.example"), "").await.0, 403);
    for name in ["", "http://a", "a:1", "a/b", "a@b", "a b"] {
        assert!(HostName::parse(name).is_err(), "{name}");
    }
    assert!(HostName::parse("[fd00::1]").is_ok());
}

#[tokio::test]
async fn every_answer_limits_what_browsers_do_with_it_unless_it_says_more_itself() {
    let port = guarded(None).await;
    let ours = "content-security-policy: default-src 'none'; frame-ancestors 'none'";
    let others = ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "cache-control: no-store"];
    for (head, policy) in [
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT", "content-security-policy: script-src 'self'"),
        ("POST /pay HTTP/1.1\r\nHost: 127.0.0.1:PORT", ours),
        ("POST /pay HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nOrigin: null", ours),
        ("POST /pay HTTP/1.1\r\nHost: evil.example", ours),
        ("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1:PORT", ours),
    ] {
        let (_, answer) = send(port, head, "").await;
        assert_eq!(answer.matches("content-security-policy").count(), 1, "{answer}");
        for header in [&[policy], others.as_slice()].concat() {
            assert!(answer.contains(&format!("{header}\r\n")), "{header}: {answer}");
        }
    }
}
