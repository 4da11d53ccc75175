//! The payouts that the provider has accepted and what has become of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::amount::Amount;
use super::fields::Refusal;
use super::settings::Settings;

/// An accepted request, as far as its postback needs it.
#[derive(Clone, Debug)]
pub(super) struct Payout {
    pub(super) wallet_type: String,
    pub(super) amount: u64,
    pub(super) currency_code: String,
    pub(super) label: String,
    pub(super) account_number: String,
}

/// The end of a withdrawal: what a postback tells.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) withdrawal_id: String,
    pub(super) payout: Payout,
    pub(super) amount: Amount,
    pub(super) status: i64,
}

/// How a withdrawal stands, for the control API.
#[derive(Debug, Serialize)]
pub(super) struct Standing<'a> {
    withdrawal_id: &'a str,
    state: &'static str,
    status: Option<i64>,
    received: usize,
    distinct_bodies: usize,
    payouts: u64,
}

#[derive(Default)]
struct Withdrawal {
    /// Every body that named this id, and how often it came.
    bodies: BTreeMap<Vec<u8>, usize>,
    payout: Option<Payout>,
    payouts: u64,
    status: Option<i64>,
}

/// Every withdrawal by its id.
#[derive(Default)]
pub(super) struct Withdrawals(BTreeMap<String, Withdrawal>);

impl Withdrawals {
    /// Counts a received body.
    pub(super) fn receive(&mut self, withdrawal_id: &str, body: &[u8]) {
        let bodies = &mut self.0.entry(withdrawal_id.to_owned()).or_default().bodies;
        let count = bodies.entry(body.to_vec()).or_default();
        *count = count.saturating_add(1);
    }

    /// Accepts a payout as new, or says why not.
    pub(super) fn accept(&mut self, withdrawal_id: &str, payout: Payout, settings: &Settings) -> Result<(), Refusal> {
        let unique = self.unique(withdrawal_id, settings);
        let covered = self.covered(&payout, settings);
        if settings.balance_first { covered.and(unique) } else { unique.and(covered) }?;
        let withdrawal = self.0.entry(withdrawal_id.to_owned()).or_default();
        withdrawal.payout = Some(payout);
        withdrawal.payouts = withdrawal.payouts.saturating_add(1);
        Ok(())
    }

    /// Gives an accepted withdrawal a status, perhaps with another amount; none if it was never accepted.
    pub(super) fn settle(&mut self, withdrawal_id: &str, status: i64, amount: Option<Amount>) -> Option<Settlement> {
        let withdrawal = self.0.get_mut(withdrawal_id)?;
        let payout = withdrawal.payout.clone()?;
        withdrawal.status = Some(status);
        let amount = amount.unwrap_or_else(|| Amount::from(payout.amount));
        Some(Settlement { withdrawal_id: withdrawal_id.to_owned(), payout, amount, status })
    }

    /// Tells how a withdrawal stands; none if no body ever named it.
    pub(super) fn standing(&self, withdrawal_id: &str) -> Option<Standing<'_>> {
        let (withdrawal_id, withdrawal) = self.0.get_key_value(withdrawal_id)?;
        Some(Standing {
            withdrawal_id,
            state: withdrawal.state(),
            status: withdrawal.status,
            received: withdrawal.bodies.values().sum(),
            distinct_bodies: withdrawal.bodies.len(),
            payouts: withdrawal.payouts,
        })
    }

    fn unique(&self, withdrawal_id: &str, settings: &Settings) -> Result<(), Refusal> {
        let taken = self.0.get(withdrawal_id).is_some_and(|withdrawal| withdrawal.payout.is_some());
        if settings.dedup && taken { Err(Refusal::text("withdrawal_id already exists")) } else { Ok(()) }
    }

    fn covered(&self, payout: &Payout, settings: &Settings) -> Result<(), Refusal> {
        let open = self.0.values().map(Withdrawal::open).fold(payout.amount, u64::saturating_add);
        if settings.balance.is_some_and(|balance| balance < open) {
            return Err(Refusal::field("withdrawals_sum_amount", "Insufficient balance"));
        }
        Ok(())
    }
}

impl Withdrawal {
    fn state(&self) -> &'static str {
        match (&self.payout, self.status) {
            (None, _) => "refused",
            (Some(_), None) => "new",
            (Some(_), Some(_)) => "settled",
        }
    }

    /// The money of this id that is promised and not settled yet.
    fn open(&self) -> u64 {
        let amount = self.payout.as_ref().map_or(0, |payout| payout.amount);
        if self.status.is_some() { 0 } else { amount.saturating_mul(self.payouts) }
    }
}
