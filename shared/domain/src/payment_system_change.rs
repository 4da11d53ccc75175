//! What a deployment's setting says of a payment system: only what differs from the built-in row, or all of a new one.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::payment_system::{Limits, PaymentSystem, TextRule, WithdrawalRules};
use crate::{CurrencyCode, Lang, WalletType};

/// A field of a change: missing, `null`, or a value. What is missing stays as it is.
type Field<T> = Option<Option<T>>;

/// The rule that a change breaks. It names the field.
type Rule = Cow<'static, str>;

/// Changes of a payment system, field by field. `null` switches deposits or withdrawals off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentSystemChange {
    pub(crate) wallet_type: WalletType,
    #[serde(default, deserialize_with = "given")]
    currency_code: Field<CurrencyCode>,
    #[serde(default, deserialize_with = "given")]
    key1: Field<TextChange>,
    #[serde(default, deserialize_with = "given")]
    langs: Field<Vec<Lang>>,
    #[serde(default, deserialize_with = "given")]
    deposit: Field<LimitsChange>,
    #[serde(default, deserialize_with = "given")]
    account_number: Field<TextChange>,
    #[serde(default, deserialize_with = "given")]
    withdrawal: Field<LimitsChange>,
}

/// Keeps `null` apart from what is missing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Field<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A rule has no part that can be switched off.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextChange {
    #[serde(default, deserialize_with = "not_null")]
    least: Option<usize>,
    #[serde(default, deserialize_with = "not_null")]
    most: Option<usize>,
    #[serde(default, deserialize_with = "not_null")]
    digits: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsChange {
    #[serde(default, deserialize_with = "not_null")]
    minimum: Option<u64>,
    #[serde(default, deserialize_with = "not_null")]
    maximum: Option<u64>,
    #[serde(default, deserialize_with = "not_null")]
    decimals: Option<u32>,
}

/// The most characters that a number or an account may have, and the most decimals of an amount.
const MOST_CHARACTERS: usize = 190;
const MOST_DECIMALS: u32 = 8;

impl PaymentSystemChange {
    /// The row with these changes; a new one if there was none.
    pub(crate) fn applied_to(self, known: Option<&PaymentSystem>) -> Result<PaymentSystem, Rule> {
        let currency_code = match self.currency_code {
            Some(given) => Some(Cow::Owned(required(given, "currency_code")?.into())),
            None => known.map(|it| it.currency_code.clone()),
        };
        let key1 = match self.key1 {
            Some(given) => Some(required(given, "key1")?.applied_to(known.map(|it| &it.key1), "key1")?),
            None => known.map(|it| it.key1.clone()),
        };
        let langs = match self.langs {
            Some(given) => {
                let langs = required(given, "langs")?;
                if langs.is_empty() {
                    return Err("langs must have a language".into());
                }
                Some(Cow::Owned(langs.into_iter().map(|lang| Cow::Owned(lang.into())).collect()))
            }
            None => known.map(|it| it.langs.clone()),
        };
        let deposit = match self.deposit {
            Some(given) => {
                let known = known.and_then(|it| it.deposit.as_ref());
                given.map(|it| it.applied_to(known, "deposit")).transpose()?
            }
            None => known.and_then(|it| it.deposit.clone()),
        };
        Ok(PaymentSystem {
            wallet_type: Cow::Owned(self.wallet_type.into()),
            currency_code: currency_code.ok_or_else(|| missing("currency_code"))?,
            key1: key1.ok_or_else(|| missing("key1"))?,
            langs: langs.ok_or_else(|| missing("langs"))?,
            deposit,
            withdrawal: withdrawal_rules(
                self.account_number,
                self.withdrawal,
                known.and_then(|it| it.withdrawal.as_ref()),
            )?,
        })
    }
}

/// Both rules of a withdrawal, or none: either of them may switch it off.
fn withdrawal_rules(
    account: Field<TextChange>,
    limits: Field<LimitsChange>,
    known: Option<&WithdrawalRules>,
) -> Result<Option<WithdrawalRules>, Rule> {
    let is_off = matches!(account, Some(None)) || matches!(limits, Some(None));
    let (account, limits) = (account.flatten(), limits.flatten());
    if is_off && (account.is_some() || limits.is_some()) {
        return Err("account_number and withdrawal must both be null, or none".into());
    }
    if is_off {
        return Ok(None);
    }
    let account_number = match account {
        Some(change) => Some(change.applied_to(known.map(|it| &it.account_number), "account_number")?),
        None => known.map(|it| it.account_number.clone()),
    };
    let limits = match limits {
        Some(change) => Some(change.of_withdrawal().applied_to(known.map(|it| &it.limits), "withdrawal")?),
        None => known.map(|it| it.limits.clone()),
    };
    match (account_number, limits) {
        (Some(_), Some(limits)) if limits.decimals > 0 => {
            Err("withdrawal.decimals must be 0: the provider takes whole units".into())
        }
        (Some(account_number), Some(limits)) => Ok(Some(WithdrawalRules { account_number, limits })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing("withdrawal")),
        (None, Some(_)) => Err(missing("account_number")),
    }
}

