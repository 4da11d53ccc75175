//! What `CloudWatch` reads from lines in the embedded metric format.
#![expect(clippy::float_arithmetic, reason = "CloudWatch counts in doubles; none of these is money")]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A time in milliseconds.
pub(super) type Time = u64;

/// A metric: its namespace, its name and its dimensions.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: BTreeMap<String, String>,
}

/// How the values of a period become one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub(super) enum Statistic {
    Sum,
    Maximum,
    Minimum,
}

/// Everything that was reported: the values of each metric by their time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data(BTreeMap<Metric, BTreeMap<Time, Vec<f64>>>);

impl Data {
    /// Reads the lines.
    ///
    /// # Errors
    /// `CloudWatch` would not count a line, or not all of it.
    pub(super) fn read(lines: &[String]) -> Result<Self, String> {
        let mut data = Self::default();
        for line in lines {
            data.extend(read_line(line).map_err(|reason| format!("{reason}: {line}"))?);
        }
        Ok(data)
    }

    /// What was reported at this time or later.
    pub(super) fn since(mut self, at: Time) -> Self {
        self.0.values_mut().for_each(|values| *values = values.split_off(&at));
        self
    }

    fn times(&self) -> impl Iterator<Item = Time> {
        self.0.values().flat_map(BTreeMap::keys).copied()
    }

    /// The same, so long ago that the last of it was reported just before `end`.
    pub(super) fn ending(&self, end: Time) -> Self {
        let last = self.times().max().unwrap_or_default();
        let moved = |(at, values): (&Time, &Vec<f64>)| (end - 1 - (last - at), values.clone());
        Self(self.0.iter().map(|(metric, values)| (metric.clone(), values.iter().map(moved).collect())).collect())
    }

    /// From the first report to the last.
    pub(super) fn duration(&self) -> Time {
        self.times().max().unwrap_or_default() - self.times().min().unwrap_or_default()
    }

    pub(super) fn extend(&mut self, other: Self) {
        for (metric, reported) in other.0 {
            let all = self.0.entry(metric).or_default();
            for (at, values) in reported {
                all.entry(at).or_default().extend(values);
            }
        }
    }

    /// The same with the values of a metric so many times as large.
    pub(super) fn scaled(mut self, name: &str, factor: f64) -> Self {
        let metrics = self.0.iter_mut().filter(|(metric, _)| metric.name == name);
        metrics.flat_map(|(_, values)| values.values_mut().flatten()).for_each(|value| *value *= factor);
        self
    }

    /// A metric's value in a period.
    pub(super) fn value(&self, metric: &Metric, statistic: Statistic, period: &Range<Time>) -> Option<f64> {
        let values = self.0.get(metric)?.range(period.clone()).flat_map(|(_, values)| values).copied();
        match statistic {
            Statistic::Sum => values.reduce(|sum, value| sum + value),
            Statistic::Maximum => values.reduce(f64::max),
            Statistic::Minimum => values.reduce(f64::min),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Metadata {
    timestamp: Time,
    cloud_watch_metrics: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Directive {
    namespace: String,
    dimensions: Vec<Vec<String>>,
    metrics: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    name: String,
    #[serde(rename = "Unit")]
    _unit: Option<Unit>,
}

/// The units that we use.
#[derive(Deserialize)]
enum Unit {
    Count,
    Seconds,
}

fn read_line(line: &str) -> Result<Data, String> {
    let line: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let metadata = line.get("_aws").ok_or("no _aws")?;
    let metadata = Metadata::deserialize(metadata).map_err(|error| error.to_string())?;
    let mut data = Data::default();
    for directive in &metadata.cloud_watch_metrics {
        for names in &directive.dimensions {
            let dimensions = dimensions(&line, names)?;
            for Named { name, .. } in &directive.metrics {
                let metric = Metric {
                    namespace: directive.namespace.clone(),
                    name: name.clone(),
                    dimensions: dimensions.clone(),
                };
                data.extend(Data([(metric, [(metadata.timestamp, values(&line, name)?)].into())].into()));
            }
        }
    }
    Ok(data)
}

fn dimensions(line: &Map<String, Value>, names: &[String]) -> Result<BTreeMap<String, String>, String> {
    if names.len() > 30 {
        return Err("more than 30 dimensions".into());
    }
    let value = |name: &String| match line.get(name) {
        Some(Value::String(value)) if !value.is_empty() => Ok((name.clone(), value.clone())),
        _ => Err(format!("the dimension {name} is not text")),
    };
    names.iter().map(value).collect()
}

fn values(line: &Map<String, Value>, name: &str) -> Result<Vec<f64>, String> {
    let value = line.get(name).ok_or_else(|| format!("there is no {name}"))?;
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if values.len() > 100 {
        return Err(format!("more than 100 values of {name}"));
    }
    values.iter().map(|value| value.as_f64().ok_or_else(|| format!("{name} is not a number"))).collect()
}

/// AWS's own example: a line with two dimension sets.
const LINE: &str = r#"{"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"lambda-function-metrics",
    "Dimensions":[["functionVersion"],["functionVersion","name"]],"Metrics":[{"Name":"time","Unit":"Count"},{"Name":"size"}]}]},
    "functionVersion":"$LATEST","name":"x","time":100,"size":[1,2.5],"requestId":"989ffbf8-9ace-4817-a57c-e4dd734019ee"}"#;

fn metric(name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimensions = dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Metric { namespace: "lambda-function-metrics".into(), name: name.into(), dimensions }
}

#[test]
fn a_line_counts_in_each_of_its_dimension_sets_with_all_of_its_values() {
    let data = Data::read(&[LINE.to_owned(), LINE.replace("004,", "005,")]).unwrap();
    let version = ("functionVersion", "$LATEST");
    let value = |metric, statistic, end| data.value(&metric, statistic, &(1_574_109_732_004..end));
    for dimensions in [&[version][..], &[version, ("name", "x")]] {
        assert_eq!(value(metric("size", dimensions), Statistic::Sum, 1_574_109_732_005), Some(3.5));
        assert_eq!(value(metric("size", dimensions), Statistic::Maximum, 1_574_109_732_006), Some(2.5));
        assert_eq!(value(metric("time", dimensions), Statistic::Sum, 1_574_109_732_006), Some(200.0));
    }
    assert_eq!(value(metric("time", &[("name", "x")]), Statistic::Sum, 1_574_109_732_006), None, "no such set");
    assert_eq!(value(metric("time", &[version]), Statistic::Sum, 1_574_109_732_004), None, "the end is not in it");
}

#[test]
fn a_line_that_cloudwatch_does_not_count_is_an_error() {
    for (from, to) in [
        (r#""time":100"#, r#""time":"100""#),
        (r#""time":100"#, r#""time":null"#),
        (r#""time":100,"#, ""),
        ("[1,2.5]", "[1,true]"),
        (r#""functionVersion":"$LATEST""#, r#""functionVersion":7"#),
        (r#""functionVersion":"$LATEST","#, ""),
        (r#""Timestamp":1574109732004,"#, ""),
        (r#""Unit":"Count""#, r#""Unit":"Pieces""#),
        (r#"[["functionVersion"],["functionVersion","name"]]"#, r#"["functionVersion"]"#),
        (r#""Namespace":"lambda-function-metrics","#, ""),
        (r#""_aws""#, r#""aws""#),
    ] {
        let line = LINE.replacen(from, to, 1);
        assert!(line != LINE && Data::read(&[line]).is_err(), "{to}");
    }
}
