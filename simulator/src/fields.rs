//! The strict reading of a request: every field is checked, and every fault is named.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::object::Object;

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
    /// Refuses in one sentence.
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Refuses one field.
    pub(crate) fn field(name: &str, rule: &str) -> Self {
        Self::Fields(BTreeMap::from([(name.to_owned(), vec![rule.to_owned()])]))
    }
}

/// A request's fields, taken out one by one.
pub(crate) struct Fields {
    sent: Object,
    faults: BTreeMap<String, Vec<String>>,
}

impl Fields {
    /// Reads a body.
    pub(crate) fn read(body: &[u8]) -> Result<Self, Rejection> {
        let sent = serde_json::from_slice(body).map_err(|_| Rejection::text("The body is not a JSON object"))?;
        Ok(Self { sent, faults: BTreeMap::new() })
    }

    /// Gives the fields that have not been taken yet.
    pub(crate) fn sent(&self) -> &Object {
        &self.sent
    }

    /// Takes a required string of so many characters.
    pub(crate) fn text(&mut self, name: &str, lengths: RangeInclusive<usize>) -> String {
        let text: String = self.take(name, "must be a string");
        if !lengths.contains(&text.chars().count()) {
            self.refuse(name, &format!("must have {} to {} characters", lengths.start(), lengths.end()));
        }
        text
    }

    /// Takes a required positive JSON number and gives its text.
    pub(crate) fn number(&mut self, name: &str) -> String {
        let raw = self.sent.take(name);
        let text = raw.as_ref().map_or("", |raw| raw.get());
        let significant = text.split(['e', 'E']).next().unwrap_or_default();
        if !text.starts_with(|first: char| first.is_ascii_digit())
            || !significant.contains(|c| ('1'..='9').contains(&c))
        {
            self.refuse(name, "must be a positive number");
        }
        text.to_owned()
    }

    /// Takes a required JSON integer of one or more.
    pub(crate) fn integer(&mut self, name: &str) -> u64 {
        let value: u64 = self.take(name, "must be an integer");
        if value == 0 {
            self.refuse(name, "must be an integer of at least 1");
        }
        value
    }

    /// Takes a required boolean.
    pub(crate) fn boolean(&mut self, name: &str) -> bool {
        self.take(name, "must be a boolean")
    }

    /// Takes a string that may be missing.
    pub(crate) fn optional_text(&mut self, name: &str, lengths: RangeInclusive<usize>) -> Option<String> {
        self.sent.get(name)?;
        Some(self.text(name, lengths))
    }

    /// Notes a broken rule, once.
    pub(crate) fn refuse(&mut self, name: &str, rule: &str) {
        self.faults.entry(name.to_owned()).or_insert_with(|| vec![format!("The {name} {rule}.")]);
    }

    /// Answers whether every field was known and right.
    pub(crate) fn finish(mut self) -> Result<(), Rejection> {
        let unknown: Vec<String> = self.sent.keys().map(str::to_owned).collect();
        for name in unknown {
            self.refuse(&name, "is not a field of this call");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Rejection::Fields(self.faults)) }
    }

    fn take<T: Default + for<'a> Deserialize<'a>>(&mut self, name: &str, rule: &str) -> T {
        let Some(raw) = self.sent.take(name) else {
            self.refuse(name, "is required");
            return T::default();
        };
        serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            self.refuse(name, rule);
            T::default()
        })
    }
}
