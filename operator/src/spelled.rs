//! JSON as it is spelled: numbers to the letter, and every entry of an object, also where two have one name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Lists and objects that are nested deeper are shown as a text.
const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Clone, Debug)]
pub(crate) enum Spelled {
    Object(Vec<(String, Spelled)>),
    List(Vec<Spelled>),
    Text(String),
    /// A number, a boolean or null.
    Token(Box<RawValue>),
    /// The JSON of what has no other form here: it is nested too deep, or has half a character.
    Json(String),
}

impl Spelled {
    pub(crate) fn read(json: &str) -> Self {
        Self::at_depth(json, 0)
    }

    fn at_depth(json: &str, depth: usize) -> Self {
        let inner = |json: &RawValue| Self::at_depth(json.get(), depth.saturating_add(1));
        let read = match json.trim_ascii_start().as_bytes().first() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => None,
            Some(b'{') => serde_json::from_str(json).ok().map(|Entries(entries)| {
                Self::Object(entries.into_iter().map(|(name, value)| (name, inner(value))).collect())
            }),
            Some(b'[') => serde_json::from_str(json)
                .ok()
                .map(|values: Vec<&RawValue>| Self::List(values.into_iter().map(inner).collect())),
            Some(b'"') => serde_json::from_str(json).ok().map(Self::Text),
            Some(_) | None => serde_json::from_str(json).ok().map(Self::Token),
        };
        read.unwrap_or_else(|| Self::Json(json.to_owned()))
    }

    /// The text of a string, or the spelling of a number.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Token(token) => Some(token.get()),
            Self::Object(_) | Self::List(_) | Self::Json(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Token(token) if token.get() == "null")
    }

    /// Whether it says nothing: null, or the empty string.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_null() || matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl Serialize for Spelled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(entries) => serializer.collect_map(entries.iter().map(|(name, value)| (name, value))),
            Self::List(values) => serializer.collect_seq(values),
            Self::Text(text) | Self::Json(text) => serializer.serialize_str(text),
            Self::Token(token) => token.serialize(serializer),
        }
    }
}

impl fmt::Display for Spelled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// All entries of an object, in order.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            entries.push((name, value));
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        Spelled::read(json).to_string()
    }

    #[test]
    fn numbers_stay_to_the_letter_and_equal_names_stay_two() {
        let json = r#"{"b":[700.10,1e3,-0.0,1E+2,123456789012345678901234567890],"a":null,"b":{"b":true,"b":"x"}}"#;
        assert_eq!(shown(json), json);
        assert_eq!(shown(" { \"a\" :\n[ 1.0 , \"\\u00e9\\/\" ] } "), r#"{"a":[1.0,"é/"]}"#);
    }

    #[test]
    fn what_has_no_other_form_is_shown_as_its_json() {
        for odd in [r#""\ud800""#, r#"{"\ud800":1}"#, "nonsense", "{", ""] {
            assert_eq!(shown(odd), serde_json::to_string(odd).unwrap(), "{odd}");
        }
        assert_eq!(shown(r#"{"a":{"\ud800":1}}"#), r#"{"a":"{\"\\ud800\":1}"}"#);
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(shown(&deep(MAX_DEPTH)), deep(MAX_DEPTH));
        assert!(shown(&deep(100_000)).contains("\"[["));
    }
}
