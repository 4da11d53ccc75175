//! The in-memory twin of the table, for tests and simulations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{DepositRow, ExpectedCredit, WithdrawalReport, WithdrawalRow};

use crate::{
    AnyRow, BackOff, Change, Credit, EndWithdrawal, Read, ReadMany, Row, RowKey, StoreError, Stored, Transact,
    Transacted, Transaction, Write, Written,
};

/// The rows, and the keys of those that are marked as quiet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<String, AnyRow>,
    quiet: BTreeSet<String>,
}

/// The table in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Rows>>);

impl Memory {
    /// All rows by their keys.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<String, AnyRow> {
        self.lock().rows.clone()
    }

    /// A copy of the table as it is now, such as a backup.
    #[must_use]
    pub fn copy(&self) -> Self {
        let rows = self.lock().clone();
        Self(Arc::new(Mutex::new(rows)))
    }

    /// Replaces all rows by those of a copy.
    pub fn restore(&self, copy: &Self) {
        let rows = copy.lock().clone();
        *self.lock() = rows;
    }

    /// Whether the row of this key has the mark of a change that publishes nothing.
    #[must_use]
    pub fn is_quiet(&self, key: &str) -> bool {
        self.lock().quiet.contains(key)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn get<I: RowKey>(rows: &Rows, id: &I) -> Option<Stored<I::Row>> {
    rows.rows.get(&id.key()).cloned().and_then(Row::from_any)
}

fn is_expected<R: Row>(rows: &Rows, change: &Change<R>) -> bool {
    rows.rows.get(&change.row.id().key()).map_or(0, AnyRow::version) == change.expected_version
}

pub(crate) fn put<R: Row>(rows: &mut Rows, change: Change<R>) {
    let key = change.row.id().key();
    if change.is_quiet() {
        rows.quiet.insert(key.clone());
    } else {
        rows.quiet.remove(&key);
    }
    rows.rows.insert(key, R::into_any(change.written()));
}

fn put_all<R: Row>(rows: &mut Rows, changes: impl IntoIterator<Item = Change<R>>) {
    for change in changes {
        put(rows, change);
    }
}

impl BackOff for Memory {
    async fn back_off(&self, _: u32) {}
}

impl<I: RowKey> Read<I> for Memory {
    async fn read(&self, id: &I) -> Result<Option<Stored<I::Row>>, StoreError> {
        Ok(get(&self.lock(), id))
    }
}

impl<I: RowKey> ReadMany<I> for Memory {
    async fn read_many(&self, ids: &[I]) -> Result<BTreeMap<I, Stored<I::Row>>, StoreError> {
        let rows = self.lock();
        Ok(ids.iter().filter_map(|id| Some((id.clone(), get(&rows, id)?))).collect())
    }
}

impl<R: Row> Write<R> for Memory {
    async fn write(&self, change: Change<R>) -> Result<Written<R>, StoreError> {
        let mut rows = self.lock();
        if is_expected(&rows, &change) {
            put(&mut rows, change);
            return Ok(Written::Done);
        }
        let current = get(&rows, &change.row.id());
        Ok(change.or_own(current))
    }
}

impl Transact for Memory {
    async fn transact(&self, transaction: Transaction) -> Result<Transacted, StoreError> {
        let mut rows = self.lock();
        let (numbers, page) = transaction.new_rows();
        let Transaction { deposit, payments, unreadable, .. } = transaction;
        let is_as_expected = is_expected(&rows, &deposit)
            && payments.iter().all(|it| is_expected(&rows, it))
            && numbers.iter().all(|it| is_expected(&rows, it))
            && page.iter().all(|it| is_expected(&rows, it))
            && unreadable.iter().all(|it| is_expected(&rows, it));
        if !is_as_expected {
            return Ok(Transacted::Conflict { payment: None });
        }
        put(&mut rows, deposit);
        put_all(&mut rows, payments);
        put_all(&mut rows, numbers);
        put_all(&mut rows, page);
        put_all(&mut rows, unreadable);
        Ok(Transacted::Done)
    }
}

impl Credit for Memory {
    async fn credit(&self, expected: &ExpectedCredit) -> Result<Transacted, StoreError> {
        let mut rows = self.lock();
        let (payment, order) = (get(&rows, &expected.payment.key), get(&rows, &expected.order));
        let deposit = order.as_ref().and_then(|it| it.row.registered());
        let credited = deposit.and_then(|deposit| expected.credited(payment.as_ref().map(|it| &it.row), deposit));
        let Some((row, deposit)) = credited else {
            let unexpected = payment.filter(|it| !expected.may_replace(&it.row));
            return Ok(Transacted::Conflict { payment: unexpected.map(Box::new) });
        };
        put(&mut rows, Change::of(row, payment.as_ref()));
        put(&mut rows, Change::of(DepositRow::Registered(deposit), order.as_ref()));
        Ok(Transacted::Done)
    }
}

impl EndWithdrawal for Memory {
    async fn end_withdrawal(&self, report: &WithdrawalReport) -> Result<Written<WithdrawalRow>, StoreError> {
        let mut rows = self.lock();
        let current = get(&rows, &report.withdrawal_id);
        let ended = current.as_ref().and_then(|it| it.row.registered()?.ended_by(report));
        let Some(ended) = ended else { return Ok(Written::Conflict { current }) };
        put(&mut rows, Change::of(WithdrawalRow::Registered(Box::new(ended)), current.as_ref()));
        Ok(Written::Done)
    }
}
