//! Ids and texts, each with the one constructor that checks it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::unchanged_text::check_unchanged;

/// The rule that a value breaks, in words for the caller. Never contains the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidValue(pub Cow<'static, str>);

fn has_length(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

fn is_id(text: &str, most: usize) -> bool {
    has_length(text, 1, most) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn is_printable(text: &str, least: usize, most: usize) -> bool {
    has_length(text, least, most) && !text.chars().any(char::is_control)
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Checks the text: it ", $rule, ".\n\n# Errors\n[`InvalidValue`] with that rule.")]
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(InvalidValue($rule.into())) }
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

macro_rules! accepted {
    ($($name:ident)*) => {$(
        impl $name {
            /// Checks a text that a request brings, before it is sent to the provider: like `parse`, and the provider must be able
            /// to send it back unchanged. Rows and postbacks use `parse`.
            ///
            /// # Errors
            /// [`InvalidValue`] with the rule that is broken.
            pub fn accept(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let parsed = Self::parse(text)?;
                check_unchanged(&parsed.0).map(|()| parsed)
            }
        }
    )*};
}

macro_rules! shown {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

macro_rules! masked {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("***")
            }
        }
    )*};
}

checked_text!(
    /// A merchant's id of a deposit. Short enough that a number behind it fits the provider's 190.
    CustomTransactionId,
    "must be 1 to 150 of A-Z a-z 0-9 _ -",
    |text| is_id(text, 150)
);
checked_text!(
    /// A merchant's id of a withdrawal: the provider's only idempotency handle.
    WithdrawalId,
    "must be 1 to 36 of A-Z a-z 0-9 _ -",
    |text| is_id(text, 36)
);
checked_text!(
    /// The merchant's id of a user. Personal: its `Debug` masks it.
    Label,
    "must be 1 to 190 characters without control characters",
    |text| is_printable(text, 1, 190)
);
checked_text!(
    /// The number of a payment in the wallet's own system: `key1` when a user enters it, `transaction_id` in a postback.
    TransactionId,
    "must be 1 to 190 characters without control characters",
    |text| is_printable(text, 1, 190)
);
checked_text!(
    /// Where a withdrawal goes. Personal: its `Debug` masks it.
    AccountNumber,
    "must be 1 to 190 characters without control characters",
    |text| is_printable(text, 1, 190)
);
checked_text!(
    /// A note that is sent with a withdrawal. It may be personal: its `Debug` masks it.
    Comment,
    "must be at most 190 characters without control characters",
    |text| is_printable(text, 0, 190)
);
checked_text!(
    /// A person's remark on a decision. It is shown in full, so it must not contain personal data.
    Remark,
    "must be 1 to 500 characters without control characters",
    |text| is_printable(text, 1, 500)
);
checked_text!(
    /// A person or a role, as AWS names it: an ARN.
    ///
    /// ```
    /// use domain::Caller;
    ///
    /// assert!(Caller::parse("arn:aws:sts::123456789012:assumed-role/Finance/alice").is_ok());
    /// assert!(Caller::parse("alice").is_err());
    /// ```
    Caller,
    "must be an ARN of at most 2048 visible ASCII characters",
    |text| text.starts_with("arn:") && text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic())
);
checked_text!(
    /// A currency: three capital letters.
    CurrencyCode,
    "must be three capital letters, such as INR",
    |text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
);
checked_text!(
    /// A payment system, as the provider names it: `paytm`.
    WalletType,
    "must be 1 to 64 of a-z 0-9 _",
    |text| has_length(text, 1, 64)
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
);
checked_text!(
    /// A language of the payment window: `en`, `hi`.
    Lang,
    "must be two small letters, such as en",
    |text| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase())
);
checked_text!(
    /// A page to which the payment window sends its user: the number that the provider issued for it.
    WindowPageId,
    "must be a whole number above 0 with at most 15 digits",
    |text| has_length(text, 1, 15) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
);
checked_text!(
    /// An address to which the payment window sends its user, hashed as the provider says. It may be personal: its `Debug`
    /// masks it.
    WindowUrl,
    "must be 1 to 1000 visible ASCII characters",
    |text| has_length(text, 1, 1000) && text.bytes().all(|byte| byte.is_ascii_graphic())
);

