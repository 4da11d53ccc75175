//! Changes that cannot be published: set aside with the reason, and kept until they can be.

use std::fmt;
use std::time::Duration;

use lambda::{ChangeRecord, Handled, Metric, SetAside, SetAsideMessage, count};
use tracing::error;

use crate::{Deps, Table};

/// A message of this age is sent anew, and the old one deleted. SQS deletes each message after 14 days.
pub const RENEWAL: Duration = Duration::from_hours(7 * 24);

/// Why a change cannot be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be read: most likely, a newer release has written the row.
    Unreadable(String),
    /// It would be published as money, and what proves it does not verify.
    Unproved(String),
}

impl Reason {
    /// Its name, in the message and in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Unproved(_) => "unproved",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(cause) | Self::Unproved(cause) => write!(formatter, "{}: {cause}", self.name()),
        }
    }
}

impl<B: Sync, Q: SetAside, S: Table, K: Sync, P: Sync> Deps<B, Q, S, K, P> {
    /// Sets a change aside. `false`: the queue did not take it, so the change comes again.
    pub(crate) async fn set_aside(&self, record: &ChangeRecord, reason: &Reason) -> bool {
        let reference = record.reference();
        // A change is published with the generation of the table that it is of, whenever that is.
        let generation = match self.check.generation(&self.proofs.table).await {
            Ok(generation) => generation,
            Err(cause) => {
                error!(reference, %reason, %cause, "a change cannot be set aside");
                return false;
            }
        };
        if let Err(cause) = self.queue.set_aside(record.set_aside(reason.name(), generation)).await {
            error!(reference, %reason, %cause, "a change cannot be set aside");
            return false;
        }
        count!(error, Metric::EventSetAside, reference, %reason, "a change was set aside");
        true
    }

    /// Leaves a message in the queue. It never becomes so old that SQS deletes it.
    pub(crate) async fn keep(&self, message: SetAsideMessage<'_>) -> Handled {
        if message.age < RENEWAL {
            return Handled::Again;
        }
        match self.queue.set_aside(message.body.to_owned()).await {
            Ok(()) => Handled::Done,
            Err(cause) => {
                error!(%cause, "a message that becomes old cannot be sent anew");
                Handled::Again
            }
        }
    }
}
