//! How to read an export.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::{PaymentSystems, WalletType};
use serde::Deserialize;

use crate::failure::Failure;

/// The configuration; `operator/samples/export.toml` explains it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) skip_lines: usize,
    #[serde(default = "comma")]
    pub(crate) delimiter: char,
    #[serde(default = "point")]
    pub(crate) decimal_separator: char,
    pub(crate) thousands_separator: Option<char>,
    #[serde(default)]
    pub(crate) negative_withdrawals: bool,
    pub(crate) wallet_type: Option<WalletType>,
    #[serde(default, deserialize_with = "payment_systems")]
    pub(crate) payment_systems: PaymentSystems,
    pub(crate) columns: Columns,
    pub(crate) texts: Texts,
    #[serde(default)]
    pub(crate) ignore: Ignore,
    #[serde(default)]
    pub(crate) wallets: BTreeMap<String, WalletType>,
}

/// The names of the export's columns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    pub(crate) direction: String,
    pub(crate) deposit_id: String,
    pub(crate) withdrawal_id: String,
    pub(crate) amount: String,
    pub(crate) currency_code: String,
    pub(crate) status: String,
    pub(crate) wallet_type: Option<String>,
    pub(crate) origin: Option<String>,
}

/// The texts of a column with few values, in lower case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) deposit: Vec<String>,
    pub(crate) withdrawal: Vec<String>,
    pub(crate) success: Vec<String>,
    pub(crate) fail: Vec<String>,
    #[serde(default)]
    pub(crate) other: Vec<String>,
    #[serde(default)]
    pub(crate) by_hand: Vec<String>,
}

/// The lines that are no transactions, in lower case.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignore {
    #[serde(default)]
    pub(crate) types: Vec<String>,
    #[serde(default)]
    pub(crate) totals: Vec<String>,
}

fn comma() -> char {
    ','
}

fn point() -> char {
    '.'
}

/// The parameter `PaymentSystems`, as the deployment has it.
fn payment_systems<'de, D: serde::Deserializer<'de>>(text: D) -> Result<PaymentSystems, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(text)?;
    let changes = serde_json::from_str(&text).map_err(D::Error::custom)?;
    PaymentSystems::with(changes).map_err(|rule| D::Error::custom(format!("`payment_systems` {rule}")))
}

impl Config {
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |cause: String| Failure::Usage(format!("{}: {cause}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let Texts { deposit, withdrawal, success, fail, other, by_hand } = &mut config.texts;
        let Ignore { types, totals } = &mut config.ignore;
        for text in [deposit, withdrawal, success, fail, other, by_hand, types, totals].into_iter().flatten() {
            *text = plain(text);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let Self { texts, ignore, columns, .. } = self;
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\r' | '\n' | '\0') {
            return Err("`delimiter` must be one ASCII character, and no quote".into());
        }
        if Some(self.decimal_separator) == self.thousands_separator {
            return Err("`decimal_separator` and `thousands_separator` must differ".into());
        }
        if columns.wallet_type.is_none() && self.wallet_type.is_none() {
            return Err("`wallet_type` must be given, or `columns.wallet_type`".into());
        }
        if columns.origin.is_none() && !texts.by_hand.is_empty() {
            return Err("`texts.by_hand` needs `columns.origin`".into());
        }
        if ignore.totals.iter().any(String::is_empty) {
            return Err("`ignore.totals` must not have an empty text".into());
        }
        distinct(&[
            ("texts.deposit", &texts.deposit),
            ("texts.withdrawal", &texts.withdrawal),
            ("ignore.types", &ignore.types),
        ])?;
        distinct(&[("texts.success", &texts.success), ("texts.fail", &texts.fail), ("texts.other", &texts.other)])
    }
}

/// A text as it is compared.
pub(crate) fn plain(text: &str) -> String {
    text.trim_matches([' ', '\t']).to_lowercase()
}

/// No text of a column has two meanings.
fn distinct(lists: &[(&str, &Vec<String>)]) -> Result<(), String> {
    let mut seen = BTreeMap::new();
    for (name, texts) in lists {
        for text in texts.iter().collect::<BTreeSet<_>>() {
            if let Some(first) = seen.insert(text, name) {
                return Err(format!("`{first}` and `{name}` both have \"{text}\""));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../samples/export.toml");

    #[test]
    fn a_configuration_that_cannot_do_is_refused_by_its_name() {
        for (from, to, named) in [
            ("delimiter = \",\"", "delimiter = \"€\"", "delimiter"),
            ("delimiter = \",\"", "delimiter = '\"'", "delimiter"),
            ("thousands_separator = \",\"", "thousands_separator = \".\"", "thousands_separator"),
            ("wallet_type = \"Wallet\"", "", "wallet_type"),
            ("origin = \"Created by\"", "", "origin"),
            ("amount = \"Amount\"", "", "amount"),
            ("[texts]", "[texts]\nperhaps = []", "perhaps"),
            ("totals = [\"total\"]", "totals = [\" \"]", "totals"),
            (
                "[columns]",
                "payment_systems = '[{\"wallet_type\":\"paytm\",\"key1\":{\"least\":0}}]'\n[columns]",
                "key1",
            ),
        ] {
            let text = SAMPLE.replace(from, to);
            assert_ne!(text, SAMPLE, "{from}");
            let why = Config::parse(&text).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn a_text_with_two_meanings_is_refused_whatever_its_case() {
        for (from, to, why) in [
            ("\"failed\"", "\"SUCCESS\"", "`texts.success` and `texts.fail` both have \"success\""),
            ("\"pending\"", "\"Completed \"", "`texts.success` and `texts.other` both have \"completed\""),
            ("\"pending\"", "\"Cancelled\"", "`texts.fail` and `texts.other` both have \"cancelled\""),
            ("[\"withdrawal\"]", "[\"Deposit\"]", "`texts.deposit` and `texts.withdrawal` both have \"deposit\""),
            ("\"fee\"", "\"Withdrawal\"", "`texts.withdrawal` and `ignore.types` both have \"withdrawal\""),
        ] {
            assert_eq!(Config::parse(&SAMPLE.replace(from, to)).unwrap_err(), why);
        }
        let twice = SAMPLE.replace("\"completed\"", "\"Success\"");
        assert!(Config::parse(&twice).is_ok(), "twice in one list it has one meaning");
    }
}
