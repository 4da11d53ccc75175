//! The table's stream: changes of rows in the order in which they were made, answered by how far they are done. And the queue of
//! those that were set aside, whose messages are answered each alone.

use std::future::Future;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use serde::{Deserialize, Serialize};
use serde_dynamo::Item;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::http::answer_event;
use crate::{BadSetting, Clock, Handled, Handler, System, serve_events};

/// A change of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The row as it was; `None` when it is new.
    pub old: Option<Item>,
    /// The row as it is; `None` when it is gone.
    pub new: Option<Item>,
    /// When the table changed it, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A record of the stream: its text, and the change if it can be read.
#[derive(Clone, Debug)]
pub struct ChangeRecord {
    text: String,
    at_ms: u64,
    /// The table's generation in which the change was set aside.
    pub(crate) generation: Option<u64>,
    change: Result<RowChange, String>,
}

impl ChangeRecord {
    /// Reads a record. `now_ms` is its time where it says none.
    #[must_use]
    pub fn parse(text: &str, now_ms: u64) -> Self {
        let read = serde_json::from_str::<Record>(text).map_err(|error| error.to_string());
        let change = read.and_then(|record| record.change(now_ms));
        let at_ms = change.as_ref().map_or(now_ms, |change| change.at_ms);
        Self { text: text.to_owned(), at_ms, generation: None, change }
    }

    /// The record as it came: one JSON object.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The table's generation in which the change was set aside; `None` if it comes from the stream. A table that was restored
    /// meanwhile has another generation, and the change is not of it.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// When the table changed the row, or when the record came.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// The change.
    ///
    /// # Errors
    /// Why the record cannot be read.
    pub fn change(&self) -> Result<&RowChange, &str> {
        self.change.as_ref().map_err(String::as_str)
    }

    /// The key of the row, for the log; empty if the record does not say it.
    #[must_use]
    pub fn reference(&self) -> String {
        self.member("/dynamodb/Keys/transaction_id/S")
    }

    /// What names the record in an answer. Without it, all records of the batch come again.
    fn sequence_number(&self) -> String {
        self.member("/dynamodb/SequenceNumber")
    }

    fn member(&self, pointer: &str) -> String {
        let record: Value = serde_json::from_str(&self.text).unwrap_or_default();
        record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// A received message of the queue of changes that were set aside.
#[derive(Clone, Copy, Debug)]
pub struct SetAsideMessage<'a> {
    /// What was sent.
    pub body: &'a str,
    /// How long it has been in the queue.
    pub age: Duration,
}

/// What a function does with changes.
pub trait ChangeHandler: Send + Sync {
    /// Handles changes in their order. Gives how many of them are done, from the first on: the others come again.
    fn handle(&self, records: &[ChangeRecord]) -> impl Future<Output = usize> + Send;

    /// Tries a change again that was set aside.
    fn try_again(&self, message: SetAsideMessage<'_>) -> impl Future<Output = Handled> + Send;
}

/// Each record is read by itself, so that one that cannot be read does not touch the others.
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    event_source: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    event_name: Option<String>,
    dynamodb: StreamRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    #[serde(default)]
    old_image: Option<Item>,
    #[serde(default)]
    new_image: Option<Item>,
    /// Seconds. AWS does not promise that it is there.
    #[serde(default)]
    approximate_creation_date_time: Option<f64>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchAnswer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Handles batches of the stream and of the queue, and requests, for as long as the function lives. With a bad setting, every
/// change comes again, and every answer is 503.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_changes_and_requests<H: ChangeHandler + Handler>(
    set_up: Result<H, BadSetting>,
) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |handler: Option<&H>, event: Box<RawValue>| {
        match serde_json::from_str::<Batch>(event.get()) {
            Ok(Batch { records }) => Ok(json!(handle_batch(handler, &records, System.now_ms()).await)),
            Err(_) => answer_event(handler, event.get()).await,
        }
    })
    .await
}

/// A message is answered alone. Of the stream's records, Lambda goes on at the failed one, so that the ones after it come again
/// too.
async fn handle_batch<H: ChangeHandler>(handler: Option<&H>, records: &[Box<RawValue>], now_ms: u64) -> BatchAnswer {
    let (mut changes, mut failed) = (Vec::new(), Vec::new());
    for record in records {
        if is_message(record.get()) {
            failed.extend(handle_message(handler, record.get(), now_ms).await);
        } else {
            changes.push(ChangeRecord::parse(record.get(), now_ms));
        }
    }
    let done = match handler {
        Some(handler) if !changes.is_empty() => handler.handle(&changes).await,
        Some(_) | None => 0,
    };
    failed.extend(changes.get(done).map(ChangeRecord::sequence_number));
    let failures = failed.into_iter().map(|item_identifier| Failure { item_identifier });
    BatchAnswer { batch_item_failures: failures.collect() }
}

fn is_message(record: &str) -> bool {
    let source = serde_json::from_str::<Source>(record).ok().and_then(|it| it.event_source);
    source.is_some_and(|source| source == "aws:sqs")
}

/// Gives the message's id where it comes out again.
async fn handle_message<H: ChangeHandler>(handler: Option<&H>, record: &str, now_ms: u64) -> Option<String> {
    let message = serde_json::from_str::<SqsMessage>(record).unwrap_or_default();
    let sent_ms = message.attributes.get("SentTimestamp").and_then(|time| time.parse().ok());
    let age = Duration::from_millis(now_ms.saturating_sub(sent_ms.unwrap_or(now_ms)));
    let outcome = match (handler, &message.body) {
        (Some(handler), Some(body)) => handler.try_again(SetAsideMessage { body, age }).await,
        (Some(_) | None, _) => Handled::Again,
    };
    (outcome == Handled::Again).then(|| message.message_id.unwrap_or_default())
}

