//! The ids under which the numbers of an order are sent to the provider.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{hash, is_hash};
use crate::{CustomTransactionId, InvalidValue, NormalisedNumber, TransactionId};

/// What stands between the order and the number in an [`AttemptId`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Separator {
    /// `.`: no merchant's id contains it, so the text before it is the order.
    #[default]
    Dot,
    /// `-`: for a provider that takes no `.`. The signed number tells where the order ends.
    Hyphen,
}

impl Separator {
    /// Reads the setting.
    ///
    /// # Errors
    /// [`InvalidValue`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        match text {
            "." => Ok(Self::Dot),
            "-" => Ok(Self::Hyphen),
            _ => Err(InvalidValue("must be . or -".into())),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Dot => ".",
            Self::Hyphen => "-",
        }
    }
}

/// The `custom_transaction_id` that the provider gets with a number: `{order}.{number}`. The provider wants it unique.
///
/// ```
/// # use domain::*;
/// let order = CustomTransactionId::parse("order-1")?;
/// let number = TransactionId::parse("47752123519")?;
/// assert_eq!(AttemptId::new(&order, &number, Separator::Dot).as_str(), "order-1.47752123519");
/// # Ok::<(), InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(String);

/// The longest number that an id spells out. With the longest order and a mark the id has the provider's 190 characters.
const MAX_NUMBER: usize = 32;
/// The length of the mark that makes an id fresh.
const MARK: usize = 6;

impl AttemptId {
    /// The id of an order's number.
    #[must_use]
    pub fn new(order: &CustomTransactionId, number: &TransactionId, separator: Separator) -> Self {
        Self(format!("{order}{}{}", separator.as_str(), of_number(number)))
    }

    /// Another id of the same number: `nonce` makes it differ from all others.
    #[must_use]
    pub fn fresh(order: &CustomTransactionId, number: &TransactionId, separator: Separator, nonce: &str) -> Self {
        let Self(first) = Self::new(order, number, separator);
        Self(format!("{first}{}{}", separator.as_str(), hash(nonce, MARK)))
    }

    /// The id of the n-th number of an order, from 1, as it was when the numbers of an order were counted.
    pub(crate) fn counted(order: &CustomTransactionId, position: usize) -> Self {
        Self(if position == 1 { order.to_string() } else { format!("{order}.{position}") })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The order of an id that was made with [`Separator::Hyphen`], given the number that is signed beside it, in whatever
    /// spelling. `None`: the id was made otherwise.
    ///
    /// ```
    /// # use domain::*;
    /// let number = TransactionId::parse("47752123519")?;
    /// let order = AttemptId::order_before_hyphen("order-1-47752123519", &number).unwrap();
    /// assert_eq!(order.as_str(), "order-1");
    /// assert_eq!(AttemptId::order_before_hyphen("order-1", &number), None);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn order_before_hyphen(signed: &str, number: &TransactionId) -> Option<CustomTransactionId> {
        let is_number = |text: &str| {
            let normalised = |number: &TransactionId| NormalisedNumber::of(number);
            text == of_number(number)
                || TransactionId::parse(text).is_ok_and(|it| normalised(&it) == normalised(number))
        };
        let before_number = |id: &str| {
            let (order, last) = id.rsplit_once('-')?;
            is_number(last).then(|| CustomTransactionId::parse(order).ok())?
        };
        let unmarked = signed.rsplit_once('-').filter(|(_, mark)| is_hash(mark, MARK)).map(|(before, _)| before);
        before_number(signed).or_else(|| before_number(unmarked?))
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number as it stands in an id: hashed if it is too long, or has other characters than letters and digits, so that no two
/// orders and numbers have one id.
fn of_number(number: &TransactionId) -> String {
    let text = number.as_str();
    let is_plain = text.len() <= MAX_NUMBER && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain { text.to_owned() } else { hash(text, MAX_NUMBER) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(text: &str) -> CustomTransactionId {
        CustomTransactionId::parse(text).unwrap()
    }

    fn number(text: &str) -> TransactionId {
        TransactionId::parse(text).unwrap()
    }

    #[test]
    fn a_number_that_is_too_long_or_has_other_characters_is_hashed() {
        let id = |text: &str| AttemptId::new(&order("o"), &number(text), Separator::Dot).as_str().to_owned();
        assert_eq!(id(&"7".repeat(32)), format!("o.{}", "7".repeat(32)));
        for hashed in
            ["7".repeat(33), "x".repeat(190), "a.b".into(), "a@b".into(), "a/b".into(), "a-b".into(), "é".into()]
        {
            assert_eq!(id(&hashed), format!("o.{}", hash(&hashed, 32)), "{hashed}");
        }
    }

    #[test]
    fn an_id_without_the_signed_number_is_a_bare_order() {
        let number = number("47752123519");
        for bare in ["order-1", "order-47752123518", "47752123519", "order-47752123519-7", "order-47752123519-ABCDEF"] {
            assert_eq!(AttemptId::order_before_hyphen(bare, &number), None, "{bare}");
        }
        assert_eq!(AttemptId::order_before_hyphen("-47752123519", &number), None);
    }

    #[test]
    fn a_number_that_is_signed_in_another_spelling_ends_the_order_all_the_same() {
        for (signed, spelled) in [("o-1-477Ab", "00477ab"), ("o-1-00477ab", "477AB"), ("o-1-477AB-0a1b2c", "477ab")] {
            assert_eq!(
                AttemptId::order_before_hyphen(signed, &number(spelled)),
                Some(order("o-1")),
                "{signed} {spelled}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_id_names_its_order_and_fits(order in "[A-Za-z0-9_-]{1,150}", number in "\\PC{1,190}", nonce in "\\PC{0,9}") {
            let (order, number) = (CustomTransactionId::parse(order).unwrap(), TransactionId::parse(number).unwrap());
            for separator in [Separator::Dot, Separator::Hyphen] {
                let fresh = AttemptId::fresh(&order, &number, separator, &nonce);
                for id in [AttemptId::new(&order, &number, separator), fresh] {
                    prop_assert!(id.as_str().len() <= 190);
                    let read = match separator {
                        Separator::Dot => id.as_str().split('.').next().and_then(|it| CustomTransactionId::parse(it).ok()),
                        Separator::Hyphen => AttemptId::order_before_hyphen(id.as_str(), &number),
                    };
                    prop_assert_eq!(read.as_ref(), Some(&order), "{}", id);
                }
            }
        }

        #[test]
        fn the_ids_of_two_numbers_differ(one in "[0-9]{1,40}", other in "[0-9]{1,40}") {
            prop_assume!(one != other);
            for separator in [Separator::Dot, Separator::Hyphen] {
                let id = |number: &str| AttemptId::new(&order("o"), &TransactionId::parse(number).unwrap(), separator);
                prop_assert_ne!(id(&one), id(&other));
            }
        }
    }
}
