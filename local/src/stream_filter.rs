//! The filter of an event source mapping: which changes reach the function, by Lambda's rules.

use serde_json::{Map, Value};

/// The pattern, as the store has it and the template repeats it.
const PATTERN: &str = include_str!("../../shared/store/src/stream_filter.json");

/// A pattern of `FilterCriteria`: an object of patterns, in which each leaf is a list of what its value may be.
pub(crate) struct Filter(Map<String, Value>);

impl Filter {
    /// The deployed filter.
    ///
    /// # Errors
    ///
    /// The pattern is no JSON object.
    pub(crate) fn deployed() -> serde_json::Result<Filter> {
        serde_json::from_str(PATTERN).map(Filter)
    }

    /// Whether Lambda hands the record to the function.
    pub(crate) fn passes(&self, record: &Value) -> bool {
        matches_all(&self.0, Some(record))
    }
}

/// What the pattern names must match. What it does not name may be anything.
fn matches_all(pattern: &Map<String, Value>, value: Option<&Value>) -> bool {
    pattern.iter().all(|(name, pattern)| {
        let value = value.and_then(|value| value.get(name));
        match pattern {
            Value::Object(pattern) => matches_all(pattern, value),
            Value::Array(rules) => rules.iter().any(|rule| matches_rule(rule, value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    })
}

/// `exists` looks at leaves alone: an object is none, so a path that leads to one counts as absent.
fn matches_rule(rule: &Value, value: Option<&Value>) -> bool {
    let leaf = value.filter(|value| !value.is_object());
    match rule.get("exists") {
        Some(exists) => *exists == Value::Bool(leaf.is_some()),
        None => leaf == Some(rule),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_marked_change_is_dropped() {
        let filter = Filter::deployed().unwrap();
        let changed = |new: Value| json!({"eventName": "MODIFY", "dynamodb": {"NewImage": new}});
        assert!(!filter.passes(&changed(json!({"quiet": {"BOOL": true}, "version": {"N": "1"}}))));
        for published in [
            changed(json!({"version": {"N": "1"}})),
            changed(json!({"quiet": {"S": "of tomorrow"}})),
            changed(json!({"inner": {"M": {"quiet": {"BOOL": true}}}})),
            json!({"eventName": "REMOVE", "dynamodb": {"OldImage": {"quiet": {"BOOL": true}}}}),
            json!({}),
        ] {
            assert!(filter.passes(&published), "{published}");
        }
    }

    #[test]
    fn a_leaf_is_compared_and_every_name_must_match() {
        let filter = |pattern: Value| Filter(pattern.as_object().unwrap().clone());
        let either = filter(json!({"a": {"b": ["1", "2"]}, "c": [{"exists": true}]}));
        assert!(either.passes(&json!({"a": {"b": "2", "x": 1}, "c": false})));
        for other in [json!({"a": {"b": "3"}, "c": 1}), json!({"a": {"b": "1"}}), json!({"a": {"b": "1"}, "c": {}})] {
            assert!(!either.passes(&other), "{other}");
        }
    }
}
