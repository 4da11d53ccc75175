//! The description of the merchant's API: its examples work, and every answer is as it says.

use std::collections::BTreeSet;
use std::path::Path;

use local::StackOptions;
use serde_json::{Value, json};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

use crate::flows::events::{event, recorded};
use crate::flows::postbacks::postback;
use crate::flows::publishing::event_schemas;
use crate::flows::support::{Answer, Site, options};

pub(super) fn description() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.yaml");
    let mut description: Value = serde_norway::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for (name, schema) in description["components"]["schemas"].as_object_mut().unwrap() {
        let is_object = schema["type"] == "object" || schema["allOf"].is_array();
        // Without a word about other properties, openapi-generator makes clients for Go and Java that refuse them.
        assert!(!is_object || schema["additionalProperties"].is_boolean(), "{name}");
        make_exact(schema, true);
    }
    description
}

/// The schemas tell clients to take what a later release may add: other fields, and other values of `x-extensible-enum`.
/// This release must send neither. A schema that is a part is closed where it is used.
pub(super) fn make_exact(schema: &mut Value, is_part: bool) {
    if let Value::Array(schemas) = schema {
        for schema in schemas {
            make_exact(schema, is_part);
        }
        return;
    }
    let Value::Object(schema) = schema else { return };
    if let Some(values) = schema.remove("x-extensible-enum") {
        assert_eq!(schema.get("type"), Some(&json!("string")));
        schema.insert("enum".into(), values);
    }
    let is_described = ["properties", "allOf"].iter().any(|keyword| schema.contains_key(*keyword));
    if is_described && schema.get("additionalProperties") == Some(&json!(true)) {
        schema.remove("additionalProperties");
    }
    if !is_part && (is_described || schema.contains_key("$ref")) {
        schema.insert("unevaluatedProperties".into(), json!(false));
    }
    for (keyword, schema) in schema {
        make_exact(schema, keyword == "allOf");
    }
}

/// Follows references until there is none, or one to another file.
fn resolve<'a>(description: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        value = description.pointer(reference).unwrap();
    }
    value
}

/// Checks that a value is as a schema of the description says.
fn fits(description: &Value, schema: &Value, value: &Value) {
    let whole = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema],
        "components": description["components"]});
    let validator = jsonschema::validator_for(&whole).unwrap();
    let found: Vec<_> = validator.iter_errors(value).map(|it| format!("{it} at {}", it.instance_path())).collect();
    assert!(found.is_empty(), "{value}: {found:#?}");
}

/// The description of a path's method.
fn operation<'a>(description: &'a Value, path: &str, method: &str) -> &'a Value {
    let operation = &description["paths"][path][method];
    assert!(operation.is_object(), "{method} {path}");
    operation
}

/// Checks that a posted body is as the description says.
pub(super) fn request_is_described(description: &Value, path: &str, body: &Value) {
    let content = &operation(description, path, "post")["requestBody"]["content"]["application/json"];
    fits(description, &content["schema"], body);
}

/// Checks that an answer is as the description says.
pub(super) fn answer_is_described(description: &Value, path: &str, method: &str, answer: &Answer) {
    let response = &operation(description, path, method)["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{method} {path} does not say {answer:?}");
    let mut schema = resolve(description, response)["content"]["application/json"]["schema"].clone();
    make_exact(&mut schema, false);
    fits(description, &schema, &answer.body);
    assert!(answer.status < 400 || answer.body["code"].is_string(), "only the gateway's own answers have no code");
}

struct Api {
    description: Value,
    site: Site,
}

impl Api {
    /// The only example of a request.
    fn example(&self, path: &str) -> &Value {
        let body = &operation(&self.description, path, "post")["requestBody"]["content"]["application/json"];
        let example = &body["examples"].as_object().unwrap().values().next().unwrap()["value"];
        request_is_described(&self.description, path, example);
        example
    }

    async fn send_example(&self, path: &str, at: &str) -> Answer {
        let answer = self.site.post(at, self.example(path)).await;
        self.check(path, "post", &answer);
        answer
    }

    async fn get(&self, path: &str, at: &str) -> Answer {
        let answer = self.site.get(at).await;
        self.check(path, "get", &answer);
        answer
    }

    fn check(&self, path: &str, method: &str, answer: &Answer) {
        answer_is_described(&self.description, path, method, answer);
    }
}

const ORDER: &str = "/deposits/{custom_transaction_id}";
const ACTIVATION: &str = "/deposits/{custom_transaction_id}/activation";
const PAYOUT: &str = "/withdrawals/{withdrawal_id}";
const POSTBACK: &str = "/postbacks/{token}";

#[tokio::test]
async fn the_examples_work_and_are_answered_as_described() {
    let site = Site::start_with(StackOptions { credentials: Some(recorded()), ..options() }).await;
    let api = Api { description: description(), site };
    let order = "/deposits/h8JxcM123DbmAvfn";
    let activation = format!("{order}/activation");
    assert_eq!(api.send_example(ACTIVATION, &activation).await.status, 404);
    for status in [201, 200] {
        assert_eq!(api.send_example("/deposits", "/deposits").await.status, status);
    }
    assert_eq!(api.send_example(ACTIVATION, &activation).await.state(), (200, "pending"));
    // Its signature covers the order of names, which a description does not keep: the recorded bytes are sent.
    let recorded = event("postback-receiver/credited")["body"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&recorded).unwrap(), *api.example(POSTBACK));
    for (at, status) in [("/postbacks/test_postback_token", 200), ("/postbacks/another", 404)] {
        let answer = api.site.post_bytes(at, recorded.clone().into()).await;
        assert_eq!(answer.status, status);
        api.check(POSTBACK, "post", &answer);
    }
    assert_eq!(api.get(ORDER, order).await.state(), (200, "credited"));
    assert_eq!(api.get(ORDER, "/deposits/none").await.status, 404);
    for status in [201, 200] {
        assert_eq!(api.send_example("/withdrawals", "/withdrawals").await.status, status);
    }
    assert_eq!(api.get(PAYOUT, "/withdrawals/85858053").await.state(), (200, "submitted"));
    assert_eq!(api.get("/transactions", "/transactions").await.code(), "invalid_field");
}

