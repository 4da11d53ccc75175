//! The stand-ins for AWS, around a function that does as it is asked.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests end by panicking")]

mod fakes;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use local::{Failure, Stack, StackOptions, StartError, WhenBusy};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use fakes::{fakes, options};

/// Waits for what happens soon.
async fn soon(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..200 {
        if happened() {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

/// The command lines of all processes that have the text in them.
fn processes(text: &str) -> Vec<String> {
    let all = Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
    assert!(all.status.success());
    String::from_utf8_lossy(&all.stdout).lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// The processes that were started from the directory's programs.
fn processes_of(directory: &TempDir) -> Vec<String> {
    processes(&directory.path().to_string_lossy())
}

/// The leader of the group of processes that this one starts.
fn leaders(program: u32) -> Vec<String> {
    processes(&format!("ends-with-{program}"))
}

fn pid(answer: &Value) -> u64 {
    answer["pid"].as_u64().unwrap()
}

#[tokio::test]
async fn a_warm_process_takes_the_next_event_even_after_an_error() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let first = stack.invoke("activate", &json!({"do": "look"})).await.unwrap();
    let failed = stack.invoke("activate", &json!({"do": "fail"})).await;
    assert!(matches!(failed, Err(Failure::Reported(error)) if error.contains("as asked")));
    let second = stack.invoke("activate", &json!({"do": "look"})).await.unwrap();
    assert_eq!(pid(&first), pid(&second));
}

#[tokio::test]
async fn events_at_the_same_time_get_processes_of_their_own_up_to_the_limit() {
    let fakes = fakes();
    let stack = Stack::start(StackOptions { function_concurrency: 3, ..options(&fakes) }).await.unwrap();
    let event = json!({"do": "wait"});
    let wait = async || pid(&stack.invoke("activate", &event).await.unwrap());
    let (a, b, c, d) = tokio::join!(wait(), wait(), wait(), wait());
    assert_eq!(BTreeSet::from([a, b, c, d]).len(), 3);
}

#[tokio::test]
async fn a_function_that_refuses_when_it_is_busy_is_throttled_and_the_gateway_says_so() {
    let fakes = fakes();
    let limits = StackOptions { function_concurrency: 1, when_busy: WhenBusy::Refuse, ..options(&fakes) };
    let stack = Stack::start(limits).await.unwrap();
    let wait = async || stack.invoke("activate", &json!({"do": "wait"})).await;
    assert!(matches!(tokio::join!(wait(), wait()), (Ok(_), Err(Failure::Throttled))));
    let post = async || post(&stack, "/postbacks/any", None, r#"{"do":"wait"}"#).await.0;
    // What this function answers is no reply.
    assert!([(500, 503), (503, 500)].contains(&tokio::join!(post(), post())));
    let metrics = stack.metrics().await.unwrap();
    let throttled: Vec<_> = metrics.iter().filter(|line| line.contains(r#""Throttles":1"#)).collect();
    assert_eq!(throttled.len(), 2, "{metrics:#?}");
}

#[tokio::test]
async fn a_process_that_dies_ends_its_event_and_is_replaced() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let died = stack.invoke("activate", &json!({"do": "exit"})).await;
    assert!(matches!(died, Err(Failure::Ended)));
    stack.invoke("activate", &json!({"do": "look"})).await.unwrap();
}

#[tokio::test]
async fn a_function_that_outlives_its_time_limit_is_killed() {
    let fakes = fakes();
    let stack = Stack::start(StackOptions { time_limit: Duration::from_millis(200), ..options(&fakes) });
    let stack = stack.await.unwrap();
    let hung = stack.invoke("activate", &json!({"do": "hang"})).await;
    assert!(matches!(hung, Err(Failure::TimedOut(_))));
    assert_eq!(processes_of(&fakes), Vec::<String>::new());
    assert!(stack.logs("activate").iter().any(|line| line.contains("timed out")));
}

#[tokio::test]
async fn killing_a_function_ends_what_it_was_doing() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let event = json!({"do": "hang"});
    let kill = async {
        soon("a process", || !processes_of(&fakes).is_empty()).await;
        sleep(Duration::from_millis(300)).await;
        stack.kill("activate").await;
        assert_eq!(processes_of(&fakes), Vec::<String>::new());
    };
    let (outcome, ()) = tokio::join!(stack.invoke("activate", &event), kill);
    assert!(matches!(outcome, Err(Failure::Ended)));
}

#[tokio::test]
async fn a_function_that_cannot_start_says_so() {
    let fakes = fakes();
    fs::remove_file(fakes.path().join("activate")).unwrap();
    symlink("/usr/bin/false", fakes.path().join("activate")).unwrap();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let outcome = stack.invoke("activate", &json!({})).await;
    assert!(matches!(outcome, Err(Failure::NotStarted(_))));
}

#[tokio::test]
async fn a_function_gets_its_own_settings_and_nothing_of_ours() {
    let fakes = fakes();
    let more = ("activate".to_owned(), "MORE".to_owned(), "1".to_owned());
    let stack = Stack::start(StackOptions { environment: vec![more], ..options(&fakes) }).await.unwrap();
    let look = stack.invoke("activate", &json!({"do": "look"})).await.unwrap();
    let names: BTreeSet<_> = look["environment"].as_object().unwrap().keys().map(String::as_str).collect();
    for name in ["AWS_ENDPOINT_URL_DYNAMODB", "TABLE_NAME", "SECRET_ID", "PROVIDER_API_URL", "MORE", "PATH"] {
        assert!(names.contains(name), "{name}");
    }
    for name in ["HOME", "CARGO", "QUEUE_URL", "PROVIDER_PLUGIN_URL"] {
        assert!(!names.contains(name), "{name}");
    }
    let receiver = stack.invoke("postback-receiver", &json!({"do": "look"})).await.unwrap();
    assert!(receiver["environment"]["PROVIDER_API_URL"].is_null());
    assert!(receiver["environment"]["MORE"].is_null());
}

#[tokio::test]
async fn what_a_function_prints_is_kept() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    stack.invoke("activate", &json!({"do": "print", "line": "a line"})).await.unwrap();
    soon("the line", || stack.logs("activate").contains(&"a line".to_owned())).await;
    assert!(stack.logs("create-deposit").is_empty());
}

async fn post(stack: &Stack, path: &str, token: Option<&str>, body: impl Into<reqwest::Body>) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let is_postback = path.starts_with("/postbacks/");
    let api = if is_postback { stack.postback_api_url() } else { stack.api_url() };
    let mut request = client.post(format!("{api}{path}")).body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_http_api_checks_the_token_and_passes_the_request_on() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let token = stack.credentials().merchant_token.clone();

    assert_eq!(post(&stack, "/withdrawals", None, "{}").await, (401, r#"{"message":"Unauthorized"}"#.into()));
    assert_eq!(post(&stack, "/withdrawals", Some("wrong"), "{}").await, (403, r#"{"message":"Forbidden"}"#.into()));
    assert_eq!(post(&stack, "/withdrawals", Some("broken"), "{}").await.0, 500);
    assert_eq!(post(&stack, "/elsewhere", Some(&token), "{}").await, (404, r#"{"message":"Not Found"}"#.into()));

    let (status, event) = post(&stack, "/deposits/order-1/activation?a=b", Some(&token), "text").await;
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(status, 200);
    assert_eq!(event["pathParameters"]["custom_transaction_id"], "order-1");
    assert_eq!((&event["rawQueryString"], &event["body"]), (&json!("a=b"), &json!("text")));

    let (status, event) = post(&stack, "/postbacks/any", None, vec![0xff]).await;
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!((status, &event["body"], &event["isBase64Encoded"]), (200, &json!("/w=="), &json!(true)));
}

#[tokio::test]
async fn a_token_that_is_there_in_any_form_is_wrong_and_not_missing() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    for (values, status) in [
        (vec!["".as_bytes()], 401),
        (vec![b"wrong"], 403),
        (vec![b"Bearer"], 403),
        (vec![b"Bearer wr\xf6ng"], 403),
        (vec![b"Bearer right", b"Bearer wrong"], 403),
    ] {
        let mut request = client.post(format!("{}/withdrawals", stack.api_url())).body("{}");
        for value in &values {
            request = request.header("authorization", *value);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{values:?}");
    }
}

#[tokio::test]
async fn each_api_has_its_own_routes_and_no_others() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    for url in [
        stack.postback_url().replace(stack.postback_api_url(), stack.api_url()),
        format!("{}/deposits", stack.postback_api_url()),
    ] {
        let request = client.post(&url).bearer_auth(&stack.credentials().merchant_token).body("{}");
        assert_eq!(request.send().await.unwrap().status(), 404, "{url}");
    }
    let metrics = stack.metrics().await.unwrap();
    let counted = |api: &str| {
        let of = metrics.iter().filter(|line| line.contains(&format!(r#""ApiId":"{api}""#)));
        of.map(|line| serde_json::from_str::<Value>(line).unwrap()["4xx"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((counted("Api"), counted("PostbackApi")), (vec![json!(1)], vec![json!(1)]));
}

#[tokio::test]
async fn a_function_that_fails_is_an_internal_server_error() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    for order in [r#"{"do":"fail"}"#, r#"{"do":"exit"}"#, r#"{"do":"print"}"#] {
        let (status, body) = post(&stack, "/postbacks/any", None, order).await;
        assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal Server Error"}"#), "{order}");
    }
}

#[tokio::test]
async fn a_body_over_ten_megabytes_is_refused() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    assert_eq!(post(&stack, "/postbacks/any", None, vec![b'a'; 10 * 1024 * 1024 + 1]).await.0, 413);
}

#[tokio::test]
async fn only_the_failed_message_of_a_batch_comes_again_and_ends_in_the_dead_letter_queue() {
    let fakes = fakes();
    let options =
        StackOptions { batch_size: 10, max_receive_count: 2, visibility_timeout_seconds: 1, ..options(&fakes) };
    let stack = Stack::start(options).await.unwrap();
    let entries = json!([{"Id": "1", "MessageBody": "good"}, {"Id": "2", "MessageBody": "bad"}]);
    let batch = json!({"QueueUrl": stack.queue_url(), "Entries": entries});
    stack.sqs("SendMessageBatch", &batch).await.unwrap();

    let receive = json!({"QueueUrl": stack.dead_letter_queue_url(), "WaitTimeSeconds": 15});
    let dead = stack.sqs("ReceiveMessage", &receive).await.unwrap();
    assert_eq!(dead["Messages"][0]["Body"], "bad");

    let mut got = stack.logs("withdrawal-submitter");
    got.sort();
    assert_eq!(got, [r#"got "bad" "1""#, r#"got "bad" "2""#, r#"got "good" "1""#]);
}

#[tokio::test]
async fn a_change_that_the_function_has_handled_is_marked_as_read() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let row = json!({"TableName": stack.table_name(), "Item": {"transaction_id": {"S": "deposit#1"}}});
    stack.dynamodb("PutItem", &row).await.unwrap();
    let (table, _) = stack.table_stream_arn().split_once("/stream/").unwrap();
    for _ in 0..100 {
        let tags = stack.dynamodb("ListTagsOfResource", &json!({"ResourceArn": table})).await.unwrap();
        if tags["Tags"][0]["Key"] == "changes-read-to" {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("never marked");
}

#[tokio::test]
async fn the_table_and_the_credentials_outlive_the_stack() {
    let (fakes, data) = (fakes(), tempfile::tempdir().unwrap());
    let options = || StackOptions { data: Some(data.path().to_owned()), ..options(&fakes) };

    let first = Stack::start(options()).await.unwrap();
    let row = json!({"TableName": first.table_name(), "Item": {"transaction_id": {"S": "deposit#1"}}});
    first.dynamodb("PutItem", &row).await.unwrap();
    let token = first.credentials().merchant_token.clone();
    first.stop().await;

    let second = Stack::start(options()).await.unwrap();
    assert!(second.item("deposit#1").await.unwrap().is_some());
    assert_eq!(second.credentials().merchant_token, token);
    let mode = fs::metadata(data.path().join("credentials.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn the_secrets_are_served_as_secrets_manager_does() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let get = async |id: &str| {
        let request = client.post(stack.secrets_url()).header("x-amz-target", "secretsmanager.GetSecretValue");
        let response = request.body(json!({"SecretId": id}).to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap())
    };
    let secrets = &stack.credentials().secrets;
    for (id, secret) in [
        ("paykassma-deposits", json!({"pluginapi_secret": secrets.pluginapi_secret})),
        ("paykassma-withdrawals", json!({"withdrawal_private_key": secrets.withdrawal_private_key})),
        (
            "paykassma-postbacks",
            json!({"access_key": secrets.access_key, "postback_private_key": secrets.postback_private_key,
            "postback_token": secrets.postback_token}),
        ),
    ] {
        let (status, answer) = get(id).await;
        let found: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!((status, found), (200, secret), "{id}");
    }
    let (_, tokens) = get("paykassma-tokens").await;
    assert!(!tokens.to_string().contains(&stack.credentials().merchant_token), "only its hash");
    let (status, answer) = get("another").await;
    assert_eq!((status, &answer["__type"]), (400, &json!("ResourceNotFoundException")));
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_option() {
    let fakes = fakes();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (options, option) in [
        (StackOptions { port, ..options(&fakes) }, "--port"),
        (StackOptions { postback_port: port, ..options(&fakes) }, "--postback-port"),
        (StackOptions { operator_port: port, ..options(&fakes) }, "--operator-port"),
        (StackOptions { provider_port: port, ..options(&fakes) }, "--provider-port"),
    ] {
        let Err(error) = Stack::start(options).await else { panic!("the port is taken") };
        assert!(matches!(error, StartError::PortInUse { .. }));
        let text = error.to_string();
        assert!(text.contains(&port.to_string()) && text.contains(option), "{text}");
    }
}

/// Starts the program with a busy process of one function and an idle one of another.
async fn busy_program(fakes: &TempDir) -> Child {
    let env_file = fakes.path().join("env");
    let program = Command::new(env!("CARGO_BIN_EXE_local"))
        .args([
            "--port",
            "0",
            "--postback-port",
            "0",
            "--operator-port",
            "0",
            "--provider-port",
            "0",
            "--no-demo",
            "--env-file",
        ])
        .arg(&env_file)
        .arg("--binaries")
        .arg(fakes.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    soon("the file", || env_file.exists()).await;
    let env = fs::read_to_string(&env_file).unwrap();
    let value =
        |name: &str| env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned();

    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let idle = client.post(value("POSTBACK_URL")).body("{}").send().await.unwrap();
    assert_eq!(idle.status(), 200);
    let busy = client.post(format!("{}/deposits", value("API_URL"))).bearer_auth(value("MERCHANT_TOKEN"));
    tokio::spawn(busy.body(r#"{"do":"hang"}"#).send());
    // The program itself has the directory on its command line, too.
    soon("four processes", || processes_of(fakes).len() == 4).await;
    sleep(Duration::from_millis(300)).await;
    program
}

fn signal(program: &Child, signal: Signal) {
    kill(Pid::from_raw(program.id().try_into().unwrap()), signal).unwrap();
}

#[tokio::test]
async fn a_killed_program_leaves_no_process_behind() {
    let fakes = fakes();
    let mut program = busy_program(&fakes).await;
    assert_eq!(leaders(program.id()).len(), 1);
    signal(&program, Signal::SIGKILL);
    program.wait().unwrap();
    soon("the end of all", || processes_of(&fakes).is_empty() && leaders(program.id()).is_empty()).await;
}

#[tokio::test]
async fn a_killed_test_leaves_no_process_behind() {
    let fakes = fakes();
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_stack_that_is_killed"])
        .env("FUNCTIONS", fakes.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    soon("a process", || !processes_of(&fakes).is_empty()).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!((processes_of(&fakes).len(), leaders(test.id()).len()), (1, 1));
    signal(&test, Signal::SIGKILL);
    test.wait().unwrap();
    soon("the end of all", || processes_of(&fakes).is_empty() && leaders(test.id()).is_empty()).await;
}

#[tokio::test]
#[ignore = "the test above starts and kills it"]
async fn a_stack_that_is_killed() {
    let functions = std::env::var_os("FUNCTIONS").unwrap();
    let options = StackOptions { binaries: Some(functions.into()), ..StackOptions::default() };
    let stack = Stack::start(options).await.unwrap();
    stack.invoke("activate", &json!({"do": "hang"})).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_program_ends_cleanly() {
    for stop in [Signal::SIGINT, Signal::SIGTERM] {
        let fakes = fakes();
        let mut program = busy_program(&fakes).await;
        signal(&program, stop);
        assert!(program.wait().unwrap().success());
        assert_eq!(processes_of(&fakes), Vec::<String>::new());
        assert_eq!(leaders(program.id()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_dropped_stack_leaves_no_process_behind() {
    let fakes = fakes();
    let stack = Stack::start(options(&fakes)).await.unwrap();
    stack.invoke("activate", &json!({})).await.unwrap();
    assert_eq!(processes_of(&fakes).len(), 1);
    drop(stack);
    soon("the end of the process", || processes_of(&fakes).is_empty()).await;
}
