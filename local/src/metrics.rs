//! What AWS's services count by themselves, as lines in `CloudWatch`'s embedded metric format: as the functions' own metrics are.

use serde_json::{Value, json};

use crate::aws::{AwsError, Service};
use crate::clock::now_ms;
use crate::logs::Logs;
use crate::sqs::{QUEUES, queue_url};

/// The name under which these lines are stored.
pub(crate) const SERVICES: &str = "services";

impl Logs {
    /// Stores values of metrics that have the same dimensions.
    pub(crate) fn count(&self, namespace: &str, dimensions: &[(&str, &str)], values: &[(&str, u64)]) {
        let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
        let metrics: Vec<_> = values.iter().map(|(name, _)| json!({"Name": name})).collect();
        let directive = json!({"Namespace": namespace, "Dimensions": [names], "Metrics": metrics});
        let mut line = json!({"_aws": {"Timestamp": now_ms(), "CloudWatchMetrics": [directive]}});
        if let Value::Object(line) = &mut line {
            line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
            line.extend(values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        }
        self.store(SERVICES, line.to_string());
    }
    /// Counts the messages in each queue, as SQS does every minute.
    pub(crate) async fn count_messages(&self, sqs: &Service) -> Result<(), AwsError> {
        for queue in QUEUES {
            let get = json!({"QueueUrl": queue_url(sqs.url(), queue), "AttributeNames": ["All"]});
            let got = sqs.call("GetQueueAttributes", &get).await?;
            let number = |name: &str| got.pointer(&format!("/Attributes/{name}"))?.as_str()?.parse().ok();
            let values = IN_QUEUE.map(|(name, metric)| (metric, number(name).unwrap_or_default()));
            self.count("AWS/SQS", &[("QueueName", queue)], &values);
        }
        Ok(())
    }
}

/// A queue's attributes, and the metrics that they are.
const IN_QUEUE: [(&str, &str); 3] = [
    ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesVisible"),
    ("ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesNotVisible"),
    ("ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesDelayed"),
];
