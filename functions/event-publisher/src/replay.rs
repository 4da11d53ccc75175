//! `POST /replays`: publishes again what rows still say, for a receiver that has missed it. Nothing that the caller sends is published:
//! it names rows and events, and these are read and proved as any other.

use domain::Caller;
use lambda::{
    BadRequest, ErrorReply, Fields, Publish, Published, Reply, SecretStore, SendLater, StatusCode, WRONG_TABLE,
    queue_text,
};
use paykassma::{EvidenceKeys, event_id};
use serde::{Deserialize, Serialize};
use store::{AnyRow, Replayable, RowId, StoreError, Stored, credited_order, current_events};
use tracing::{error, info};

use crate::{Deps, NotProved, Table, envelope};

/// Most events of one request: so many fit into it, however long their keys are, and are published in its time.
pub const MOST_EVENTS: usize = 20;

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// To everybody who listens on the bus.
    Bus,
    /// To the merchant's server only.
    Push,
}

/// A request.
///
/// # Examples
/// ```
/// use event_publisher::{Destination, EventName, Replay};
///
/// let event = EventName { row: "payment#paytm#47752123519".into(), id: "26e9d17e704aded8b0d53b904f228507".into() };
/// let replay = Replay { to: Destination::Push, events: vec![event] };
/// assert!(serde_json::to_string(&replay)?.starts_with(r#"{"to":"push","events":[{"row":"payment#paytm#47752123519","#));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Serialize)]
pub struct Replay {
    /// Where they go.
    pub to: Destination,
    /// Which.
    pub events: Vec<EventName>,
}

/// Names an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventName {
    /// The key of the row that says it. Of a credit it is the payment's.
    pub row: String,
    /// The event's id.
    pub id: String,
}

/// What became of the events.
#[derive(Debug, Default, Serialize)]
pub struct Replayed {
    /// How many are published again.
    pub replayed: usize,
    /// Those that are not.
    pub refused: Vec<NotReplayed>,
}

/// An event that is not published again.
#[derive(Debug, Serialize)]
pub struct NotReplayed {
    /// Which.
    #[serde(flatten)]
    pub event: EventName,
    /// Why not.
    pub reason: String,
}

/// Why nothing, or not all, is published again.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request is at fault.
    #[error(transparent)]
    BadRequest(#[from] BadRequest),
    /// Nobody has verified who calls: the route has no IAM authorization.
    #[error("the caller is not known: this route needs IAM authorization")]
    NoCaller,
    /// The table or the keys could not be read.
    #[error("the events could not be proved now; send the same request again")]
    NotNow(#[source] NotProved),
    /// The bus or the queue did not take them.
    #[error("not all events could be published now; send the same request again")]
    NotTaken,
}

impl ErrorReply for ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(bad) => bad.status(),
            Self::NoCaller => StatusCode::FORBIDDEN,
            Self::NotNow(_) | Self::NotTaken => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(bad) => bad.code(),
            Self::NoCaller => "no_caller",
            Self::NotNow(NotProved::Table(StoreError::WrongTable)) => WRONG_TABLE,
            Self::NotNow(_) | Self::NotTaken => "try_again",
        }
    }

    fn field(&self) -> Option<&str> {
        if let Self::BadRequest(bad) = self { bad.field() } else { None }
    }
}

impl Replay {
    fn read(body: &[u8]) -> Result<Self, BadRequest> {
        let mut fields = Fields::parse(body)?;
        let to = fields.text("to", |text| match text.as_str() {
            "bus" => Ok(Destination::Bus),
            "push" => Ok(Destination::Push),
            _ => Err("must be bus or push"),
        })?;
        let events = fields.list("events", MOST_EVENTS, "must be objects with row and id")?;
        fields.finish()?;
        Ok(Self { to, events })
    }
}

const NOT_SAID: &str = "the row does not say this event: look at it again";

