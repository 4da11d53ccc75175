//! An amount of money as the text that it was given in.

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};
use serde_json::value::RawValue;

/// A decimal such as `700` or `12.50`; read from a JSON number or string, written as a JSON number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Amount(String);

impl Amount {
    /// Gives the amount of nothing.
    pub(crate) fn zero() -> Self {
        Self("0".to_owned())
    }

    /// Checks a decimal's text: digits, no leading zero, perhaps a point and digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'));
        plain.then(|| Self(text.to_owned()))
    }

    /// Gives the decimal's text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<u64> for Amount {
    fn from(whole: u64) -> Self {
        Self(whole.to_string())
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        Self::parse(text).ok_or_else(|| de::Error::custom("an amount is a plain decimal, as a number or a string"))
    }
}
