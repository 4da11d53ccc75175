//! The queue of changes that were set aside: they do not keep the stream from going on, and are tried again until they can be
//! published.

use std::future::Future;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::AwsError;
use crate::stream::ChangeRecord;

/// The right to set a change aside.
pub trait SetAside: Sync {
    /// Takes a message. It comes out again later, at least once, until it is handled.
    fn set_aside(&self, message: String) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// The queue in SQS. It has its own delay.
#[derive(Clone, Debug)]
pub struct SetAsideQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl SetAsideQueue {
    /// The queue at this URL.
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }
}

impl SetAside for SetAsideQueue {
    async fn set_aside(&self, message: String) -> Result<(), AwsError> {
        match self.client.send_message().queue_url(&self.url).message_body(message).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let reason = error.code().map_or_else(|| error.to_string(), str::to_owned);
                Err(AwsError(format!("the queue failed: {reason}")))
            }
        }
    }
}

/// The largest message in bytes: every queue takes it.
pub const LARGEST_MESSAGE: usize = 256 * 1024;

/// A message. It has either the whole record, or its position.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    reason: &'a str,
    /// When the table changed the row: the record itself need not say it.
    at_ms: u64,
    /// The table's generation: the events are of it, whenever they are published.
    generation: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<Value>,
}

impl ChangeRecord {
    /// The message that sets this record aside in this generation of the table. A record that is too large for a message is named
    /// by its position in the stream, where a person finds it for 24 hours: otherwise it would keep its shard from going on.
    #[must_use]
    pub fn set_aside(&self, reason: &str, generation: u64) -> String {
        let record: Option<&RawValue> = serde_json::from_str(self.text()).ok();
        let generation = self.generation.unwrap_or(generation);
        let body = Body { reason, at_ms: self.at_ms(), generation, record, position: None };
        let whole = to_message(&body);
        if body.record.is_some() && whole.len() <= LARGEST_MESSAGE {
            return whole;
        }
        to_message(&Body { record: None, position: Some(position(self.text())), ..body })
    }

    /// The record of a message; `None` where the message has none.
    #[must_use]
    pub fn from_set_aside(message: &str) -> Option<Self> {
        let body: Body<'_> = serde_json::from_str(message).ok()?;
        let mut record = Self::parse(body.record?.get(), body.at_ms);
        record.generation = Some(body.generation);
        Some(record)
    }
}

fn to_message(body: &Body<'_>) -> String {
    queue_text(&serde_json::to_string(body).unwrap_or_default())
}

/// JSON as SQS takes it: it refuses two characters that JSON may have. They can only be inside of a string.
///
/// # Examples
/// ```
/// assert_eq!(lambda::queue_text("[\"\u{ffff}\"]"), r#"["\uffff"]"#);
/// ```
#[must_use]
pub fn queue_text(json: &str) -> String {
    json.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
}

/// Where the stream has the record: what names it, without the row.
fn position(text: &str) -> Value {
    let record: Value = serde_json::from_str(text).unwrap_or_default();
    let of = |pointer: &str| record.pointer(pointer).cloned().unwrap_or_default();
    json!({
        "eventID": of("/eventID"),
        "eventSourceARN": of("/eventSourceARN"),
        "dynamodb": {
            "ApproximateCreationDateTime": of("/dynamodb/ApproximateCreationDateTime"),
            "Keys": of("/dynamodb/Keys"),
            "SequenceNumber": of("/dynamodb/SequenceNumber"),
            "SizeBytes": of("/dynamodb/SizeBytes"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> String {
        format!(
            r#"{{"eventID":"1","eventSourceARN":"arn","dynamodb":{{"SequenceNumber":"11",
                "Keys":{{"transaction_id":{{"S":"deposit#o1"}}}},
                "OldImage":{{"version":{{"N":"1"}}}},"NewImage":{{"version":{{"N":"2"}},"text":{{"S":"{text}"}}}}}}}}"#
        )
    }

    #[test]
    fn a_message_has_the_whole_change_and_its_time() {
        let text = record("\u{939} \u{ffff}\\u0000\u{fffe}");
        let message = ChangeRecord::parse(&text, 7).set_aside("unreadable", 2);
        let is_taken = |char: char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(message.chars().all(is_taken), "{message}");
        let again = ChangeRecord::from_set_aside(&message).unwrap();
        let first = ChangeRecord::parse(&text, 7);
        assert_eq!((again.change(), again.at_ms()), (first.change(), 7));
        assert_eq!((first.generation(), again.generation()), (None, Some(2)));
        assert_eq!(
            again.set_aside("unreadable", 3),
            message,
            "the generation is that of the change, whatever the table's is now"
        );
        assert!(first.change().is_ok());
        assert_eq!(again.set_aside("unreadable", 2), message, "and can be set aside again");
    }

    #[test]
    fn a_change_that_is_too_large_is_named_by_its_position() {
        for (length, has_record) in [(LARGEST_MESSAGE - 500, true), (LARGEST_MESSAGE, false)] {
            let large = ChangeRecord::parse(&record(&"x".repeat(length)), 7).set_aside("unreadable", 2);
            assert!(large.len() <= LARGEST_MESSAGE);
            assert_eq!(ChangeRecord::from_set_aside(&large).is_some(), has_record, "{length}");
            let body: Value = serde_json::from_str(&large).unwrap();
            assert_eq!(body["position"]["dynamodb"]["SequenceNumber"] == "11", !has_record);
        }
    }

    #[test]
    fn a_record_that_is_no_change_is_set_aside_as_it_is() {
        let message = ChangeRecord::parse(r#"{"dynamodb":7}"#, 7).set_aside("unreadable", 2);
        assert_eq!(ChangeRecord::from_set_aside(&message).unwrap().text(), r#"{"dynamodb":7}"#);
        for no_message in ["", "{}", "nonsense", r#"{"reason":"unreadable","at_ms":7,"position":{}}"#] {
            assert!(ChangeRecord::from_set_aside(no_message).is_none(), "{no_message}");
        }
    }
}
