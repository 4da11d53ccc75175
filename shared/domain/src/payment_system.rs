//! The payment systems: their rules are data, so that the next one is a row and not a branch.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use crate::payment_system_change::PaymentSystemChange;
use crate::{Amount, CurrencyCode, InvalidValue, Lang, WalletType};

/// How a number or an account must look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRule {
    /// Least length in characters.
    pub least: usize,
    /// Greatest length in characters.
    pub most: usize,
    /// Whether only 0-9 are allowed; else also A-Z a-z and `_ - . / @`.
    pub digits: bool,
}

impl TextRule {
    /// Checks a text.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn check(&self, text: &str) -> Result<(), InvalidValue> {
        let allowed = |byte: u8| match byte {
            b'0'..=b'9' => true,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-' | b'.' | b'/' | b'@' => !self.digits,
            _ => false,
        };
        if (self.least..=self.most).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(());
        }
        let Self { least, most, digits } = self;
        let alphabet = if *digits { "digits" } else { "characters of A-Z a-z 0-9 _ - . / @" };
        Err(InvalidValue(if least == most {
            format!("must be {least} {alphabet}").into()
        } else {
            format!("must be {least} to {most} {alphabet}").into()
        }))
    }
}

/// Bounds of an amount, in whole units of the currency, and its greatest number of decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The least amount.
    pub minimum: u64,
    /// The greatest amount.
    pub maximum: u64,
    /// Digits after the point.
    pub decimals: u32,
}

impl Limits {
    /// Checks an amount.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn check(&self, amount: Amount) -> Result<(), InvalidValue> {
        let Self { minimum, maximum, decimals } = self;
        if amount.precision() > *decimals {
            return Err(InvalidValue(format!("must have at most {decimals} decimals").into()));
        }
        if !amount.is_within(*minimum, *maximum) {
            return Err(InvalidValue(format!("must be between {minimum} and {maximum}").into()));
        }
        Ok(())
    }
}

/// One payment system. Source: docs/provider-protocol.md 1, 3, 4 and 5. The deployment sets its own limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentSystem {
    /// The provider's name for it.
    pub wallet_type: Cow<'static, str>,
    /// Its currency.
    pub currency_code: Cow<'static, str>,
    /// The number that a user enters.
    pub key1: TextRule,
    /// Languages of the payment window.
    pub langs: Cow<'static, [Cow<'static, str>]>,
    /// What a deposit may be; `None` if it takes no deposits.
    pub deposit: Option<Limits>,
    /// What it needs to pay out; `None` if it does not.
    pub withdrawal: Option<WithdrawalRules>,
}

/// What a payment system needs to pay out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalRules {
    /// The account that is paid.
    pub account_number: TextRule,
    /// What a withdrawal may be: the provider takes whole units.
    pub limits: Limits,
}

impl PaymentSystem {
    /// Checks that a currency is this system's.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn check_currency(&self, currency: &CurrencyCode) -> Result<(), InvalidValue> {
        if currency.as_str() == self.currency_code {
            return Ok(());
        }
        Err(InvalidValue(format!("must be {} for {}", self.currency_code, self.wallet_type).into()))
    }

    /// Checks that the payment window speaks a language.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn check_lang(&self, lang: &Lang) -> Result<(), InvalidValue> {
        if self.langs.iter().any(|known| known == lang.as_str()) {
            return Ok(());
        }
        Err(InvalidValue(format!("must be one of {} for {}", self.langs.join(", "), self.wallet_type).into()))
    }
}

/// The payment systems of a deployment: the built-in ones, with what a setting changes and adds.
///
/// ```
/// use domain::{PaymentSystems, WalletType};
///
/// let changes = r#"[{"wallet_type": "paytm", "deposit": {"maximum": 50000}, "withdrawal": null}]"#;
/// let systems = PaymentSystems::with(serde_json::from_str(changes).unwrap())?;
/// let paytm = systems.find(&WalletType::parse("paytm")?)?;
/// assert_eq!(paytm.deposit.as_ref().map(|it| (it.minimum, it.maximum)), Some((1, 50_000)));
/// assert!(paytm.withdrawal.is_none());
/// # Ok::<(), domain::InvalidValue>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentSystems(Vec<PaymentSystem>);

