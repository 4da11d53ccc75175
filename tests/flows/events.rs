//! The invocation events of `events/`, as AWS hands them to each function, and what each is answered.
#![expect(clippy::print_stdout, reason = "the answers, for scripts/invoke-all")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use local::{Api, Credentials, HostName, ROUTES, Route, Secrets, StackOptions, env_file, function_names};
use serde_json::{Value, json};

use crate::flows::openapi::{answer_is_described, description, request_is_described};
use crate::flows::support::{Answer, Site, options};
use crate::flows::upstream::serve;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

fn read(file: &str) -> Value {
    let path = directory().join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An event by its name, such as `create-deposit/created`.
pub(crate) fn event(name: &str) -> Value {
    read(&format!("{name}.json"))
}

/// The first event of a function.
pub(crate) fn first_event(function: &str) -> Value {
    list().iter().find(|it| it.function() == function).unwrap().event()
}

/// A row of the list in `events/README.md`.
struct Listed {
    name: String,
    outcome: String,
}

impl Listed {
    fn function(&self) -> &str {
        self.name.split_once('/').unwrap().0
    }

    fn event(&self) -> Value {
        event(&self.name)
    }

    fn answer(&self) -> Value {
        read(&format!("{}.answer.json", self.name))
    }

    /// The route of its function that it comes by. What the authorizer is asked names a route of another function.
    fn route(&self) -> Option<&'static Route> {
        let event = self.event();
        let key = event["routeKey"].as_str()?;
        let mut of_function = ROUTES.iter().filter(|it| it.function == self.function());
        of_function.find(|it| format!("{} {}", it.method, it.path) == key)
    }

    /// The path and the method of the route in `openapi.yaml`. The operator's routes are not in it.
    fn described_route(&self) -> Option<(&'static str, String)> {
        let route = self.route().filter(|it| it.api != Api::Operator)?;
        Some((route.path, route.method.to_lowercase()))
    }
}

/// All events, in the order in which they are sent.
fn list() -> Vec<Listed> {
    let text = std::fs::read_to_string(directory().join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        Listed { name: cells[0].trim_end_matches('`').into(), outcome: cells[1].into() }
    })
    .collect()
}

/// The events are signed with these.
pub(crate) fn recorded() -> Credentials {
    Credentials {
        merchant_token: "test_merchant_token".into(),
        secrets: Secrets {
            pluginapi_secret: "test_pluginapi_secret".into(),
            withdrawal_private_key: "test_private_key".into(),
            access_key: "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK".into(),
            postback_private_key: "test_private_key".into(),
            postback_token: "test_postback_token".into(),
            events_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        },
    }
}

/// The rule of `events/README.md`: everything that is expected is there, and equal.
fn has(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| answer.get(name).is_some_and(|it| has(it, value)))
        }
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len() && answer.iter().zip(expected).all(|(it, value)| has(it, value))
        }
        _ => answer == expected,
    }
}

/// Invokes a function of the stack, or with the program that `INVOKE` names: it gets the event's name and a file with the stack's
/// addresses, and its last line is the answer.
async fn invoke(site: &Site, listed: &Listed, stack: &Path) -> Value {
    let mut answer = match program() {
        None => {
            let answer = site.stack.invoke(listed.function(), &listed.event()).await;
            answer.unwrap_or_else(|failure| panic!("{}: {failure:?}", listed.name))
        }
        Some(program) => {
            let mut command = Command::new(program);
            command.arg(&listed.name).arg(stack).stderr(Stdio::inherit());
            let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            assert!(output.status.success(), "{}: {}", listed.name, output.status);
            let output = String::from_utf8(output.stdout).unwrap();
            serde_json::from_str(output.lines().last().unwrap_or_default()).unwrap()
        }
    };
    println!("{:40} {answer}", listed.name);
    if let Some(body) = answer.get_mut("body") {
        *body = serde_json::from_str(body.as_str().unwrap()).unwrap();
    }
    answer
}

#[expect(clippy::disallowed_methods, reason = "how scripts/invoke-all has containers answer")]
fn program() -> Option<String> {
    std::env::var("INVOKE").ok()
}

