//! The payment systems that the simulated provider knows (docs/provider-protocol.md 5): a row each.

use std::ops::RangeInclusive;

use paykassma::JsonObject;

/// A payment system and its rules.
pub(crate) struct Wallet {
    pub(crate) name: &'static str,
    /// The name that users know.
    pub(crate) title: &'static str,
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
    row("paytm", "PayTM", "INR", Key::Digits(11..=12), r#"{"identifier":"6234234234"}"#),
    row("phone_pe", "PhonePe", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_l", "UPI (upi_l)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_ib", "UPI (upi_ib)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_hb", "UPI (upi_hb)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_in", "UPI (upi_in)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_w", "UPI (upi_w)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("upi_m", "UPI (upi_m)", "INR", Key::Characters(1..=190), ACCOUNT),
    row("bkash", "bKash", "BDT", Key::Characters(1..=190), ACCOUNT),
    row("nagad", "Nagad", "BDT", Key::Characters(10..=10), ACCOUNT),
    row("rocket", "Rocket", "BDT", Key::Characters(1..=190), ACCOUNT),
    row("easypaisa", "Easypaisa", "PKR", Key::Characters(1..=190), ACCOUNT),
    row("wavepay", "Wave Pay", "MMK", Key::Characters(1..=190), ACCOUNT),
    row("esewa_ml", "eSewa", "NPR", Key::Characters(6..=8), ACCOUNT),
    row("khalti_ml", "Khalti", "NPR", Key::Characters(20..=28), ACCOUNT),
];

const fn row(
    name: &'static str,
    title: &'static str,
    currency_code: &'static str,
    key1: Key,
    params: &'static str,
) -> Wallet {
    Wallet { name, title, currency_code, key1, params }
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

    /// The payment systems of a currency.
    pub(crate) fn of_currency(currency_code: &str) -> impl Iterator<Item = &'static Self> {
        WALLETS.iter().filter(move |wallet| wallet.currency_code == currency_code)
    }

    /// All payment systems.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        WALLETS.iter()
    }

    /// The account that the user pays to.
    pub(crate) fn account(&self) -> String {
        let params: JsonObject = serde_json::from_str(self.params).unwrap_or_default();
        params.read("identifier").or_else(|| params.read("Account number")).unwrap_or_default()
    }

    /// The rule of a transaction number, with the words for digits and characters: `11–12 digits`.
    pub(crate) fn rule(&self, digits: &str, characters: &str) -> String {
        let (lengths, unit) = match &self.key1 {
            Key::Digits(lengths) => (lengths, digits),
            Key::Characters(lengths) => (lengths, characters),
        };
        match (lengths.start(), lengths.end()) {
            (least, most) if least == most => format!("{least} {unit}"),
            (least, most) => format!("{least}–{most} {unit}"),
        }
    }

    /// A new transaction number, as the wallet would show it.
    pub(crate) fn new_number(&self) -> String {
        const DIGITS: &[u8] = b"0123456789";
        const CHARACTERS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        let (length, from) = match &self.key1 {
            Key::Digits(lengths) => (*lengths.start(), DIGITS),
            Key::Characters(lengths) => (10.clamp(*lengths.start(), *lengths.end()), CHARACTERS),
        };
        let others = (1..length).filter_map(|_| fastrand::choice(from));
        // The first one is not 0, so that the number is a number to everybody.
        fastrand::choice(b"123456789").into_iter().chain(others).map(|char| char::from(*char)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wallet_takes_the_numbers_that_it_shows() {
        for wallet in Wallet::all() {
            let number = wallet.new_number();
            assert!(wallet.takes(&number), "{}: {number}", wallet.name);
            assert!(!wallet.account().is_empty(), "{}", wallet.name);
        }
        assert_eq!(Wallet::find("paytm").unwrap().rule("digits", "characters"), "11–12 digits");
        assert_eq!(Wallet::find("nagad").unwrap().rule("digits", "characters"), "10 characters");
    }
}
