//! Bad settings: a function says in its log which one, without its value, and does nothing until it is mended.

use std::collections::BTreeSet;

use lambda::SHARED_SETTINGS;
use local::{Failure, StackOptions};
use serde_json::{Value, json};

use crate::flows::events::first_event;
use crate::flows::support::{Site, options};
use crate::template::settings::DECLARED;

/// Wrong values of settings. An empty one counts as missing.
const BAD: [(&str, &str); 53] = [
    ("ATTEMPT_ID_SEPARATOR", "wrong-value"),
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_REGION", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("EVENTS_FIRST_RETRY_SECONDS", "0"),
    ("EVENTS_FIRST_RETRY_SECONDS", "wrong-value"),
    ("EVENTS_GIVE_UP_SECONDS", "-1"),
    ("EVENTS_QUEUE_ARN", ""),
    ("EVENTS_QUEUE_URL", ""),
    ("EVENTS_TIMEOUT_MS", "0"),
    ("EVENTS_TIMEOUT_MS", "wrong-value"),
    ("EVENTS_URL", ""),
    ("EVENTS_URL", "http://wrong-value.example.com"),
    ("EVENTS_URL", "https://wrong-value@shop.example.com"),
    ("EVENT_BUS_NAME", ""),
    ("FIRST_RETRY_SECONDS", "wrong-value"),
    ("NUMBERS_PER_DAY", "-1"),
    ("NUMBERS_PER_DAY", "wrong-value"),
    ("PAYMENT_SYSTEMS", "[wrong-value"),
    ("PAYMENT_SYSTEMS", r#"[{"wrong-value":"wrong-value"}]"#),
    ("PAYMENT_WINDOW_PARAMETERS", r#"["wrong-value"]"#),
    ("PAYMENT_WINDOW_PARAMETERS", r#"{"custom_transaction_id":"wrong-value"}"#),
    ("PAYMENT_WINDOW_PARAMETERS", r#"{"theme":"wrong-value","theme":"wrong-value"}"#),
    ("PAYMENT_WINDOW_PARAMETERS", r#"{"wrong-value.lang":"en"}"#),
    ("PROVIDER_API_URL", ""),
    ("PROVIDER_API_URL", "http://wrong-value.example.com"),
    ("PROVIDER_API_URL", "wrong-value"),
    ("PROVIDER_PLUGIN_URL", ""),
    ("PROVIDER_PLUGIN_URL", "http://wrong-value.example.com"),
    ("PROVIDER_TIMEOUT_MS", "0"),
    ("PROVIDER_TIMEOUT_MS", "wrong-value"),
    ("QUEUE_URL", ""),
    ("RESEND_UNKNOWN", "wrong-value"),
    ("RETRY_CEILING_SECONDS", "1.5 wrong-value"),
    ("SECOND_PERSON_ABOVE", ""),
    ("SECOND_PERSON_ABOVE", "wrong-value"),
    ("SECRET_ID", ""),
    ("SENDER_LIFETIME_MS", "-1"),
    ("SENDER_LIFETIME_MS", "wrong-value"),
    ("SET_ASIDE_QUEUE_URL", ""),
    ("SUBMISSION_ATTEMPTS", "99999999999"),
    ("SUBMISSION_ATTEMPTS", "wrong-value"),
    ("SUBMISSION_DELAY_SECONDS", "wrong-value"),
    ("TABLE_NAME", ""),
    ("TABLE_STREAM_ARN", ""),
    ("UNDELIVERED_QUEUE_ARN", ""),
    ("UNDELIVERED_QUEUE_URL", ""),
    ("WITHDRAWALS", "wrong-value"),
    ("WITHDRAWAL_CEILING_PER_DAY", ""),
    ("WITHDRAWAL_CEILING_PER_DAY", r#"{"paytm":"wrong-value"}"#),
    ("WITHDRAWAL_CEILING_PER_HOUR", ""),
    ("WITHDRAWAL_CEILING_PER_HOUR", "wrong-value"),
    ("WITHDRAWAL_CEILING_PER_HOUR", r#"{"wrong-value":"1000"}"#),
];

/// Settings that may be missing and have no form of their own.
const FREE: [&str; 10] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_SESSION_TOKEN",
    "LOG_LEVEL",
    "METRICS_NAMESPACE",
    "REPLAY_QUEUE_URL",
    "SETTINGS_VERSION",
];

/// The settings that a function may read.
fn read_by(declared: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    SHARED_SETTINGS.into_iter().chain(declared.iter().copied())
}

/// Whether the function answered that it did nothing, as its caller expects it.
fn has_done_nothing(answer: &Result<Value, Failure>) -> bool {
    match answer {
        Ok(answer) if answer["statusCode"].is_u64() => {
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            answer["statusCode"] == 503 && body["code"] == "try_again" && !answer["headers"]["retry-after"].is_null()
        }
        Ok(answer) => answer["batchItemFailures"][0]["itemIdentifier"].is_string(),
        Err(failure) => matches!(failure, Failure::Reported(_)),
    }
}

#[test]
fn every_setting_is_tried() {
    let read: BTreeSet<_> = DECLARED.into_iter().flat_map(|(_, declared)| read_by(declared)).collect();
    assert_eq!(read, BAD.iter().map(|(name, _)| *name).chain(FREE).collect());
}

#[tokio::test]
async fn a_bad_setting_is_named_once_and_nothing_is_done() {
    for (setting, value) in BAD {
        let is_read = |declared| read_by(declared).any(|name| name == setting);
        let readers: Vec<_> = DECLARED.into_iter().filter(|(_, declared)| is_read(declared)).map(|it| it.0).collect();
        let settings = readers.iter().map(|function| ((*function).into(), setting.into(), value.into())).collect();
        // Nothing listens there, so the forwarder is started with all other settings.
        let events = Some("http://127.0.0.1:9".to_owned());
        let site = Site::start_with(StackOptions { environment: settings, events, ..options() }).await;
        for function in readers {
            let answer = site.stack.invoke(function, &first_event(function)).await;
            assert!(has_done_nothing(&answer), "{function}, {setting} = {value:?}: {answer:?}");
            let log = site.stack.logs(function);
            let said: Vec<_> = log.iter().filter(|line| line.contains("not set up: setting")).collect();
            assert_eq!(said.len(), 1, "{function}: {log:#?}");
            assert!(said[0].contains(&format!("not set up: setting {setting} ")), "{function}: {said:?}");
            let level: Value = serde_json::from_str(said[0]).unwrap();
            assert_eq!(level["level"], "ERROR");
            assert!(!log.iter().any(|line| line.contains("wrong-value")), "{function}: {log:#?}");
        }
        assert_eq!((site.rows().await, site.stack.events()), (0, Vec::<Value>::new()));
        assert_eq!(site.ask("log").await, json!([]), "the provider heard nothing");
    }
}
