//! The table's stream: publishes what happened, in order, at least once.

use domain::Event;
use lambda::{ChangeHandler, Publish, Published, Right, RowChange};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{RowEvents, StoreError, row_events};
use tracing::{error, info};

/// Characters of an event's id: 128 bits.
const ID_LENGTH: usize = 32;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["EVENT_BUS_NAME"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::TakeChanges, Right::PublishEvents];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<B> {
    /// Where events leave.
    pub bus: B,
}

/// What every event says beside its own data.
#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    r#type: &'static str,
    transaction: &'a str,
    version: u64,
    time_ms: u64,
    data: &'a Event,
}

impl<B: Publish + Send> ChangeHandler for Deps<B> {
    /// A change that cannot be read ends the batch there. What came before it is published first.
    async fn handle(&self, changes: &[RowChange]) -> usize {
        let mut events = Vec::new();
        let mut ends = Vec::new();
        for change in changes {
            match read(change) {
                Ok(new) => events.extend(new),
                Err(cause) => {
                    error!(%cause, "a change of a row cannot be read");
                    break;
                }
            }
            ends.push(events.len());
        }
        let taken = self.bus.publish(&events).await;
        for Published { reference, kind, .. } in events.iter().take(taken) {
            info!(reference, kind, "published");
        }
        ends.partition_point(|end| *end <= taken)
    }
}

/// Gives the events of a change. A row is never deleted; were one, nothing would be published about it.
fn read(change: &RowChange) -> Result<Vec<Published>, StoreError> {
    let Some(new) = change.new.clone() else { return Ok(Vec::new()) };
    let Some(RowEvents { transaction, version, events }) = row_events(change.old.clone(), new)? else {
        return Ok(Vec::new());
    };
    let published = events.iter().enumerate().map(|(index, data)| {
        let id = id(&transaction, version, index);
        let envelope =
            Envelope { id, r#type: data.kind(), transaction: &transaction, version, time_ms: change.at_ms, data };
        let detail = serde_json::to_string(&envelope).map_err(StoreError::transient)?;
        let reference = transaction.clone();
        Ok(Published { kind: data.kind().to_owned(), reference, detail, at_ms: change.at_ms })
    });
    published.collect()
}

/// The same change always gives the same id: a row's version names one change of it.
fn id(transaction: &str, version: u64, index: usize) -> String {
    let mut id = hex::encode(Sha256::digest(format!("{transaction} {version} {index}")));
    id.truncate(ID_LENGTH);
    id
}
