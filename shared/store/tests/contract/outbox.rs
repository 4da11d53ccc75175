//! The events of a change, read as the table's stream has it.

use domain::{
    CreditedNumber, CustomTransactionId, DepositRow, Event, Payment, PaymentKey, PaymentState, Unregistered, Waiting,
    WaitingPage, WithdrawalRow,
};
use serde_dynamo::{AttributeValue, Item};
use store::{Row, RowEvents, RowKey, StoreError, row_events};

use crate::fixtures::{
    claimed, deposit, facts, foreign_withdrawal, resolution, unreadable, withdrawal, withdrawal_report,
};

/// A row as it stands in the table.
fn item<R: Row>(row: &R, version: u64) -> Item {
    let mut item: Item = serde_dynamo::to_item(row).unwrap();
    item.insert("transaction_id".into(), AttributeValue::S(row.id().key()));
    item.insert("version".into(), AttributeValue::N(version.to_string()));
    item
}

#[test]
fn a_change_of_any_row_publishes_what_the_row_has_become() {
    let (held, element) = (claimed("1", "o9"), unreadable());
    let waits = PaymentState::Unmatched { facts: facts("o9", "u1", "700"), labels: Vec::new() };
    let unmatched = Payment::new(held.key.clone(), waits);
    let foreign = WithdrawalRow::Foreign(Box::new(foreign_withdrawal("w1")));
    let resolved = element.resolve(resolution()).unwrap();
    for (old, new, key, kind) in [
        (None, item(&deposit("o1", "u1"), 1), "deposit#o1", None),
        (Some(item(&held, 1)), item(&unmatched, 2), "payment#paytm#1", Some("payment.unmatched")),
        (None, item(&foreign, 1), "withdrawal#w1", Some("withdrawal.foreign")),
        (None, item(&element, 1), "unreadable#", Some("postback.unreadable")),
        (Some(item(&element, 1)), item(&resolved, 2), "unreadable#", Some("transaction.resolved")),
    ] {
        let is_new = old.is_none();
        let RowEvents { transaction, version, events } = row_events(old, new).unwrap();
        assert!(transaction.starts_with(key), "{transaction}");
        assert_eq!(version, if is_new { 1 } else { 2 });
        assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), kind.into_iter().collect::<Vec<_>>());
    }
}

/// An ended withdrawal has all that a foreign one has, and other kinds of row have one state only.
#[test]
fn a_row_of_an_unknown_state_is_never_read_as_one_of_another_state() {
    let WithdrawalRow::Registered(withdrawal) = withdrawal("w1", "100") else { panic!() };
    let paid = withdrawal.ended_by(&withdrawal_report("w1", "100", Some(1))).unwrap();
    let order = CustomTransactionId::parse("o1").unwrap();
    let place =
        DepositRow::Unregistered(Unregistered { custom_transaction_id: order.clone(), waiting: Waiting::default() });
    let page = WaitingPage { custom_transaction_id: order, page: 1, payments: Vec::new() };
    for mut row in [
        item(&WithdrawalRow::Registered(Box::new(paid)), 2),
        item(&WithdrawalRow::Foreign(Box::new(foreign_withdrawal("w1"))), 2),
        item(&deposit("o1", "u1"), 2),
        item(&place, 2),
        item(&claimed("1", "o1"), 2),
        item(&unreadable(), 2),
        item(&page, 2),
    ] {
        row_events(None, row.clone()).unwrap();
        row.insert("state".into(), AttributeValue::S("of tomorrow".into()));
        let error = row_events(None, row.clone()).unwrap_err().to_string();
        assert!(error.contains("cannot be used"), "{error}");
        row.insert("format".into(), AttributeValue::N("3".into()));
        assert!(matches!(row_events(None, row), Err(StoreError::Newer { .. })), "the next deployment can read it");
    }
}

#[test]
fn a_kind_without_events_publishes_nothing() {
    let key = PaymentKey::of_row("payment#paytm#1").unwrap();
    let number = CreditedNumber { order: CustomTransactionId::parse("o1").unwrap(), payment: key };
    assert_eq!(row_events(None, item(&number, 1)).unwrap().events, []);
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_nothing() {
    let unread = |item: Item| row_events(None, item).unwrap_err().to_string();
    let mut gift = item(&deposit("o1", "u1"), 1);
    gift.insert("transaction_id".into(), AttributeValue::S("gift#1".into()));
    assert!(unread(gift).contains("unknown kind"), "a newer release may publish something about it");
    let mut tomorrow = item(&deposit("o1", "u1"), 1);
    tomorrow.insert("state".into(), AttributeValue::S("of tomorrow".into()));
    assert!(unread(tomorrow).contains("cannot be used"));
    let mut nameless = item(&deposit("o1", "u1"), 1);
    nameless.remove("transaction_id");
    assert!(unread(nameless).contains("no key"));
    let mut bare = item(&deposit("o1", "u1"), 1);
    bare.remove("version");
    assert!(unread(bare).contains("no version"));
}
