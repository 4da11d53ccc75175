//! The bus on which events leave.

use std::future::Future;

use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use tracing::error;

/// The `source` of every event.
pub const SOURCE: &str = "paykassma";
/// Most events of one call.
const MOST: usize = 10;

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// What it is called.
    pub kind: String,
    /// What it is about, for the log.
    pub reference: String,
    /// One JSON object.
    pub detail: String,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The right to publish events.
pub trait Publish: Sync {
    /// Publishes events in their order. Gives how many of them are surely taken, from the first on; later ones may be.
    fn publish(&self, events: &[Published]) -> impl Future<Output = usize> + Send;
}

/// A bus in EventBridge.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

impl EventBus {
    /// The bus of this name.
    #[must_use]
    pub fn new(client: aws_sdk_eventbridge::Client, name: String) -> Self {
        Self { client, name }
    }

    async fn put(&self, events: &[Published]) -> usize {
        let entries = events.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&event.kind)
                .detail(&event.detail)
                .time(DateTime::from_millis(i64::try_from(event.at_ms).unwrap_or(i64::MAX)))
                .build()
        });
        let answer = match self.client.put_events().set_entries(Some(entries.collect())).send().await {
            Ok(answer) => answer,
            Err(cause) => {
                error!(cause = cause.code(), "the bus did not answer");
                return 0;
            }
        };
        let refused = answer.entries().iter().position(|entry| entry.event_id().is_none());
        if let Some(entry) = refused.and_then(|index| answer.entries().get(index)) {
            error!(cause = entry.error_code(), "the bus refused an event");
        }
        refused.unwrap_or(events.len())
    }
}

impl Publish for EventBus {
    async fn publish(&self, events: &[Published]) -> usize {
        let mut taken = 0_usize;
        for chunk in events.chunks(MOST) {
            let done = self.put(chunk).await;
            taken = taken.saturating_add(done);
            if done < chunk.len() {
                break;
            }
        }
        taken
    }
}
