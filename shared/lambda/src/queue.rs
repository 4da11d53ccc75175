//! The queue: messages sent with a delay, handled side by side, and answered each alone.

use std::future::Future;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use futures_util::future::join_all;
use serde::Deserialize;
use tracing::warn;

use crate::{AwsError, BadSetting, serve_events};

/// The right to send a message that comes out later.
pub trait SendLater: Sync {
    /// Sends a message. It comes out at least once, not before the queue's delay for it has passed.
    fn send_later(&self, body: String) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// The right to have a received message come out again at another time.
pub trait Defer: Sync {
    /// Puts the message off.
    fn defer(&self, receipt_handle: &str, time: Duration) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A queue in SQS.
#[derive(Clone, Debug)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
    delay: Duration,
}

impl Queue {
    /// The queue at this URL; what is sent to it comes out after `delay` (at most 900 s).
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: String, delay: Duration) -> Self {
        Self { client, url, delay }
    }
}

pub(crate) fn failed(reason: impl std::fmt::Display) -> AwsError {
    AwsError(format!("the queue failed: {reason}"))
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

impl SendLater for Queue {
    async fn send_later(&self, body: String) -> Result<(), AwsError> {
        let send =
            self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds(self.delay));
        match send.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(error.code().map_or_else(|| error.to_string(), str::to_owned))),
        }
    }
}

impl Defer for Queue {
    async fn defer(&self, receipt_handle: &str, time: Duration) -> Result<(), AwsError> {
        let change = self.client.change_message_visibility().queue_url(&self.url);
        match change.receipt_handle(receipt_handle).visibility_timeout(seconds(time)).send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(error.code().map_or_else(|| error.to_string(), str::to_owned))),
        }
    }
}

/// A received message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What was sent.
    pub body: &'a str,
    /// Names this delivery of the message.
    pub receipt_handle: &'a str,
    /// How many times it was received, this time included.
    pub receive_count: u32,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at_ms: u64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// It is done with.
    Done,
    /// It comes out again, until it has been received too often and goes to the dead letters.
    Again,
}

/// What a function does with a message.
pub trait MessageHandler: Send + Sync {
    /// Handles one message.
    fn handle(&self, message: Message<'_>) -> impl Future<Output = Handled> + Send;
}

/// Handles batches for as long as the function lives. With a bad setting, every message comes out again.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_queue<H: MessageHandler>(set_up: Result<H, BadSetting>) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |handler: Option<&H>, event: SqsEvent| Ok(handle_batch(handler, event.records).await))
        .await
}

/// What a function does on a schedule.
pub trait ScheduleHandler: Send + Sync {
    /// Does it once.
    ///
    /// # Errors
    /// The invocation counts as an error, and the next one tries again.
    fn on_schedule(&self) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A batch of messages. The schedule's event has none.
#[derive(Deserialize)]
struct QueueOrSchedule {
    #[serde(rename = "Records")]
    records: Option<Vec<SqsMessage>>,
}

/// Handles batches and the calls of a schedule for as long as the function lives. With a bad setting, every message comes out again.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_queue_and_schedule<H: MessageHandler + ScheduleHandler>(
    set_up: Result<H, BadSetting>,
) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |handler: Option<&H>, event: QueueOrSchedule| match (handler, event.records) {
        (handler, Some(records)) => Ok(handle_batch(handler, records).await),
        (Some(handler), None) => Ok(handler.on_schedule().await.map(|()| SqsBatchResponse::default())?),
        (None, None) => Err("a setting is wrong".into()),
    })
    .await
}

async fn handle_batch<H: MessageHandler>(handler: Option<&H>, records: Vec<SqsMessage>) -> SqsBatchResponse {
    let outcomes = join_all(records.iter().map(async |record| match handler {
        Some(handler) => handle_record(handler, record).await,
        None => Handled::Again,
    }));
    let mut failures = SqsBatchResponse::default();
    for (record, outcome) in records.iter().zip(outcomes.await) {
        if outcome == Handled::Again {
            // An empty identifier, where a record has none, sends the whole batch back.
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = record.message_id.clone().unwrap_or_default();
            failures.batch_item_failures.push(failure);
        }
    }
    failures
}

async fn handle_record<H: MessageHandler>(handler: &H, record: &SqsMessage) -> Handled {
    let count = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let sent_at_ms = record.attributes.get("SentTimestamp").and_then(|time| time.parse().ok());
    let (Some(body), Some(receipt_handle), Some(receive_count), Some(sent_at_ms)) =
        (&record.body, &record.receipt_handle, count, sent_at_ms)
    else {
        warn!("a record without body, receipt handle, receive count or time");
        return Handled::Again;
    };
    handler.handle(Message { body, receipt_handle, receive_count, sent_at_ms }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OnlyGood;

    impl MessageHandler for OnlyGood {
        async fn handle(&self, message: Message<'_>) -> Handled {
            if message.body == "good" { Handled::Done } else { Handled::Again }
        }
    }

    fn batch(records: &str) -> Vec<SqsMessage> {
        serde_json::from_str(records).unwrap()
    }

    async fn failed(handler: Option<&OnlyGood>, records: &str) -> Vec<String> {
        let answer = handle_batch(handler, batch(records)).await;
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn each_message_is_answered_alone() {
        let attributes = r#""receiptHandle":"h","attributes":{"ApproximateReceiveCount":"1","SentTimestamp":"1"}"#;
        let records = format!(
            r#"[{{"messageId":"1","body":"good",{attributes}}},{{"messageId":"2","body":"bad",{attributes}}},
            {{"messageId":"3"}},{{"messageId":"4","body":"good",{attributes}}}]"#
        );
        assert_eq!(failed(Some(&OnlyGood), &records).await, ["2", "3"]);
        assert_eq!(failed(None, &records).await, ["1", "2", "3", "4"]);
    }

    #[tokio::test]
    async fn a_record_without_an_id_sends_the_batch_back() {
        assert_eq!(failed(Some(&OnlyGood), r#"[{"body":"bad"}]"#).await, [""]);
    }
}
