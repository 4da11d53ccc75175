//! The real program at a terminal: what it prints, and how it ends, where its output, its settings or its stack are not as they should be.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEYS: &str = "AWS_REGION=eu-west-1\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\nTABLE_NAME=paykassma\n";

/// A directory with a file of settings.
struct Place(TempDir);

impl Place {
    fn new(settings: impl AsRef<[u8]>) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.file(), settings).unwrap();
        place
    }

    /// With a table at this URL.
    fn at(url: &str) -> Self {
        Self::new(format!(
            "{KEYS}AWS_ENDPOINT_URL_DYNAMODB={url}\nAWS_ENDPOINT_URL_SQS={url}\nQUEUE_URL={url}/q\nDEAD_LETTER_QUEUE_URL={url}/dead\n"
        ))
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("stack.env")
    }

    /// The program, with these settings and no variable of whoever runs the test.
    fn operator(&self, arguments: &[&str]) -> Command {
        let mut command = bare(self.0.path());
        command.arg("--env-file").arg(self.file()).args(arguments);
        command
    }
}

fn bare(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_operator"));
    command.env_clear().env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// Runs it. Gives its exit status, and what it prints.
async fn run(mut command: Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// What an operation is answered: a status and a body.
type Answer = fn(&str) -> (u16, Value);

/// A service that answers each operation.
async fn service(answer: Answer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(move |headers: HeaderMap| async move {
        let target = headers.get("x-amz-target").map_or("", |it| it.to_str().unwrap());
        let (status, body) = answer(target.rsplit('.').next().unwrap_or_default());
        (StatusCode::from_u16(status).unwrap(), [("content-type", "application/x-amz-json-1.0")], body.to_string())
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// A table with a thousand rows that need a person and cannot be read.
fn many(operation: &str) -> (u16, Value) {
    let entry = |number: usize| json!({"transaction_id": {"S": format!("payment#paytm#{number:060}")}, "attention_at": {"N": "5"}});
    (
        200,
        match operation {
            "Query" => json!({"Items": (0..1_000).map(entry).collect::<Vec<_>>()}),
            "GetItem" => json!({"Item": {"transaction_id": {"S": "payment#paytm#1"}, "version": {"N": "1"}}}),
            _ => json!({"Items": []}),
        },
    )
}

const LIST: [&str; 3] = ["list", "--kind", "quarantined"];

#[tokio::test]
async fn a_closed_pipe_ends_the_output_quietly() {
    let place = Place::at(&service(many).await);
    for arguments in [&LIST[..], &["--json", "list", "--kind", "quarantined"], &["--help"], &["--version"]] {
        let mut command = place.operator(arguments);
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut [0; 2]).unwrap();
            drop(stdout);
            child.wait_with_output().unwrap()
        });
        let Output { status, stderr, .. } = ran.await.unwrap();
        assert_eq!((status.code(), String::from_utf8(stderr).unwrap()), (Some(0), String::new()), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_full_disk_is_one_sentence_and_status_4() {
    let place = Place::at(&service(many).await);
    for arguments in [
        &LIST[..],
        &["--json", "list", "--kind", "quarantined"],
        &["list", "--kind", "open"],
        &["--help"],
        &["list", "--help"],
        &["--version"],
    ] {
        let mut command = place.operator(arguments);
        command.stdout(full()).stderr(Stdio::piped());
        let ran = tokio::task::spawn_blocking(move || command.spawn().unwrap().wait_with_output().unwrap());
        let Output { status, stderr, .. } = ran.await.unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), said.lines().count()), (Some(4), 1), "{arguments:?}: {said}");
        assert!(said.starts_with("not printed: ") && said.contains("No space left"), "{said}");
    }
}

#[tokio::test]
async fn nobody_to_complain_to_is_no_panic() {
    let place = Place::at("http://127.0.0.1:1");
    for (arguments, expected) in [(&["list"][..], 4), (&["list", "--kind", "none"], 2), (&["show", "#"], 2)] {
        for stderr in [full(), Stdio::from(File::open("/dev/null").unwrap())] {
            let mut command = place.operator(arguments);
            command.stdout(full()).stderr(stderr);
            let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
            assert_eq!(status.code(), Some(expected), "{arguments:?}");
        }
    }
}

#[tokio::test]
async fn a_file_of_reconcile_on_a_full_disk_is_named() {
    let place = Place::at(&service(|_| (200, json!({"Items": []}))).await);
    let directory = place.0.path();
    let sample = |name: &str| format!("{}/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    symlink("/dev/full", directory.join("missing_here.csv")).unwrap();
    let (export, config) = (sample("export.csv"), sample("export.toml"));
    let ran = run(place.operator(&["reconcile", &export, "--config", &config, "--out", directory.to_str().unwrap()]));
    let (status, _, said) = ran.await;
    assert_eq!((status, said.lines().count()), (2, 1), "{said}");
    assert!(said.contains("missing_here.csv") && said.contains("No space left"), "{said}");
}

#[tokio::test]
async fn a_stack_that_does_not_answer_is_one_sentence_and_its_cause_is_for_those_who_ask() {
    let place = Place::at("http://127.0.0.1:1");
    for (command, what) in [
        (&["list"][..], "the table paykassma in eu-west-1, at http://127.0.0.1:1: "),
        (&["show", "w1"], "the table paykassma"),
        (&["redrive"], "the queue of dead letters http://127.0.0.1:1/dead in eu-west-1, at http://127.0.0.1:1: "),
    ] {
        let (status, out, said) = run(place.operator(command)).await;
        assert_eq!((status, out.as_str(), said.lines().count()), (4, "", 1), "{said}");
        assert!(said.starts_with(&format!("not reached: {what}")), "{said}");
        for internal in ["dispatch", "Connector", "source:", "Error", "os error", "{"] {
            assert!(!said.contains(internal), "{internal}: {said}");
        }
        let (status, _, verbose) = run(place.operator(&[command, &["--verbose"]].concat())).await;
        assert_eq!(status, 4);
        assert!(verbose.starts_with(&said) && verbose.contains("cause: dispatch failure"), "{verbose}");
    }
}

#[tokio::test]
async fn an_error_of_aws_is_said_with_what_to_do() {
    fn refused(code: &str) -> (u16, Value) {
        (400, json!({"__type": format!("com.amazonaws.any#{code}"), "message": "User: arn:aws:iam::1:user/u"}))
    }
    let cases: [(Answer, &str); 8] = [
        (|_| refused("AccessDeniedException"), "the stack's output LookPolicyArn"),
        (|_| refused("ResourceNotFoundException"), "Check TABLE_NAME, the region"),
        (|_| refused("ExpiredTokenException"), "have expired. Log in again"),
        (|_| refused("UnrecognizedClientException"), "Check AWS_PROFILE"),
        (|_| refused("InvalidSignatureException"), "Check AWS_PROFILE"),
        (|_| refused("ProvisionedThroughputExceededException"), "too many requests"),
        (|_| refused("NovelException"), "it answered NovelException"),
        (|_| (200, json!("no table")), "does not answer"),
    ];
    for (answer, says) in cases {
        let place = Place::at(&service(answer).await);
        for command in [&["list"][..], &["show", "o1"]] {
            let (status, _, said) = run(place.operator(command)).await;
            assert_eq!((status, said.lines().count(), said.contains(says)), (4, 1, true), "{says}: {said}");
            assert!(said.contains("the table paykassma") && !said.contains("arn:aws:iam"), "{said}");
        }
    }
    let place = Place::at(&service(|_| refused("QueueDoesNotExist")).await);
    let (status, _, said) = run(place.operator(&["redrive"])).await;
    assert_eq!((status, said.contains("Check DEAD_LETTER_QUEUE_URL")), (4, true), "{said}");
}

#[tokio::test]
async fn missing_credentials_are_said_to_be_missing() {
    let place = Place::new("AWS_REGION=eu-west-1\nTABLE_NAME=paykassma\n");
    let (status, _, said) = run(place.operator(&["list"])).await;
    assert_eq!((status, said.lines().count()), (4, 1), "{said}");
    assert!(
        said.contains("the table paykassma in eu-west-1") && said.contains("no AWS credentials were found"),
        "{said}"
    );
    let (_, _, verbose) = run(place.operator(&["--verbose", "list"])).await;
    assert!(verbose.contains("cause: "), "{verbose}");
    let (status, _, said) = run(Place::new("TABLE_NAME=paykassma\n").operator(&["list"])).await;
    assert_eq!((status, said.lines().count(), said.contains("no AWS region")), (2, 1, true), "{said}");
}

#[tokio::test]
async fn endpoints_of_the_environment_are_honoured_with_any_credentials() {
    let url = service(|_| (200, json!({"Items": []}))).await;
    let profile = |place: &Place| {
        fs::create_dir(place.0.path().join(".aws")).unwrap();
        let profile = "[profile p]\naws_access_key_id=x\naws_secret_access_key=x\nregion=eu-west-1\n";
        fs::write(place.0.path().join(".aws/config"), profile).unwrap();
    };
    for variable in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"] {
        let place = Place::new("TABLE_NAME=paykassma\n");
        profile(&place);
        let mut command = place.operator(&["list"]);
        command.env(variable, &url).env("AWS_PROFILE", "p");
        let (status, _, said) = run(command).await;
        assert_eq!(status, 0, "{variable}, a profile: {said}");
        let place = Place::new(KEYS);
        let mut command = place.operator(&["list"]);
        command.env(variable, &url);
        let (status, _, said) = run(command).await;
        assert_eq!(status, 0, "{variable}, keys: {said}");
        let mut command = bare(place.0.path());
        command.arg("list").env(variable, &url).env("TABLE_NAME", "paykassma").env("AWS_DEFAULT_REGION", "eu-west-1");
        command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
        let (status, _, said) = run(command).await;
        assert_eq!(status, 0, "{variable}, no file: {said}");
    }
    let place = Place::new(format!("export AWS_PROFILE=p\nTABLE_NAME = paykassma\nAWS_ENDPOINT_URL='{url}'\n"));
    profile(&place);
    let mut command = place.operator(&["list"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1").env("AWS_PROFILE", "other");
    let (status, _, said) = run(command).await;
    assert_eq!(status, 0, "the file goes before the environment: {said}");
}

#[tokio::test]
async fn a_file_of_settings_is_read_as_people_write_it() {
    let url = service(|_| (200, json!({"Items": []}))).await;
    let text = format!(
        "# the stack\r\n\r\nexport AWS_REGION=\"eu-west-1\"\r\nAWS_ACCESS_KEY_ID = 'x' # mine\r\n  AWS_SECRET_ACCESS_KEY=x\r\nTABLE_NAME=\"paykassma\"\r\nAWS_ENDPOINT_URL_DYNAMODB={url}\r\n"
    );
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [
        text.clone().into_bytes(),
        text.replace("\r\n", "\n").into_bytes(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        [&b"\xff\xfe"[..], &utf16].concat(),
    ] {
        let (status, _, said) = run(Place::new(bytes).operator(&["list"])).await;
        assert_eq!(status, 0, "{said}");
    }
}

#[tokio::test]
async fn a_bad_file_of_settings_is_named_with_its_line() {
    for (text, says) in [
        ("", "stack.env: it has no settings"),
        ("\n# none\n", "stack.env: it has no settings"),
        ("None\n", "stack.env, line 1: `None` is how the AWS CLI prints"),
        ("AWS_REGION=x\nTABLE_NAME=None\n", "stack.env, line 2: the value of TABLE_NAME is None"),
        ("AWS_REGION=x\n\nTABLE_NAME paykassma\n", "stack.env, line 3: `TABLE_NAME paykassma` has no `=`"),
        ("AWS_REGION=x\nTABLE_NAME=\"paykassma\n", "stack.env, line 2: the quote \" is never closed"),
        ("\u{202e}X=1\u{1b}[2J\n", r"stack.env, line 1: `\u{202e}X` is not the name"),
        (
            "TABLENAME=paykassma\nAWS_REGION=x\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\n",
            "setting TABLE_NAME is missing in ",
        ),
        (
            "TABLENAME=paykassma\nAWS_REGION=x\nAWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=x\n",
            "stack.env, which has TABLENAME, AWS_REGION",
        ),
    ] {
        let (status, _, said) = run(Place::new(text).operator(&["list"])).await;
        assert_eq!((status, said.lines().count(), said.contains(says)), (2, 1, true), "{text:?}: {said}");
    }
    let (status, _, said) = run(Place::new(b"X=\xff\xfe\xfd").operator(&["list"])).await;
    assert_eq!((status, said.contains("not text in UTF-8 or UTF-16")), (2, true), "{said}");
}

#[tokio::test]
async fn what_is_quoted_from_input_cannot_act_on_the_terminal() {
    let odd = "a\u{202e}b\u{9b}c\u{1b}[31m";
    let url = service(|_| (200, json!({}))).await;
    let place = Place::at(&url);
    for (arguments, expected) in [
        (vec!["show", odd], 2),
        (vec!["show", "a\u{202e}b"], 3),
        (vec!["list", "--kind", odd], 2),
        (vec!["--env-file", odd, "list"], 2),
        (vec!["replay", "--file", odd], 2),
    ] {
        let mut command = bare(place.0.path());
        if arguments[0] != "--env-file" {
            command.arg("--env-file").arg(place.file());
        }
        command.args(&arguments);
        let (status, out, said) = run(command).await;
        let said = format!("{out}{said}");
        assert!(said.chars().all(|char| char == '\n' || (!char.is_control() && char != '\u{202e}')), "{said:?}");
        assert!(status == expected || status == 4, "{arguments:?}: {status}: {said}");
    }
}

#[tokio::test]
async fn a_variable_that_is_no_text_is_no_panic() {
    let url = service(|_| (200, json!({"Items": []}))).await;
    let place = Place::new("");
    let mut command = bare(place.0.path());
    command.arg("list").env("LS_COLORS", OsStr::from_bytes(b"\xff")).env("AWS_ENDPOINT_URL", url);
    command.envs(KEYS.lines().filter_map(|line| line.split_once('=')));
    let (status, _, said) = run(command).await;
    assert_eq!(status, 0, "{said}");
}

static PROCESS: AtomicU32 = AtomicU32::new(0);
static RECEIVED: AtomicU32 = AtomicU32::new(0);
static SHOWN_AGAIN: AtomicU32 = AtomicU32::new(0);

/// Dead letters of which the second call finds no more, and interrupts the program meanwhile.
fn interrupting(operation: &str) -> (u16, Value) {
    let letter = json!({"MessageId": "m1", "ReceiptHandle": "r1", "Body": "not ours"});
    match operation {
        "ReceiveMessage" if RECEIVED.fetch_add(1, Ordering::SeqCst) == 0 => (200, json!({"Messages": [letter]})),
        "ReceiveMessage" => {
            let process = PROCESS.load(Ordering::SeqCst).to_string();
            assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
            std::thread::sleep(std::time::Duration::from_secs(2));
            (200, json!({}))
        }
        "ChangeMessageVisibilityBatch" => {
            SHOWN_AGAIN.fetch_add(1, Ordering::SeqCst);
            (200, json!({"Successful": [{"Id": "0"}], "Failed": []}))
        }
        _ => (400, json!({"__type": "UnknownOperationException"})),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_were_looked_at_are_given_back_also_after_ctrl_c() {
    let place = Place::at(&service(interrupting).await);
    let mut command = place.operator(&["redrive", "--dry-run"]);
    let ran = tokio::task::spawn_blocking(move || {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        PROCESS.store(child.id(), Ordering::SeqCst);
        child.wait_with_output().unwrap()
    });
    let Output { status, stderr, .. } = ran.await.unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!((status.code(), said.contains("interrupted")), (Some(4), true), "{said}");
    assert_ne!(SHOWN_AGAIN.load(Ordering::SeqCst), 0, "asked once, or again if the answer took too long");
}