impl Record {
    fn change(self, now_ms: u64) -> Result<RowChange, String> {
        let StreamRecord { old_image, new_image, approximate_creation_date_time } = self.dynamodb;
        if new_image.is_none() && self.event_name.as_deref() != Some("REMOVE") {
            return Err("it has no new image".into());
        }
        let at = approximate_creation_date_time.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let at_ms = at.and_then(|at| u64::try_from(at.as_millis()).ok()).unwrap_or(now_ms);
        Ok(RowChange { old: old_image, new: new_image, at_ms })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Is done with so many changes, and with messages that say so. Writes down what it was given.
    struct Until(usize, Mutex<Vec<String>>);

    impl ChangeHandler for Until {
        async fn handle(&self, records: &[ChangeRecord]) -> usize {
            let read = records.iter().map(|record| record.change().map_or_else(str::to_owned, |_| "change".into()));
            self.1.lock().unwrap().extend(read);
            self.0
        }

        async fn try_again(&self, message: SetAsideMessage<'_>) -> Handled {
            self.1.lock().unwrap().push(format!("{} {}", message.body, message.age.as_millis()));
            if message.body == "good" { Handled::Done } else { Handled::Again }
        }
    }

    const RECORDS: &str = r#"{"Records":[
        {"eventID":"1","eventSource":"aws:dynamodb","dynamodb":{"SequenceNumber":"11",
            "ApproximateCreationDateTime":1692960460,
            "Keys":{"transaction_id":{"S":"a"}},"NewImage":{"transaction_id":{"S":"a"}},"SizeBytes":1}},
        {"eventID":"2","dynamodb":{"SequenceNumber":"12","ApproximateCreationDateTime":1.69296046e9,
            "NewImage":{"version":{"N":"1"}}}},
        {"dynamodb":{"SequenceNumber":"13","NewImage":{},"OldImage":{}}},
        {"eventName":"REMOVE","dynamodb":{"SequenceNumber":"14","OldImage":{}}}]}"#;

    fn batch(text: &str) -> Vec<Box<RawValue>> {
        serde_json::from_str::<Batch>(text).unwrap().records
    }

    async fn failed(done: usize, text: &str) -> (Vec<String>, Vec<String>) {
        let handler = Until(done, Mutex::default());
        let answer = handle_batch(Some(&handler), &batch(text), 5).await;
        let failed = answer.batch_item_failures.into_iter().map(|it| it.item_identifier).collect();
        (failed, handler.1.into_inner().unwrap())
    }

    #[tokio::test]
    async fn the_first_change_that_is_not_done_is_where_lambda_goes_on() {
        for (done, expected) in [(0, vec!["11"]), (2, vec!["13"]), (4, vec![])] {
            let (failed, given) = failed(done, RECORDS).await;
            assert_eq!((failed, given), (expected.into_iter().map(str::to_owned).collect(), vec!["change".into(); 4]));
        }
        let unset = handle_batch(None::<&Until>, &batch(RECORDS), 5).await;
        assert_eq!(unset.batch_item_failures.len(), 1);
    }

    #[test]
    fn a_change_has_the_time_of_the_table() {
        let times = batch(RECORDS).into_iter().map(|record| ChangeRecord::parse(record.get(), 5).at_ms());
        assert_eq!(times.collect::<Vec<_>>(), [1_692_960_460_000, 1_692_960_460_000, 5, 5]);
    }

    #[tokio::test]
    async fn a_record_that_is_none_does_not_touch_its_neighbours() {
        let good = r#"{"dynamodb":{"SequenceNumber":"1","NewImage":{"version":{"N":"1"}}}}"#;
        for bad in [
            "7",
            "null",
            "{}",
            r#"{"dynamodb":{"SequenceNumber":"2"}}"#,
            r#"{"dynamodb":{"SequenceNumber":"2","NewImage":{"version":{"Z":"1"}}}}"#,
            r#"{"dynamodb":{"SequenceNumber":"2","NewImage":{"version":1}}}"#,
            r#"{"eventSource":7,"dynamodb":[]}"#,
        ] {
            let (failed, given) = failed(3, &format!(r#"{{"Records":[{good},{bad},{good}]}}"#)).await;
            let [first, second, third] = given.as_slice() else { panic!("{given:?}") };
            assert_eq!((failed, first.as_str(), third.as_str()), (vec![], "change", "change"), "{bad}");
            assert_ne!(second, "change", "{bad}");
        }
    }

    #[tokio::test]
    async fn a_record_without_a_number_sends_the_batch_back() {
        assert_eq!(failed(0, r#"{"Records":[{}]}"#).await.0, [""]);
    }

    #[tokio::test]
    async fn each_message_of_the_queue_is_answered_alone() {
        let message = |id: &str, body: &str| {
            format!(
                r#"{{"eventSource":"aws:sqs","messageId":"{id}","body":"{body}","attributes":{{"SentTimestamp":"2"}}}}"#
            )
        };
        let odd = r#"{"eventSource":"aws:sqs","messageId":"4"}"#;
        let records = [message("1", "good"), message("2", "bad"), message("3", "good"), odd.into()].join(",");
        let (failed, given) = failed(0, &format!(r#"{{"Records":[{records}]}}"#)).await;
        assert_eq!(failed, ["2", "4"]);
        assert_eq!(given, ["good 3", "bad 3", "good 3"]);
        let unset = handle_batch(None::<&Until>, &batch(&format!(r#"{{"Records":[{records}]}}"#)), 5).await;
        assert_eq!(unset.batch_item_failures.len(), 4);
    }
}
