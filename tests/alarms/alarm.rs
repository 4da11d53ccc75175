//! An alarm of the template, and its state at a time, as AWS documents it ("Alarm evaluation" and "Configuring how
//! `CloudWatch` alarms treat missing data").
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::alarms::data::{Data, Metric, Statistic, Time};
use crate::alarms::expression::{Expression, Values};
use crate::alarms::names::resolve;
use crate::template::document::Template;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Ok,
    Alarm,
    InsufficientData,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Treatment {
    NotBreaching,
    Breaching,
    Ignore,
    Missing,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Comparison {
    #[serde(rename = "GreaterThanThreshold")]
    Above,
    #[serde(rename = "GreaterThanOrEqualToThreshold")]
    AtLeast,
    #[serde(rename = "LessThanOrEqualToThreshold")]
    AtMost,
    #[serde(rename = "LessThanThreshold")]
    Below,
}

/// The properties that are known here. Another one is an error.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    #[serde(rename = "AlarmName")]
    _name: IgnoredAny,
    #[serde(rename = "AlarmDescription")]
    _description: IgnoredAny,
    #[serde(rename = "AlarmActions")]
    _alarm_actions: IgnoredAny,
    #[serde(rename = "OKActions")]
    _ok_actions: IgnoredAny,
    treat_missing_data: Treatment,
    evaluation_periods: usize,
    datapoints_to_alarm: Option<usize>,
    comparison_operator: Comparison,
    threshold: f64,
    #[serde(default)]
    metrics: Vec<Query>,
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    statistic: Option<Statistic>,
    period: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    id: String,
    #[serde(rename = "Label")]
    _label: Option<IgnoredAny>,
    expression: Option<String>,
    metric_stat: Option<MetricStat>,
    #[serde(default = "yes")]
    return_data: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricStat {
    metric: NamedMetric,
    stat: Statistic,
    period: Time,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct NamedMetric {
    namespace: String,
    metric_name: String,
    dimensions: Vec<Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Dimension {
    name: String,
    value: String,
}

/// An alarm, with the names of the local stack.
pub(super) struct Alarm {
    expression: Expression,
    metrics: BTreeMap<String, (Metric, Statistic)>,
    pub(super) period: Time,
    rule: Rule,
}

/// When an alarm is on, given what happened in each period.
#[derive(Clone, Copy)]
struct Rule {
    periods: usize,
    datapoints: usize,
    missing: Treatment,
    comparison: Comparison,
    threshold: f64,
}

impl Alarm {
    /// Reads the properties of a resource of the template.
    pub(super) fn read(template: &Template, properties: &Value) -> Result<Self, String> {
        let it = Properties::deserialize(resolve(template, properties)?).map_err(|error| error.to_string())?;
        let rule = Rule {
            periods: it.evaluation_periods,
            datapoints: it.datapoints_to_alarm.unwrap_or(it.evaluation_periods),
            missing: it.treat_missing_data,
            comparison: it.comparison_operator,
            threshold: it.threshold,
        };
        let single = (it.namespace, it.metric_name, it.dimensions, it.statistic, it.period);
        let queries = match single {
            (Some(namespace), Some(metric_name), Some(dimensions), Some(stat), Some(period))
                if it.metrics.is_empty() =>
            {
                let metric = NamedMetric { namespace, metric_name, dimensions };
                let metric_stat = Some(MetricStat { metric, stat, period });
                vec![Query { id: "metric".into(), _label: None, expression: None, metric_stat, return_data: true }]
            }
            (None, None, None, None, None) => it.metrics,
            _ => return Err("neither one metric nor several".into()),
        };
        Self::of(queries, rule)
    }

    fn of(queries: Vec<Query>, rule: Rule) -> Result<Self, String> {
        let mut expression = None;
        let mut metrics = BTreeMap::new();
        let mut period = None;
        for Query { id, expression: text, metric_stat, return_data, .. } in queries {
            let result = match (text, metric_stat) {
                (Some(text), None) if return_data => Expression::parse(&text)?,
                (None, Some(MetricStat { metric, stat, period: own })) => {
                    if *period.get_or_insert(own) != own {
                        return Err(format!("{id} has another period than the others"));
                    }
                    metrics.insert(id.clone(), (metric.into(), stat));
                    Expression::Metric(id)
                }
                _ => return Err(format!("{id} is neither the expression nor a metric")),
            };
            if return_data && expression.replace(result).is_some() {
                return Err("several results".into());
            }
        }
        let expression = expression.ok_or("no result")?;
        Ok(Self { expression, metrics, period: period.ok_or("no period")? * 1_000, rule })
    }

    /// In how many periods the cause must be there until it fires.
    pub(super) fn datapoints(&self) -> usize {
        self.rule.datapoints
    }

    /// After how many periods without the cause nothing is left of it.
    pub(super) fn range(&self) -> usize {
        self.rule.periods + MORE.len() - 1
    }

    /// The state at a time, if it has been `before`: `None` if it depends on how many more data points `CloudWatch` reads.
    pub(super) fn state(&self, data: &Data, at: Time, before: State) -> Result<Option<State>, String> {
        let points = (0..self.range()).map(|place| self.point(data, at, place)).collect::<Result<Vec<_>, _>>()?;
        let mut states = MORE.map(|more| self.rule.state(&points[..self.rule.periods + more], before)).into_iter();
        let first = states.next();
        Ok(first.filter(|first| states.all(|state| state == *first)))
    }

    /// The data point of a period. The newest is at the place 0.
    fn point(&self, data: &Data, at: Time, place: usize) -> Result<Option<f64>, String> {
        let end = at - self.period * Time::try_from(place).unwrap();
        let period = end - self.period..end;
        let value = |(metric, statistic): &(Metric, Statistic)| data.value(metric, *statistic, &period);
        let values: Values = self.metrics.iter().map(|(id, metric)| (id.clone(), value(metric))).collect();
        self.expression.evaluate(&values)
    }
}

/// How many more data points `CloudWatch` reads than it needs. AWS does not say it; in its example there are two more.
const MORE: [usize; 3] = [0, 1, 2];

impl From<NamedMetric> for Metric {
    fn from(it: NamedMetric) -> Self {
        let dimensions = it.dimensions.into_iter().map(|it| (it.name, it.value)).collect();
        Self { namespace: it.namespace, name: it.metric_name, dimensions }
    }
}

impl Rule {
    fn is_breaching(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::AtLeast => value >= self.threshold,
            Comparison::Above => value > self.threshold,
            Comparison::Below => value < self.threshold,
            Comparison::AtMost => value <= self.threshold,
        }
    }

    /// The state, given the data points from the newest to the oldest.
    fn state(&self, points: &[Option<f64>], before: State) -> State {
        let real: Vec<_> = points.iter().flatten().take(self.periods).map(|value| self.is_breaching(*value)).collect();
        let breaching = real.iter().filter(|is_breaching| **is_breaching).count();
        let filled = self.periods - real.len();
        let is_all_breaching = real.len() == breaching;
        let oldest = points.iter().rposition(Option::is_some).map_or(0, |place| place + 1);
        let is_on = match self.missing {
            _ if breaching >= self.datapoints => true,
            Treatment::Breaching => breaching + filled >= self.datapoints,
            Treatment::Ignore if filled > 0 && is_all_breaching => return before,
            Treatment::Missing if real.is_empty() => return State::InsufficientData,
            // Nothing but breaching data, and it began long enough ago.
            Treatment::Missing => is_all_breaching && oldest >= self.datapoints,
            Treatment::NotBreaching | Treatment::Ignore => false,
        };
        if is_on { State::Alarm } else { State::Ok }
    }
}

/// A row of AWS's tables: data points from the oldest to the newest (`0` and `X` for within and beyond the threshold), and the states for
/// missing, ignore, breaching and notBreaching. Three periods; five data points are read.
const TABLES: [(usize, &str, [State; 4]); 10] = {
    use State::{Alarm, InsufficientData as None, Ok};
    /// The state before.
    const RETAINED: State = BEFORE;
    [
        (3, "0-X-X", [Ok, Ok, Ok, Ok]),
        (3, "0----", [Ok, Ok, Ok, Ok]),
        (3, "-----", [None, RETAINED, Alarm, Ok]),
        (3, "0XX-X", [Alarm, Alarm, Alarm, Alarm]),
        (3, "--X--", [Alarm, RETAINED, Alarm, Ok]),
        (2, "0-X-X", [Alarm, Alarm, Alarm, Alarm]),
        (2, "00X0X", [Alarm, Alarm, Alarm, Alarm]),
        (2, "0-X--", [Ok, Ok, Alarm, Ok]),
        (2, "----0", [Ok, Ok, Alarm, Ok]),
        (2, "---X-", [Alarm, RETAINED, Alarm, Ok]),
    ]
};
const BEFORE: State = State::InsufficientData;

#[test]
fn missing_data_is_treated_as_in_the_tables_of_aws() {
    for (datapoints, row, states) in TABLES {
        let points: Vec<_> =
            row.chars().rev().map(|it| (it != '-').then_some(if it == 'X' { 1.0 } else { 0.0 })).collect();
        let treatments = [Treatment::Missing, Treatment::Ignore, Treatment::Breaching, Treatment::NotBreaching];
        for (missing, state) in treatments.into_iter().zip(states) {
            let comparison = Comparison::Above;
            let rule = Rule { periods: 3, datapoints, missing, comparison, threshold: 0.0 };
            assert_eq!(rule.state(&points, BEFORE), state, "{datapoints} of 3, {row}, {missing:?}");
        }
    }
}

#[test]
fn a_breach_is_what_the_comparison_says() {
    for (comparison, breaching) in [
        (Comparison::AtLeast, [false, true, true]),
        (Comparison::Above, [false, false, true]),
        (Comparison::Below, [true, false, false]),
        (Comparison::AtMost, [true, true, false]),
    ] {
        let rule = Rule { periods: 1, datapoints: 1, missing: Treatment::NotBreaching, comparison, threshold: 2.0 };
        assert_eq!([1.0, 2.0, 3.0].map(|value| rule.is_breaching(value)), breaching, "{comparison:?}");
    }
}

#[test]
fn a_property_that_is_not_known_is_an_error() {
    let template = Template::read();
    let good = template.properties("PaymentUnmatchedAlarm");
    assert!(Alarm::read(&template, good).is_ok());
    for (name, value) in [
        ("ExtendedStatistic", "p99"),
        ("Statistic", "Average"),
        ("TreatMissingData", "sometimes"),
        ("ComparisonOperator", "GreaterThanUpperThreshold"),
        ("Unit", "Count"),
    ] {
        let bad = crate::flows::support::with(good, name, &value.into());
        assert!(Alarm::read(&template, &bad).is_err(), "{name}");
    }
}
