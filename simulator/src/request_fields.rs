//! The strict reading of a call: every field is checked, and every broken rule is named.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use paykassma::JsonObject;
use serde::{Deserialize, Serialize};

/// How many characters a deposit's label may have.
pub(crate) const LABEL: RangeInclusive<usize> = 1..=190;
/// How many characters an order's id may have.
pub(crate) const ORDER: RangeInclusive<usize> = 1..=190;

/// The `message` of a `fail` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Rejection {
    /// One sentence.
    Text(String),
    /// The rules that each field broke.
    Fields(BTreeMap<String, Vec<String>>),
}

impl Rejection {
    /// Rejects a call with one sentence.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Rejects one field.
    pub(crate) fn field(name: &str, rule: &str) -> Self {
        Self::Fields(BTreeMap::from([(name.to_owned(), vec![rule.to_owned()])]))
    }
}

/// A call's fields, taken one by one.
pub(crate) struct Fields {
    remaining: JsonObject,
    broken_rules: BTreeMap<String, Vec<String>>,
}

impl Fields {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Rejection> {
        let remaining = serde_json::from_slice(body).map_err(|_| Rejection::text("The body is not a JSON object"))?;
        Ok(Self { remaining, broken_rules: BTreeMap::new() })
    }

    /// Gives the fields that were not taken so far.
    pub(crate) fn remaining(&self) -> &JsonObject {
        &self.remaining
    }

    /// Takes a required string whose number of characters is in the range.
    pub(crate) fn text(&mut self, name: &str, lengths: RangeInclusive<usize>) -> String {
        let text: String = self.take(name, "must be a string");
        if !lengths.contains(&text.chars().count()) {
            self.reject(name, &format!("must have {} to {} characters", lengths.start(), lengths.end()));
        }
        text
    }

    /// Takes a required positive JSON number and gives its text.
    pub(crate) fn number(&mut self, name: &str) -> String {
        let raw = self.remaining.take(name);
        let text = raw.as_ref().map_or("", |raw| raw.as_str());
        let significant = text.split(['e', 'E']).next().unwrap_or_default();
        if !text.starts_with(|first: char| first.is_ascii_digit())
            || !significant.contains(|c| ('1'..='9').contains(&c))
        {
            self.reject(name, "must be a positive number");
        }
        text.to_owned()
    }

    /// Takes a required JSON integer of one or more.
    pub(crate) fn integer(&mut self, name: &str) -> u64 {
        let value: u64 = self.take(name, "must be an integer");
        if value == 0 {
            self.reject(name, "must be an integer of at least 1");
        }
        value
    }

    /// Takes a required boolean.
    pub(crate) fn boolean(&mut self, name: &str) -> bool {
        self.take(name, "must be a boolean")
    }

    /// Takes an optional string.
    pub(crate) fn optional_text(&mut self, name: &str, lengths: RangeInclusive<usize>) -> Option<String> {
        self.remaining.token(name)?;
        Some(self.text(name, lengths))
    }

    /// Notes that a field broke a rule. Only the first rule of each field is noted.
    pub(crate) fn reject(&mut self, name: &str, rule: &str) {
        self.broken_rules.entry(name.to_owned()).or_insert_with(|| vec![format!("The {name} {rule}.")]);
    }

    /// Rejects the call if a field is unknown or broke a rule.
    pub(crate) fn finish(mut self) -> Result<(), Rejection> {
        let unknown: Vec<String> = self.remaining.keys().map(str::to_owned).collect();
        for name in unknown {
            self.reject(&name, "is not a field of this call");
        }
        if self.broken_rules.is_empty() { Ok(()) } else { Err(Rejection::Fields(self.broken_rules)) }
    }

    fn take<T: Default + for<'a> Deserialize<'a>>(&mut self, name: &str, rule: &str) -> T {
        let Some(raw) = self.remaining.take(name) else {
            self.reject(name, "is required");
            return T::default();
        };
        serde_json::from_str(raw.as_str()).unwrap_or_else(|_| {
            self.reject(name, rule);
            T::default()
        })
    }
}
