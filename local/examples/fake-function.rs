//! A function that does as it is asked, for the tests of the local stack.

#![expect(clippy::indexing_slicing, clippy::print_stderr, reason = "a test program")]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    if let Some(records) = event["Records"].as_array() {
        return Ok(batch(records));
    }
    if let Some(authorization) = event["identitySource"][0].as_str() {
        return authorize(authorization);
    }
    // An order may come bare, or as the body of an HTTP request.
    let order: Value = match event["body"].as_str() {
        Some(body) => serde_json::from_str(body).unwrap_or_default(),
        None => event.clone(),
    };
    match order["do"].as_str() {
        Some("fail") => Err("as asked".into()),
        Some("exit") => std::process::exit(1),
        Some("hang") => loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        },
        Some("print") => {
            eprintln!("{}", order["line"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        Some("look") => Ok(json!({
            "pid": std::process::id(),
            "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
            "deadline": context.deadline,
        })),
        Some("wait") => {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            Ok(json!({"pid": std::process::id()}))
        }
        _ => Ok(json!({"statusCode": 200, "body": event.to_string()})),
    }
}

/// Lets in every bearer of one token, but for "wrong".
fn authorize(authorization: &str) -> Result<Value, Error> {
    match authorization {
        "Bearer broken" => Err("as asked".into()),
        other => {
            let token = other.strip_prefix("Bearer ").filter(|token| !token.contains(','));
            Ok(json!({"isAuthorized": token.is_some_and(|token| token.is_ascii() && token != "wrong")}))
        }
    }
}

/// Prints every message; those that start with "bad" fail.
fn batch(records: &[Value]) -> Value {
    for record in records {
        eprintln!("got {} {}", record["body"], record["attributes"]["ApproximateReceiveCount"]);
    }
    let failed = records.iter().filter(|record| record["body"].as_str().is_some_and(|body| body.starts_with("bad")));
    let failures: Vec<_> = failed.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    json!({"batchItemFailures": failures})
}
