//! The withdrawals that the provider has accepted, and their ends.

use std::collections::HashMap;
use std::time::SystemTime;

use indexmap::IndexMap;
use paykassma::WrittenAmount;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::now;
use crate::request_fields::Rejection;
use crate::settings::Settings;

/// The `withdrawal_status` of success.
pub(crate) const SUCCESS: i64 = 1;
/// The `withdrawal_status` of fail.
pub(crate) const FAIL: i64 = 5;

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

/// Who made a withdrawal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The merchant, by the API.
    #[default]
    Api,
    /// A person in the back office. Such a withdrawal sends no postback.
    Manual,
}

/// What is known of one withdrawal.
#[derive(Default)]
pub(crate) struct Record {
    /// The hash of every body that named this id, and how often the body was received.
    bodies: HashMap<[u8; 32], usize>,
    pub(crate) accepted: Option<Accepted>,
    pub(crate) accepted_at: Option<SystemTime>,
    accepted_count: u64,
    pub(crate) status: Option<i64>,
    /// The amount of the last end, if it was another one.
    pub(crate) ended_amount: Option<WrittenAmount>,
    pub(crate) origin: Origin,
}

/// Every withdrawal by its id, in the order in which they came.
#[derive(Default)]
pub(crate) struct Withdrawals(IndexMap<String, Record>);

impl Withdrawals {
    /// Counts a received body.
    pub(crate) fn receive(&mut self, withdrawal_id: &str, body: &[u8]) {
        let bodies = &mut self.0.entry(withdrawal_id.to_owned()).or_default().bodies;
        let count = bodies.entry(Sha256::digest(body).into()).or_default();
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
        record.accepted_at = Some(now());
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
        record.ended_amount.clone_from(&amount);
        let amount = amount.unwrap_or_else(|| WrittenAmount::from(accepted.amount));
        Some(WithdrawalEnd { withdrawal_id: withdrawal_id.to_owned(), accepted, amount, status })
    }

    /// Records a withdrawal that a person made in the back office, and that has succeeded. Gives its id.
    pub(crate) fn make_by_hand(&mut self, accepted: Accepted) -> String {
        let id = format!("BO-{}", self.0.len().saturating_add(1));
        let record = Record {
            accepted: Some(accepted),
            accepted_at: Some(now()),
            status: Some(SUCCESS),
            origin: Origin::Manual,
            ..Record::default()
        };
        self.0.insert(id.clone(), record);
        id
    }

    /// Gives the withdrawals, the newest first.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = (&str, &Record)> + DoubleEndedIterator {
        self.0.iter().rev().map(|(id, record)| (id.as_str(), record))
    }

    /// The state of a withdrawal; `None` if no body ever named it.
    pub(crate) fn status(&self, withdrawal_id: &str) -> Option<WithdrawalStatus<'_>> {
        let (_, withdrawal_id, record) = self.0.get_full(withdrawal_id)?;
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
            return Err(insufficient_balance());
        }
        Ok(())
    }
}

/// How the provider rejects a withdrawal that the balance does not cover.
pub(crate) fn insufficient_balance() -> Rejection {
    Rejection::field("withdrawals_sum_amount", "Insufficient balance")
}

impl Record {
    pub(crate) fn state(&self) -> &'static str {
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