impl Default for PaymentSystems {
    fn default() -> Self {
        Self(BUILT_IN.to_vec())
    }
}

impl PaymentSystems {
    /// The built-in ones with these changes.
    ///
    /// # Errors
    /// [`InvalidValue`] names the entry, counted from 1, and its field.
    pub fn with(changes: Vec<PaymentSystemChange>) -> Result<Self, InvalidValue> {
        let Self(mut rows) = Self::default();
        let mut seen = BTreeSet::new();
        for (change, entry) in changes.into_iter().zip(1..) {
            let of_entry = |rule: Cow<'static, str>| InvalidValue(format!("has in entry {entry}: {rule}").into());
            if !seen.insert(change.wallet_type.clone()) {
                return Err(of_entry("wallet_type appears in an earlier entry".into()));
            }
            let known = rows.iter().position(|row| row.wallet_type == change.wallet_type.as_str());
            let row = change.applied_to(known.and_then(|at| rows.get(at))).map_err(of_entry)?;
            match known.and_then(|at| rows.get_mut(at)) {
                Some(known) => *known = row,
                None => rows.push(row),
            }
        }
        Ok(Self(rows))
    }

    /// Their wallets.
    pub fn wallet_types(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|row| row.wallet_type.as_ref())
    }

    /// The row of a wallet.
    ///
    /// # Errors
    /// [`InvalidValue`] for a wallet without a row.
    pub fn find(&self, wallet: &WalletType) -> Result<&PaymentSystem, InvalidValue> {
        self.0.iter().find(|row| row.wallet_type == wallet.as_str()).ok_or_else(|| {
            let known: BTreeSet<_> = self.wallet_types().collect();
            InvalidValue(format!("must be one of {}", known.into_iter().collect::<Vec<_>>().join(", ")).into())
        })
    }
}

/// Which of them take deposits, and which pay out.
impl fmt::Display for PaymentSystems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |of: fn(&PaymentSystem) -> bool| {
            let names: Vec<_> = self.0.iter().filter(|row| of(row)).map(|row| row.wallet_type.as_ref()).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let (deposits, withdrawals) = (names(|row| row.deposit.is_some()), names(|row| row.withdrawal.is_some()));
        write!(out, "payment systems that take deposits: {deposits}; that pay out: {withdrawals}")
    }
}

const fn digits(least: usize, most: usize) -> TextRule {
    TextRule { least, most, digits: true }
}

const fn text(least: usize, most: usize) -> TextRule {
    TextRule { least, most, digits: false }
}

const fn limits(decimals: u32) -> Limits {
    Limits { minimum: 1, maximum: 10_000_000, decimals }
}

