//! What Lambda does with a batch of a stream: retries, cuts and gives up, with `ReportBatchItemFailures` and
//! `BisectBatchOnFunctionError`. AWS describes it in "Lambda parameters for DynamoDB event source mappings" and "Configuring
//! partial batch response with DynamoDB and Lambda".

use std::time::Duration;

use serde_json::{Value, json};

use crate::event_source::failed_items;
use crate::instance::Failure;

/// The limits of an event source mapping.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// `BatchSize`.
    pub batch_size: u32,
    /// `MaximumRetryAttempts`.
    pub retries: u32,
    /// `MaximumRecordAgeInSeconds`.
    pub age: Duration,
}

/// The deployed limits. A test compares them with the template.
pub const STREAM_LIMITS: StreamLimits = StreamLimits { batch_size: 100, retries: 10_000, age: Duration::from_hours(6) };

/// Records that are handed to the function together.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Value>,
    /// How often it came again without getting shorter.
    pub(crate) retries: u32,
}

/// Why a batch is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    RetryAttemptsExhausted,
    RecordAgeExceeded,
}

impl Batch {
    /// A batch that was not handed over yet.
    pub(crate) fn new(records: Vec<Value>) -> Self {
        Self { records, retries: 0 }
    }

    /// Why the batch is given up now, if it is: all of it, although only one record may be the reason.
    pub(crate) fn given_up(&self, limits: &StreamLimits, now: Duration) -> Option<Condition> {
        let first = self.records.first().and_then(changed_at).unwrap_or(now);
        if self.retries > limits.retries {
            Some(Condition::RetryAttemptsExhausted)
        } else if now.saturating_sub(first) > limits.age {
            Some(Condition::RecordAgeExceeded)
        } else {
            None
        }
    }

    /// What is still to be handed over after an answer, in this order.
    ///
    /// A reported record comes again with everything behind it, and what is before it is done. If the answer reports nothing that
    /// is in the batch, or there is none, the batch is cut in two halves. A cut does not count as a retry. A batch that cannot be cut
    /// comes again as it is.
    pub(crate) fn after(mut self, outcome: Result<impl AsRef<[u8]>, Failure>) -> Vec<Self> {
        let retries = self.retries;
        let again = |records| Self { records, retries };
        match Outcome::of(&self.records, outcome) {
            Outcome::Done => Vec::new(),
            Outcome::FailedAt(place) if place > 0 => vec![again(self.records.split_off(place))],
            Outcome::Failed if self.records.len() > 1 => {
                let second = self.records.split_off(self.records.len().div_euclid(2));
                vec![again(self.records), again(second)]
            }
            Outcome::FailedAt(_) | Outcome::Failed => vec![Self { retries: retries.saturating_add(1), ..self }],
        }
    }

    /// What the destination for failures gets: the position in the stream, and no row.
    pub(crate) fn position(&self, stream: (&str, &str), condition: Condition) -> Value {
        let number = |record: Option<&Value>| record.map(sequence_number).unwrap_or_default();
        json!({
            "requestContext": {
                "condition": format!("{condition:?}"),
                "approximateInvokeCount": self.retries.saturating_add(1),
            },
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "streamArn": stream.0,
                "shardId": stream.1,
                "startSequenceNumber": number(self.records.first()),
                "endSequenceNumber": number(self.records.last()),
                "batchSize": self.records.len(),
            },
        })
    }
}

/// What an answer says about a batch.
enum Outcome {
    Done,
    /// The first record that is not done.
    FailedAt(usize),
    /// The batch, without a word about a record.
    Failed,
}

impl Outcome {
    fn of(records: &[Value], outcome: Result<impl AsRef<[u8]>, Failure>) -> Self {
        let Some(failed) = outcome.ok().and_then(|answer| failed_items(answer.as_ref())) else { return Self::Failed };
        let places = failed.iter().map(|id| records.iter().position(|record| sequence_number(record) == *id));
        match places.collect::<Option<Vec<_>>>() {
            Some(places) => places.into_iter().min().map_or(Self::Done, Self::FailedAt),
            None => Self::Failed,
        }
    }
}

