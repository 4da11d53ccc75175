//! Money: exact decimals, never floats.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// A positive amount of money, exact, spelled as it came: `700`, `700.50`.
///
/// Two spellings of one amount are equal: `700` = `700.00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(Decimal);

impl Amount {
    const RULE: &'static str =
        "must be a positive decimal number, such as 700 or 700.50, of at most 18 digits before and 8 after the point";

    /// Reads a plain decimal: digits, at most one point, no sign, no exponent, no leading zeros.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !digits(whole, 18) || !digits(fraction, 8) || leading_zero {
            return Err(InvalidValue(Self::RULE.into()));
        }
        let value = Decimal::from_str_exact(text).map_err(|_| InvalidValue(Self::RULE.into()))?;
        if value.is_zero() {
            return Err(InvalidValue(Self::RULE.into()));
        }
        Ok(Self(value))
    }

    /// Digits after the point that matter: 0 for `700` and `700.00`, 1 for `700.50`.
    #[must_use]
    pub fn precision(&self) -> u32 {
        self.0.normalize().scale()
    }

    /// Whether the amount lies within these bounds, in whole units of the currency.
    #[must_use]
    pub fn is_within(&self, least: u64, most: u64) -> bool {
        Decimal::from(least) <= self.0 && self.0 <= Decimal::from(most)
    }
}

/// A sum of amounts; zero of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sum(Decimal);

impl Sum {
    /// The sum with one more amount. It is exact up to 20 digits before the point.
    #[must_use]
    pub fn plus(self, amount: Amount) -> Self {
        Self(self.0.saturating_add(amount.0))
    }

    /// How many of so many equal parts of a larger sum it has, rounded down: the length of a bar. Zero of nothing.
    ///
    /// ```
    /// use domain::{Amount, Sum};
    ///
    /// let [part, whole] = ["0.1", "0.3"].map(|text| Amount::parse(text).map(Sum::from));
    /// assert_eq!(part?.parts_of(whole?, 100), 33);
    /// # Ok::<(), domain::InvalidValue>(())
    /// ```
    #[must_use]
    pub fn parts_of(self, whole: Self, parts: u32) -> u32 {
        let share = self.0.checked_div(whole.0).unwrap_or_default();
        share.saturating_mul(parts.into()).to_u32().unwrap_or_default()
    }

    /// The sum without one amount; `None` when the amount is larger.
    #[must_use]
    pub fn minus(self, amount: Amount) -> Option<Self> {
        (amount.0 <= self.0).then(|| Self(self.0.saturating_sub(amount.0)))
    }
}

impl From<Amount> for Sum {
    fn from(amount: Amount) -> Self {
        Self(amount.0)
    }
}

impl FromIterator<Amount> for Sum {
    fn from_iter<I: IntoIterator<Item = Amount>>(amounts: I) -> Self {
        amounts.into_iter().fold(Self::default(), Self::plus)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Sum {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Decimal::from_str_exact(&text).map(Self).map_err(|_| InvalidValue("must be a decimal number".into()))
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        sum.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Amount {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::parse(&text)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_positive_decimals_are_amounts() {
        for good in ["700", "0.01", "1234567890123456.78", "999999999999999999.99999999"] {
            assert_eq!(Amount::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "0.00",
            "-1",
            "+1",
            "1e3",
            "01",
            ".5",
            "5.",
            "1.2.3",
            " 1",
            "1,000",
            "٣",
            "1234567890123456789",
            "1.123456789",
            "NaN",
        ] {
            assert!(Amount::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn spellings_of_one_amount_are_equal() {
        assert_eq!(Amount::parse("700").unwrap(), Amount::parse("700.00").unwrap());
        assert_eq!(Amount::parse("700.50").unwrap().precision(), 1);
        assert_eq!(Amount::parse("700.00").unwrap().precision(), 0);
    }

    proptest! {
        #[test]
        fn the_text_survives(text in "[1-9][0-9]{0,17}(\\.[0-9]{1,8})?") {
            let amount = Amount::parse(&text).unwrap();
            prop_assert_eq!(amount.to_string(), text.clone());
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
            prop_assert_eq!(json, format!("\"{text}\""));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(amount) = Amount::parse(&text) {
                prop_assert_eq!(amount.to_string(), text);
            }
        }
    }
}
