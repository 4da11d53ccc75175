//! The events that AWS hands to functions: an HTTP request, a batch of queue messages.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, REGION};
use crate::clock::{now_ms, request_id};
use crate::functions::{PathParameters, Route};

/// Builds the event of an HTTP request, in payload format 2.0. `caller` is the ARN that IAM has verified.
pub(crate) fn request_event(
    route: &Route,
    parameters: &PathParameters,
    parts: &Parts,
    body: &[u8],
    caller: Option<&str>,
) -> Value {
    let route_key = format!("{} {}", route.method, route.path);
    let path = parts.uri.path();
    let headers = headers(&parts.headers);
    let (body, is_base64_encoded) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (BASE64_STANDARD.encode(body), true),
    };
    json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "pathParameters": parameters,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "authorizer": caller.map(|arn| json!({"iam": {"accountId": ACCOUNT, "userArn": arn}})),
            "domainName": headers.get("host"),
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": headers.get("user-agent"),
            },
            "requestId": request_id(),
            "routeKey": route_key,
            "stage": "$default",
            "timeEpoch": now_ms(),
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    })
}

/// Lower-case names; a repeated header's values joined by commas.
fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|values| *values = format!("{values},{value}"))
            .or_insert_with(|| value.into_owned());
    }
    headers
}

/// Builds the event of a batch of messages, as `ReceiveMessage` gave them.
pub(crate) fn queue_event(messages: &[Value], queue_arn: &str) -> Value {
    let records: Vec<_> = messages.iter().map(|message| record(message, queue_arn)).collect();
    json!({ "Records": records })
}

fn record(message: &Value, queue_arn: &str) -> Value {
    let field = |name: &str| message.get(name).cloned().unwrap_or_default();
    json!({
        "messageId": field("MessageId"),
        "receiptHandle": field("ReceiptHandle"),
        "body": field("Body"),
        "md5OfBody": field("MD5OfBody"),
        "attributes": field("Attributes"),
        "messageAttributes": message_attributes(&field("MessageAttributes")),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    })
}

fn message_attributes(attributes: &Value) -> Value {
    let attributes = attributes.as_object().into_iter().flatten();
    let attributes = attributes.map(|(name, attribute)| {
        let field = |name: &str| attribute.get(name).cloned().unwrap_or_default();
        let value = json!({
            "stringValue": field("StringValue"),
            "binaryValue": field("BinaryValue"),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": field("DataType"),
        });
        (name.clone(), value)
    });
    Value::Object(attributes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::{Api, find_route};
    use axum::http::Request;

    fn event(body: &[u8]) -> Value {
        let request = Request::post("/postbacks/t0ken?a=1&b=%20")
            .header("X-Twice", "1")
            .header("x-twice", "2")
            .header("user-agent", "test");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (route, parameters) = find_route(Api::Postbacks, "POST", parts.uri.path()).unwrap();
        request_event(route, &parameters, &parts, body, None)
    }

    #[test]
    fn a_request_becomes_an_event_of_format_2() {
        let event = event(b"{}");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "POST /postbacks/{token}");
        assert_eq!(event["pathParameters"], json!({"token": "t0ken"}));
        assert_eq!(event["rawPath"], "/postbacks/t0ken");
        assert_eq!(event["rawQueryString"], "a=1&b=%20");
        assert_eq!(event["headers"]["x-twice"], "1,2");
        assert_eq!(event["requestContext"]["http"]["userAgent"], "test");
        assert_eq!(event["requestContext"]["stage"], "$default");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    }

    #[test]
    fn a_body_that_is_not_text_travels_as_base64() {
        let event = event(&[0xff, 0x00]);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
    }
}
