//! The in-memory twin of the table, for tests and simulations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{
    CustomTransactionId, DepositRow, ExpectedCredit, Payment, PaymentKey, PaymentState, WithdrawalId, WithdrawalReport,
    WithdrawalRow,
};

use crate::{
    Change, Credit, EndWithdrawal, Read, Row, StoreError, Stored, Transact, Transacted, Unreadable, Write, Written,
};

/// All rows, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Orders, and the places of unknown ones.
    pub deposits: BTreeMap<CustomTransactionId, Stored<DepositRow>>,
    /// Payments.
    pub payments: BTreeMap<PaymentKey, Stored<Payment>>,
    /// Withdrawals, and postbacks about unknown ones.
    pub withdrawals: BTreeMap<WithdrawalId, Stored<WithdrawalRow>>,
    /// Verified elements that were not understood.
    pub unreadables: BTreeMap<(String, usize), Stored<Unreadable>>,
}

/// The table in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Rows>>);

impl Memory {
    /// All rows as they stand.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current<R: Row>(rows: &mut Rows, change: &Change<R>) -> bool {
    R::rows(rows).get(&change.row.id()).map_or(0, |stored| stored.version) == change.expected_version
}

fn put<R: Row>(rows: &mut Rows, change: Change<R>) {
    let version = change.expected_version.saturating_add(1);
    R::rows(rows).insert(change.row.id(), Stored { row: change.row, version });
}

impl<R: Row> Read<R> for Memory {
    async fn read(&self, id: &R::Id) -> Result<Option<Stored<R>>, StoreError> {
        Ok(R::rows(&mut self.lock()).get(id).cloned())
    }
}

impl<R: Row> Write<R> for Memory {
    async fn write(&self, change: Change<R>) -> Result<Written<R>, StoreError> {
        let mut rows = self.lock();
        if current(&mut rows, &change) {
            put(&mut rows, change);
            return Ok(Written::Done);
        }
        let stored = R::rows(&mut rows).get(&change.row.id()).cloned();
        Ok(change.or_own(stored))
    }
}

impl Transact for Memory {
    async fn transact(
        &self,
        deposit: Change<DepositRow>,
        payments: Vec<Change<Payment>>,
    ) -> Result<Transacted, StoreError> {
        let mut rows = self.lock();
        if !current(&mut rows, &deposit) || !payments.iter().all(|payment| current(&mut rows, payment)) {
            return Ok(Transacted::Conflict { payment: None });
        }
        put(&mut rows, deposit);
        for payment in payments {
            put(&mut rows, payment);
        }
        Ok(Transacted::Done)
    }
}

impl Credit for Memory {
    async fn credit(&self, expected: &ExpectedCredit) -> Result<Transacted, StoreError> {
        let mut rows = self.lock();
        let payment = rows.payments.get(&expected.payment.key).cloned();
        let is_undecided = payment.as_ref().is_none_or(|stored| {
            matches!(stored.row.state, PaymentState::Claimed { .. } | PaymentState::Released { .. })
        });
        if !is_undecided {
            return Ok(Transacted::Conflict { payment: payment.map(Box::new) });
        }
        let Some(stored) = rows.deposits.get(&expected.order).cloned() else {
            return Ok(Transacted::Conflict { payment: None });
        };
        let DepositRow::Registered(deposit) = &stored.row else { return Ok(Transacted::Conflict { payment: None }) };
        if deposit.order.label != expected.label
            || deposit.order.currency_code != expected.currency_code
            || deposit.order.wallet_type != expected.payment.key.wallet_type
        {
            return Ok(Transacted::Conflict { payment: None });
        }
        let credited = match &payment {
            Some(Stored { row, .. }) => Payment { state: expected.payment.state.clone(), ..row.clone() },
            None => expected.payment.clone(),
        };
        put(&mut rows, Change::of(credited, payment.as_ref()));
        put(&mut rows, stored.becomes(DepositRow::Registered(deposit.clone().credit(expected.credit.clone()))));
        Ok(Transacted::Done)
    }
}

impl EndWithdrawal for Memory {
    async fn end_withdrawal(&self, report: &WithdrawalReport) -> Result<Written<WithdrawalRow>, StoreError> {
        let mut rows = self.lock();
        let current = rows.withdrawals.get(&report.withdrawal_id).cloned();
        let Some(outcome) = report.outcome() else { return Ok(Written::Conflict { current: current }) };
        let Some(stored) = &current else { return Ok(Written::Conflict { current: None }) };
        let WithdrawalRow::Registered(withdrawal) = &stored.row else {
            return Ok(Written::Conflict { current: current });
        };
        let request = &withdrawal.request;
        let facts = &report.facts;
        let agrees = request.amount.to_string() == facts.amount.to_string()
            && request.currency_code == facts.currency_code
            && request.payment_system == report.wallet_type
            && Some(&request.label) == facts.label.as_ref();
        if withdrawal.is_final() || !agrees || !withdrawal.contradictions.is_empty() {
            return Ok(Written::Conflict { current: current });
        }
        let ended = domain::Withdrawal {
            state: outcome,
            needs_review: None,
            changed_at: facts.evidence.received_at,
            ..(**withdrawal).clone()
        };
        put(&mut rows, stored.becomes(WithdrawalRow::Registered(Box::new(ended))));
        Ok(Written::Done)
    }
}