impl TextChange {
    fn applied_to(self, known: Option<&TextRule>, field: &str) -> Result<TextRule, Rule> {
        let least = self.least.or(known.map(|it| it.least)).ok_or_else(|| missing(&format!("{field}.least")))?;
        let most = self.most.or(known.map(|it| it.most)).ok_or_else(|| missing(&format!("{field}.most")))?;
        let digits = self.digits.or(known.map(|it| it.digits)).unwrap_or_default();
        if !(1..=most).contains(&least) || most > MOST_CHARACTERS {
            return Err(
                format!("{field}.least and {field}.most must be from 1 to {MOST_CHARACTERS}, in this order").into()
            );
        }
        Ok(TextRule { least, most, digits })
    }
}

impl LimitsChange {
    /// Decimals need not be given where there can be none.
    fn of_withdrawal(self) -> Self {
        Self { decimals: self.decimals.or(Some(0)), ..self }
    }

    fn applied_to(self, known: Option<&Limits>, field: &str) -> Result<Limits, Rule> {
        let of = |name: &str| missing(&format!("{field}.{name}"));
        let minimum = self.minimum.or(known.map(|it| it.minimum)).ok_or_else(|| of("minimum"))?;
        let maximum = self.maximum.or(known.map(|it| it.maximum)).ok_or_else(|| of("maximum"))?;
        let decimals = self.decimals.or(known.map(|it| it.decimals)).ok_or_else(|| of("decimals"))?;
        if minimum > maximum {
            return Err(format!("{field}.minimum must not be above {field}.maximum, which is {maximum}").into());
        }
        if decimals > MOST_DECIMALS {
            return Err(format!("{field}.decimals must be at most {MOST_DECIMALS}").into());
        }
        Ok(Limits { minimum, maximum, decimals })
    }
}

fn required<T>(given: Option<T>, field: &str) -> Result<T, Rule> {
    given.ok_or_else(|| format!("{field} must not be null").into())
}

fn missing(field: &str) -> Rule {
    format!("{field} is missing, and there is no built-in one").into()
}

#[cfg(test)]
mod tests {
    use crate::{InvalidValue, PaymentSystem, PaymentSystems, WalletType};

    fn with(changes: &str) -> Result<PaymentSystems, InvalidValue> {
        PaymentSystems::with(serde_json::from_str(changes).unwrap())
    }

