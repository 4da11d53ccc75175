//! The recorded events of `events/`, as AWS hands them to each function.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use local::{Credentials, Secrets, StackOptions};
use serde_json::{Value, json};

use crate::flows::support::{Site, options};

pub(crate) fn event(function: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(format!("{function}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The recorded postback is signed with these.
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

async fn invoke(site: &Site, function: &str, event: &Value) -> (u64, Value) {
    let answer = site.stack.invoke(function, event).await.unwrap_or_else(|failure| panic!("{function}: {failure:?}"));
    let body = answer["body"].as_str().unwrap_or("null");
    (answer["statusCode"].as_u64().unwrap_or_default(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn each_function_takes_its_recorded_event() {
    let site = Site::start_with(StackOptions { credentials: Some(recorded()), ..options() }).await;
    let (status, body) = invoke(&site, "create-deposit", &event("create-deposit")).await;
    assert_eq!((status, &body["state"]), (201, &json!("created")));
    let (status, body) = invoke(&site, "activate", &event("activate")).await;
    assert_eq!((status, &body["state"]), (200, &json!("pending")));
    let postback = event("postback-receiver");
    assert_eq!(invoke(&site, "postback-receiver", &postback).await, (200, json!({"status": "ok"})));
    assert_eq!(site.credits("h8JxcM123DbmAvfn").await, ["700"]);
    let (status, body) = invoke(&site, "create-withdrawal", &event("create-withdrawal")).await;
    assert_eq!((status, &body["state"]), (201, &json!("submitted")));
    let log = site.stack.simulator().unwrap().log();
    assert!(log.contains(&"withdrawal 85858053: signature accepted".to_owned()), "{log:#?}");
    let (status, body) = invoke(&site, "transaction-reader", &event("transaction-reader")).await;
    assert_eq!((status, &body["state"], &body["credited"][0]["amount"]), (200, &json!("credited"), &json!("700")));
    let answer = site.stack.invoke("event-publisher", &event("event-publisher")).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    let events = site.events("withdrawal.foreign", 1).await;
    assert_eq!(events[0]["data"]["withdrawal_id"], "85858053");
    let answer = site.stack.invoke("withdrawal-submitter", &event("withdrawal-submitter")).await.unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    // Nobody has said where events are posted to: they come again.
    let answer = site.stack.invoke("event-forwarder", &event("event-forwarder")).await.unwrap();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], event("event-forwarder")["Records"][0]["messageId"]);
    let answer = site.stack.invoke("attention-reporter", &event("attention-reporter")).await.unwrap();
    assert_eq!(answer, json!(null));
    let (status, body) = invoke(&site, "decision-recorder", &event("decision-recorder")).await;
    assert_eq!((status, &body["status"], &body["after"]), (200, &json!("preview"), &json!("paid")));
    let (status, body) = invoke(&site, "evidence-verifier", &event("evidence-verifier")).await;
    assert_eq!((status, &body["verdicts"][0]["verdict"]), (200, &json!("verified")));
    let answer = site.stack.invoke("authorizer", &event("authorizer")).await.unwrap();
    assert_eq!(answer, json!({"isAuthorized": true}));
}

#[tokio::test]
async fn a_body_in_base64_is_the_same_postback() {
    let site = Site::start_with(StackOptions { credentials: Some(recorded()), ..options() }).await;
    let mut postback = event("postback-receiver");
    let (status, _) = invoke(&site, "create-deposit", &event("create-deposit")).await;
    assert_eq!(status, 201);
    postback["body"] = json!(BASE64_STANDARD.encode(postback["body"].as_str().unwrap()));
    postback["isBase64Encoded"] = json!(true);
    assert_eq!(invoke(&site, "postback-receiver", &postback).await, (200, json!({"status": "ok"})));
    assert_eq!(site.credits("h8JxcM123DbmAvfn").await, ["700"]);
}
