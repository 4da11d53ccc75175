//! Metric math, as far as the template uses it. What is not known here is an error.
#![expect(clippy::float_arithmetic, reason = "CloudWatch counts in doubles; none of these is money")]

use std::collections::BTreeMap;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, fail, separated, separated_foldl1};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::token::take_while;

/// An expression over the metrics of an alarm.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Metric(String),
    List(Vec<Self>),
    Call(String, Vec<Self>),
    Infix(&'static str, Box<Self>, Box<Self>),
}

/// The values of an alarm's metrics in one period. `None`: there is no data.
pub(super) type Values = BTreeMap<String, Option<f64>>;

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        any_expression.parse(text).map_err(|error| error.to_string())
    }

    /// The value in one period. Missing data gives none, but for `FILL` and the functions of several metrics.
    pub(super) fn evaluate(&self, values: &Values) -> Result<Option<f64>, String> {
        match self {
            Self::Number(number) => Ok(Some(*number)),
            Self::Metric(id) => values.get(id).copied().ok_or_else(|| format!("there is no metric {id}")),
            Self::List(_) => Err("a list has no value".into()),
            Self::Infix(operator, left, right) => infix(operator, left.evaluate(values)?, right.evaluate(values)?),
            Self::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("FILL", [series, Self::Number(filler)]) => Ok(series.evaluate(values)?.or(Some(*filler))),
                ("IF", [condition, then, otherwise]) => match condition.evaluate(values)? {
                    Some(condition) => if condition == 0.0 { otherwise } else { then }.evaluate(values),
                    None => Ok(None),
                },
                ("SUM", [several]) => Ok(several.several(values)?.into_iter().reduce(|sum, value| sum + value)),
                ("MAX", [several]) => Ok(several.several(values)?.into_iter().reduce(f64::max)),
                _ => Err(format!("{name} with {} arguments is not known", arguments.len())),
            },
        }
    }

    /// The values of several metrics, without those that have none.
    fn several(&self, values: &Values) -> Result<Vec<f64>, String> {
        match self {
            Self::Call(name, none) if name == "METRICS" && none.is_empty() => {
                Ok(values.values().copied().flatten().collect())
            }
            Self::List(items) => items.iter().filter_map(|item| item.evaluate(values).transpose()).collect(),
            Self::Number(_) | Self::Metric(_) | Self::Call(..) | Self::Infix(..) => {
                Err(format!("{self:?} is not several metrics"))
            }
        }
    }
}

fn infix(operator: &str, left: Option<f64>, right: Option<f64>) -> Result<Option<f64>, String> {
    let Some((left, right)) = left.zip(right) else {
        let is_arithmetic = ["+", "-", "*", "/"].contains(&operator);
        return if is_arithmetic { Ok(None) } else { Err(format!("{operator} of missing data: use FILL")) };
    };
    let truth = |is_true| Ok(Some(if is_true { 1.0 } else { 0.0 }));
    match operator {
        "+" => Ok(Some(left + right)),
        "-" => Ok(Some(left - right)),
        "*" => Ok(Some(left * right)),
        "/" => Ok((right != 0.0).then(|| left / right)),
        "<" => truth(left < right),
        "<=" => truth(left <= right),
        ">" => truth(left > right),
        ">=" => truth(left >= right),
        "==" => truth(left.total_cmp(&right).is_eq()),
        "AND" => truth(left != 0.0 && right != 0.0),
        "OR" => truth(left != 0.0 || right != 0.0),
        _ => Err(format!("{operator} is not known")),
    }
}

