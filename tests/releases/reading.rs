//! How this code reads what a release has written: its own, an older one, or a newer one.

use std::fmt;

use domain::ArmedMessage;
use lambda::ChangeRecord;
use serde_dynamo::{AttributeValue, Item};
use serde_json::Value;
use store::{AnyRow, OUR_FORMAT, RowId, StoreError, read_any};

use crate::file::{Published, SET_ASIDE, WITHDRAWALS, WrittenChange, WrittenMessage, WrittenRow, published};
use crate::table::{Table, format_of, key_of};

/// How something is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It means the same, and what is written after it loses nothing.
    Same,
    /// It is refused because its format is newer.
    Newer,
    /// Anything else: money may be decided wrongly.
    Misread(String),
}

impl fmt::Display for Reading {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => out.write_str("read the same"),
            Self::Newer => out.write_str("refused as newer"),
            Self::Misread(why) => write!(out, "MISREAD: {why}"),
        }
    }
}

fn misread(why: impl fmt::Display) -> Reading {
    Reading::Misread(why.to_string())
}

fn is_newer(item: &Item) -> bool {
    format_of(item) > OUR_FORMAT
}

/// Puts a row into the table, reads it, and writes it again.
pub(crate) async fn read_row(table: &Table, row: &WrittenRow) -> Reading {
    let WrittenRow { name: _, state, attention, item } = row;
    table.put(item).await;
    let Some(id) = RowId::parse(key_of(item)) else {
        return if is_newer(item) {
            Reading::Newer
        } else {
            misread("the kind is not known, and the format is not newer")
        };
    };
    let read = match read_any(&table.rows, &id).await {
        Ok(Some(read)) => read,
        Ok(None) => return misread("there is no such row"),
        Err(StoreError::Newer { .. }) => return Reading::Newer,
        Err(error) => return misread(error),
    };
    let found = read.attention().map(|it| (it.kind.as_str().to_owned(), it.at.0));
    if read.key() != key_of(item) || read.state_name() != state {
        misread(format!("it is read as {}, {}", read.key(), read.state_name()))
    } else if found != *attention {
        misread(format!("its attention is read as {found:?}"))
    } else {
        write_again(table, item, read).await
    }
}

/// A row of a newer format is not written over. Any other one keeps all that it has.
async fn write_again(table: &Table, item: &Item, read: AnyRow) -> Reading {
    let is_written = table.write_again(read).await;
    let written = table.item(key_of(item)).await;
    if is_newer(item) {
        let is_kept = !is_written && written == *item;
        return if is_kept { Reading::Same } else { misread("a row of a newer format is written over") };
    }
    if !is_written {
        return misread("it cannot be written again");
    }
    // Only these belong to the write and not to the row.
    let of_write = ["version", "format", "quiet"];
    let lost = item.iter().find(|(name, value)| {
        !of_write.contains(&name.as_str()) && !written.get(name.as_str()).is_some_and(|new| contains(new, value))
    });
    lost.map_or(Reading::Same, |(name, _)| misread(format!("`{name}` is not written again as it was")))
}

/// Whether a value has all that another one has.
fn contains(new: &AttributeValue, old: &AttributeValue) -> bool {
    match (new, old) {
        (AttributeValue::M(new), AttributeValue::M(old)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|it| contains(it, value)))
        }
        (AttributeValue::L(new), AttributeValue::L(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| contains(new, old))
        }
        (new, old) => new == old,
    }
}

/// Reads a change of a row.
pub(crate) fn read_change(change: &WrittenChange) -> Reading {
    let WrittenChange { name: _, old, new, events } = change;
    let is_newer = is_newer(new) || old.as_ref().is_some_and(is_newer);
    compare(published(old.as_ref(), new), events, is_newer)
}

/// A change that cannot be read is set aside. If it is newer, newer code publishes it.
fn compare(found: Result<Vec<Published>, String>, events: &[Published], is_newer: bool) -> Reading {
    match found {
        Ok(found) if found == events => Reading::Same,
        Ok(found) => misread(format!("it publishes {found:?}")),
        Err(_) if is_newer => Reading::Newer,
        Err(error) => misread(error),
    }
}

/// Reads a message.
pub(crate) fn read_message(message: &WrittenMessage) -> Reading {
    let WrittenMessage { name: _, queue, body, events } = message;
    match queue.as_str() {
        WITHDRAWALS => match serde_json::from_str::<ArmedMessage>(body) {
            Ok(read) if serde_json::to_value(&read).ok() == serde_json::from_str::<Value>(body).ok() => Reading::Same,
            Ok(read) => misread(format!("it is read as {read:?}")),
            Err(error) => misread(error),
        },
        SET_ASIDE => match (ChangeRecord::from_set_aside(body), events) {
            (None, None) => Reading::Same,
            (Some(record), Some(events)) => match record.change() {
                Ok(change) => {
                    let new = change.new.clone().unwrap();
                    compare(published(change.old.as_ref(), &new), events, is_newer(&new))
                }
                Err(error) => misread(error),
            },
            (record, _) => misread(format!("its record is {record:?}")),
        },
        // Code that does not know the queue never receives the message.
        _ => Reading::Newer,
    }
}
