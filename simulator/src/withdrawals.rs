//! The withdrawals that the provider has accepted and what has become of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::amount::Amount;
use crate::fields::Rejection;
use crate::settings::Settings;

/// An accepted request, as far as its postback needs it.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) wallet_type: String,
    pub(crate) amount: u64,
    pub(crate) currency_code: String,
    pub(crate) label: String,
    pub(crate) account_number: String,
}

/// The end of a withdrawal: what a postback reports.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) withdrawal_id: String,
    pub(crate) accepted: Accepted,
    pub(crate) amount: Amount,
    pub(crate) status: i64,
}

/// The state of a withdrawal, for the control API.
#[derive(Debug, Serialize)]
pub(crate) struct Standing<'a> {
    withdrawal_id: &'a str,
    state: &'static str,
    status: Option<i64>,
    received: usize,
    distinct_bodies: usize,
    accepted_count: u64,
}

#[derive(Default)]
struct Record {
    /// Every body that named this id, and how often it came.
    bodies: BTreeMap<Vec<u8>, usize>,
    accepted: Option<Accepted>,
    accepted_count: u64,
    status: Option<i64>,
}

/// Every withdrawal by its id.
#[derive(Default)]
pub(crate) struct Withdrawals(BTreeMap<String, Record>);

impl Withdrawals {
    /// Counts a received body.
    pub(crate) fn receive(&mut self, withdrawal_id: &str, body: &[u8]) {
        let bodies = &mut self.0.entry(withdrawal_id.to_owned()).or_default().bodies;
        let count = bodies.entry(body.to_vec()).or_default();
        *count = count.saturating_add(1);
    }

    /// Accepts a withdrawal as new, or says why not.
    pub(crate) fn accept(
        &mut self,
        withdrawal_id: &str,
        accepted: Accepted,
        settings: &Settings,
    ) -> Result<(), Rejection> {
        let unique = self.unique(withdrawal_id, settings);
        let covered = self.covered(&accepted, settings);
        if settings.balance_first { covered.and(unique) } else { unique.and(covered) }?;
        let record = self.0.entry(withdrawal_id.to_owned()).or_default();
        record.accepted = Some(accepted);
        record.accepted_count = record.accepted_count.saturating_add(1);
        Ok(())
    }

    /// Gives an accepted withdrawal a status, perhaps with another amount; none if it was never accepted.
    pub(crate) fn settle(&mut self, withdrawal_id: &str, status: i64, amount: Option<Amount>) -> Option<Settlement> {
        let record = self.0.get_mut(withdrawal_id)?;
        let accepted = record.accepted.clone()?;
        record.status = Some(status);
        let amount = amount.unwrap_or_else(|| Amount::from(accepted.amount));
        Some(Settlement { withdrawal_id: withdrawal_id.to_owned(), accepted, amount, status })
    }

    /// The state of a withdrawal; none if no body ever named it.
    pub(crate) fn standing(&self, withdrawal_id: &str) -> Option<Standing<'_>> {
        let (withdrawal_id, record) = self.0.get_key_value(withdrawal_id)?;
        Some(Standing {
            withdrawal_id,
            state: record.state(),
            status: record.status,
            received: record.bodies.values().sum(),
            distinct_bodies: record.bodies.len(),
            accepted_count: record.accepted_count,
        })
    }

    fn unique(&self, withdrawal_id: &str, settings: &Settings) -> Result<(), Rejection> {
        let taken = self.0.get(withdrawal_id).is_some_and(|record| record.accepted.is_some());
        if settings.dedup && taken { Err(Rejection::text("withdrawal_id already exists")) } else { Ok(()) }
    }

    fn covered(&self, accepted: &Accepted, settings: &Settings) -> Result<(), Rejection> {
        let open = self.0.values().map(Record::open).fold(accepted.amount, u64::saturating_add);
        if settings.balance.is_some_and(|balance| balance < open) {
            return Err(Rejection::field("withdrawals_sum_amount", "Insufficient balance"));
        }
        Ok(())
    }
}

impl Record {
    fn state(&self) -> &'static str {
        match (&self.accepted, self.status) {
            (None, _) => "refused",
            (Some(_), None) => "new",
            (Some(_), Some(_)) => "settled",
        }
    }

    /// The money of this id that is promised and not settled yet.
    fn open(&self) -> u64 {
        let amount = self.accepted.as_ref().map_or(0, |accepted| accepted.amount);
        if self.status.is_some() { 0 } else { amount.saturating_mul(self.accepted_count) }
    }
}
