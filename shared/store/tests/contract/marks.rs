//! The mark `quiet` after each kind of write: a row has it if its last change publishes nothing.

use aws_sdk_dynamodb::Client;
use domain::{
    CreditedNumber, CustomTransactionId, DepositRow, ListHash, ListProgress, Payment, PaymentState, StoredList,
    TableIdentity, Timestamp, Unsigned, WaitingPage, Withdrawal, WithdrawalRow, WithdrawalState,
};
use store::{
    Change, DynamoDb, Memory, Read, Row, RowKey, STREAM_FILTER, StoreError, Stored, TableCheck, TableId, Transacted,
    Transaction, Write, Written, update_from,
};

use crate::fixtures::{
    self, Table, claimed, deposit, deposit_report, entered, facts, foreign_withdrawal, list, resolution, unreadable,
    withdrawal, withdrawal_report,
};

/// Where the marks of a store are seen.
enum Marks {
    Memory(Memory),
    DynamoDb(Client),
}

impl Marks {
    async fn is_quiet(&self, id: &impl RowKey) -> bool {
        match self {
            Self::Memory(memory) => memory.is_quiet(&id.key()),
            Self::DynamoDb(client) => fixtures::quiet_rows(client).await.contains(&id.key()),
        }
    }
}

macro_rules! marks {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn holds_in_memory() {
                let memory = Memory::default();
                super::$name(&memory, &Marks::Memory(memory.clone())).await;
            }

            #[tokio::test]
            async fn holds_in_dynamodb() {
                let client = fixtures::client().await;
                super::$name(&DynamoDb::new(client.clone(), "paykassma".into()), &Marks::DynamoDb(client)).await;
            }
        }
    )*};
}

marks! {
    a_row_is_quiet_if_its_last_change_publishes_nothing
    a_credit_without_reading_marks_the_payment_and_not_the_order
    the_end_of_a_withdrawal_is_never_quiet
    each_row_of_a_transaction_has_its_own_mark
    an_update_that_loses_a_race_marks_what_it_writes
    a_kind_without_events_is_always_quiet
    a_heartbeat_reaches_the_publisher_and_changes_only_the_version
}

fn ours(row: Withdrawal) -> WithdrawalRow {
    WithdrawalRow::Registered(Box::new(row))
}

async fn write<R: Row + std::fmt::Debug>(table: &impl Write<R>, current: Option<&Stored<R>>, row: R) -> Stored<R> {
    let change = Change::of(row, current);
    assert_eq!(table.write(change.clone()).await.unwrap(), Written::Done);
    change.written()
}

async fn a_row_is_quiet_if_its_last_change_publishes_nothing(table: &impl Table, marks: &Marks) {
    let sending = write(table, None, withdrawal("w1", "100")).await;
    let id = sending.row.id().clone();
    assert!(marks.is_quiet(&id).await);
    let row = sending.row.registered().unwrap().clone();
    let unknown = write(table, Some(&sending), ours(Withdrawal { state: WithdrawalState::Unknown, ..row })).await;
    assert!(!marks.is_quiet(&id).await, "a marked row has changed with an event");
    let row = unknown.row.registered().unwrap().clone();
    write(table, Some(&unknown), ours(Withdrawal { changed_at: Timestamp(9), ..row })).await;
    assert!(marks.is_quiet(&id).await, "and now without one");
    let again = unknown.becomes(unknown.row.clone());
    assert!(matches!(table.write(again).await.unwrap(), Written::Conflict { .. }));
    assert!(marks.is_quiet(&id).await, "a write that is refused changes no mark");
    let foreign = write(table, None, WithdrawalRow::Foreign(Box::new(foreign_withdrawal("w2")))).await;
    assert!(!marks.is_quiet(foreign.row.id()).await, "a new row may publish something");
    let element = write(table, None, unreadable()).await;
    assert!(!marks.is_quiet(&element.row.id()).await);
    write(table, Some(&element), element.row.resolve(resolution()).unwrap()).await;
    assert!(!marks.is_quiet(&element.row.id()).await);
    let claim = write(table, None, claimed("1", "o1")).await;
    assert!(marks.is_quiet(&claim.row.key).await);
    write(table, Some(&claim), entered(Some(&claim.row), "1", "o2", "u2")).await;
    assert!(!marks.is_quiet(&claim.row.key).await, "the number is contested");
}

async fn a_credit_without_reading_marks_the_payment_and_not_the_order(table: &impl Table, marks: &Marks) {
    let order = write(table, None, deposit("o1", "u1")).await;
    assert!(marks.is_quiet(order.row.id()).await);
    let report = deposit_report("1", "o1", "u1", "5");
    write(table, None, claimed("1", "o1")).await;
    assert_eq!(table.credit(&report.expected_credit().unwrap()).await.unwrap(), Transacted::Done);
    assert!(marks.is_quiet(&report.payment).await);
    assert!(!marks.is_quiet(order.row.id()).await);
    write(table, None, deposit("o2", "u1")).await;
    let fresh = deposit_report("2", "o2", "u1", "5");
    assert_eq!(table.credit(&fresh.expected_credit().unwrap()).await.unwrap(), Transacted::Done);
    assert!(marks.is_quiet(&fresh.payment).await, "the payment had no row, so the credit has made the mark");
    assert!(!marks.is_quiet(deposit("o2", "u1").id()).await);
}

