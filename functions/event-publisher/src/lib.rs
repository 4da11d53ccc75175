//! The table's stream: publishes what happened, in order, at least once. What cannot be published is set aside and tried again.

mod set_aside;

use domain::Event;
use lambda::{ChangeHandler, ChangeRecord, Handled, Publish, Published, Right, RowChange, SetAside, SetAsideMessage};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{RowEvents, StoreError, row_events};
use tracing::{info, warn};

pub use set_aside::{RENEWAL, Reason};

/// Characters of an event's id: 128 bits.
const ID_LENGTH: usize = 32;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["EVENT_BUS_NAME", "SET_ASIDE_QUEUE_URL"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::TakeChanges, Right::PublishEvents, Right::SetChangesAside];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<B, Q> {
    /// Where events leave.
    pub bus: B,
    /// Where changes wait that cannot be published.
    pub queue: Q,
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

impl<B: Publish + Send, Q: SetAside + Send> ChangeHandler for Deps<B, Q> {
    /// A change that cannot be published is set aside once all changes before it are published, and the batch goes on behind it.
    async fn handle(&self, records: &[ChangeRecord]) -> usize {
        let mut done = 0_usize;
        while let Some(rest) = records.get(done..).filter(|rest| !rest.is_empty()) {
            let Run { events, ends, stopped } = Run::of(rest);
            let taken = self.publish(&events).await;
            let published = ends.partition_point(|end| *end <= taken);
            done = done.saturating_add(published);
            let (Some(reason), Some(record)) = (stopped, rest.get(published).filter(|_| published == ends.len()))
            else {
                return done;
            };
            if !self.set_aside(record, &reason).await {
                return done;
            }
            done = done.saturating_add(1);
        }
        done
    }

    async fn try_again(&self, message: SetAsideMessage<'_>) -> Handled {
        let record = ChangeRecord::from_set_aside(message.body);
        match record.as_ref().map(|record| (record, events_of(record))) {
            Some((record, Ok(events))) if self.publish(&events).await == events.len() => {
                info!(reference = record.reference(), "a change that was set aside is published");
                Handled::Done
            }
            Some((_, Ok(_))) => Handled::Again,
            Some((record, Err(reason))) => {
                warn!(reference = record.reference(), %reason, "a change that was set aside cannot be published yet");
                self.keep(message).await
            }
            None => {
                warn!("a message has the position of a change, or no change: a person must publish it");
                self.keep(message).await
            }
        }
    }
}

/// Changes one after the other, up to the first that cannot be published.
struct Run {
    events: Vec<Published>,
    /// For each change, how many events there are up to its end.
    ends: Vec<usize>,
    stopped: Option<Reason>,
}

impl Run {
    fn of(records: &[ChangeRecord]) -> Self {
        let mut run = Self { events: Vec::new(), ends: Vec::new(), stopped: None };
        for record in records {
            match events_of(record) {
                Ok(events) => run.events.extend(events),
                Err(reason) => {
                    run.stopped = Some(reason);
                    break;
                }
            }
            run.ends.push(run.events.len());
        }
        run
    }
}

/// Gives the events of a record, or why they cannot be published.
fn events_of(record: &ChangeRecord) -> Result<Vec<Published>, Reason> {
    let change = record.change().map_err(|cause| Reason::Unreadable(cause.to_owned()))?;
    read(change).map_err(|error| Reason::Unreadable(error.to_string()))
}

impl<B: Publish, Q> Deps<B, Q> {
    /// Publishes events in their order. Gives how many of them are taken.
    async fn publish(&self, events: &[Published]) -> usize {
        let taken = self.bus.publish(events).await;
        for Published { reference, kind, .. } in events.iter().take(taken) {
            info!(reference, kind, "published");
        }
        taken
    }
}

/// Gives the events of a change. A row is never deleted; were one, nothing would be published about it.
fn read(change: &RowChange) -> Result<Vec<Published>, StoreError> {
    let Some(new) = change.new.clone() else { return Ok(Vec::new()) };
    let RowEvents { transaction, version, events } = row_events(change.old.clone(), new)?;
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
