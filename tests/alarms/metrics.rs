//! Metric data as `CloudWatch` makes it of log lines in the embedded metric format.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The dimensions of a metric, by their names.
pub(crate) type Dimensions = BTreeMap<String, String>;

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Datum {
    namespace: String,
    name: String,
    dimensions: Dimensions,
    at_ms: u64,
    value: f64,
}

/// Which values, and what is made of them in a period.
#[derive(Debug)]
pub(crate) struct MetricStat {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) statistic: String,
    pub(crate) period_ms: u64,
}

/// All values of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics(Vec<Datum>);

impl Metrics {
    /// Reads lines. A line that is a metric must be right in every part: `CloudWatch` drops a wrong one without a word.
    pub(crate) fn read(lines: impl IntoIterator<Item = String>) -> Self {
        Self(lines.into_iter().flat_map(|line| read_line(&line)).collect())
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same run before and after, one for each of so many periods: the cause lasts for so long.
    pub(crate) fn lasting(self, periods: u64, period_ms: u64) -> Self {
        let earlier = |by: u64| self.0.iter().map(move |it| Datum { at_ms: it.at_ms - by * period_ms, ..it.clone() });
        Self((0..periods).flat_map(earlier).collect())
    }

    /// The same values, with those of one metric so much greater.
    pub(crate) fn aged(mut self, name: &str, by: f64) -> Self {
        for it in self.0.iter_mut().filter(|it| it.name == name) {
            it.value += by;
        }
        self
    }

    /// The same run, with its last value at this time.
    pub(crate) fn moved_to(self, last_ms: u64) -> Self {
        let by = last_ms - self.last_ms();
        Self(self.0.into_iter().map(|it| Datum { at_ms: it.at_ms + by, ..it }).collect())
    }

    pub(crate) fn times_ms(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|it| it.at_ms)
    }

    pub(crate) fn last_ms(&self) -> u64 {
        self.times_ms().max().unwrap()
    }

    /// The statistic of a period up to `end_ms`; `None` if there is no value in it.
    pub(crate) fn statistic(&self, stat: &MetricStat, end_ms: u64) -> Option<f64> {
        let is_of = |it: &&Datum| {
            (&it.namespace, &it.name, &it.dimensions) == (&stat.namespace, &stat.name, &stat.dimensions)
                && it.at_ms <= end_ms
                && it.at_ms + stat.period_ms > end_ms
        };
        let values = self.0.iter().filter(is_of).map(|it| it.value);
        match stat.statistic.as_str() {
            "Sum" => values.reduce(|one, other| one + other),
            "Maximum" => values.reduce(f64::max),
            other => panic!("the statistic {other} is not understood"),
        }
    }
}

fn read_line(line: &str) -> Vec<Datum> {
    let Ok(line) = serde_json::from_str::<Value>(line) else { return Vec::new() };
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {line}")).to_owned();
    let mut data = Vec::new();
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        let at_ms = line["_aws"]["Timestamp"].as_u64().unwrap_or_else(|| panic!("no time: {line}"));
        for set in directive["Dimensions"].as_array().unwrap() {
            let names = set.as_array().unwrap().iter().map(text);
            let dimensions: Dimensions = names.map(|name| (name.clone(), text(&line[&name]))).collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = text(&metric["Name"]);
                let value = line[&name].as_f64().unwrap_or_else(|| panic!("{name} is no number: {line}"));
                let namespace = text(&directive["Namespace"]);
                data.push(Datum { namespace, name, dimensions: dimensions.clone(), at_ms, value });
            }
        }
    }
    data
}

/// A line as a service of AWS would write it.
pub(crate) fn line(namespace: &str, (dimension, of): (&str, &str), (name, value): (&str, u64), at_ms: u64) -> String {
    let directive = json!({"Namespace": namespace, "Dimensions": [[dimension]], "Metrics": [{"Name": name}]});
    let mut line = json!({"_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]}});
    line[dimension] = json!(of);
    line[name] = json!(value);
    line.to_string()
}
