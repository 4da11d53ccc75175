//! An alarm of the template, evaluated as `CloudWatch` evaluates it.

use serde_json::Value;

use crate::alarms::expression::{Values, evaluate};
use crate::alarms::metrics::{Dimensions, MetricStat, Metrics};
use crate::template::document::Template;

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
}

/// All properties that say when an alarm fires. Another one is an error: it could change the meaning of these.
const KNOWN: [&str; 16] = [
    "AlarmActions",
    "AlarmDescription",
    "AlarmName",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluationPeriods",
    "MetricName",
    "Metrics",
    "Namespace",
    "OKActions",
    "Period",
    "Statistic",
    "Threshold",
    "TreatMissingData",
    "Unit",
];

pub(crate) struct Alarm<'a> {
    template: &'a Template,
    properties: &'a Value,
}

impl<'a> Alarm<'a> {
    pub(crate) fn of(template: &'a Template, name: &str) -> Self {
        let properties = template.properties(name);
        let unknown = properties.as_object().unwrap().keys().find(|property| !KNOWN.contains(&property.as_str()));
        assert_eq!(unknown, None, "{name}: not understood");
        Self { template, properties }
    }

    /// The state at a time, from the periods that end then.
    pub(crate) fn state(&self, metrics: &Metrics, now_ms: u64) -> State {
        let periods = self.number("EvaluationPeriods");
        let to_alarm =
            if self.properties["DatapointsToAlarm"].is_null() { periods } else { self.number("DatapointsToAlarm") };
        let breaches_if_missing = match self.properties["TreatMissingData"].as_str() {
            Some("breaching") => true,
            Some("notBreaching") => false,
            other => panic!("missing data treated as {other:?} is not understood"),
        };
        let breaching = (0..periods).filter(|ago| {
            let value = self.value(metrics, now_ms - ago * self.period_ms());
            value.map_or(breaches_if_missing, |value| self.is_breaching(value))
        });
        if u64::try_from(breaching.count()).unwrap() >= to_alarm { State::Alarm } else { State::Ok }
    }

    pub(crate) fn period_ms(&self) -> u64 {
        match self.properties["Metrics"].as_array() {
            Some(metrics) => metrics.iter().find_map(|it| self.stat(it)).unwrap().period_ms,
            None => self.number("Period") * 1_000,
        }
    }

    fn value(&self, metrics: &Metrics, end_ms: u64) -> Option<f64> {
        let Some(several) = self.properties["Metrics"].as_array() else {
            let Value::Object(_) = self.properties else { panic!("no alarm") };
            return metrics.statistic(
                &self.metric_stat(self.properties, &self.properties["Statistic"], self.number("Period")),
                end_ms,
            );
        };
        let stats = several.iter().filter_map(|it| Some((it["Id"].as_str().unwrap(), self.stat(it)?)));
        let values: Values =
            stats.filter_map(|(id, stat)| Some((id.to_owned(), metrics.statistic(&stat, end_ms)?))).collect();
        let mut returned = several.iter().filter(|it| it["ReturnData"] != false);
        let (Some(expression), None) = (returned.next(), returned.next()) else { panic!("one of them is watched") };
        evaluate(expression["Expression"].as_str().unwrap(), &values).unwrap_or_else(|error| panic!("{error}"))
    }

    fn stat(&self, metric: &Value) -> Option<MetricStat> {
        let stat = metric["MetricStat"].as_object()?;
        Some(self.metric_stat(&stat["Metric"], &stat["Stat"], self.resolved(&stat["Period"]).parse().unwrap()))
    }

    fn metric_stat(&self, metric: &Value, statistic: &Value, period: u64) -> MetricStat {
        let dimensions = metric["Dimensions"].as_array().unwrap().iter();
        let dimensions: Dimensions =
            dimensions.map(|it| (it["Name"].as_str().unwrap().to_owned(), self.resolved(&it["Value"]))).collect();
        MetricStat {
            namespace: self.resolved(&metric["Namespace"]),
            name: self.resolved(&metric["MetricName"]),
            dimensions,
            statistic: self.resolved(statistic),
            period_ms: period * 1_000,
        }
    }

    fn is_breaching(&self, value: f64) -> bool {
        let threshold: f64 = self.resolved(&self.properties["Threshold"]).parse().unwrap();
        match self.properties["ComparisonOperator"].as_str().unwrap() {
            "GreaterThanThreshold" => value > threshold,
            "GreaterThanOrEqualToThreshold" => value >= threshold,
            "LessThanThreshold" => value < threshold,
            other => panic!("{other} is not understood"),
        }
    }

    fn number(&self, property: &str) -> u64 {
        self.resolved(&self.properties[property]).parse().unwrap()
    }

    /// A value with the parameters' defaults. What a resource is called is its name in the template; the stack is `paykassma`.
    fn resolved(&self, value: &Value) -> String {
        if let Some(text) = value.as_str() {
            return text.to_owned();
        }
        if value.is_number() {
            return value.to_string();
        }
        if let Some(text) = value["Fn::Sub"].as_str() {
            let text = text.replace("${AWS::StackName}", "paykassma");
            assert!(!text.contains("${"), "{text} is not understood");
            return text;
        }
        if let Some(of) = value["Fn::GetAtt"].as_str() {
            return of.strip_suffix(".QueueName").unwrap_or_else(|| panic!("{of} is not understood")).to_owned();
        }
        if let Some([map, key, field]) = value["Fn::FindInMap"].as_array().map(Vec::as_slice) {
            let (map, key) = (map.as_str().unwrap(), self.resolved(key));
            return self.template.section("Mappings")[map][key.as_str()][field.as_str().unwrap()].to_string();
        }
        let name = value["Ref"].as_str().unwrap_or_else(|| panic!("{value} is not understood"));
        match self.template.section("Parameters").get(name) {
            Some(parameter) => self.resolved(&parameter["Default"]),
            None if name == "EventBus" => "paykassma".to_owned(),
            None => name.to_owned(),
        }
    }
}
