//! Every outcome of a request, made on a real socket by a scripted server.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::{
    Amount, AttemptId, CurrencyCode, CustomTransactionId, Label, Order, Separator, Submission, TransactionId,
    WalletType, Window,
};
use paykassma::{
    ActivateTransaction, ActivationRequest, Answered, BaseUrl, Client, CreateTransaction, SubmitWithdrawal,
};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const SECRET: &str = "marker secret+&%";
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1500);
const BODY: &str = r#"{"withdrawal_id":"1","label":"é \" \\ /","amount":1000,"signature":"00"}"#;

/// What the server does once it has read the request; at the end it closes.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Pause,
    Reset,
}

fn send(text: impl Into<Vec<u8>>) -> Step {
    Step::Send(text.into())
}

fn http(code: u16, body: impl AsRef<[u8]>) -> Step {
    let body = body.as_ref();
    // a redirect that could be followed, to see that it is not
    let head = format!(
        "HTTP/1.1 {code} X\r\nLocation: /elsewhere\r\nRetry-After: 0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    send([head.as_bytes(), body].concat())
}

/// A server that plays one script on each connection, and the requests it has got.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (script, log) = (script.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    log.lock().unwrap().push(request);
                    play(stream, script).await;
                });
            }
        });
        Self { port, requests }
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&request);
        let is_whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length.is_some_and(|length| body.len() >= length.parse().unwrap())
        });
        if count == 0 || is_whole {
            return text.into_owned();
        }
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>) {
    for step in script {
        match step {
            // the client may have hung up
            Step::Send(bytes) => drop(stream.write_all(&bytes).await),
            Step::Pause => sleep(PAUSE).await,
            Step::Reset => stream.set_zero_linger().unwrap(),
        }
    }
}

fn client(scheme: &str, port: u16, timeout: Duration) -> Client {
    Client::new(BaseUrl::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap(), timeout).unwrap()
}

fn order() -> Order {
    Order {
        custom_transaction_id: CustomTransactionId::parse("order-1").unwrap(),
        label: Label::parse("user \"5\"").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: WalletType::parse("paytm").unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    }
}

async fn activate(client: &Client) -> String {
    let order = order();
    let id =
        AttemptId::new(&order.custom_transaction_id, &TransactionId::parse("47381113468").unwrap(), Separator::Dot);
    let request = ActivationRequest {
        order: &order,
        key1: &TransactionId::parse("47381113468").unwrap(),
        amount: Amount::parse("1234567890123456.78").unwrap(),
        custom_transaction_id: &id,
    };
    shown(&client.activate(&SecretString::from(SECRET), &request).await, |said| format!("{said:?}"))
}

/// What was said, after the HTTP code if it shows that our configuration is wrong.
fn shown<T>(answered: &Answered<T>, show: impl Fn(&T) -> String) -> String {
    let code = answered.misconfigured.map(|code| format!("{code} ")).unwrap_or_default();
    code + &show(&answered.said)
}

/// A submission with its text, which its `Debug` masks.
fn show_submission(submission: &Submission) -> String {
    match submission {
        Submission::Accepted => "Accepted".into(),
        Submission::Rejected(message) => format!("Rejected({message:?})"),
        Submission::NotSent(reason) => format!("NotSent({reason:?})"),
        Submission::Unknown(reason) => format!("Unknown({reason:?})"),
    }
}

/// What the three calls come to: submit, create, activate.
async fn outcomes(client: &Client) -> [String; 3] {
    let submitted = shown(&client.submit(BODY).await, show_submission);
    let created = shown(&client.create(&SecretString::from(SECRET), &order()).await, |said| format!("{said:?}"));
    [submitted, created, activate(client).await]
}

fn check(name: &str, found: &[String; 3], expected: [&str; 3]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{name}: {found}, not {expected}");
        let leaks = ["marker", "secret", "127.0.0.1", "://"].into_iter().find(|word| found.contains(word));
        assert_eq!(leaks, None, "{name}: {found}");
    }
}