#[tokio::test]
async fn every_invocation_event_is_answered_as_its_answer_file_says() {
    let posted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&posted);
    let take = move |body: String| async move {
        let is_of_list = body.contains(r#""id":"9f0c6a1d5b7e4f2a8c3d9e0b1a2f4c6d""#);
        count.fetch_add(usize::from(is_of_list), Ordering::Relaxed);
        StatusCode::NO_CONTENT
    };
    let merchant = serve(Router::new().fallback(take)).await;
    let site = Site::start_with(StackOptions {
        credentials: Some(recorded()),
        events: Some(merchant.clone()),
        // So containers name this machine.
        host: Some(HostName::parse("host.docker.internal").unwrap()),
        test_amounts: true,
        ..options()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let stack = folder.path().join("stack.env");
    env_file(&site.stack, &stack).unwrap();
    let addresses = std::fs::read_to_string(&stack).unwrap();
    std::fs::write(&stack, format!("{addresses}EVENTS_URL={merchant}\n")).unwrap();
    let description = description();
    for listed in list() {
        let answer = invoke(&site, &listed, &stack).await;
        let expected = listed.answer();
        assert!(has(&answer, &expected), "{}: {answer:#} is not {expected:#}", listed.name);
        if let Some((path, method)) = listed.described_route() {
            let status = answer["statusCode"].as_u64().unwrap().try_into().unwrap();
            let answer = Answer { status, body: answer["body"].clone(), retry_after: false };
            answer_is_described(&description, path, &method, &answer);
        }
    }
    let events = site.stack.events();
    let published = events.iter().filter(|it| it["transaction"] == "withdrawal#85858061").count();
    assert_eq!(published, 3, "alone, behind an unreadable change, and after it was set aside");
    assert_eq!(posted.load(Ordering::Relaxed), 2, "alone, and beside a message that is no event");
}

#[test]
fn each_event_is_listed_with_its_answer_and_each_route_and_function_has_one() {
    let list = list();
    let named = |suffix: &'static str| list.iter().map(move |it| format!("{}{suffix}", it.name));
    let mut files = BTreeSet::new();
    for function in function_names() {
        for entry in std::fs::read_dir(directory().join(function)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.insert(format!("{function}/{name}"));
        }
    }
    assert_eq!(files, named(".json").chain(named(".answer.json")).collect());
    assert_eq!(files.len(), 2 * list.len(), "an event is listed twice");
    for listed in &list {
        let (answer, event) = (listed.answer(), listed.event());
        let words = [&answer["statusCode"], &answer["body"]["code"]].map(|it| it.to_string().replace('"', ""));
        let words: Vec<_> = words.into_iter().filter(|it| it != "null").collect();
        assert_eq!(listed.outcome, words.join(" "), "{}", listed.name);
        assert_eq!(answer["statusCode"].is_u64(), listed.route().is_some(), "{}", listed.name);
        assert_ne!(answer, json!({}), "{}", listed.name);
        if answer["statusCode"].as_u64().is_some_and(|status| status < 300)
            && let Some((path, _)) = listed.described_route()
            && event["isBase64Encoded"] == false
            && let Some(body) = event["body"].as_str()
        {
            request_is_described(&description(), path, &serde_json::from_str(body).unwrap());
        }
    }
    let routes: BTreeSet<_> =
        list.iter().filter_map(Listed::route).map(|it| (it.method, it.path, it.function)).collect();
    assert_eq!(routes, ROUTES.iter().map(|it| (it.method, it.path, it.function)).collect());
}

#[test]
fn an_answer_has_all_that_is_expected_or_not() {
    let answer = json!({"a": {"b": 1, "c": null}, "list": [{"d": "x", "e": 2}, 3]});
    for expected in [json!({}), json!({"a": {"c": null}}), json!({"list": [{"d": "x"}, 3]}), answer.clone()] {
        assert!(has(&answer, &expected), "{expected}");
    }
    for other in [
        json!(null),
        json!({"a": {"b": 2}}),
        json!({"f": null}),
        json!({"list": [{"d": "x"}]}),
        json!({"list": [3, {"d": "x"}]}),
        json!({"list": []}),
    ] {
        assert!(!has(&answer, &other), "{other}");
    }
}
