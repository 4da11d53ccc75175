//! The program `simulator`, as a person runs it, against a small merchant.

#![cfg(test)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use secrecy::SecretString;
use serde_json::{Value, json};
use signing::{PostbackKeys, verify};
use tempfile::TempDir;
use tokio::net::TcpListener;

const OK: &str = r#"{"status":"ok"}"#;
const DEPOSIT: [&str; 9] =
    ["deposit", "--order", "order-1", "--number", "47752123519", "--amount", "700.10", "--label", "user-1"];

/// A merchant who checks signatures and stores what it receives.
#[derive(Clone, Default)]
struct Merchant(Arc<Mutex<Vec<String>>>);

impl Merchant {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/postbacks/token", listener.local_addr().unwrap());
        let routes = Router::new().route("/postbacks/token", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn last(&self) -> Value {
        serde_json::from_str(self.0.lock().unwrap().last().unwrap()).unwrap()
    }
}

async fn receive(State(Merchant(received)): State<Merchant>, body: String) -> (StatusCode, &'static str) {
    let private_key = SecretString::from("private");
    let keys = PostbackKeys::new("access", &private_key);
    let is_genuine = verify(body.as_bytes(), &keys).is_ok();
    received.lock().unwrap().push(body);
    if is_genuine { (StatusCode::OK, OK) } else { (StatusCode::UNAUTHORIZED, "no") }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_simulator"))
}

fn env_file(directory: &TempDir, postback_url: &str) -> PathBuf {
    let file = directory.path().join("stack.env");
    let lines = format!("POSTBACK_URL={postback_url}\nACCESS_KEY=access\nPOSTBACK_PRIVATE_KEY=private\nOTHER=1\n");
    std::fs::write(&file, lines).unwrap();
    file
}

/// Runs `send`. Gives its exit status and everything that it prints.
async fn send(env_file: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = program();
    command.args(["send", "--env-file"]).arg(env_file).args(arguments);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn deposit<'a>(more: &[&'a str]) -> Vec<&'a str> {
    DEPOSIT.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn postbacks_are_signed_repeated_and_counted() {
    let (directory, merchant) = (tempfile::tempdir().unwrap(), Merchant::default());
    let file = env_file(&directory, &merchant.start().await);
    let (status, printed) = send(&file, &deposit(&["--repeat", "7", "--parallel", "3", "--json"])).await;
    let tally = json!({"status": 200, "body": OK, "times": 7});
    assert_eq!((status, serde_json::from_str::<Value>(&printed).unwrap()), (0, tally));
    assert!(merchant.0.lock().unwrap().iter().all(|body| body.contains(r#""amount":700.10,"#)));
    let element = &merchant.last()["additional_data"][0];
    assert_eq!((&element["amount"], &element["plugin_custom_order_id"]), (&json!("700.10"), &json!("order-1")));

    let withdrawal = ["withdrawal", "--id", "w-1", "--status", "5", "--amount", "10", "--label", "user-1"];
    let (status, printed) = send(&file, &withdrawal).await;
    assert_eq!((status, printed.contains("STATUS") && printed.contains("200")), (0, true), "{printed}");
    let body = merchant.last();
    assert_eq!((&body["direction"], &body["additional_data"][0]["withdrawal_status"]), (&json!("outgoing"), &json!(5)));
}

#[tokio::test]
async fn a_file_is_signed_again_and_its_other_fields_stay_to_the_letter() {
    let (directory, merchant) = (tempfile::tempdir().unwrap(), Merchant::default());
    let env_file = env_file(&directory, &merchant.start().await);
    let file = directory.path().join("body.json");
    let list = r#"[ {"amount":"1","n":1.50} ]"#;
    let body = format!(r#"{{"signature":"none","access_key":"other","additional_data":{list},"amount":1.00}}"#);
    std::fs::write(&file, body).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(send(&env_file, &["file", file]).await.0, 0);
    let received = merchant.0.lock().unwrap().last().unwrap().clone();
    assert!(received.contains(list) && received.contains(r#""amount":1.00,"#), "{received}");
    std::fs::write(file, "{}").unwrap();
    let (status, printed) = send(&env_file, &["file", file]).await;
    assert_eq!((status, printed.contains("additional_data is missing")), (2, true), "{printed}");
}

#[tokio::test]
async fn an_unsigned_field_is_replaced_and_a_forged_list_is_another_answer() {
    let (directory, merchant) = (tempfile::tempdir().unwrap(), Merchant::default());
    let file = env_file(&directory, &merchant.start().await);
    assert_eq!(send(&file, &deposit(&["--tamper", "label=thief", "--tamper", "amount=1"])).await.0, 0);
    assert_eq!((&merchant.last()["label"], &merchant.last()["amount"]), (&json!("thief"), &json!(1)));
    assert_eq!(send(&file, &deposit(&["--forge"])).await.0, 1);
}

#[tokio::test]
async fn each_kind_of_failure_has_its_exit_status() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = env_file(&directory, "https://203.0.113.1/postbacks/token");
    let (status, printed) = send(&elsewhere, &DEPOSIT).await;
    assert_eq!((status, printed.contains("--test-stack")), (3, true), "{printed}");
    assert!(!printed.contains("token"), "the URL is secret: {printed}");

    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/postbacks/token", taken.local_addr().unwrap());
    drop(taken);
    let nobody = env_file(&directory, &url);
    let (status, printed) = send(&nobody, &DEPOSIT).await;
    assert_eq!((status, printed.contains("token")), (4, false), "{printed}");

    assert_eq!(send(&nobody, &["deposit", "--order", "order-1"]).await.0, 2);
    assert_eq!(send(&directory.path().join("none"), &DEPOSIT).await.0, 2);
    std::fs::write(&nobody, "ACCESS_KEY=access\n").unwrap();
    let (status, printed) = send(&nobody, &DEPOSIT).await;
    assert_eq!((status, printed.contains("POSTBACK_URL is missing")), (2, true), "{printed}");
}

/// A running `simulator serve`, and the lines that it has printed.
struct Serving(Child, Vec<String>);

impl Serving {
    async fn start(arguments: Vec<String>, last_line: &'static str) -> Self {
        let start = move || {
            let mut command = program();
            command.args(["serve", "--port", "0"]).args(arguments).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut lines = Vec::new();
            for line in BufReader::new(child.stdout.take().unwrap()).lines() {
                lines.push(line.unwrap());
                if lines.last().unwrap().contains(last_line) {
                    break;
                }
            }
            Self(child, lines)
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    fn value(&self, before: &str) -> String {
        let found = self.1.iter().find_map(|line| line.trim().strip_prefix(before));
        found.unwrap_or_else(|| panic!("{before}: {:?}", self.1)).trim().to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn serve_prints_its_addresses_and_sends_to_the_url() {
    let merchant = Merchant::default();
    let url = merchant.start().await;
    let serving = Serving::start(vec!["--postback-url".into(), url.clone()], "PLUGINAPI_SECRET=").await;
    assert_eq!(serving.value("POSTBACK_URL="), url);
    assert_eq!(serving.value("POSTBACK_PRIVATE_KEY=").len(), 32);
    let http = reqwest::Client::builder().tls_backend_preconfigured(paykassma::tls().unwrap()).no_proxy().build();
    let call = http.unwrap().post(format!("{}/payments", serving.value("control API")));
    let payment = json!({"transaction_id": "1", "amount": 1, "custom_transaction_id": "order-1", "label": "user-1"});
    let response = call.body(payment.to_string()).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), r#"{"postback":0}"#);
    while merchant.0.lock().unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(merchant.last()["access_key"], serving.value("ACCESS_KEY="));
}

#[test]
fn serve_needs_all_five_values_and_a_url_on_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let file = env_file(&directory, "http://127.0.0.1:1/");
    let run = |arguments: &[&str]| {
        let output = program().arg("serve").args(["--port", "0"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, printed) = run(&["--env-file", file.to_str().unwrap()]);
    assert_eq!((status, printed.contains("WITHDRAWAL_PRIVATE_KEY is missing")), (Some(2), true), "{printed}");
    assert_eq!(run(&["--postback-url", "https://api.example.com/"]).0, Some(3));
    assert_eq!(run(&["--postback-url", "ftp://127.0.0.1/"]).0, Some(2));
}
