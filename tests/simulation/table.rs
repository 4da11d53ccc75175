//! The table, as unreliable as it can be; the rules look at every change.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use std::collections::BTreeMap;

use domain::{
    CreditedNumber, DepositRow, EntryCount, ExpectedCredit, ListProgress, Payment, Proposal, Reservation, ReservedSums,
    StoredList, TableIdentity, Unreadable, WaitingPage, WithdrawalReport, WithdrawalRow,
};
use store::{
    BackOff, Change, Credit, EndWithdrawal, Read, ReadMany, Reserve, Reserved, Row, RowKey, StoreError, Stored,
    Transact, Transacted, Transaction, Write, Written, longest_wait_ms,
};

use super::expected_events::ExpectedEvent;
use super::faults::{Fault, Patience};
use super::world::World;
use super::wrong::Wrong;
use super::{activations, ceilings, decisions, expected_events, lists, many_payments, releases, rules, stream, wrong};

/// The table of a run.
#[derive(Clone)]
pub(super) struct Table(pub World);

/// A kind of row that the rules know.
pub(super) trait Ruled: Row + 'static {
    /// Judges a change.
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>);

    /// What a change must be published as.
    fn expected_events(old: Option<&Self>, new: &Self) -> Vec<ExpectedEvent>;

    /// What a wrong variant makes of a write; `None` when it is swallowed.
    fn spoil(_: &World, change: Change<Self>, _: Option<&Stored<Self>>) -> Option<Change<Self>> {
        Some(change)
    }

    /// What a wrong variant reads instead of a row.
    fn misread(_: &World, stored: Stored<Self>) -> Stored<Self> {
        stored
    }
}

impl Ruled for DepositRow {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        rules::deposit(world, old, new);
    }

    fn expected_events(old: Option<&Self>, new: &Self) -> Vec<ExpectedEvent> {
        expected_events::deposit(old, new)
    }

    fn spoil(world: &World, change: Change<Self>, current: Option<&Stored<Self>>) -> Option<Change<Self>> {
        Some(wrong::deposit(world, change, current))
    }

    fn misread(world: &World, stored: Stored<Self>) -> Stored<Self> {
        wrong::misread_deposit(world, stored)
    }
}

impl Ruled for Payment {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        rules::payment(world, old, new);
    }

    fn expected_events(old: Option<&Self>, new: &Self) -> Vec<ExpectedEvent> {
        expected_events::payment(old, new)
    }

    fn spoil(world: &World, change: Change<Self>, current: Option<&Stored<Self>>) -> Option<Change<Self>> {
        wrong::payment(world, change, current)
    }

    fn misread(world: &World, stored: Stored<Self>) -> Stored<Self> {
        wrong::misread_payment(world, stored)
    }
}

impl Ruled for WithdrawalRow {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        rules::withdrawal(world, old, new);
    }

    fn expected_events(old: Option<&Self>, new: &Self) -> Vec<ExpectedEvent> {
        expected_events::withdrawal(old, new)
    }

    fn spoil(world: &World, change: Change<Self>, current: Option<&Stored<Self>>) -> Option<Change<Self>> {
        (!wrong::is_not_given_up(world)).then(|| wrong::withdrawal(world, change, current))
    }

    fn misread(world: &World, stored: Stored<Self>) -> Stored<Self> {
        wrong::misread(world, stored)
    }
}

impl Ruled for Unreadable {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        lists::unreadable(world, old, new);
    }

    fn expected_events(old: Option<&Self>, new: &Self) -> Vec<ExpectedEvent> {
        expected_events::unreadable(old, new)
    }
}

/// A row that publishes nothing.
macro_rules! quiet {
    ($($row:ty: $changed:path;)*) => {$(
        impl Ruled for $row {
            fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
                $changed(world, old, new);
            }

            fn expected_events(_: Option<&Self>, _: &Self) -> Vec<ExpectedEvent> {
                Vec::new()
            }
        }
    )*};
}

quiet! {
    TableIdentity: super::lists::table_identity;
    Proposal: decisions::proposal;
    CreditedNumber: lists::credited_number;
    WaitingPage: lists::waiting_page;
    ReservedSums: ceilings::reserved_sums;
}

impl Ruled for StoredList {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        lists::stored_list(world, old, new);
    }

    fn expected_events(_: Option<&Self>, _: &Self) -> Vec<ExpectedEvent> {
        Vec::new()
    }

    fn spoil(world: &World, change: Change<Self>, _: Option<&Stored<Self>>) -> Option<Change<Self>> {
        (!world.is(Wrong::ForgetList)).then_some(change)
    }
}

