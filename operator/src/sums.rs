//! Counts and sums of amounts, by currency.

use std::collections::BTreeMap;
use std::fmt;

use domain::{Amount, CurrencyCode, Totals};
use serde::Serialize;

/// Count and sum in each currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Sums(BTreeMap<String, Totals>);

impl Sums {
    /// Adds one more.
    pub(crate) fn add(&mut self, currency_code: &CurrencyCode, amount: Amount) {
        let totals = self.0.entry(currency_code.as_str().to_owned()).or_default();
        *totals = totals.plus(amount);
    }

    /// The sum in each currency.
    pub(crate) fn each(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(code, totals)| format!("{} {code}", totals.sum))
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let each: Vec<_> = self.0.iter().map(|(code, it)| format!("{} of {} {code}", it.count, it.sum)).collect();
        f.write_str(&each.join(", "))
    }
}
