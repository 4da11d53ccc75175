//! The payment systems that the simulated provider knows (docs/provider-protocol.md 5): a row each.

use std::ops::RangeInclusive;

/// A payment system and its rules.
pub(crate) struct Wallet {
    name: &'static str,
    pub(crate) currency_code: &'static str,
    key1: Key,
    /// What the create call answers, as JSON.
    pub(crate) params: &'static str,
}

/// The form of a transaction number.
enum Key {
    Digits(RangeInclusive<usize>),
    Characters(RangeInclusive<usize>),
}

const ACCOUNT: &str = r#"{"account_type":"personal","is_check_amount":false,"Account number":"01700000000"}"#;

const WALLETS: &[Wallet] = &[
    row("paytm", "INR", Key::Digits(11..=12), r#"{"identifier":"6234234234"}"#),
    row("phone_pe", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_l", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_ib", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_hb", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_in", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_w", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_m", "INR", Key::Characters(1..=190), ACCOUNT),
    row("bkash", "BDT", Key::Characters(1..=190), ACCOUNT),
    row("nagad", "BDT", Key::Characters(10..=10), ACCOUNT),
    row("rocket", "BDT", Key::Characters(1..=190), ACCOUNT),
    row("easypaisa", "PKR", Key::Characters(1..=190), ACCOUNT),
    row("wavepay", "MMK", Key::Characters(1..=190), ACCOUNT),
    row("esewa_ml", "NPR", Key::Characters(6..=8), ACCOUNT),
    row("khalti_ml", "NPR", Key::Characters(20..=28), ACCOUNT),
];

const fn row(name: &'static str, currency_code: &'static str, key1: Key, params: &'static str) -> Wallet {
    Wallet { name, currency_code, key1, params }
}

/// The payment system of a control call that names none.
pub(crate) fn paytm() -> String {
    "paytm".to_owned()
}

/// The currency of a control call that names none.
pub(crate) fn inr() -> String {
    "INR".to_owned()
}

impl Wallet {
    /// Finds a payment system by its name.
    pub(crate) fn find(wallet_type: &str) -> Option<&'static Self> {
        WALLETS.iter().find(|wallet| wallet.name == wallet_type)
    }

    /// Whether a text has the form of a transaction number of this system.
    pub(crate) fn takes(&self, key1: &str) -> bool {
        let length = key1.chars().count();
        match &self.key1 {
            Key::Digits(lengths) => lengths.contains(&length) && key1.bytes().all(|byte| byte.is_ascii_digit()),
            Key::Characters(lengths) => lengths.contains(&length),
        }
    }
}
