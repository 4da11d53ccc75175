//! JSON that keeps the spelling of its values and the order of its keys: a signed text is written to the letter, and no
//! amount passes through a float.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value as it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonToken(String);

impl JsonToken {
    /// Takes a JSON text as it is, without the whitespace around it.
    ///
    /// # Errors
    /// The text is not one JSON value.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        Ok(Self(serde_json::from_str::<&RawValue>(text)?.get().to_owned()))
    }

    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".to_owned())
    }

    /// Takes a spelling that is known to be JSON.
    pub(crate) fn checked(spelling: &str) -> Self {
        Self(spelling.to_owned())
    }

    /// The spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for JsonToken {
    /// Writes a string.
    fn from(text: &str) -> Self {
        Self(Value::from(text).to_string())
    }
}

impl From<i64> for JsonToken {
    /// Writes an integer.
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for JsonToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A JSON object with its keys in order. If a key is set again, the value is replaced and the key keeps its place.
///
/// `Display` writes it without whitespace between the tokens.
///
/// ```
/// use paykassma::JsonObject;
///
/// let mut object: JsonObject = serde_json::from_str(r#"{"b": 700.10, "a": null}"#)?;
/// object.set("a", "x/1");
/// object.set("c", 5);
/// assert_eq!(object.to_string(), r#"{"b":700.10,"a":"x/1","c":5}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonObject(Vec<(String, JsonToken)>);

impl JsonObject {
    /// Gives a value's spelling.
    #[must_use]
    pub fn token(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, token)| token.as_str())
    }

    /// Gives a value that is read as `T`. A value of another type counts as absent.
    #[must_use]
    pub fn read<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Option<T> {
        serde_json::from_str(self.token(key)?).ok()
    }

    /// Removes a value and gives it.
    pub fn take(&mut self, key: &str) -> Option<JsonToken> {
        let place = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(place).1)
    }

    /// Gives the keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Gives the keys and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &JsonToken)> {
        self.0.iter().map(|(name, token)| (name.as_str(), token))
    }

    /// Sets a value: in the key's place, or at the end.
    pub fn set(&mut self, key: &str, value: impl Into<JsonToken>) {
        let value = value.into();
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, token)) => *token = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    /// Sets a value and gives the object back.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<JsonToken>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets every value of another object.
    pub fn overlay(&mut self, other: &Self) {
        for (key, token) in other.iter() {
            self.set(key, token.clone());
        }
    }
}

impl fmt::Display for JsonObject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, token)) in self.iter().enumerate() {
            let before = if index == 0 { "{" } else { "," };
            write!(out, "{before}{}:{token}", JsonToken::from(key))?;
        }
        out.write_str(if self.0.is_empty() { "{}" } else { "}" })
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = JsonObject;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<JsonObject, A::Error> {
                let mut object = JsonObject::default();
                while let Some((key, value)) = entries.next_entry::<String, Box<RawValue>>()? {
                    object.set(&key, JsonToken(value.get().to_owned()));
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
