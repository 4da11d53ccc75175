//! The table's stream: publishes what happened, in order, at least once. What cannot be published is set aside and tried again.
//! `POST /replays`: publishes again what somebody has missed.

mod proof;
mod replay;
mod set_aside;

use domain::{Caller, CustomTransactionId, Event, PaymentKey, TableIdentity, UnreadableId, WithdrawalId};
use lambda::{
    ChangeHandler, ChangeRecord, Handled, Handler, Metric, Publish, Published, Purpose, Reply, Request, Right,
    SecretStore, SendLater, SetAside, SetAsideMessage, count,
};
use paykassma::{EvidenceKeys, event_id};
use serde::Serialize;
use store::{Read, RowEvents, RowKey, StoredListId, TableCheck, TableId, Write, row_events};
use tracing::{error, info, warn};

pub use proof::{NotProved, Proofs};
pub use replay::{ApiError, Destination, EventName, MOST_EVENTS, NotReplayed, Replay, Replayed};
pub use set_aside::{RENEWAL, Reason};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "TABLE_NAME",
    "TABLE_STREAM_ARN",
    "SECRET_ID",
    "ATTEMPT_ID_SEPARATOR",
    "EVENT_BUS_NAME",
    "SET_ASIDE_QUEUE_URL",
    "REPLAY_QUEUE_URL",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::TakeChanges,
    Right::PublishEvents,
    Right::SetChangesAside,
    Right::SendEvents,
    Right::ReadRows("deposit"),
    Right::ReadRows("payment"),
    Right::ReadRows("withdrawal"),
    Right::ReadRows("unreadable"),
    Right::ReadRows("evidence"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
    Right::ReadSecret(Purpose::Postbacks),
];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<B, Q, S, K, P> {
    /// Whether the table is the right one.
    pub check: TableCheck,
    /// What is published as money must be proved.
    pub proofs: Proofs<S, K>,
    /// Where events leave.
    pub bus: B,
    /// Where changes wait that cannot be published.
    pub queue: Q,
    /// The queue of events for the merchant's server, if the stack posts to one.
    pub push: Option<P>,
}

/// What every event says beside its own data.
#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    r#type: &'static str,
    transaction: &'a str,
    generation: u64,
    version: u64,
    time_ms: u64,
    data: &'a Event,
}

/// What the publisher may do to the table.
pub trait Table:
    Read<CustomTransactionId>
    + Read<PaymentKey>
    + Read<WithdrawalId>
    + Read<UnreadableId>
    + Read<StoredListId>
    + Read<TableId>
    + Write<TableIdentity>
    + Send
{
}

impl<S> Table for S where
    S: Read<CustomTransactionId>
        + Read<PaymentKey>
        + Read<WithdrawalId>
        + Read<UnreadableId>
        + Read<StoredListId>
        + Read<TableId>
        + Write<TableIdentity>
        + Send
{
}

impl<B, Q, S, K, P> Handler for Deps<B, Q, S, K, P>
where
    B: Publish + Send,
    Q: SetAside + Send,
    S: Table,
    K: SecretStore<EvidenceKeys> + Send,
    P: SendLater + Send,
{
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let caller = request.caller.and_then(|caller| Caller::parse(caller).ok()).ok_or(ApiError::NoCaller)?;
        self.replay(&caller, request.body).await
    }
}

