//! The event source mapping: from the table's stream to its function, in order, as Lambda does it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::{AwsError, REGION, Service};
use crate::clock::now_ms;
use crate::deployment::full_name;
use crate::dynamodb::{STREAMS_PREFIX, mark_as_read};
use crate::error::{Doing, StartError};
use crate::function::Function;
use crate::logs::Logs;
use crate::stream_batch::{Batch, Condition, StreamLimits, changed_at, sequence_number};
use crate::stream_filter::Filter;

/// The wait while there is nothing to do, and the one after a failure.
const PAUSE: Duration = Duration::from_millis(200);

/// Where goes what is given up.
pub(crate) struct Destination {
    pub(crate) sqs: Service,
    pub(crate) queue_url: String,
}

impl Destination {
    /// Sends a message, as long as it takes.
    pub(crate) async fn send(&self, body: &Value) {
        let send = json!({"QueueUrl": self.queue_url, "MessageBody": body.to_string()});
        while self.sqs.call("SendMessage", &send).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Feeds the changes of one table to one function.
pub(crate) struct StreamSource {
    streams: Service,
    dynamodb: Service,
    function: Arc<Function>,
    destination: Destination,
    logs: Arc<Logs>,
    limits: StreamLimits,
    filter: Filter,
    arn: String,
    shard: String,
    iterator: String,
}

impl StreamSource {
    /// Stands where the stream ends now.
    pub(crate) async fn at_end(
        dynamodb: Service,
        arn: String,
        limits: StreamLimits,
        function: Arc<Function>,
        destination: Destination,
        logs: Arc<Logs>,
    ) -> Result<StreamSource, StartError> {
        let filter = Filter::deployed().map_err(std::io::Error::from).doing("the stream's filter")?;
        let streams = dynamodb.with_prefix(STREAMS_PREFIX);
        let described = streams.call("DescribeStream", &json!({"StreamArn": arn})).await?;
        let shard = text(&described, "/StreamDescription/Shards/0/ShardId");
        let latest = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST"});
        let got = streams.call("GetShardIterator", &latest).await?;
        let iterator = text(&got, "/ShardIterator");
        Ok(StreamSource { streams, dynamodb, function, destination, logs, limits, filter, arn, shard, iterator })
    }

    /// Handles one batch after the other, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            match self.next_records().await {
                Ok(Some(records)) => {
                    let last = records.last().map(sequence_number).unwrap_or_default();
                    self.hand_over(records).await;
                    // If this fails, the next batch marks these changes too.
                    let _ = mark_as_read(&self.dynamodb, &self.arn, &last).await;
                }
                Ok(None) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Takes the next records from the stream; `None` when there are none.
    async fn next_records(&mut self) -> Result<Option<Vec<Value>>, AwsError> {
        let get = json!({"ShardIterator": self.iterator, "Limit": self.limits.batch_size});
        let mut answer = self.streams.call("GetRecords", &get).await?;
        let records = answer.get_mut("Records").map(Value::take);
        let records: Vec<Value> = records.and_then(|records| serde_json::from_value(records).ok()).unwrap_or_default();
        if records.is_empty() {
            return Ok(None);
        }
        self.iterator = text(&answer, "/NextShardIterator");
        Ok(Some(records))
    }

    /// Hands the records that pass the filter to the function until all of them are done or given up. Nothing behind them is taken
    /// from the stream before that.
    async fn hand_over(&self, records: Vec<Value>) {
        let records: Vec<_> =
            records.into_iter().filter(|it| self.filter.passes(it)).map(|it| self.record(it)).collect();
        let mut left = if records.is_empty() { Vec::new() } else { vec![Batch::new(records)] };
        while let Some(batch) = left.pop() {
            if let Some(condition) = batch.given_up(&self.limits, Duration::from_millis(now_ms())) {
                self.give_up(&batch, condition).await;
                continue;
            }
            self.count_age(&batch);
            let event = json!({"Records": &batch.records});
            let outcome = self.function.invoke(event.to_string().into()).await;
            let rest = batch.after(outcome);
            let has_failed = !rest.is_empty();
            left.extend(rest.into_iter().rev());
            if has_failed {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The age of the newest record of a batch, as Lambda gives it.
    fn count_age(&self, batch: &Batch) {
        let now = Duration::from_millis(now_ms());
        let age = batch.records.last().and_then(changed_at).map_or(Duration::ZERO, |at| now.saturating_sub(at));
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let name = full_name(self.function.name());
        self.logs.count("AWS/Lambda", &[("FunctionName", &name)], &[("IteratorAge", age_ms)]);
    }

    /// Sends the position of a batch to the destination.
    async fn give_up(&self, batch: &Batch, condition: Condition) {
        let count = batch.records.len();
        self.logs.add(self.function.name(), format!("{count} changes were given up: {condition:?}"));
        self.destination.send(&batch.position((&self.arn, &self.shard), condition)).await;
    }

    fn record(&self, mut record: Value) -> Value {
        if let Some(record) = record.as_object_mut() {
            record.insert("eventSource".into(), json!("aws:dynamodb"));
            record.insert("eventSourceARN".into(), json!(self.arn));
            record.insert("awsRegion".into(), json!(REGION));
        }
        record
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