    fn find(systems: &PaymentSystems, wallet: &str) -> PaymentSystem {
        systems.find(&WalletType::parse(wallet).unwrap()).unwrap().clone()
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let built_in = find(&PaymentSystems::default(), "paytm");
        let changed = |fields: &str| find(&with(&format!(r#"[{{"wallet_type":"paytm"{fields}}}]"#)).unwrap(), "paytm");
        assert_eq!(changed(""), built_in);
        let mut expected = built_in.clone();
        expected.deposit.as_mut().unwrap().maximum = 50_000;
        assert_eq!(changed(r#","deposit":{"maximum":50000}"#), expected);
        let mut expected = built_in.clone();
        expected.key1.most = 14;
        assert_eq!(changed(r#","key1":{"most":14}"#), expected);
        let mut expected = built_in.clone();
        expected.withdrawal.as_mut().unwrap().limits.minimum = 300;
        assert_eq!(changed(r#","withdrawal":{"minimum":300}"#), expected);
        let mut expected = built_in;
        expected.withdrawal.as_mut().unwrap().account_number.most = 12;
        expected.langs = vec!["hi".into()].into();
        assert_eq!(changed(r#","account_number":{"most":12},"langs":["hi"]"#), expected);
        let all = PaymentSystems::default();
        assert_eq!(
            find(&with(r#"[{"wallet_type":"paytm","key1":{"most":14}}]"#).unwrap(), "nagad"),
            find(&all, "nagad")
        );
    }

    #[test]
    fn null_switches_deposits_or_withdrawals_off() {
        for fields in [r#""withdrawal":null"#, r#""account_number":null"#, r#""account_number":null,"withdrawal":null"#]
        {
            let systems = with(&format!(r#"[{{"wallet_type":"paytm",{fields}}}]"#)).unwrap();
            let paytm = find(&systems, "paytm");
            assert!(paytm.withdrawal.is_none() && paytm.deposit.is_some(), "{fields}");
            assert!(systems.to_string().ends_with("; that pay out: none"), "{systems}");
        }
        let systems = with(r#"[{"wallet_type":"paytm","deposit":null}]"#).unwrap();
        let paytm = find(&systems, "paytm");
        assert!(paytm.deposit.is_none() && paytm.withdrawal.is_some());
        assert!(systems.to_string().starts_with("payment systems that take deposits: phone_pe, upi_l, "), "{systems}");
        assert!(systems.to_string().ends_with("; that pay out: paytm"), "{systems}");
    }

    const NEW: &str = r#""currency_code":"BDT","key1":{"least":1,"most":9},"langs":["en"]"#;

    #[test]
    fn a_new_payment_system_needs_all_its_fields() {
        let deposit = r#""deposit":{"minimum":1,"maximum":2,"decimals":0}"#;
        let withdrawal = r#""account_number":{"least":5,"most":9},"withdrawal":{"minimum":1,"maximum":2}"#;
        let systems = with(&format!(r#"[{{"wallet_type":"new_one",{NEW},{deposit},{withdrawal}}}]"#)).unwrap();
        assert_eq!(find(&systems, "new_one").withdrawal.unwrap().limits.decimals, 0);
        assert!(systems.to_string().ends_with("; that pay out: paytm, new_one"), "{systems}");
        for (fields, missing) in [
            (r#""key1":{"least":1,"most":9},"langs":["en"]"#.to_owned(), "currency_code"),
            (r#""currency_code":"BDT","langs":["en"]"#.to_owned(), "key1"),
            (r#""currency_code":"BDT","langs":["en"],"key1":{"least":1}"#.to_owned(), "key1.most"),
            (r#""currency_code":"BDT","key1":{"least":1,"most":9}"#.to_owned(), "langs"),
            (format!(r#"{NEW},"deposit":{{"minimum":1,"maximum":2}}"#), "deposit.decimals"),
            (format!(r#"{NEW},"account_number":{{"least":5,"most":9}}"#), "withdrawal"),
            (format!(r#"{NEW},"withdrawal":{{"minimum":1,"maximum":2}}"#), "account_number"),
        ] {
            let InvalidValue(rule) = with(&format!(r#"[{{"wallet_type":"new_one",{fields}}}]"#)).unwrap_err();
            assert_eq!(rule, format!("has in entry 1: {missing} is missing, and there is no built-in one"), "{fields}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_entry_and_field() {
        for (fields, rule) in [
            (r#""withdrawal":{"decimals":2}"#, "withdrawal.decimals must be 0: the provider takes whole units"),
            (
                r#""deposit":{"minimum":20000000}"#,
                "deposit.minimum must not be above deposit.maximum, which is 10000000",
            ),
            (r#""deposit":{"decimals":9}"#, "deposit.decimals must be at most 8"),
            (r#""key1":{"least":13}"#, "key1.least and key1.most must be from 1 to 190, in this order"),
            (r#""key1":{"least":0}"#, "key1.least and key1.most must be from 1 to 190, in this order"),
            (
                r#""account_number":{"most":191}"#,
                "account_number.least and account_number.most must be from 1 to 190, in this order",
            ),
            (r#""langs":[]"#, "langs must have a language"),
            (r#""key1":null"#, "key1 must not be null"),
            (r#""currency_code":null"#, "currency_code must not be null"),
            (r#""langs":null"#, "langs must not be null"),
            (
                r#""account_number":null,"withdrawal":{"minimum":5}"#,
                "account_number and withdrawal must both be null, or none",
            ),
        ] {
            let changes = format!(r#"[{{"wallet_type":"nagad"}},{{"wallet_type":"paytm",{fields}}}]"#);
            assert_eq!(with(&changes), Err(InvalidValue(format!("has in entry 2: {rule}").into())), "{fields}");
        }
        let twice = with(r#"[{"wallet_type":"paytm"},{"wallet_type":"paytm"}]"#);
        assert_eq!(twice, Err(InvalidValue("has in entry 2: wallet_type appears in an earlier entry".into())));
    }

    #[test]
    fn an_unknown_field_or_a_name_that_nobody_can_ask_for_is_refused() {
        for change in [
            r#"{"wallet_type":"paytm","depost":{"maximum":5}}"#,
            r#"{"wallet_type":"paytm","deposit":{"max":5}}"#,
            r#"{"wallet_type":"paytm","deposit":{"maximum":null}}"#,
            r#"{"wallet_type":"paytm","key1":{"digits":null}}"#,
            r#"{"wallet_type":"PayTM"}"#,
            r#"{"wallet_type":"paytm","currency_code":"inr"}"#,
            r#"{"wallet_type":"paytm","langs":["EN"]}"#,
            r#"{"deposit":{"maximum":5}}"#,
        ] {
            assert!(serde_json::from_str::<super::PaymentSystemChange>(change).is_err(), "{change}");
        }
    }
}
