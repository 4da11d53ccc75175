//! The event source mapping: from the table's stream to its function, in order, with partial batch answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::{AwsError, Service};
use crate::event_source::failed_items;
use crate::function::Function;
use crate::instance::Failure;
use crate::logs::Logs;

/// The prefix of the stream's operations on the wire.
pub(crate) const PREFIX: &str = "DynamoDBStreams_20120810";
/// Most changes of a batch.
const BATCH: u32 = 100;
/// How often a change is tried before it is given up.
const TRIES: u32 = 5;
/// The wait while there is nothing to do, and the one after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Feeds the changes of one table to one function.
pub(crate) struct StreamSource {
    pub(crate) streams: Service,
    pub(crate) function: Arc<Function>,
    pub(crate) logs: Arc<Logs>,
    arn: String,
    iterator: String,
    tries: u32,
}

impl StreamSource {
    /// Stands where the stream ends now.
    pub(crate) async fn at_end(
        streams: Service,
        table: &str,
        function: Arc<Function>,
        logs: Arc<Logs>,
    ) -> Result<StreamSource, AwsError> {
        let found = streams.call("ListStreams", &json!({"TableName": table})).await?;
        let arn = text(&found, "/Streams/0/StreamArn");
        let described = streams.call("DescribeStream", &json!({"StreamArn": arn})).await?;
        let shard = text(&described, "/StreamDescription/Shards/0/ShardId");
        let latest = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST"});
        let got = streams.call("GetShardIterator", &latest).await?;
        let iterator = text(&got, "/ShardIterator");
        Ok(StreamSource { streams, function, logs, arn, iterator, tries: 0 })
    }

    /// Handles one batch after the other, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            if !self.next_batch().await.unwrap_or_default() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Whether there was something to do, and all of it is done.
    async fn next_batch(&mut self) -> Result<bool, AwsError> {
        let get = json!({"ShardIterator": self.iterator, "Limit": BATCH});
        let mut answer = self.streams.call("GetRecords", &get).await?;
        let next = text(&answer, "/NextShardIterator");
        let records = answer.get_mut("Records").map(Value::take);
        let records: Vec<Value> = records.and_then(|records| serde_json::from_value(records).ok()).unwrap_or_default();
        if records.is_empty() {
            return Ok(false);
        }
        let event = json!({"Records": records.iter().map(|it| self.record(it)).collect::<Vec<_>>()});
        let outcome = self.function.invoke(event.to_string().into()).await;
        let Some(failed) = first_failed(&records, outcome) else {
            self.iterator = next;
            self.tries = 0;
            return Ok(true);
        };
        self.tries = if failed == 0 { self.tries.saturating_add(1) } else { 0 };
        let gives_up = self.tries >= TRIES;
        if gives_up {
            self.logs.add(self.function.name(), format!("a change was given up after {TRIES} tries"));
            self.tries = 0;
        }
        let kind = if gives_up { "AFTER_SEQUENCE_NUMBER" } else { "AT_SEQUENCE_NUMBER" };
        self.iterator = self.iterator_at(records.get(failed), kind).await?;
        Ok(false)
    }

    fn record(&self, record: &Value) -> Value {
        let mut record = record.clone();
        if let Some(record) = record.as_object_mut() {
            record.insert("eventSourceARN".into(), json!(self.arn));
        }
        record
    }

    async fn iterator_at(&self, record: Option<&Value>, kind: &str) -> Result<String, AwsError> {
        let described = self.streams.call("DescribeStream", &json!({"StreamArn": self.arn})).await?;
        let at = json!({
            "StreamArn": self.arn,
            "ShardId": text(&described, "/StreamDescription/Shards/0/ShardId"),
            "ShardIteratorType": kind,
            "SequenceNumber": record.map(sequence_number),
        });
        let got = self.streams.call("GetShardIterator", &at).await?;
        Ok(text(&got, "/ShardIterator"))
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn sequence_number(record: &Value) -> String {
    text(record, "/dynamodb/SequenceNumber")
}

/// Where the stream goes on, by Lambda's rules: at the earliest failed change, or at the first when the answer does not say.
fn first_failed(records: &[Value], outcome: Result<impl AsRef<[u8]>, Failure>) -> Option<usize> {
    let Some(failed) = outcome.ok().and_then(|answer| failed_items(answer.as_ref())) else { return Some(0) };
    let places = failed.iter().map(|id| records.iter().position(|record| sequence_number(record) == *id));
    places.map(Option::unwrap_or_default).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_goes_on_at_the_earliest_failure() {
        let records: Vec<_> = ["1", "2", "3"].map(|it| json!({"dynamodb": {"SequenceNumber": it}})).into();
        let failed = |answer: Result<&str, Failure>| first_failed(&records, answer);
        assert_eq!(failed(Ok(r#"{"batchItemFailures":[]}"#)), None);
        assert_eq!(failed(Ok("null")), None);
        let two = r#"{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"}]}"#;
        assert_eq!(failed(Ok(two)), Some(1));
        for unclear in [r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#, "nonsense"] {
            assert_eq!(failed(Ok(unclear)), Some(0), "{unclear}");
        }
        assert_eq!(failed(Err(Failure::Ended)), Some(0));
    }
}
