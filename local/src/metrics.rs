//! What AWS's services count by themselves, as lines in `CloudWatch`'s embedded metric format: as the functions' own metrics are.

use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::logs::Logs;

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
}