impl<B, Q, S, K, P> ChangeHandler for Deps<B, Q, S, K, P>
where
    B: Publish + Send,
    Q: SetAside + Send,
    S: Table,
    K: SecretStore<EvidenceKeys> + Send,
    P: Send + Sync,
{
    /// A change that cannot be published is set aside once all changes before it are published, and the batch goes on behind it.
    async fn handle(&self, records: &[ChangeRecord]) -> usize {
        let mut done = 0_usize;
        while let Some(rest) = records.get(done..).filter(|rest| !rest.is_empty()) {
            let Run { events, ends, stopped } = self.run(rest).await;
            let taken = self.publish(&events).await;
            let published = ends.partition_point(|end| *end <= taken);
            done = done.saturating_add(published);
            let stopped = stopped.filter(|_| published == ends.len());
            let (Some(Stop::SetAside(reason)), Some(record)) = (stopped, rest.get(published)) else { return done };
            if !self.set_aside(record, &reason).await {
                return done;
            }
            done = done.saturating_add(1);
        }
        done
    }

    async fn try_again(&self, message: SetAsideMessage<'_>) -> Handled {
        let record = ChangeRecord::from_set_aside(message.body);
        let Some(record) = record else {
            warn!("a message has the position of a change, or no change: a person must publish it");
            return self.keep(message).await;
        };
        match self.events_of(&record).await {
            Ok(events) if self.publish(&events).await == events.len() => {
                info!(reference = record.reference(), "a change that was set aside is published");
                Handled::Done
            }
            Ok(_) | Err(Stop::NotNow) => Handled::Again,
            Err(Stop::SetAside(reason)) => {
                warn!(reference = record.reference(), %reason, "a change that was set aside cannot be published yet");
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
    stopped: Option<Stop>,
}

/// Why a change is not published.
enum Stop {
    /// Nobody can say now whether it may be: it comes again, with all that is behind it.
    NotNow,
    /// It must wait for another release, or for a person.
    SetAside(Reason),
}

impl<B, Q, S, K, P> Deps<B, Q, S, K, P>
where
    B: Publish,
    S: Table,
    K: SecretStore<EvidenceKeys>,
{
    async fn run(&self, records: &[ChangeRecord]) -> Run {
        let mut run = Run { events: Vec::new(), ends: Vec::new(), stopped: None };
        for record in records {
            match self.events_of(record).await {
                Ok(events) => run.events.extend(events),
                Err(stop) => {
                    run.stopped = Some(stop);
                    break;
                }
            }
            run.ends.push(run.events.len());
        }
        run
    }

    /// Gives the events of a record as they may be published.
    async fn events_of(&self, record: &ChangeRecord) -> Result<Vec<Published>, Stop> {
        let row = read(record).map_err(Stop::SetAside)?;
        let Some(RowEvents { transaction, version, events }) = row else { return Ok(Vec::new()) };
        if transaction == TableId.key() {
            count!(info, Metric::Heartbeat, transaction);
        }
        let mut published = Vec::new();
        for event in events {
            let proved =
                self.proved(event, record.generation()).await.map_err(|cause| not_published(&transaction, &cause))?;
            published.push(envelope(record.at_ms(), &transaction, version, &proved));
        }
        Ok(published)
    }

    /// The event, if it may be published, and the generation of the table that it is of.
    async fn proved(&self, event: Event, set_aside_in: Option<u64>) -> Result<(Event, u64), NotProved> {
        let generation = self.check.generation(&self.proofs.table).await?;
        Ok((self.proofs.prove(event).await?, set_aside_in.unwrap_or(generation)))
    }

    /// Publishes events in their order. Gives how many of them are taken.
    async fn publish(&self, events: &[Published]) -> usize {
        let taken = self.bus.publish(events).await;
        for Published { reference, kind, .. } in events.iter().take(taken) {
            info!(reference, kind, "published");
        }
        taken
    }
}

fn not_published(reference: &str, cause: &NotProved) -> Stop {
    if cause.may_pass() {
        error!(reference, %cause, "a change cannot be proved now");
        return Stop::NotNow;
    }
    Stop::SetAside(Reason::Unproved(cause.to_string()))
}

/// Gives the events of a record, or why it cannot be read. A row is never deleted; were one, nothing would be published about it.
fn read(record: &ChangeRecord) -> Result<Option<RowEvents>, Reason> {
    let change = record.change().map_err(|cause| Reason::Unreadable(cause.to_owned()))?;
    let Some(new) = change.new.clone() else { return Ok(None) };
    row_events(change.old.clone(), new).map(Some).map_err(|error| Reason::Unreadable(error.to_string()))
}

fn envelope(time_ms: u64, transaction: &str, version: u64, (data, generation): &(Event, u64)) -> Published {
    let (id, kind, generation) = (event_id(data, transaction), data.kind(), *generation);
    let envelope = Envelope { id, r#type: kind, transaction, generation, version, time_ms, data };
    // An event has only texts and numbers: it can be written.
    let detail = serde_json::to_string(&envelope).unwrap_or_default();
    Published { kind: kind.to_owned(), reference: transaction.to_owned(), detail, at_ms: time_ms }
}
