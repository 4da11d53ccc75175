//! What is measured: every function as it ships, the floor, and the peers if they are installed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::certificate::Authority;
use crate::process::Subject;
use crate::stand_in;

/// An event of each function that is measured, and a piece of its answer.
const EVENTS: [(&str, &str); 11] = [
    (POSTBACK_EVENT, CREATED_OR_OK),
    ("create-deposit/created", CREATED_OR_OK),
    ("activate/pending", CREATED_OR_OK),
    ("create-withdrawal/submitted", CREATED_OR_OK),
    ("withdrawal-submitter/done", r#"{"batchItemFailures":[]}"#),
    ("event-publisher/published", r#"{"batchItemFailures":[]}"#),
    ("transaction-reader/deposit", CREATED_OR_OK),
    ("decision-recorder/preview", CREATED_OR_OK),
    ("evidence-verifier/verified", CREATED_OR_OK),
    ("authorizer/admitted", r#""isAuthorized":true"#),
    ("attention-reporter/reported", ""),
];
/// The postback's handler, written by hand.
pub(crate) const FLOOR: &str = "floor";
const CREATED_OR_OK: &str = r#""statusCode":20"#;

/// The event of the floor and of the peers, too: they are like the function that takes it.
const POSTBACK_EVENT: &str = "postback-receiver/credited";

/// The provider's sample postback, as large as it comes.
const POSTBACK: &str = include_str!("../../shared/signing/tests/fixtures/deposit.json");

/// Where things are.
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    /// For what is made anew each time.
    pub(crate) work: PathBuf,
}

impl Places {
    pub(crate) fn find() -> Result<Self, Box<dyn Error>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let work = root.join("target/benches");
        fs::create_dir_all(&work)?;
        Ok(Self { root, work })
    }

    /// Where cargo puts what is measured: apart from what is delivered, which does not trust our root.
    pub(crate) fn target(&self) -> PathBuf {
        self.work.join("target")
    }
}

/// Our programs, each with its event and a piece of its answer.
pub(crate) fn ours() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let functions =
        EVENTS.into_iter().filter_map(|(event, expected)| Some((event.split_once('/')?.0, event, expected)));
    functions.chain([(FLOOR, POSTBACK_EVENT, CREATED_OR_OK)])
}

/// Prepares all subjects that were chosen.
pub(crate) async fn all(places: &Places, is_chosen: impl Fn(&str) -> bool) -> Result<Vec<Subject>, Box<dyn Error>> {
    let authority = Authority::new()?;
    let certificate = places.work.join("authority.pem");
    fs::write(&certificate, &authority.pem)?;
    let environment = environment(&authority.server, &certificate).await?;
    let mut subjects = Vec::new();
    for (name, event, expected) in ours().filter(|(name, ..)| is_chosen(name)) {
        subjects.push(Subject {
            name: name.into(),
            program: vec![places.target().join("release").join(name)],
            environment: environment.clone(),
            event: read(places, event)?,
            expected,
        });
    }
    for (name, program) in peers(places).into_iter().filter(|(name, _)| is_chosen(name)) {
        if program.iter().all(|file| file.exists()) {
            let (environment, event) = (environment.clone(), read(places, POSTBACK_EVENT)?);
            subjects.push(Subject { name: name.into(), program, environment, event, expected: CREATED_OR_OK });
        }
    }
    Ok(subjects)
}

fn peers(places: &Places) -> [(&'static str, Vec<PathBuf>); 2] {
    let installed = places.root.join("target/peers");
    let of = |program: &str, file: &str| vec![installed.join(program), installed.join(file)];
    [
        ("python + Powertools", of("python/bin/python", "python/bootstrap.py")),
        ("node + Powertools", of("node/node", "node/bootstrap.mjs")),
    ]
}

fn read(places: &Places, name: &str) -> Result<Bytes, Box<dyn Error>> {
    let mut event: Value = serde_json::from_slice(&fs::read(places.root.join(format!("events/{name}.json")))?)?;
    if let Some(body) = event.get_mut("body").filter(|_| name == POSTBACK_EVENT) {
        *body = json!(POSTBACK);
    }
    Ok(event.to_string().into())
}

/// The settings of all, each service at an address of its own.
async fn environment(
    tls: &Arc<ServerConfig>,
    certificate: &Path,
) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let certificate = certificate.display().to_string();
    let mut environment: Vec<_> = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "ap-south-1"),
        ("AWS_DEFAULT_REGION", "ap-south-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "subject"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "subject"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "subject"),
        ("TABLE_NAME", "paykassma"),
        ("TABLE_STREAM_ARN", "arn:aws:dynamodb:ap-south-1:123456789012:table/paykassma/stream/2023-08-25T00:00:00.000"),
        ("SECRET_ID", "paykassma"),
        ("EVENT_BUS_NAME", "paykassma"),
        ("PROVIDER_PLUGIN_URL", "https://plugin.example.com"),
        ("SECOND_PERSON_ABOVE", "none"),
        ("WITHDRAWAL_CEILING_PER_HOUR", "100000"),
        ("WITHDRAWAL_CEILING_PER_DAY", "1000000"),
        // Each takes the certificate as its own tools have it.
        ("EXTRA_ROOT", &certificate),
        ("AWS_CA_BUNDLE", &certificate),
        ("NODE_EXTRA_CA_CERTS", &certificate),
        ("NODE_NO_WARNINGS", "1"),
        ("POWERTOOLS_SERVICE_NAME", "postback-receiver"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    for name in [
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_EVENTBRIDGE",
        "PROVIDER_API_URL",
        "QUEUE_URL",
        "SET_ASIDE_QUEUE_URL",
    ] {
        environment.push((name, stand_in::start(tls).await?));
    }
    Ok(environment)
}