/// The operators, from those that bind least to those that bind most.
const LEVELS: [&[&str]; 5] = [&["OR"], &["AND"], &["==", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/"]];

fn any_expression(input: &mut &str) -> winnow::Result<Expression> {
    level(&LEVELS, input)
}

fn level(levels: &[&[&'static str]], input: &mut &str) -> winnow::Result<Expression> {
    let Some((operators, tighter)) = levels.split_first() else { return spaced(operand).parse_next(input) };
    let operator = |input: &mut &str| match operators.iter().find(|operator| input.starts_with(**operator)) {
        Some(operator) => operator.value(*operator).parse_next(input),
        None => fail.parse_next(input),
    };
    let side = |input: &mut &str| level(tighter, input);
    let pair = |left, operator, right| Expression::Infix(operator, Box::new(left), Box::new(right));
    separated_foldl1(side, operator, pair).parse_next(input)
}

fn operand(input: &mut &str) -> winnow::Result<Expression> {
    let items = || separated(0.., any_expression, ',');
    alt((
        take_while(1.., ('0'..='9', '.')).parse_to().map(Expression::Number),
        delimited('(', any_expression, ')'),
        delimited('[', items(), ']').map(Expression::List),
        (name, delimited('(', items(), ')')).map(|(name, arguments)| Expression::Call(name, arguments)),
        name.map(Expression::Metric),
    ))
    .parse_next(input)
}

fn name(input: &mut &str) -> winnow::Result<String> {
    take_while(1.., ('a'..='z', 'A'..='Z', '0'..='9', '_')).map(str::to_owned).parse_next(input)
}

/// What `inner` reads, and the spaces around it.
fn spaced<'i, T>(inner: impl Parser<&'i str, T, ContextError>) -> impl Parser<&'i str, T, ContextError> {
    delimited(multispace0, inner, multispace0)
}

fn value(text: &str, values: &[(&str, Option<f64>)]) -> Result<Option<f64>, String> {
    let values = values.iter().map(|(id, value)| ((*id).to_owned(), *value)).collect();
    Expression::parse(text)?.evaluate(&values)
}

#[test]
fn an_expression_has_the_value_that_cloudwatch_gives_it() {
    let metrics = [("m1", Some(5.0)), ("m2", Some(2.0)), ("none", None)];
    for (text, expected) in [
        ("m1", Some(5.0)),
        ("m1 + m2 * 3", Some(11.0)),
        ("(m1+m2)*3", Some(21.0)),
        ("m1 - m2 - 1", Some(2.0)),
        ("m1 / m2", Some(2.5)),
        ("m1 / (m2 - 2)", None),
        ("m1 + none", None),
        ("none / 3600", None),
        ("FILL(none, 0) + m1", Some(5.0)),
        ("FILL(m1, 0)", Some(5.0)),
        ("SUM(METRICS())", Some(7.0)),
        ("MAX(METRICS())", Some(5.0)),
        ("MAX( [ m2, 3.5, none ] )", Some(3.5)),
        ("SUM([none])", None),
        ("m1 > 4 AND m2 == 2", Some(1.0)),
        ("m1 < 4 OR m2 >= 3", Some(0.0)),
        ("1 OR 0 AND 0", Some(1.0)),
        ("IF(m1 <= 5, m2, none)", Some(2.0)),
        ("IF(m1 > 5, m2, none)", None),
        ("IF(none, 1, 2)", None),
        ("100 * FILL(m1, 0) / (FILL(m2, 0) + FILL(none, 0))", Some(250.0)),
    ] {
        assert_eq!(value(text, &metrics), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_not_known_is_an_error() {
    let metrics = [("m1", Some(5.0)), ("none", None)];
    for text in [
        "",
        "m1 +",
        "m1 m1",
        "m1 ** 2",
        "m1 != 5",
        "m2",
        "ANOMALY_DETECTION_BAND(m1)",
        "FILL(m1, REPEAT)",
        "FILL(m1)",
        "IF(m1, 1)",
        "METRICS()",
        "SUM(m1)",
        "SUM(METRICS('errors'))",
        "[m1]",
        "none > 0",
        "none AND 1",
    ] {
        assert!(value(text, &metrics).is_err(), "{text:?}");
    }
}