const UNKNOWN: [&str; 3] = ["Unknown(", "Unreachable(", "Unknown("];
const NOT_SENT: [&str; 3] = ["NotSent(", "Unreachable(", "NotSent("];
const NOT_FOUND: [&str; 3] = ["404 Unknown(", "404 Unreachable(", "404 NotSent("];
const FORBIDDEN: [&str; 3] = ["403 Unknown(", "403 Unreachable(", "403 Unknown("];
const FAIL_401: [&str; 3] = ["401 Rejected(\"MESSAGE\")", "401 Rejected(\"MESSAGE\")", "401 Rejected(\"MESSAGE\")"];
const FAIL_404: [&str; 3] = ["404 Rejected(\"MESSAGE\")", "404 Unreachable(", "404 NotSent("];
const REJECTED: [&str; 3] = ["Rejected(\"MESSAGE\")", "Rejected(\"MESSAGE\")", "Rejected(\"MESSAGE\")"];
const OK: &str = r#"{"status":"ok"}"#;
const BARE_OK: [&str; 3] = ["Accepted", "Created { params: \"{}\" }", "Pending("];
const NO_PARAMS: [&str; 3] = ["Accepted", "Unreachable(", "Pending("];
const FAIL: &str = r#"{"status":"fail","message":"MESSAGE"}"#;
const TEN_MB: usize = 10 * 1024 * 1024;

fn lost_answers() -> Vec<(&'static str, Vec<Step>, [&'static str; 3])> {
    vec![
        ("reset after the request", vec![Step::Reset], UNKNOWN),
        ("reset in the headers", vec![send("HTTP/1.1 200 OK\r\nContent-"), Step::Reset], UNKNOWN),
        ("reset in the body", vec![send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), Step::Reset], UNKNOWN),
        ("closed without an answer", vec![], UNKNOWN),
        ("closed in the body", vec![send(format!("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{OK}"))], UNKNOWN),
        ("no answer in time", vec![Step::Pause, http(200, OK)], UNKNOWN),
        ("slow headers", vec![send("HTTP/1.1 200 OK\r\n"), Step::Pause, send("\r\n{}")], UNKNOWN),
        (
            "slow body",
            vec![send("HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\""), Step::Pause, send(":\"ok\"}")],
            UNKNOWN,
        ),
        ("not HTTP", vec![send("220 smtp ready\r\n\r\n")], UNKNOWN),
    ]
}

fn by_code() -> Vec<(&'static str, Vec<Step>, [&'static str; 3])> {
    vec![
        ("301", vec![http(301, "moved")], UNKNOWN),
        ("307 with ok", vec![http(307, OK)], UNKNOWN),
        ("400 with fail", vec![http(400, FAIL)], REJECTED),
        ("401 with fail", vec![http(401, FAIL)], FAIL_401),
        ("403 in words", vec![http(403, "Forbidden")], FORBIDDEN),
        ("403 with ok", vec![http(403, OK)], ["403 Accepted", "403 Created", "403 Pending("]),
        ("404 in words", vec![http(404, "Not found")], NOT_FOUND),
        ("404 with fail", vec![http(404, FAIL)], FAIL_404),
        ("422 with fail", vec![http(422, FAIL)], REJECTED),
        ("429", vec![http(429, "slow down")], NOT_SENT),
        ("500 with fail", vec![http(500, FAIL)], UNKNOWN),
        ("500 with ok", vec![http(500, OK)], UNKNOWN),
        ("502", vec![http(502, "<html>Bad gateway</html>")], UNKNOWN),
        ("503", vec![http(503, "")], UNKNOWN),
    ]
}

