//! The setting of a ceiling.

use std::collections::BTreeMap;
use std::fmt;

use domain::{Amount, Ceiling, CeilingRule, InvalidValue, PaymentSystems, WalletType};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

const RULE: &str = r#"must be none, an amount such as 100000, or a JSON object such as {"paytm":"100000"} with each payment system once"#;

/// Reads a ceiling: `none`, one amount for every payment system, or a JSON object from payment systems to `"none"` or an amount.
///
/// # Errors
/// [`InvalidValue`] with the rule. It names no value.
///
/// # Examples
/// ```
/// use create_withdrawal::parse_ceiling;
/// use domain::{Amount, Ceiling, CeilingRule, PaymentSystems};
///
/// let parse = |text| parse_ceiling(text, &PaymentSystems::default());
/// assert_eq!(parse("none")?, CeilingRule::Every(Ceiling::None));
/// assert_eq!(parse("100000")?, CeilingRule::Every(Ceiling::AtMost(Amount::parse("100000")?.into())));
/// assert!(matches!(parse(r#"{"paytm":100000}"#)?, CeilingRule::Named(_)));
/// # Ok::<(), domain::InvalidValue>(())
/// ```
pub fn parse_ceiling(text: &str, systems: &PaymentSystems) -> Result<CeilingRule, InvalidValue> {
    if !text.starts_with('{') {
        return ceiling(text).map(CeilingRule::Every).ok_or(InvalidValue(RULE.into()));
    }
    let Named(ceilings) = serde_json::from_str(text).map_err(|_| InvalidValue(RULE.into()))?;
    let pays_out = |name| systems.find(name).is_ok_and(|system| system.withdrawal.is_some());
    if !ceilings.keys().all(pays_out) {
        return Err(InvalidValue("must name only payment systems that pay out".into()));
    }
    Ok(CeilingRule::Named(ceilings))
}

fn ceiling(text: &str) -> Option<Ceiling> {
    if text == "none" {
        return Some(Ceiling::None);
    }
    Amount::parse(text).ok().map(|amount| Ceiling::AtMost(amount.into()))
}

struct Named(BTreeMap<WalletType, Ceiling>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Named;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Named, A::Error> {
                let mut ceilings = BTreeMap::new();
                while let Some((name, raw)) = members.next_entry::<WalletType, &'de RawValue>()? {
                    let text = match raw.get().as_bytes().first() {
                        Some(b'"') => serde_json::from_str(raw.get()).map_err(A::Error::custom)?,
                        _ => raw.get().to_owned(),
                    };
                    let ceiling = ceiling(&text).ok_or_else(|| A::Error::custom(RULE))?;
                    if ceilings.insert(name, ceiling).is_some() {
                        return Err(A::Error::custom(RULE));
                    }
                }
                Ok(Named(ceilings))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<CeilingRule, InvalidValue> {
        parse_ceiling(text, &PaymentSystems::default())
    }

    fn at_most(text: &str) -> Ceiling {
        Ceiling::AtMost(Amount::parse(text).unwrap().into())
    }

    #[test]
    fn a_ceiling_is_none_an_amount_or_one_for_each_payment_system() {
        assert_eq!(parse("none"), Ok(CeilingRule::Every(Ceiling::None)));
        assert_eq!(parse("1500.50"), Ok(CeilingRule::Every(at_most("1500.5"))));
        let paytm = |ceiling| Ok(CeilingRule::Named([(WalletType::parse("paytm").unwrap(), ceiling)].into()));
        assert_eq!(parse(r#"{"paytm":"none"}"#), paytm(Ceiling::None));
        for text in [r#"{"paytm":1234567890123456.78}"#, r#"{ "paytm" : "1234567890123456.78" }"#] {
            assert_eq!(parse(text), paytm(at_most("1234567890123456.78")));
        }
        assert_eq!(parse("{}"), Ok(CeilingRule::Named(BTreeMap::new())));
    }

    #[test]
    fn any_other_text_is_refused_without_being_repeated() {
        for bad in [
            "None",
            "0",
            "-5",
            "1e6",
            "1,000",
            " 5",
            "unlimited",
            "[]",
            "\"5\"",
            "{",
            r#"{"paytm":null}"#,
            r#"{"paytm":none}"#,
            r#"{"paytm":0}"#,
            r#"{"paytm":1e6}"#,
            r#"{"paytm":["5"]}"#,
            r#"{"PayTM":5}"#,
            r#"{"paytm":5,"paytm":6}"#,
            r#"{"paytm":5,"\u0070aytm":6}"#,
            r#"{"paytm":5} {}"#,
        ] {
            assert_eq!(parse(bad), Err(InvalidValue(RULE.into())), "{bad}");
        }
    }

    #[test]
    fn a_name_that_no_withdrawal_can_have_is_refused() {
        for bad in [r#"{"paytn":5}"#, r#"{"bkash":5}"#] {
            assert_eq!(parse(bad), Err(InvalidValue("must name only payment systems that pay out".into())), "{bad}");
        }
    }
}