async fn the_end_of_a_withdrawal_is_never_quiet(table: &impl Table, marks: &Marks) {
    let sending = write(table, None, withdrawal("w1", "100")).await;
    assert!(marks.is_quiet(sending.row.id()).await);
    let report = withdrawal_report("w1", "100", Some(1));
    assert_eq!(table.end_withdrawal(&report).await.unwrap(), Written::Done);
    assert!(!marks.is_quiet(sending.row.id()).await);
}

async fn each_row_of_a_transaction_has_its_own_mark(table: &impl Table, marks: &Marks) {
    let order = CustomTransactionId::parse("o1").unwrap();
    let number = CreditedNumber { order: order.clone(), payment: fixtures::key("1") };
    let page = WaitingPage { custom_transaction_id: order.clone(), page: 1, payments: vec![number.payment.clone()] };
    let waits = PaymentState::Unmatched { facts: facts("o9", "u1", "7"), labels: Vec::new() };
    let unmatched = Payment::new(fixtures::key("2"), waits);
    let payments = vec![Change::new(claimed("1", "o1")), Change::new(unmatched.clone())];
    let transaction = Transaction {
        numbers: vec![number.clone()],
        page: Some(page.clone()),
        unreadable: Some(Change::new(unreadable())),
        ..Transaction::new(Change::new(deposit("o1", "u1")), payments)
    };
    assert_eq!(table.transact(transaction).await.unwrap(), Transacted::Done);
    assert!(marks.is_quiet(&order).await);
    assert!(marks.is_quiet(&number.payment).await);
    assert!(marks.is_quiet(&number.id()).await && marks.is_quiet(&page.id()).await);
    assert!(!marks.is_quiet(&unmatched.key).await && !marks.is_quiet(&unreadable().id()).await);
}

/// The mark is computed from the row that is replaced, and not from the one that was read first.
async fn an_update_that_loses_a_race_marks_what_it_writes(table: &impl Table, marks: &Marks) {
    let first = write(table, None, withdrawal("w1", "100")).await;
    let id = first.row.id().clone();
    let row = first.row.registered().unwrap().clone();
    let unknown = Withdrawal { state: WithdrawalState::Unknown, ..row.clone() };
    write(table, Some(&first), ours(unknown.clone())).await;
    let later = Withdrawal { changed_at: Timestamp(9), ..unknown };
    let stale = first.becomes(ours(later.clone()));
    assert!(!stale.is_quiet(), "seen from the first row, the withdrawal becomes unknown");
    let decide = |_: Option<&WithdrawalRow>| (Some(ours(later.clone())), ());
    let updated = update_from(table, Some(first), decide).await.unwrap();
    assert_eq!(updated.current.unwrap().version, 3);
    assert!(marks.is_quiet(&id).await, "it was unknown already");
}

async fn a_kind_without_events_is_always_quiet(table: &impl Table, marks: &Marks) {
    let hash = ListHash::from([7; 32]);
    let stored_list = write(table, None, StoredList { hash: hash.clone(), list: list() }).await;
    assert!(marks.is_quiet(&stored_list.row.id()).await);
    let row = ListProgress::begin(None, (&hash, 3), &Unsigned::default(), Timestamp(5)).unwrap();
    let begun = write(table, None, row).await;
    assert!(marks.is_quiet(&begun.row.id()).await);
    write(table, Some(&begun), begun.row.end(&Unsigned::default()).unwrap()).await;
    assert!(marks.is_quiet(&begun.row.id()).await);
}

async fn a_heartbeat_reaches_the_publisher_and_changes_only_the_version(table: &impl Table, marks: &Marks) {
    let check = TableCheck::new("arn:stream");
    for version in [2, 3] {
        check.beat(table).await.unwrap();
        let current = Read::<TableId>::read(table, &TableId).await.unwrap().unwrap();
        assert_eq!(current, Stored { row: TableIdentity::new("arn:stream"), version });
        assert!(!marks.is_quiet(&TableId).await);
    }
    assert_eq!(TableCheck::new("arn:restored").beat(table).await, Err(StoreError::WrongTable));
    assert_eq!(Read::<TableId>::read(table, &TableId).await.unwrap().map(|it| it.version), Some(3));
}

#[test]
fn the_stream_drops_only_marked_changes() {
    let pattern: serde_json::Value = serde_json::from_str(STREAM_FILTER).unwrap();
    let is_absent = serde_json::json!({"BOOL": [{"exists": false}]});
    assert_eq!(pattern, serde_json::json!({"dynamodb": {"NewImage": {store::QUIET: is_absent}}}));
}

#[test]
fn a_row_of_any_kind_says_what_it_publishes() {
    let order = deposit("o1", "u1");
    let DepositRow::Registered(registered) = &order else { panic!() };
    let credit = domain::Credit { payment: fixtures::key("1"), amount: domain::Amount::parse("5").unwrap() };
    let credited = DepositRow::Registered(registered.clone().credit(credit).0);
    let stored = Stored { row: order, version: 4 };
    assert!(!stored.becomes(credited.clone()).is_quiet());
    assert!(!Change::new(credited.clone()).is_quiet());
    assert!(Change::of(credited.clone(), Some(&Stored { row: credited, version: 4 })).is_quiet());
}