fn by_body() -> Vec<(&'static str, Vec<Step>, [&'static str; 3])> {
    let map = r#"{"status":"fail","message":{"withdrawals_sum_amount":["Insufficient balance"]}}"#;
    let balance = "Rejected(\"withdrawals_sum_amount: Insufficient balance\")";
    let created = r#"{"status": "ok", "params": {"identifier": "6234234234", "Account number": 1.10}}"#;
    let shown = r#"Created { params: "{\"identifier\": \"6234234234\", \"Account number\": 1.10}" }"#;
    let activated = r#"{"status":"ok","deposit":true,"deposit_amount":1234567890123456.78,"currency":{"code":"INR"}}"#;
    let amount = "Activated { deposit_amount: Some(Amount(1234567890123456.78)) }";
    let pending = r#"{"status":"pending","message":"wait"}"#;
    let possible = r#"{"status":"possible_transaction_created","message":"maybe"}"#;
    vec![
        ("ok", vec![http(200, OK)], BARE_OK),
        ("201 with ok", vec![http(201, OK)], BARE_OK),
        ("the page's trailing comma", vec![http(200, "{\n  \"status\": \"ok\",\n}\n")], BARE_OK),
        ("two commas", vec![http(200, r#"{"status":"ok",,}"#)], UNKNOWN),
        ("params", vec![http(200, created)], ["Accepted", shown, "Pending("]),
        ("params that are a list", vec![http(200, r#"{"status":"ok","params":[1]}"#)], NO_PARAMS),
        ("deposit", vec![http(200, activated)], ["Accepted", "Created { params: \"{}\" }", amount]),
        ("no deposit", vec![http(200, r#"{"status":"ok","deposit":false,"deposit_amount":5}"#)], BARE_OK),
        ("pending", vec![http(200, pending)], ["Unknown(", "Unreachable(", "Pending(\"wait\")"]),
        ("possible", vec![http(200, possible)], ["Unknown(", "Unreachable(", "Possible(\"maybe\")"]),
        ("string message", vec![http(200, FAIL)], REJECTED),
        ("map message", vec![http(200, map)], [balance, balance, balance]),
        ("unknown status", vec![http(200, r#"{"status":"OK"}"#)], UNKNOWN),
        ("empty", vec![http(200, "")], UNKNOWN),
        ("HTML", vec![http(200, "<html>ok</html>")], UNKNOWN),
        ("truncated JSON", vec![http(200, r#"{"status":"fail","message":"#)], UNKNOWN),
        ("two statuses", vec![http(200, r#"{"status":"fail","status":"ok"}"#)], UNKNOWN),
        ("a list", vec![http(200, r#"["fail"]"#)], UNKNOWN),
        ("not UTF-8", vec![http(200, b"{\"status\":\"fail\",\"message\":\"\xff\"}")], UNKNOWN),
        ("10 MB", vec![http(200, format!("{OK}{}", " ".repeat(TEN_MB)))], UNKNOWN),
        ("10 MB without an end", vec![send(format!("HTTP/1.1 200 OK\r\n\r\n{OK}{}", " ".repeat(TEN_MB)))], UNKNOWN),
    ]
}

/// Answers as PHP and its framework Laravel spell them.
fn by_php() -> Vec<(&'static str, Vec<Step>, [&'static str; 3])> {
    let invalid = r#"{"message":"MESSAGE","errors":{"label":["too long"]}}"#;
    let rejected = "Rejected(\"MESSAGE; label: too long\")";
    let rejected = ["Unknown(", rejected, rejected];
    vec![
        ("params []", vec![http(200, r#"{"status":"ok","params":[]}"#)], BARE_OK),
        ("params null", vec![http(200, r#"{"status":"ok","params":null}"#)], BARE_OK),
        ("a mark", vec![http(200, format!("\u{feff}{OK}"))], BARE_OK),
        ("a mark and a comma", vec![http(200, "\u{feff}{\"status\":\"ok\",}")], BARE_OK),
        ("a mark and white space", vec![http(200, format!("\u{feff}\r\n{OK}\r\n"))], BARE_OK),
        ("a mark before fail", vec![http(200, format!("\u{feff}{FAIL}"))], REJECTED),
        ("200 without status", vec![http(200, invalid)], UNKNOWN),
        ("400 without status", vec![http(400, invalid)], rejected),
        ("422 without status", vec![http(422, invalid)], rejected),
        ("422 with a mark", vec![http(422, format!("\u{feff}{invalid}"))], rejected),
        ("422 without message", vec![http(422, r#"{"errors":{"label":["too long"]}}"#)], UNKNOWN),
        ("422 with an empty message", vec![http(422, r#"{"message":""}"#)], UNKNOWN),
        ("422 with an unknown status", vec![http(422, r#"{"status":"error","message":"MESSAGE"}"#)], UNKNOWN),
        ("403 without status", vec![http(403, invalid)], FORBIDDEN),
        ("404 without status", vec![http(404, invalid)], NOT_FOUND),
        ("409 without status", vec![http(409, invalid)], UNKNOWN),
        ("429 without status", vec![http(429, invalid)], NOT_SENT),
        ("500 without status", vec![http(500, invalid)], UNKNOWN),
    ]
}

#[tokio::test]
async fn every_answer_has_its_outcome_and_no_request_is_sent_twice() {
    for (name, script, expected) in [lost_answers(), by_code(), by_body(), by_php()].concat() {
        let is_slow = script.iter().any(|step| matches!(step, Step::Pause));
        let server = Server::start(script).await;
        let found = outcomes(&client("http", server.port, if is_slow { SHORT } else { LONG })).await;
        check(name, &found, expected);
        let paths = server.requests();
        let paths: Vec<_> = paths.iter().map(|request| request.split([' ', '?']).nth(1).unwrap_or("")).collect();
        let once_each = ["/v2/withdrawal/create", "/api/v1/transaction/create/paytm", "/api/v1/transaction/activate"];
        assert_eq!(paths, once_each, "{name}");
    }
}

#[tokio::test]
async fn an_unknown_status_is_not_in_the_reason() {
    let server = Server::start(vec![http(200, r#"{"status":"free words"}"#)]).await;
    for found in outcomes(&client("http", server.port, LONG)).await {
        assert!(found.ends_with("(\"the status is unknown\")"), "{found}");
    }
}

#[tokio::test]
async fn a_connection_that_is_never_made_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    check("refused", &outcomes(&client("http", port, LONG)).await, NOT_SENT);
}

/// The handshake comes before the request: whatever ends it, nothing was sent.
#[tokio::test]
async fn a_tls_handshake_that_fails_is_not_sent() {
    let handshakes = [("silent", vec![Step::Pause]), ("reset", vec![Step::Reset]), ("not TLS", vec![http(200, OK)])];
    for (name, script) in handshakes {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.readable().await.unwrap();
                let hello = stream.read_u8().await.unwrap();
                assert_eq!(hello, 0x16, "a request in the clear");
                tokio::spawn(play(stream, script.clone()));
            }
        });
        let timeout = if name == "silent" { SHORT } else { LONG };
        check(name, &outcomes(&client("https", port, timeout)).await, NOT_SENT);
        assert!(!server.is_finished(), "{name}");
        server.abort();
    }
}

/// Whether the reset is seen before the request leaves is a race; it may only ever be judged one of two ways.
#[tokio::test]
async fn a_connection_reset_before_the_request_is_never_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_zero_linger().unwrap();
        }
    });
    for _ in 0..20 {
        for found in outcomes(&client("http", port, LONG)).await {
            let kind = ["NotSent(", "Unknown(", "Unreachable("].into_iter().find(|kind| found.starts_with(kind));
            assert!(kind.is_some(), "{found}");
        }
    }
}

#[tokio::test]
async fn the_journalled_bytes_are_what_is_on_the_wire() {
    let server = Server::start(vec![http(200, OK)]).await;
    let client = client("http", server.port, LONG);
    for _ in 0..2 {
        client.submit(BODY).await;
        let requests = server.requests();
        let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
        assert_eq!((requests.len(), body), (1, BODY));
        assert!(head.starts_with("POST /v2/withdrawal/create HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
    }
}

#[tokio::test]
async fn a_connection_is_never_used_twice() {
    let server = Server::start(vec![http(200, OK), Step::Pause]).await;
    let client = client("http", server.port, LONG);
    for _ in 0..2 {
        assert_eq!(client.submit(BODY).await.said, Submission::Accepted);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn the_deposit_calls_are_spelled_as_documented() {
    let server = Server::start(vec![http(200, OK)]).await;
    outcomes(&client("http", server.port, LONG)).await;
    let expected = [
        (
            "POST /api/v1/transaction/create/paytm?secret=marker%20secret%2B%26%25 HTTP/1.1",
            r#"{"currency":"INR","label":"user \"5\""}"#,
        ),
        (
            "POST /api/v1/transaction/activate?secret=marker%20secret%2B%26%25 HTTP/1.1",
            r#"{"currency_code":"INR","wallet_type":"paytm","label":"user \"5\"","key1":"47381113468","amount":1234567890123456.78,"custom_transaction_id":"order-1.47381113468"}"#,
        ),
    ];
    for (request, (line, body)) in server.requests()[1..].iter().zip(expected) {
        assert!(request.starts_with(line), "{request}");
        assert_eq!(request.split_once("\r\n\r\n").unwrap().1, body);
    }
}
