//! How to read an export.

use std::collections::BTreeMap;
use std::path::Path;

use domain::WalletType;
use serde::Deserialize;

use crate::failure::Failure;

/// The configuration; `operator/samples/export.toml` explains it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "comma")]
    pub(crate) delimiter: char,
    #[serde(default = "point")]
    pub(crate) decimal_separator: char,
    pub(crate) thousands_separator: Option<char>,
    pub(crate) wallet_type: Option<WalletType>,
    pub(crate) columns: Columns,
    pub(crate) texts: Texts,
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

fn comma() -> char {
    ','
}

fn point() -> char {
    '.'
}

impl Config {
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let wrong = |cause: String| Failure::Usage(format!("{}: {cause}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check()?;
        let Texts { deposit, withdrawal, success, fail, other, by_hand } = &mut config.texts;
        for text in [deposit, withdrawal, success, fail, other, by_hand].into_iter().flatten() {
            *text = text.to_lowercase();
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), &'static str> {
        if !self.delimiter.is_ascii() {
            return Err("`delimiter` must be one ASCII character");
        }
        if Some(self.decimal_separator) == self.thousands_separator {
            return Err("`decimal_separator` and `thousands_separator` must differ");
        }
        if self.columns.wallet_type.is_none() && self.wallet_type.is_none() {
            return Err("`wallet_type` must be given, or `columns.wallet_type`");
        }
        if self.columns.origin.is_none() && !self.texts.by_hand.is_empty() {
            return Err("`texts.by_hand` needs `columns.origin`");
        }
        Ok(())
    }
}