impl Ruled for ListProgress {
    fn changed(world: &World, old: Option<&Self>, new: Option<&Self>) {
        lists::progress(world, old, new);
    }

    fn expected_events(_: Option<&Self>, _: &Self) -> Vec<ExpectedEvent> {
        Vec::new()
    }

    fn spoil(world: &World, change: Change<Self>, _: Option<&Stored<Self>>) -> Option<Change<Self>> {
        wrong::progress(world, change)
    }
}

impl Ruled for EntryCount {
    fn spoil(world: &World, change: Change<Self>, _: Option<&Stored<Self>>) -> Option<Change<Self>> {
        (!world.is(Wrong::CountNothing)).then_some(change)
    }

    fn changed(world: &World, _: Option<&Self>, new: Option<&Self>) {
        activations::entry_count(world, new);
    }

    fn expected_events(_: Option<&Self>, _: &Self) -> Vec<ExpectedEvent> {
        Vec::new()
    }
}

/// The in-memory table answers at once.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("the table in memory never waits"),
    }
}

pub(super) fn stored<I: RowKey>(world: &World, id: &I) -> Option<Stored<I::Row>> {
    now(world.table.read(id)).unwrap()
}

pub(super) fn row<I: RowKey>(world: &World, id: &I) -> Option<I::Row> {
    stored(world, id).map(|it| it.row)
}

/// Writes, and has the rules judge what changed.
pub(super) fn put<R: Ruled>(world: &World, change: Change<R>) -> Written<R> {
    let id = change.row.id();
    let old = stored(world, &id);
    let Some(change) = R::spoil(world, change, old.as_ref()) else { return Written::Done };
    let change = wrong::marked_anew(world, change, old.as_ref());
    let written = now(world.table.write(change)).unwrap();
    judge(world, &id, old.as_ref());
    written
}

fn judge<R: Ruled>(world: &World, id: &R::Id, old: Option<&Stored<R>>) {
    let new = stored(world, id);
    if old != new.as_ref() {
        world.note(|| format!("    {}: {}", id.key(), serde_json::to_string(&new.as_ref().map(|it| &it.row)).unwrap()));
        releases::written(world, &id.key());
        R::changed(world, old.map(|it| &it.row), new.as_ref().map(|it| &it.row));
        if let Some(new) = &new {
            stream::changed(world, old, new, R::expected_events(old.map(|it| &it.row), &new.row));
        }
    }
}

fn put_all(world: &World, transaction: Transaction) -> Transacted {
    if wrong::is_torn(world) {
        return tear(world, transaction);
    }
    let Transaction { deposit, payments, numbers, page, unreadable } = transaction;
    let order = deposit.row.id().clone();
    let old_deposit = stored(world, &order);
    let Some(deposit) = DepositRow::spoil(world, deposit, old_deposit.as_ref()) else { return Transacted::Done };
    let deposit = wrong::marked_anew(world, deposit, old_deposit.as_ref());
    let mut spoilt = Vec::new();
    let mut old = Vec::new();
    for change in payments {
        let key = change.row.key.clone();
        let current = stored(world, &key);
        if let Some(change) = Payment::spoil(world, change, current.as_ref()) {
            spoilt.push(wrong::marked_anew(world, change, current.as_ref()));
            old.push((key, current));
        }
    }
    if wrong::is_order_forgotten(world, &spoilt) {
        let all = spoilt.into_iter().all(|payment| put(world, payment) == Written::Done);
        return if all { Transacted::Done } else { Transacted::Conflict { payment: None } };
    }
    let old_unreadable = unreadable.as_ref().map(|it| (it.row.id(), stored(world, &it.row.id())));
    let new_rows = (numbers.iter().map(CreditedNumber::id).collect::<Vec<_>>(), page.as_ref().map(WaitingPage::id));
    let written = now(world.table.transact(Transaction { deposit, payments: spoilt, numbers, page, unreadable }));
    let written = written.unwrap();
    if written == Transacted::Done {
        new_rows.1.iter().for_each(|id| judge::<WaitingPage>(world, id, None));
        judge(world, &order, old_deposit.as_ref());
        for (key, current) in &old {
            judge(world, key, current.as_ref());
        }
        new_rows.0.iter().for_each(|id| judge::<CreditedNumber>(world, id, None));
        if let Some((id, current)) = &old_unreadable {
            judge(world, id, current.as_ref());
        }
    }
    written
}

