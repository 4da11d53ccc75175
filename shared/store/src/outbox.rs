//! The events of a change of any row: the table's stream is the outbox.

use domain::Event;
use serde_dynamo::{AttributeValue, Item};

use crate::row::KEY;
use crate::{AnyRow, StoreError};

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
