//! The events of a change of any row: the table's stream is the outbox.

use domain::{DepositRow, Event, Payment, Unreadable, WithdrawalRow};
use serde_dynamo::{AttributeValue, Item};

use crate::row::{KEY, from_item};
use crate::{Row, StoreError, Stored};

/// The events of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowEvents {
    /// The row's key.
    pub transaction: String,
    /// The row's version after the change.
    pub version: u64,
    /// What happened.
    pub events: Vec<Event>,
}

/// Reads a change of a row as the table's stream has it. `None` for a row of a kind that publishes nothing.
///
/// # Errors
/// [`StoreError`] when a row cannot be read.
pub fn row_events(old: Option<Item>, new: Item) -> Result<Option<RowEvents>, StoreError> {
    let Some(AttributeValue::S(key)) = new.get(KEY).cloned() else {
        return Err(StoreError::transient("a row has no key"));
    };
    let (version, events) = match key.split('#').next().unwrap_or_default() {
        "deposit" => compare(old, new, DepositRow::events),
        "payment" => compare(old, new, Payment::events),
        "withdrawal" => compare(old, new, WithdrawalRow::events),
        "unreadable" => compare(old, new, Unreadable::events),
        _ => return Ok(None),
    }?;
    Ok(Some(RowEvents { transaction: key, version, events }))
}

fn compare<R: Row>(
    old: Option<Item>,
    new: Item,
    events: impl Fn(&R, Option<&R>) -> Vec<Event>,
) -> Result<(u64, Vec<Event>), StoreError> {
    let old: Option<Stored<R>> = old.map(from_item).transpose()?;
    let Stored { row, version } = from_item(new)?;
    Ok((version, events(&row, old.as_ref().map(|it| &it.row))))
}
