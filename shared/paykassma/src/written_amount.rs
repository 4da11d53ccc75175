//! An amount of money as it is spelled in a postback.

use domain::Amount;
use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::json_object::JsonToken;

/// A decimal such as `700` or `12.50`, to the letter. Unlike [`Amount`], it may be zero and of any length: a postback can
/// be written with an amount that no order has.
///
/// It is read from a JSON number or a JSON string, and becomes a JSON number as a [`JsonToken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenAmount(String);

impl WrittenAmount {
    /// Checks a decimal's text: digits without a leading zero, then optionally a point and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let plain = digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'));
        plain.then(|| Self(text.to_owned()))
    }

    /// The decimal that is larger by one.
    #[must_use]
    pub fn one_more(&self) -> Self {
        let (whole, fraction) = self.0.split_at(self.0.find('.').unwrap_or(self.0.len()));
        let nines = whole.bytes().rev().take_while(|digit| *digit == b'9').count();
        let (kept, _) = whole.split_at(whole.len().saturating_sub(nines));
        let (head, last) = kept.split_at(kept.len().saturating_sub(1));
        let last = last.bytes().next().map_or(b'1', |digit| digit.saturating_add(1));
        Self(format!("{head}{}{}{fraction}", char::from(last), "0".repeat(nines)))
    }

    /// The decimal's text, as a signed element has it in a string.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<u64> for WrittenAmount {
    fn from(whole: u64) -> Self {
        Self(whole.to_string())
    }
}

impl From<Amount> for WrittenAmount {
    fn from(amount: Amount) -> Self {
        Self(amount.to_string())
    }
}

impl From<&WrittenAmount> for JsonToken {
    /// Writes a number, with the digits as they are. Every checked decimal is a JSON number.
    fn from(amount: &WrittenAmount) -> Self {
        Self::checked(&amount.0)
    }
}

impl<'de> Deserialize<'de> for WrittenAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        Self::parse(text).ok_or_else(|| de::Error::custom("an amount is a plain decimal, as a number or a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_is_larger_by_one() {
        for (amount, expected) in [
            ("0", "1"),
            ("524", "525"),
            ("9", "10"),
            ("1999.50", "2000.50"),
            ("99999999999999999999999999999999999999999.1", "100000000000000000000000000000000000000000.1"),
        ] {
            assert_eq!(WrittenAmount::parse(amount).unwrap().one_more().text(), expected);
        }
    }
}
