//! The events of a change of any row: the table's stream is the outbox. And the events that a row still says.

use domain::{CurrentEvent, CustomTransactionId, Deposit, Event, PaymentState};
use serde_dynamo::{AttributeValue, Item};

use crate::row::KEY;
use crate::{AnyRow, RowKey, StoreError, Stored};

/// The events of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowEvents {
    /// The row's key.
    pub transaction: String,
    /// The row's version after the change.
    pub version: u64,
    /// What happened; empty if nothing is published.
    pub events: Vec<Event>,
}

/// Reads a change of a row as the table's stream has it.
///
/// # Errors
/// [`StoreError`] when a row cannot be read. A row of an unknown kind cannot: a newer release may publish something about it.
pub fn row_events(old: Option<Item>, new: Item) -> Result<RowEvents, StoreError> {
    let Some(AttributeValue::S(key)) = new.get(KEY).cloned() else {
        return Err(StoreError::transient("a row has no key"));
    };
    let kind = key.split('#').next().unwrap_or_default();
    let events = AnyRow::events_of_change(kind, old, new);
    let (version, events) = events.ok_or_else(|| StoreError::transient("a row of an unknown kind"))??;
    Ok(RowEvents { transaction: key, version, events })
}

/// An event that a row still says, as it would be published again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayable {
    /// The key of the row that changed. A credit changed its order.
    pub transaction: String,
    /// The version of that row now.
    pub version: u64,
    /// The event, and when it happened.
    pub current: CurrentEvent,
}

/// Gives the events that a row still says. `order` is the row of the order to which a payment is credited, without which its event
/// is not complete: see [`domain::Payment::current_events`].
#[must_use]
pub fn current_events(row: &AnyRow, order: Option<&Stored<Deposit>>) -> Vec<Replayable> {
    let (key, version) = (row.key(), row.version());
    let events = match row {
        AnyRow::Deposit(stored) => stored.row.current_events(),
        AnyRow::Payment(stored) => stored.row.current_events(order.map(|order| &order.row)),
        AnyRow::Withdrawal(stored) => stored.row.current_events(),
        AnyRow::Unreadable(stored) => stored.row.current_events(),
        AnyRow::EntryCount(_)
        | AnyRow::CreditedNumber(_)
        | AnyRow::WaitingPage(_)
        | AnyRow::StoredList(_)
        | AnyRow::ListProgress(_)
        | AnyRow::TableIdentity(_)
        | AnyRow::Proposal(_)
        | AnyRow::ReservedSums(_) => Vec::new(),
    };
    let of_row = |current: CurrentEvent| {
        let Event::DepositCredited(credited) = &current.event else {
            return Replayable { transaction: key.clone(), version, current };
        };
        let transaction = credited.custom_transaction_id.key();
        Replayable { transaction, version: order.map_or(version, |order| order.version), current }
    };
    events.into_iter().map(of_row).collect()
}

/// The order to which a payment is credited.
#[must_use]
pub fn credited_order(row: &AnyRow) -> Option<&CustomTransactionId> {
    let AnyRow::Payment(stored) = row else { return None };
    if let PaymentState::Credited { order, .. } = &stored.row.state { Some(order) } else { None }
}
