//! The withdrawals that the provider has accepted, and their ends.

use std::collections::BTreeMap;

use paykassma::WrittenAmount;
use serde::Serialize;

use crate::request_fields::Rejection;
use crate::settings::Settings;

/// An accepted request: what its postback repeats.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) wallet_type: String,
    pub(crate) amount: u64,
    pub(crate) currency_code: String,
    pub(crate) label: String,
    pub(crate) account_number: String,
}

/// The end of a withdrawal, as a postback reports it.
#[derive(Debug)]
pub(crate) struct WithdrawalEnd {
    pub(crate) withdrawal_id: String,
    pub(crate) accepted: Accepted,
    pub(crate) amount: WrittenAmount,
    pub(crate) status: i64,
}

/// The state of a withdrawal, for the control API.
#[derive(Debug, Serialize)]
pub(crate) struct WithdrawalStatus<'a> {
    withdrawal_id: &'a str,
    state: &'static str,
    status: Option<i64>,
    received: usize,
    distinct_bodies: usize,
    accepted_count: u64,
}

#[derive(Default)]
struct Record {
    /// Every body that named this id, and how often it was received.
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

    /// Accepts a new withdrawal, or rejects it with the reason.
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

    /// Ends an accepted withdrawal with a status, and with another amount if one is given. `None` if it was never accepted.
    pub(crate) fn end(
        &mut self,
        withdrawal_id: &str,
        status: i64,
        amount: Option<WrittenAmount>,
    ) -> Option<WithdrawalEnd> {
        let record = self.0.get_mut(withdrawal_id)?;
        let accepted = record.accepted.clone()?;
        record.status = Some(status);
        let amount = amount.unwrap_or_else(|| WrittenAmount::from(accepted.amount));
        Some(WithdrawalEnd { withdrawal_id: withdrawal_id.to_owned(), accepted, amount, status })
    }

    /// The state of a withdrawal; `None` if no body ever named it.
    pub(crate) fn status(&self, withdrawal_id: &str) -> Option<WithdrawalStatus<'_>> {
        let (withdrawal_id, record) = self.0.get_key_value(withdrawal_id)?;
        Some(WithdrawalStatus {
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
            (None, _) => "rejected",
            (Some(_), None) => "new",
            (Some(_), Some(_)) => "settled",
        }
    }

    /// The money of this id that was accepted and has not ended.
    fn open(&self) -> u64 {
        let amount = self.accepted.as_ref().map_or(0, |accepted| accepted.amount);
        if self.status.is_some() { 0 } else { amount.saturating_mul(self.accepted_count) }
    }
}
