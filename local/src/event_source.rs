//! The event source mapping: from the queue to its function, with partial batch answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{AwsError, Service};
use crate::event::queue_event;
use crate::function::Function;
use crate::instance::Failure;

/// Feeds one queue to one function.
pub(crate) struct EventSource {
    pub(crate) sqs: Service,
    pub(crate) queue_url: String,
    pub(crate) queue_arn: String,
    pub(crate) function: Arc<Function>,
    pub(crate) batch_size: u32,
}

impl EventSource {
    /// Handles one batch after the other, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            if self.next_batch().await.is_err() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn next_batch(&self) -> Result<(), AwsError> {
        let messages = self.receive().await?;
        if messages.is_empty() {
            return Ok(());
        }
        let event = queue_event(&messages, &self.queue_arn);
        let outcome = self.function.invoke(event.to_string().into()).await;
        for message in done(&messages, outcome) {
            self.delete(message).await?;
        }
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<Value>, AwsError> {
        let request = json!({
            "QueueUrl": self.queue_url,
            "MaxNumberOfMessages": self.batch_size,
            "WaitTimeSeconds": 20,
            "MessageSystemAttributeNames": ["All"],
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let mut answer = self.sqs.call("ReceiveMessage", &request).await?;
        let messages = answer.get_mut("Messages").map(Value::take);
        Ok(messages.and_then(|messages| serde_json::from_value(messages).ok()).unwrap_or_default())
    }

    async fn delete(&self, message: &Value) -> Result<(), AwsError> {
        let message = json!({"QueueUrl": self.queue_url, "ReceiptHandle": message.get("ReceiptHandle")});
        self.sqs.call("DeleteMessage", &message).await.map(drop)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchAnswer {
    batch_item_failures: Option<Vec<ItemFailure>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

/// Which messages are to be deleted, by Lambda's rules: without a usable answer none, and a failed item that names no
/// message (an empty id, an unknown id) fails the whole batch. `null`, `{}` and an empty list mean success.
fn done(messages: &[Value], outcome: Result<impl AsRef<[u8]>, Failure>) -> Vec<&Value> {
    let Some(failed) = outcome.ok().and_then(|answer| failed_items(answer.as_ref())) else { return Vec::new() };
    let (kept, done): (Vec<_>, Vec<_>) = messages.iter().partition(|message| failed.contains(id(message)));
    if kept.len() == failed.len() { done } else { Vec::new() }
}

/// The items that a batch answer names as failed; `None` when it is no such answer.
pub(crate) fn failed_items(answer: &[u8]) -> Option<BTreeSet<String>> {
    let answer = serde_json::from_slice::<Option<BatchAnswer>>(answer).ok()?;
    let failures = answer.and_then(|answer| answer.batch_item_failures).unwrap_or_default();
    Some(failures.into_iter().map(|item| item.item_identifier).collect())
}

fn id(message: &Value) -> &str {
    message.get("MessageId").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(answer: Result<&str, Failure>) -> String {
        let messages: Vec<_> = ["a", "b", "c"].map(|id| json!({"MessageId": id})).into();
        done(&messages, answer).into_iter().map(id).collect()
    }

    #[test]
    fn an_answer_without_failures_deletes_the_batch() {
        for answer in ["null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(deleted(Ok(answer)), "abc", "{answer}");
        }
    }

    #[test]
    fn only_the_failed_messages_are_kept() {
        assert_eq!(deleted(Ok(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#)), "ac");
        assert_eq!(deleted(Ok(r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}"#)), "ac");
    }

    #[test]
    fn an_answer_that_does_not_say_which_keeps_the_batch() {
        for answer in [
            "",
            "nonsense",
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"id":"b"}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"z"}]}"#,
        ] {
            assert_eq!(deleted(Ok(answer)), "", "{answer}");
        }
        assert_eq!(deleted(Err(Failure::Ended)), "");
    }
}