shown!(Caller CustomTransactionId WithdrawalId TransactionId CurrencyCode WalletType Lang Remark WindowPageId);
masked!(Label AccountNumber Comment WindowUrl);
accepted!(Label TransactionId AccountNumber Comment);

impl Label {
    /// The provider's limit for the label of a withdrawal, in characters; a deposit's may have 190.
    pub const MAX_OF_WITHDRAWAL: usize = 36;

    /// Whether the provider takes this label for a withdrawal.
    #[must_use]
    pub fn fits_withdrawal(&self) -> bool {
        has_length(&self.0, 1, Self::MAX_OF_WITHDRAWAL)
    }
}

impl Caller {
    /// The name of the user or of the session, without the account and the role.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl TransactionId {
    /// Whether it has only visible ASCII characters, as the numbers of all wallets have. Others may look the same and differ.
    #[must_use]
    pub fn is_visible_ascii(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

/// One real payment: its number within its wallet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PaymentKey {
    /// The payment system in which the number is unique.
    pub wallet_type: WalletType,
    /// The number.
    pub transaction_id: TransactionId,
}

impl PaymentKey {
    /// The key of its row.
    #[must_use]
    pub fn row_key(&self) -> String {
        format!("payment#{}#{}", self.wallet_type, self.transaction_id)
    }

    /// Reads the key of a row; `None` if it is not a payment's.
    #[must_use]
    pub fn of_row(key: &str) -> Option<Self> {
        let (wallet_type, number) = key.strip_prefix("payment#")?.split_once('#')?;
        let wallet_type = WalletType::parse(wallet_type).ok()?;
        Some(Self { wallet_type, transaction_id: TransactionId::parse(number).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_alphabets_hold() {
        assert!(CustomTransactionId::parse("h8JxcM_123-x").is_ok());
        assert!(CustomTransactionId::parse("x".repeat(151)).is_err());
        for bad in ["", "a.b", "a b", "a/b", "é"] {
            assert!(CustomTransactionId::parse(bad).is_err(), "{bad}");
            assert!(WithdrawalId::parse(bad).is_err(), "{bad}");
        }
        assert!(WithdrawalId::parse("x".repeat(37)).is_err());
        assert!(Label::parse("пользователь 5").is_ok());
        assert!(Label::parse("a\u{0}b").is_err());
        assert!(!Label::parse("x".repeat(37)).unwrap().fits_withdrawal());
        assert!(CurrencyCode::parse("inr").is_err());
        assert!(WalletType::parse("PayTM").is_err());
    }

    #[test]
    fn a_page_has_one_spelling_and_an_address_is_visible_ascii() {
        for good in ["1", "12", "999999999999999"] {
            assert!(WindowPageId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "0", "-1", "+1", "01", "1.0", "1e3", " 1", "1 ", "१", "1000000000000000"] {
            assert!(WindowPageId::parse(bad).is_err(), "{bad}");
        }
        for good in ["x", "eyJpdiI6Ik9+/==", "http://localhost:8080/orders/1?paid=%20#top", &"x".repeat(1000)] {
            assert!(WindowUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a\n", "a\u{7f}", "é", "a\u{200b}", &"x".repeat(1001)] {
            assert!(WindowUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_is_checked_more_strictly_than_a_row() {
        for text in [" a", "a\u{a0}", "a\u{200b}b", "e\u{301}"] {
            assert!(Label::parse(text).is_ok() && Label::accept(text).is_err(), "{text:?}");
            assert!(TransactionId::parse(text).is_ok() && TransactionId::accept(text).is_err(), "{text:?}");
            assert!(AccountNumber::parse(text).is_ok() && AccountNumber::accept(text).is_err(), "{text:?}");
            assert!(Comment::parse(text).is_ok() && Comment::accept(text).is_err(), "{text:?}");
        }
        assert_eq!(Label::accept("\u{7}"), Label::parse("\u{7}"));
        assert_eq!(Label::accept("क्\u{200d}ष").unwrap().as_str(), "क्\u{200d}ष");
        assert!(Comment::accept("").is_ok() && Label::accept("").is_err());
    }

    #[test]
    fn people_do_not_print() {
        let label = Label::parse("marker-person").unwrap();
        let account = AccountNumber::parse("1234560079").unwrap();
        let url = WindowUrl::parse("https://shop.example.com/?user=marker-person").unwrap();
        assert_eq!(format!("{label:?} {account:?} {url:?}"), "*** *** ***");
    }
}
