//! The fields of a withdrawal request, as its signature reads them.

use paykassma::JsonObject;
use signing::WithdrawalValue;

/// The fields of a request.
pub(crate) struct SignedFields<'a>(Vec<(&'a str, Text)>);

impl<'a> SignedFields<'a> {
    pub(crate) fn of(sent: &'a JsonObject) -> Self {
        Self(sent.keys().map(|key| (key, Text::of(sent, key))).collect())
    }

    /// The names and values.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, WithdrawalValue<'_>)> {
        self.0.iter().map(|(key, text)| (*key, text.value()))
    }
}

/// A field's value as the signature reads it.
enum Text {
    Content(String),
    Flag(bool),
    Null,
}

impl Text {
    fn of(sent: &JsonObject, key: &str) -> Self {
        let raw = sent.token(key).unwrap_or("null");
        match raw {
            "true" => Self::Flag(true),
            "false" => Self::Flag(false),
            "null" => Self::Null,
            _ => Self::Content(sent.read(key).unwrap_or_else(|| raw.to_owned())),
        }
    }

    fn value(&self) -> WithdrawalValue<'_> {
        match self {
            Self::Content(text) => WithdrawalValue::Text(text),
            Self::Flag(flag) => WithdrawalValue::Flag(*flag),
            Self::Null => WithdrawalValue::Null,
        }
    }
}