#[tokio::test]
async fn every_kind_of_row_that_is_listed_is_described() {
    let api = Api { description: description(), site: Site::start().await };
    let stray = json!({"transaction_id": "1", "amount": "700", "custom_transaction_id": "o1", "label": "x"});
    api.site.control("payments", &stray).await;
    let unreadable = postback(&api.site, &[("2", "o1", "much"), ("2 2", "o1", "7")]);
    api.site.postback(unreadable.to_string().into()).await;
    let held = json!({"transaction_id": "3", "custom_transaction_id": "o1", "label": "x", "amount": "7",
        "direction": "ingoing", "tamper": {"amount": 8}});
    api.site.control("postbacks", &held).await;
    let foreign = json!({"withdrawal_id": "w1", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    api.site.control("postbacks", &foreign).await;
    api.site.fault("withdrawal", "accepted_but_lost", 1).await;
    api.site.withdraw("w2").await;
    api.site.until("payment#paytm#1", "unmatched").await;
    let mut kinds = BTreeSet::new();
    for state in domain::AttentionFilter::ALL.map(domain::AttentionFilter::as_str) {
        let found = api.get("/transactions", &format!("/transactions?state={state}")).await;
        assert_eq!(found.status, 200);
        kinds.extend(found.body["transactions"].as_array().unwrap().iter().map(|row| row["kind"].to_string()));
    }
    let known = ["payment", "foreign_withdrawal", "unreadable", "withdrawal"].map(|kind| json!(kind).to_string());
    assert_eq!(kinds, BTreeSet::from(known));
}

#[tokio::test]
async fn refusals_are_answered_as_described() {
    let api = Api { description: description(), site: Site::start().await };
    let site = &api.site;
    let order = crate::flows::support::order("o1");
    api.check("/deposits", "post", &site.post("/deposits", &order).await);
    let cases = [
        ("/deposits", "/deposits", json!([]), 400),
        ("/deposits", "/deposits", crate::flows::support::with(&order, "amount", &json!(5)), 409),
        ("/deposits", "/deposits", crate::flows::support::with(&order, "amount", &json!(0)), 422),
        (ACTIVATION, "/deposits/o1/activation", json!({}), 422),
        (ACTIVATION, "/deposits/o2/activation", json!({"key1": "47752123519", "amount": 5}), 404),
        ("/withdrawals", "/withdrawals", json!({}), 422),
        (POSTBACK, "/postbacks/none", json!({}), 404),
    ];
    for (path, at, body, status) in cases {
        let answer = site.post(at, &body).await;
        assert_eq!(answer.status, status, "{at}: {answer:?}");
        api.check(path, "post", &answer);
    }
    for (options, status) in [
        (StackOptions { withdrawal_ceiling_per_hour: "999".into(), ..options() }, 422),
        (StackOptions { withdrawals: "off".into(), ..options() }, 503),
    ] {
        let answer = Site::start_with(options).await.withdraw("w1").await;
        assert_eq!(answer.status, status, "{answer:?}");
        api.check("/withdrawals", "post", &answer);
    }
    site.fault("create", "reset_before", 1).await;
    let unreachable = site.post("/deposits", &crate::flows::support::order("o3")).await;
    assert_eq!(unreachable.status, 503);
    api.check("/deposits", "post", &unreachable);
    let forged =
        json!({"access_key": "x", "signature": "0d8103294d3457bd4d22d0ff94c859d45ff9abb1", "additional_data": []});
    let forged = site.postback(forged.to_string().into()).await;
    assert_eq!(forged.status, 401);
    api.check(POSTBACK, "post", &forged);
}

#[test]
fn every_example_of_an_answer_fits_its_schema_and_every_code_has_one() {
    let description = description();
    let mut codes = BTreeSet::new();
    for path in description["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values().filter(|it| it.is_object()) {
            for response in operation["responses"].as_object().unwrap().values() {
                let content = &resolve(&description, response)["content"]["application/json"];
                for example in content["examples"].as_object().unwrap().values() {
                    fits(&description, &content["schema"], &example["value"]);
                    codes.extend(example["value"]["code"].as_str().map(str::to_owned));
                }
            }
        }
    }
    let known = description["components"]["schemas"]["ApiError"]["properties"]["code"]["enum"].as_array().unwrap();
    assert_eq!(codes, known.iter().map(|code| code.as_str().unwrap().to_owned()).collect());
}

#[test]
fn there_is_a_webhook_for_each_event_with_its_schema_and_the_headers_of_a_push() {
    let description = description();
    let webhooks = description["webhooks"].as_object().unwrap();
    assert_eq!(webhooks.keys().collect::<Vec<_>>(), event_schemas().keys().collect::<Vec<_>>());
    for (kind, webhook) in webhooks {
        let schema = resolve(&description, &webhook["post"]["requestBody"]["content"]["application/json"]["schema"]);
        assert_eq!(*schema, json!({"$ref": format!("events/schemas/{kind}.json")}));
        let headers = webhook["parameters"].as_array().unwrap().iter().map(|header| header["name"].as_str().unwrap());
        let sent = [HEADER_WEBHOOK_ID, HEADER_WEBHOOK_TIMESTAMP, HEADER_WEBHOOK_SIGNATURE];
        assert_eq!(headers.collect::<Vec<_>>(), sent);
    }
}