const EN: &[Cow<'static, str>] = &[Cow::Borrowed("en")];
const EN_HI: &[Cow<'static, str>] = &[Cow::Borrowed("en"), Cow::Borrowed("hi")];

const fn deposits_only(wallet_type: &'static str, currency_code: &'static str, key1: TextRule) -> PaymentSystem {
    PaymentSystem {
        wallet_type: Cow::Borrowed(wallet_type),
        currency_code: Cow::Borrowed(currency_code),
        key1,
        langs: Cow::Borrowed(EN),
        deposit: Some(limits(2)),
        withdrawal: None,
    }
}

const BUILT_IN: &[PaymentSystem] = &[
    PaymentSystem {
        wallet_type: Cow::Borrowed("paytm"),
        currency_code: Cow::Borrowed("INR"),
        key1: digits(11, 12),
        langs: Cow::Borrowed(EN_HI),
        deposit: Some(limits(2)),
        withdrawal: Some(WithdrawalRules { account_number: digits(10, 10), limits: limits(0) }),
    },
    deposits_only("phone_pe", "INR", text(1, 190)),
    deposits_only("upi_l", "INR", text(1, 190)),
    deposits_only("upi_ib", "INR", text(1, 190)),
    deposits_only("upi_hb", "INR", text(1, 190)),
    deposits_only("upi_in", "INR", text(1, 190)),
    deposits_only("upi_w", "INR", text(1, 190)),
    deposits_only("upi_m", "INR", text(1, 190)),
    deposits_only("bkash", "BDT", text(1, 190)),
    deposits_only("nagad", "BDT", text(10, 10)),
    deposits_only("rocket", "BDT", text(1, 190)),
    deposits_only("easypaisa", "PKR", text(1, 190)),
    deposits_only("wavepay", "MMK", text(1, 190)),
    deposits_only("esewa_ml", "NPR", text(6, 8)),
    deposits_only("khalti_ml", "NPR", text(20, 28)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn find(systems: &PaymentSystems, wallet: &str) -> Result<PaymentSystem, InvalidValue> {
        systems.find(&WalletType::parse(wallet).unwrap()).cloned()
    }

    #[test]
    fn paytm_takes_numbers_of_11_or_12_digits_and_accounts_of_10() {
        let paytm = find(&PaymentSystems::default(), "paytm").unwrap();
        assert!(paytm.key1.check("47752123519").is_ok());
        for bad in ["4775212351", "4775212351900", "4775212351a", "4775212351٣"] {
            let InvalidValue(rule) = paytm.key1.check(bad).unwrap_err();
            assert_eq!(rule, "must be 11 to 12 digits");
        }
        assert!(paytm.withdrawal.unwrap().account_number.check("123456007").is_err());
    }

    #[test]
    fn what_is_not_of_a_system_is_refused_with_its_rule() {
        let paytm = find(&PaymentSystems::default(), "paytm").unwrap();
        let wallet = find(&PaymentSystems::default(), "upi_l").unwrap();
        assert_eq!(wallet.key1.check("aZ09_-./@"), Ok(()));
        for bad in ["a b", "é", "a#b", ""] {
            let InvalidValue(rule) = wallet.key1.check(bad).unwrap_err();
            assert_eq!(rule, "must be 1 to 190 characters of A-Z a-z 0-9 _ - . / @");
        }
        let currency = |text| paytm.check_currency(&CurrencyCode::parse(text).unwrap());
        assert_eq!(currency("INR"), Ok(()));
        assert_eq!(currency("BDT"), Err(InvalidValue("must be INR for paytm".into())));
        let lang = |text| paytm.check_lang(&Lang::parse(text).unwrap());
        assert_eq!((lang("en"), lang("hi")), (Ok(()), Ok(())));
        assert_eq!(lang("bn"), Err(InvalidValue("must be one of en, hi for paytm".into())));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let limits = Limits { minimum: 100, maximum: 500, decimals: 2 };
        let check = |text| limits.check(Amount::parse(text).unwrap());
        assert!(check("100").is_ok() && check("500.00").is_ok() && check("100.010").is_ok());
        assert!(check("99.99").is_err() && check("500.01").is_err() && check("100.001").is_err());
    }

    #[test]
    fn the_wallets_of_the_protocol_are_rows_with_their_currencies() {
        let known = [
            ("INR", vec!["paytm", "phone_pe", "upi_l", "upi_ib", "upi_hb", "upi_in", "upi_w", "upi_m"]),
            ("BDT", vec!["bkash", "nagad", "rocket"]),
            ("PKR", vec!["easypaisa"]),
            ("MMK", vec!["wavepay"]),
            ("NPR", vec!["esewa_ml", "khalti_ml"]),
        ];
        for (currency, wallets) in known {
            for wallet in wallets {
                let row = find(&PaymentSystems::default(), wallet).unwrap();
                assert_eq!(row.currency_code, currency, "{wallet}");
                assert_eq!(
                    row.withdrawal.is_some(),
                    wallet == "paytm",
                    "only PayTM's withdrawals are documented: {wallet}"
                );
            }
        }
    }
}