/// A wrong variant: the payments first, and the order later, unless the process dies.
fn tear(world: &World, transaction: Transaction) -> Transacted {
    let all = transaction.payments.into_iter().all(|payment| put(world, payment) == Written::Done);
    let is_done = all && put(world, transaction.deposit) == Written::Done;
    if is_done { Transacted::Done } else { Transacted::Conflict { payment: None } }
}

fn credit(world: &World, expected: &ExpectedCredit) -> Transacted {
    if let Some(written) = wrong::credit(world, expected) {
        return written;
    }
    let payment = stored(world, &expected.payment.key);
    let deposit = stored(world, &expected.order);
    let written = now(world.table.credit(expected)).unwrap();
    judge(world, &expected.order, deposit.as_ref());
    judge(world, &expected.payment.key, payment.as_ref());
    written
}

/// Reserves, and has the rules judge what changed.
pub(super) fn reserve(world: &World, reservation: &Reservation) -> Reserved {
    let reservation = wrong::reservation(world, reservation);
    let old = stored(world, &reservation.id);
    let reserved = now(world.table.reserve(&reservation)).unwrap();
    judge(world, &reservation.id, old.as_ref());
    if reserved == Reserved::Done {
        let running = world.running();
        world.with(|state| state.rules.reservations.insert(running, reservation));
    }
    reserved
}

pub(super) fn give_back(world: &World, reservation: &Reservation) -> Result<(), StoreError> {
    let old = stored(world, &reservation.id);
    let given = now(world.table.give_back(reservation));
    judge(world, &reservation.id, old.as_ref());
    given
}

fn end_withdrawal(world: &World, report: &WithdrawalReport) -> Written<WithdrawalRow> {
    if let Some(written) = wrong::end_withdrawal(world, report) {
        return written;
    }
    let old = stored(world, &report.withdrawal_id);
    let written = now(world.table.end_withdrawal(report)).unwrap();
    judge(world, &report.withdrawal_id, old.as_ref());
    written
}

impl Table {
    async fn call<T: Send + 'static>(
        &self,
        what: String,
        apply: impl FnMut(&World) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let called = self.0.call(&what, Patience::Endless, apply).await;
        called.map_err(|fault: Fault| wrong::failed(&self.0, &what, StoreError::Transient(format!("{fault:?}"))))
    }

    /// A write of so many units, by which the order of this key changes.
    async fn write_units<T: Send + 'static>(
        &self,
        what: String,
        units: usize,
        order: Option<String>,
        keys: Vec<String>,
        apply: impl FnMut(&World) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        if !self.0.with(|state| state.take_units(units.try_into().unwrap())) {
            self.0.with(|state| state.reached.insert("a write is throttled"));
            self.0.sleep(20).await;
            return Err(StoreError::transient("throttled"));
        }
        if let Some(key) = order.filter(|key| many_payments::is_unwritable(&self.0, key)) {
            self.0.sleep(5).await;
            return Err(wrong::permanent(&self.0, key));
        }
        self.call(what, unless_newer(keys, apply)).await.flatten()
    }
}

/// A write that the table refuses if a newer release has written one of these rows.
fn unless_newer<T>(
    keys: Vec<String>,
    mut apply: impl FnMut(&World) -> T,
) -> impl FnMut(&World) -> Result<T, StoreError> {
    move |world| releases::refuse(world, &keys).map(|()| apply(world))
}

/// The write units of a row.
fn units<R: Row>(row: &R) -> usize {
    1 + serde_json::to_string(row).unwrap().len() / 1_024
}

impl BackOff for Table {
    async fn back_off(&self, lost_races: u32) {
        let name = self.0.next_call("jitter");
        self.0.sleep(self.0.chance.below(&name, longest_wait_ms(lost_races))).await;
    }
}

impl<I: RowKey<Row: Ruled>> Read<I> for Table {
    async fn read(&self, id: &I) -> Result<Option<Stored<I::Row>>, StoreError> {
        let id = id.clone();
        if wrong::is_unseen(&self.0, &id.key()) {
            return Ok(None);
        }
        if many_payments::is_unwritable(&self.0, &id.key()) {
            self.0.sleep(5).await;
            return Err(wrong::permanent(&self.0, id.key()));
        }
        let read = self.call(format!("read {}", id.key()), move |world| stored(world, &id)).await?;
        Ok(read.map(|stored| I::Row::misread(&self.0, stored)))
    }
}

impl<I: RowKey<Row: Ruled>> ReadMany<I> for Table {
    async fn read_many(&self, ids: &[I]) -> Result<BTreeMap<I, Stored<I::Row>>, StoreError> {
        let Some(first) = ids.first() else { return Ok(BTreeMap::new()) };
        let what = format!("read {} rows from {}", ids.len(), first.key());
        let ids: Vec<_> = ids.iter().filter(|id| !many_payments::is_unwritable(&self.0, &id.key())).cloned().collect();
        let read = self.call(what, move |world| now(world.table.read_many(&ids)).unwrap()).await?;
        Ok(read.into_iter().map(|(id, stored)| (id, I::Row::misread(&self.0, stored))).collect())
    }
}