impl<B, Q, S, K, P> Deps<B, Q, S, K, P>
where
    B: Publish,
    S: Table,
    K: SecretStore<EvidenceKeys>,
    P: SendLater,
{
    pub(crate) async fn replay(&self, caller: &Caller, body: &[u8]) -> Result<Reply, ApiError> {
        let Replay { to, events } = Replay::read(body)?;
        if to == Destination::Push && self.push.is_none() {
            return Err(BadRequest::field("to", "must be bus: this stack posts events to no server").into());
        }
        let mut answer = Replayed::default();
        let mut published = Vec::new();
        for event in events {
            match self.current(&event).await {
                Ok(known) => published.push(known),
                Err(NotReplayable::Never(reason)) => answer.refused.push(NotReplayed { event, reason }),
                Err(NotReplayable::NotNow(cause)) => return Err(ApiError::NotNow(cause)),
            }
        }
        answer.replayed = published.len();
        let is_taken = match (to, &self.push) {
            (Destination::Push, Some(push)) => send_all(push, &published).await,
            (Destination::Bus | Destination::Push, _) => self.publish(&published).await == published.len(),
        };
        let (replayed, refused) = (answer.replayed, answer.refused.len());
        info!(%caller, ?to, replayed, refused, is_taken, "events are published again");
        if is_taken { Ok(Reply::new(StatusCode::OK, &answer)) } else { Err(ApiError::NotTaken) }
    }

    /// The event as it may be published now.
    async fn current(&self, name: &EventName) -> Result<Published, NotReplayable> {
        let row = self.row(&name.row).await?.ok_or_else(|| NotReplayable::Never("there is no such row".into()))?;
        let order = match credited_order(&row) {
            Some(order) => self.proofs.table.read(order).await?.and_then(Stored::registered),
            None => None,
        };
        let event = current_events(&row, order.as_ref())
            .into_iter()
            .find(|it| event_id(&it.current.event, &it.transaction) == name.id)
            .ok_or_else(|| NotReplayable::Never(NOT_SAID.into()))?;
        let Replayable { transaction, version, current } = event;
        let proved = self.proved(current.event, None).await?;
        Ok(envelope(current.at.0, &transaction, version, &proved))
    }

    async fn row(&self, key: &str) -> Result<Option<AnyRow>, StoreError> {
        let table = &self.proofs.table;
        Ok(match RowId::parse(key) {
            Some(RowId::Deposit(id)) => table.read(&id).await?.map(AnyRow::Deposit),
            Some(RowId::Payment(id)) => table.read(&id).await?.map(AnyRow::Payment),
            Some(RowId::Withdrawal(id)) => table.read(&id).await?.map(AnyRow::Withdrawal),
            Some(RowId::Unreadable(id)) => table.read(&id).await?.map(AnyRow::Unreadable),
            Some(
                RowId::EntryCount(_)
                | RowId::CreditedNumber(_)
                | RowId::WaitingPage(_)
                | RowId::StoredList(_)
                | RowId::ListProgress(_)
                | RowId::TableIdentity(_)
                | RowId::Proposal(_)
                | RowId::ReservedSums(_),
            )
            | None => None,
        })
    }
}

/// Sends events as the merchant's server gets them. Gives whether all are taken.
async fn send_all(push: &impl SendLater, events: &[Published]) -> bool {
    for Published { reference, kind, detail, .. } in events {
        if let Err(cause) = push.send_later(queue_text(detail)).await {
            error!(reference, %cause, "an event could not be sent again");
            return false;
        }
        info!(reference, kind, "sent again");
    }
    true
}

/// Why an event is not published again.
enum NotReplayable {
    /// It is not said, or not proved.
    Never(String),
    /// Nobody can say now whether it may be.
    NotNow(NotProved),
}

impl From<NotProved> for NotReplayable {
    fn from(cause: NotProved) -> Self {
        if cause.may_pass() { Self::NotNow(cause) } else { Self::Never(cause.to_string()) }
    }
}

impl From<StoreError> for NotReplayable {
    fn from(cause: StoreError) -> Self {
        NotProved::Table(cause).into()
    }
}
