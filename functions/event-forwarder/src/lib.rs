//! The queue of events for the merchant's server: posts each until the server takes it, and sets aside what it does not take.

mod policy;
mod receiver;

use std::time::Duration;

use lambda::{
    AwsError, Backlog, Clock, Defer, Handled, Message, MessageHandler, Metric, Purpose, Right, ScheduleHandler,
    SecretStore, Waiting, count,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use signing::{BadWebhookKey, WebhookKey, sign_webhook};
use tracing::{error, info, warn};

pub use policy::Policy;
pub use receiver::{NotTaken, Post, Receiver, SignedEvent};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "EVENTS_URL",
    "EVENTS_QUEUE_URL",
    "EVENTS_QUEUE_ARN",
    "UNDELIVERED_QUEUE_URL",
    "UNDELIVERED_QUEUE_ARN",
    "EVENTS_TIMEOUT_MS",
    "EVENTS_FIRST_RETRY_SECONDS",
    "EVENTS_GIVE_UP_SECONDS",
    "SECRET_ID",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::TakeEvents, Right::MoveEvents, Right::ReadSecret(Purpose::Events)];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// Signs events: `whsec_..`.
    pub events_secret: SecretString,
    /// The key before the last rotation signs too. Empty or missing if there is none.
    #[serde(default)]
    pub events_secret_previous: SecretString,
}

impl Keys {
    /// The keys that sign, the current one first.
    fn keys(&self) -> Result<Vec<WebhookKey>, BadWebhookKey> {
        let previous = Some(&self.events_secret_previous).filter(|key| !key.expose_secret().is_empty());
        [&self.events_secret].into_iter().chain(previous).map(WebhookKey::parse).collect()
    }
}

/// So many messages are looked at to find an event to try.
const MOST_PROBES: usize = 10;

/// What this function works with.
#[derive(Debug)]
pub struct Deps<R, Q, B, K, A> {
    /// The merchant's server.
    pub receiver: R,
    /// The queue that events come from.
    pub queue: Q,
    /// Where events wait that the server did not take.
    pub backlog: B,
    /// The secrets.
    pub keys: K,
    /// Time and randomness.
    pub clock: A,
    /// When an event is posted again.
    pub policy: Policy,
}

/// Why an event is not delivered.
#[derive(Debug, thiserror::Error)]
enum NotDelivered {
    /// It has no id, so that no receiver could tell it from others.
    #[error("it is no event")]
    NoEvent,
    /// It cannot be signed now.
    #[error("it cannot be signed: {0}")]
    Keys(#[from] AwsError),
    /// The key is wrong.
    #[error("it cannot be signed: {0}")]
    BadKey(#[from] BadWebhookKey),
    /// The merchant's server did not take it.
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
}

/// What is read of an event. The rest is only passed on.
#[derive(Deserialize)]
struct Event<'a> {
    id: &'a str,
}

/// An event in EventBridge's envelope. So EventBridge sets it aside by itself, if it cannot send it to the queue.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "detail-type")]
    _detail_type: &'a str,
    #[serde(borrow)]
    detail: &'a RawValue,
}

/// Takes an event out of its envelope, if it has one. Gives its id and its text.
fn read(body: &str) -> Result<(&str, &str), NotDelivered> {
    let text = serde_json::from_str::<Envelope<'_>>(body).map_or(body, |envelope| envelope.detail.get());
    let Event { id } = serde_json::from_str(text).map_err(|_| NotDelivered::NoEvent)?;
    Ok((id, text))
}

/// Names an event in the log.
fn event_id(body: &str) -> &str {
    read(body).map_or("", |(id, _)| id)
}

impl<R, Q, B, K, A> Deps<R, Q, B, K, A>
where
    R: Post,
    Q: Defer,
    B: Backlog,
    K: SecretStore<Keys>,
    A: Clock,
{
    /// Posts an event once. The text is signed to the letter, with the time of this attempt.
    async fn deliver(&self, body: &str) -> Result<(), NotDelivered> {
        let (id, body) = read(body)?;
        let keys = self.keys.current().await?.keys()?;
        let timestamp = self.clock.now_ms() / 1000;
        let signature = sign_webhook(id, timestamp, body.as_bytes(), &keys);
        self.receiver.post(SignedEvent { id, timestamp, signature, body }).await?;
        info!(event_id = id, "taken");
        Ok(())
    }
}

impl<R, Q, B, K, A> ScheduleHandler for Deps<R, Q, B, K, A>
where
    R: Post + Send,
    Q: Defer + Send,
    B: Backlog + Send,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    /// Tries one event of those that wait. If the server takes it, all of them go back to the queue.
    async fn on_schedule(&self) -> Result<(), AwsError> {
        for _ in 0..MOST_PROBES {
            let Some(Waiting { body, receipt_handle }) = self.backlog.first().await? else { return Ok(()) };
            match self.deliver(&body).await {
                Ok(()) => {
                    self.backlog.remove(&receipt_handle).await?;
                    self.backlog.move_all_back().await?;
                    info!("the merchant's server takes events again: those that waited are moved back");
                    return Ok(());
                }
                Err(cause @ NotDelivered::NoEvent) => error!(%cause, "a message waits for a person"),
                Err(cause) => {
                    warn!(%cause, "the merchant's server does not take events yet");
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl<R, Q, B, K, A> MessageHandler for Deps<R, Q, B, K, A>
where
    R: Post + Send,
    Q: Defer + Send,
    B: Backlog + Send,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    /// An event is posted again until it is too old. Its age counts, and not how often it was received: a throttled invocation counts as a
    /// receipt, too.
    async fn handle(&self, message: Message<'_>) -> Handled {
        let Err(cause) = self.deliver(message.body).await else { return Handled::Done };
        let age = Duration::from_millis(self.clock.now_ms().saturating_sub(message.sent_at_ms));
        let is_hopeless = matches!(cause, NotDelivered::NoEvent);
        if is_hopeless || age >= self.policy.give_up_after {
            return self.set_aside(message.body, &cause).await;
        }
        let asked = match &cause {
            NotDelivered::NotTaken(NotTaken { retry_after, .. }) => *retry_after,
            NotDelivered::NoEvent | NotDelivered::Keys(_) | NotDelivered::BadKey(_) => None,
        };
        let wait = self.policy.wait(age, message.receive_count, asked, &self.clock);
        if self.policy.is_late(age) {
            count!(warn, Metric::EventLate, event_id(message.body), %cause, wait_seconds = wait.as_secs());
        } else {
            info!(event_id = event_id(message.body), %cause, wait_seconds = wait.as_secs(), "posted again later");
        }
        if let Err(cause) = self.queue.defer(message.receipt_handle, wait).await {
            // The queue's own time-out brings it back.
            warn!(%cause, "an event cannot be put off");
        }
        Handled::Again
    }
}

impl<R: Sync, Q: Sync, B: Backlog, K: Sync, A: Sync> Deps<R, Q, B, K, A> {
    async fn set_aside(&self, body: &str, cause: &NotDelivered) -> Handled {
        match self.backlog.add(body.to_owned()).await {
            Ok(()) => {
                warn!(%cause, "an event waits until the merchant's server takes events again");
                Handled::Done
            }
            Err(failure) => {
                error!(%cause, %failure, "an event cannot be set aside: it comes again");
                Handled::Again
            }
        }
    }
}