/// The place of a change in its stream.
pub(crate) fn sequence_number(record: &Value) -> String {
    record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// When the table changed the row, since 1970.
pub(crate) fn changed_at(record: &Value) -> Option<Duration> {
    let seconds = record.pointer("/dynamodb/ApproximateCreationDateTime").and_then(Value::as_f64);
    seconds.and_then(|it| Duration::try_from_secs_f64(it).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: StreamLimits = StreamLimits { batch_size: 4, retries: 2, age: Duration::from_mins(1) };

    fn batch(numbers: &str) -> Batch {
        let record =
            |it: char| json!({"dynamodb": {"SequenceNumber": it.to_string(), "ApproximateCreationDateTime": 100}});
        Batch::new(numbers.chars().map(record).collect())
    }

    fn numbers(batches: &[Batch]) -> Vec<(String, u32)> {
        let numbers = |batch: &Batch| batch.records.iter().map(sequence_number).collect::<String>();
        batches.iter().map(|batch| (numbers(batch), batch.retries)).collect()
    }

    fn failing(id: &str) -> String {
        json!({"batchItemFailures": [{"itemIdentifier": id}]}).to_string()
    }

    #[test]
    fn a_batch_without_failures_is_done() {
        for answer in [r#"{"batchItemFailures":[]}"#, "null", "{}"] {
            assert_eq!(batch("1234").after(Ok(answer)), [], "{answer}");
        }
    }

    #[test]
    fn the_reported_record_and_everything_behind_it_come_again() {
        assert_eq!(numbers(&batch("1234").after(Ok(failing("3")))), [("34".into(), 0)]);
        let two = r#"{"batchItemFailures":[{"itemIdentifier":"4"},{"itemIdentifier":"2"}]}"#;
        assert_eq!(numbers(&batch("1234").after(Ok(two))), [("234".into(), 0)]);
    }

    #[test]
    fn a_record_that_fails_again_holds_all_behind_it_until_all_are_given_up() {
        let mut held = batch("1234").after(Ok(failing("2"))).pop().unwrap();
        for _ in 0..=FEW.retries {
            assert_eq!(held.given_up(&FEW, Duration::from_secs(100)), None);
            held = held.after(Ok(failing("2"))).pop().unwrap();
        }
        assert_eq!(numbers(std::slice::from_ref(&held)), [("234".into(), 3)]);
        assert_eq!(held.given_up(&FEW, Duration::from_secs(100)), Some(Condition::RetryAttemptsExhausted));
        let position = held.position(("stream", "shard"), Condition::RetryAttemptsExhausted);
        let info = &position["DDBStreamBatchInfo"];
        assert_eq!((&info["startSequenceNumber"], &info["endSequenceNumber"]), (&json!("2"), &json!("4")));
        assert_eq!(info["batchSize"], 3, "two of them could have been published");
        assert!(!position.to_string().contains("ApproximateCreationDateTime"), "no record is in it");
    }

    #[test]
    fn a_batch_is_given_up_when_its_first_record_is_too_old() {
        assert_eq!(batch("12").given_up(&FEW, Duration::from_secs(160)), None);
        assert_eq!(batch("12").given_up(&FEW, Duration::from_secs(161)), Some(Condition::RecordAgeExceeded));
        let timeless = Batch::new(vec![json!({"dynamodb": {"SequenceNumber": "1"}})]);
        assert_eq!(timeless.given_up(&FEW, Duration::from_secs(161)), None);
    }

    #[test]
    fn a_batch_that_fails_without_a_word_is_cut_in_two_and_a_cut_is_no_retry() {
        let odd = [
            Err(Failure::Ended),
            Ok("nonsense".to_owned()),
            Ok(failing("9")),
            Ok(failing("")),
            Ok(r#"{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"9"}]}"#.to_owned()),
        ];
        for outcome in odd {
            let halves = batch("123").after(outcome);
            assert_eq!(numbers(&halves), [("1".into(), 0), ("23".into(), 0)]);
        }
        let alone = batch("1").after(Err::<String, _>(Failure::Ended));
        assert_eq!(numbers(&alone), [("1".into(), 1)]);
    }
}
