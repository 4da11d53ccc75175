//! A request's JSON object, taken field by field, so that every error names its field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// The largest request of a merchant, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// It cannot be read at all.
    #[error("the request {0}")]
    Malformed(&'static str),
    /// A field breaks its rule.
    #[error("{field} {rule}")]
    Field {
        /// Which field.
        field: String,
        /// The rule.
        rule: String,
    },
}

impl BadRequest {
    /// A field that breaks its rule.
    pub fn field(field: &str, rule: impl fmt::Display) -> Self {
        Self::Field { field: field.to_owned(), rule: rule.to_string() }
    }
}

/// The fields of a request that are not taken yet.
#[derive(Debug, Default)]
pub struct Fields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Reads a body as one JSON object without duplicate names.
    ///
    /// # Errors
    /// [`BadRequest::Malformed`] when it is not one.
    pub fn parse(body: &'a [u8]) -> Result<Self, BadRequest> {
        if body.len() > MAX_BYTES {
            return Err(BadRequest::Malformed("is larger than 16 KiB"));
        }
        serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => BadRequest::Malformed("must be one JSON object, each field once"),
            Category::Io | Category::Syntax | Category::Eof => BadRequest::Malformed("is not JSON"),
        })
    }

    /// Takes a string.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is absent, not a string, or `check` rejects it.
    pub fn text<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<T, BadRequest> {
        required(name, self.optional_text(name, check)?)
    }

    /// Takes a string that may be absent or null.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is not a string, or `check` rejects it.
    pub fn optional_text<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Option<T>, BadRequest> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let text = serde_json::from_str(raw).map_err(|_| BadRequest::field(name, "must be a string"))?;
        check(text).map(Some).map_err(|error| BadRequest::field(name, error))
    }

    /// Takes a number, or a string that spells one: its digits are handed on unchanged.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is absent, neither of both, or `check` rejects it.
    pub fn number<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, BadRequest> {
        required(name, self.optional_number(name, check)?)
    }

    /// Takes a number that may be absent or null.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is neither a number nor a string, or `check` rejects it.
    pub fn optional_number<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, BadRequest> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        let digits: Cow<'_, str> = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map(Cow::Owned).unwrap_or_default(),
            _ => Cow::Borrowed(raw),
        };
        check(&digits).map(Some).map_err(|error| BadRequest::field(name, error))
    }

    /// Takes `true` or `false`; absent or null is `false`.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is something else.
    pub fn boolean(&mut self, name: &'static str) -> Result<bool, BadRequest> {
        match self.take(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(BadRequest::field(name, "must be true or false")),
        }
    }

    /// Takes a list, whose elements are as `rule` says.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is absent, not a list, longer than `most`, or has another element.
    pub fn list<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        most: usize,
        rule: &str,
    ) -> Result<Vec<T>, BadRequest> {
        let raw = required(name, self.take(name))?;
        let list: Vec<T> = serde_json::from_str(raw).map_err(|_| BadRequest::field(name, rule))?;
        if list.len() > most {
            return Err(BadRequest::field(name, format!("must be at most {most}")));
        }
        Ok(list)
    }

    /// Takes an object, whose fields `read` takes. It may be absent or null: then it has none.
    ///
    /// # Errors
    /// [`BadRequest::Field`] when it is not one object without duplicate names, or one of its fields breaks its rule: such a field is
    /// named with the object, `object.field`.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, BadRequest>,
    ) -> Result<T, BadRequest> {
        let fields = self.take(name).map(serde_json::from_str).transpose();
        let rule = "must be one JSON object, each field once";
        let mut fields: Self = fields.map_err(|_| BadRequest::field(name, rule))?.unwrap_or_default();
        let value = read(&mut fields);
        value.and_then(|value| fields.finish().map(|()| value)).map_err(|error| match error {
            BadRequest::Field { field, rule } => BadRequest::Field { field: format!("{name}.{field}"), rule },
            malformed @ BadRequest::Malformed(_) => malformed,
        })
    }

    /// Makes sure that every field was taken.
    ///
    /// # Errors
    /// [`BadRequest::Field`] with the first name that nobody asked for.
    pub fn finish(self) -> Result<(), BadRequest> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                Err(BadRequest::Field { field: name, rule: "is not a field of this request".into() })
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.0.remove(name).map(RawValue::get).filter(|raw| *raw != "null")
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, BadRequest> {
    value.ok_or_else(|| BadRequest::field(name, "is required"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = BTreeMap<Cow<'de, str>, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if fields.insert(Cow::Owned(name), map.next_value()?).is_some() {
                        return Err(M::Error::custom("a field appears twice"));
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object).map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(text: String) -> Result<String, &'static str> {
        if text.is_empty() { Err("must not be empty") } else { Ok(text) }
    }

    #[test]
    fn each_error_names_its_field() {
        let mut fields = Fields::parse(br#"{"label":5,"amount":[1],"is_test":"yes","lang":null,"extra":1}"#).unwrap();
        let exact = |digits: &str| if digits == "7" { Ok(()) } else { Err("must be 7") };
        assert_eq!(fields.text("label", kept).unwrap_err().to_string(), "label must be a string");
        assert_eq!(fields.number("amount", exact).unwrap_err().to_string(), "amount must be 7");
        assert_eq!(fields.boolean("is_test").unwrap_err().to_string(), "is_test must be true or false");
        assert_eq!(fields.text("lang", kept).unwrap_err().to_string(), "lang is required");
        assert_eq!(fields.optional_text("absent", kept), Ok(None));
        assert_eq!(fields.finish().unwrap_err().to_string(), "extra is not a field of this request");
    }

    #[test]
    fn an_error_in_an_object_names_both() {
        let read = |body: &str| {
            let mut fields = Fields::parse(body.as_bytes()).unwrap();
            let inner = fields.object("window", |window| window.optional_text("url", kept));
            fields.finish().and(inner).map_err(|error| error.to_string())
        };
        assert_eq!(read(r#"{"window":{"url":"a"}}"#), Ok(Some("a".into())));
        for none in ["{}", r#"{"window":null}"#, r#"{"window":{}}"#, r#"{"window":{"url":null}}"#] {
            assert_eq!(read(none), Ok(None), "{none}");
        }
        for no_object in ["[]", r#""a""#, "5", "true", r#"{"url":"a","url":"a"}"#, r#"{"url":1,"\u0075rl":2}"#] {
            let rule = "window must be one JSON object, each field once";
            assert_eq!(read(&format!(r#"{{"window":{no_object}}}"#)), Err(rule.into()), "{no_object}");
        }
        assert_eq!(read(r#"{"window":{"url":""}}"#), Err("window.url must not be empty".into()));
        assert_eq!(read(r#"{"window":{"url":5}}"#), Err("window.url must be a string".into()));
        assert_eq!(read(r#"{"window":{"urn":"a"}}"#), Err("window.urn is not a field of this request".into()));
    }

    #[test]
    fn digits_are_handed_on_as_they_stand() {
        for body in [r#"{"amount":1234567890123456.78}"#, r#"{"amount":"1234567890123456.78"}"#] {
            let mut fields = Fields::parse(body.as_bytes()).unwrap();
            let amount = fields.number("amount", |digits| kept(digits.to_owned())).unwrap();
            assert_eq!(amount, "1234567890123456.78");
        }
    }

    #[test]
    fn what_is_not_one_object_is_malformed() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES));
        for body in
            ["", "{", "[]", "5", "null", r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, "{} {}", "\u{feff}{}", &large]
        {
            assert!(matches!(Fields::parse(body.as_bytes()), Err(BadRequest::Malformed(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::parse(&body);
        }
    }
}
