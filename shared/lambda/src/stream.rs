//! The table's stream: changes of rows in the order in which they were made, answered by how far they are done.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_dynamo::Item;

use crate::{BadSetting, Clock, System, serve_events};

/// A change of a row.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// The row as it was; `None` when it is new.
    pub old: Option<Item>,
    /// The row as it is; `None` when it is gone.
    pub new: Option<Item>,
    /// When the table changed it, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What a function does with changes.
pub trait ChangeHandler: Send + Sync {
    /// Handles changes in their order. Gives how many of them are done, from the first on: the others come again.
    fn handle(&self, changes: &[RowChange]) -> impl Future<Output = usize> + Send;
}

#[derive(Deserialize)]
struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    dynamodb: StreamRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamRecord {
    #[serde(default)]
    old_image: Option<Item>,
    #[serde(default)]
    new_image: Option<Item>,
    sequence_number: String,
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

/// Handles batches for as long as the function lives. With a bad setting, every change comes again.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_stream<H: ChangeHandler>(set_up: Result<H, BadSetting>) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |handler: Option<&H>, event: StreamEvent| {
        Ok(handle_batch(handler, event.records, System.now_ms()).await)
    })
    .await
}

/// Lambda goes on at the failed change, so that the ones after it come again too.
async fn handle_batch<H: ChangeHandler>(handler: Option<&H>, records: Vec<Record>, now_ms: u64) -> BatchAnswer {
    let (numbers, changes): (Vec<_>, Vec<_>) = records.into_iter().map(|record| record.split(now_ms)).unzip();
    let done = match handler {
        Some(handler) => handler.handle(&changes).await,
        None => 0,
    };
    let failed = numbers.into_iter().nth(done).map(|item_identifier| Failure { item_identifier });
    BatchAnswer { batch_item_failures: failed.into_iter().collect() }
}

impl Record {
    fn split(self, now_ms: u64) -> (String, RowChange) {
        let StreamRecord { old_image, new_image, sequence_number, approximate_creation_date_time } = self.dynamodb;
        let at = approximate_creation_date_time.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let at_ms = at.and_then(|at| u64::try_from(at.as_millis()).ok()).unwrap_or(now_ms);
        (sequence_number, RowChange { old: old_image, new: new_image, at_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(usize);

    impl ChangeHandler for Until {
        async fn handle(&self, changes: &[RowChange]) -> usize {
            assert!(changes.iter().all(|change| change.new.is_some()));
            self.0
        }
    }

    fn records() -> Vec<Record> {
        let event = r#"{"Records":[
            {"eventID":"1","dynamodb":{"SequenceNumber":"11","ApproximateCreationDateTime":1692960460,
                "Keys":{"transaction_id":{"S":"a"}},"NewImage":{"transaction_id":{"S":"a"}},"SizeBytes":1}},
            {"eventID":"2","dynamodb":{"SequenceNumber":"12","ApproximateCreationDateTime":1.69296046e9,
                "NewImage":{"version":{"N":"1"}}}},
            {"dynamodb":{"SequenceNumber":"13","NewImage":{},"OldImage":{}}}]}"#;
        serde_json::from_str::<StreamEvent>(event).unwrap().records
    }

    #[tokio::test]
    async fn the_first_change_that_is_not_done_is_where_lambda_goes_on() {
        for (done, failed) in [(0, vec!["11"]), (2, vec!["13"]), (3, vec![])] {
            let answer = handle_batch(Some(&Until(done)), records(), 5).await;
            let found: Vec<_> = answer.batch_item_failures.iter().map(|it| it.item_identifier.as_str()).collect();
            assert_eq!(found, failed);
        }
        let unset = handle_batch(None::<&Until>, records(), 5).await;
        assert_eq!(unset.batch_item_failures.len(), 1);
    }

    #[test]
    fn a_change_has_the_time_of_the_table() {
        let times: Vec<_> = records().into_iter().map(|record| record.split(5).1.at_ms).collect();
        assert_eq!(times, [1_692_960_460_000, 1_692_960_460_000, 5]);
    }
}