impl<R: Ruled> Write<R> for Table {
    async fn write(&self, change: Change<R>) -> Result<Written<R>, StoreError> {
        if wrong::is_written_later(&self.0) {
            self.0.after(30, move |world| drop(put(world, change)));
            return Ok(Written::Done);
        }
        let (key, units) = (change.row.id().key(), units(&change.row));
        let written =
            self.write_units(format!("write {key}"), units, Some(key.clone()), vec![key.clone()], move |world| {
                if is_in_transaction(world, &change.row.id()) {
                    let current = stored(world, &change.row.id());
                    let is_own = current.as_ref() == Some(&change.clone().written());
                    let is_done = is_own || world.is(Wrong::WrittenInTransaction);
                    return if is_done { Written::Done } else { Written::Conflict { current } };
                }
                put(world, change.clone())
            });
        let written = written.await;
        wrong::written(&self.0, &key, written.is_ok());
        written
    }
}

/// Whether a transaction is changing the row at this moment: a single write is refused then, and nothing is written.
fn is_in_transaction<I: RowKey>(world: &World, id: &I) -> bool {
    let name =
        format!("{} meets a transaction at {} ms on {}", world.running(), world.with(|state| state.now_ms), id.key());
    let is_changing = world.happens(&name, 3);
    if is_changing {
        world.with(|state| state.reached.insert("a write meets a transaction"));
    }
    is_changing
}

/// A transaction that the SDK does again carries the same token: if it was done, it is done.
fn once(mut transact: impl FnMut(&World) -> Transacted + Send) -> impl FnMut(&World) -> Transacted + Send {
    let mut is_done = false;
    move |world| {
        let written = if is_done { Transacted::Done } else { transact(world) };
        is_done = written == Transacted::Done;
        written
    }
}

impl Transact for Table {
    async fn transact(&self, transaction: Transaction) -> Result<Transacted, StoreError> {
        let key = transaction.deposit.row.id().key();
        let rows = transaction.payments.iter().map(|it| units(&it.row)).sum::<usize>() + transaction.numbers.len();
        let units = 2 * (units(&transaction.deposit.row) + rows);
        let payments = transaction.payments.iter().map(|it| it.row.key.key());
        let unreadable = transaction.unreadable.iter().map(|it| it.row.id().key());
        let keys = payments.chain(unreadable).chain([key.clone()]).collect();
        let write = once(move |world| put_all(world, transaction.clone()));
        self.write_units(format!("transact {key}"), units, Some(key), keys, write).await
    }
}

impl Credit for Table {
    async fn credit(&self, expected: &ExpectedCredit) -> Result<Transacted, StoreError> {
        let expected = expected.clone();
        let (what, key) = (format!("credit {}", expected.order), expected.order.key());
        let keys = vec![key.clone(), expected.payment.key.key()];
        self.write_units(what, 4, Some(key), keys, once(move |world| credit(world, &expected))).await
    }
}

impl EndWithdrawal for Table {
    async fn end_withdrawal(&self, report: &WithdrawalReport) -> Result<Written<WithdrawalRow>, StoreError> {
        let report = report.clone();
        let what = format!("end {}", report.withdrawal_id);
        let keys = vec![report.withdrawal_id.key()];
        self.write_units(what, 1, None, keys, move |world| end_withdrawal(world, &report)).await
    }
}

impl Reserve for Table {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let reservation = reservation.clone();
        if wrong::is_reserved_later(&self.0) {
            self.0.after(3_000, move |world| {
                reserve(world, &reservation);
            });
            return Ok(Reserved::Done);
        }
        let key = reservation.id.key();
        self.write_units(format!("reserve {key}"), 1, None, vec![key], move |world| reserve(world, &reservation)).await
    }

    /// Nothing does it again: when the answer does not come, it counts as lost.
    async fn give_back(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let (what, reservation) = (format!("give back {}", reservation.id.key()), reservation.clone());
        let given = self.0.call(&what, Patience::Ms(2_000), move |world| {
            releases::refuse(world, &[reservation.id.key()])?;
            wrong::before_giving_back(world, &reservation);
            give_back(world, &reservation)
        });
        given.await.unwrap_or_else(|fault| Err(StoreError::Transient(format!("{fault:?}"))))
    }
}
