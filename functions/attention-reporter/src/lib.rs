//! On a schedule: reports how long the oldest row of each kind has been waiting for a person, and how long withdrawals have been
//! open, so that what nobody looks at has an alarm for as long as it waits.

mod open;

pub use open::{LAST_READ, LAST_REPORT};

use std::time::Duration;

use domain::{AttentionKind, TableIdentity, Timestamp, WithdrawalId, WithdrawalRow};
use futures_util::future::join;
use lambda::{BadSetting, Clock, Right, report_oldest_seconds, serve_events};
use serde::de::IgnoredAny;
use store::{FindAttention, Read, ReadMany, StoreError, TableCheck, TableId, Write};
use tracing::error;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME", "TABLE_STREAM_ARN", "SENDER_LIFETIME_MS"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::FindAttention,
    Right::ReadRows("withdrawal"),
    Right::ReadManyRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
];

/// The least age of an attempt that this function gives up. By then the armed message should have come several times.
pub const LOST_AFTER: Duration = Duration::from_mins(10);

/// What is reported, as values of the dimension `attention`: first the kinds of the index, but for open withdrawals; then what the
/// rows of those say.
pub const REPORTED: [&str; 10] = [
    "unmatched",
    "quarantined",
    "conflict",
    "unreadable",
    "unfinished",
    "not_submitted",
    "unknown",
    "submitted",
    "needs_review",
    "unread",
];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, A> {
    /// The table.
    pub table: S,
    /// Its own row, which is the heartbeat of its stream.
    pub check: TableCheck,
    /// Time.
    pub clock: A,
    /// After this time without a recorded result, a sender counts as dead.
    pub sender_lifetime_ms: u64,
}

/// Something is not reported: the missing report is an alarm, as the function's error is.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("what needs attention could not be found")]
pub struct NotReported;

/// The ages in seconds, by what has them: 0 where there is nothing. What could not be found out is missing.
pub type Ages = std::collections::BTreeMap<&'static str, u64>;

impl<S, A> Deps<S, A>
where
    S: FindAttention + ReadMany<WithdrawalId> + Write<WithdrawalRow>,
    A: Clock,
{
    /// Gives up attempts whose sender must be dead, and reports all ages that can be found out.
    ///
    /// # Errors
    /// [`NotReported`] when the table does not answer.
    pub async fn report(&self) -> Result<(), NotReported> {
        let (ages, is_complete) = self.ages().await;
        for (name, seconds) in ages {
            report_oldest_seconds(name, seconds);
        }
        if is_complete { Ok(()) } else { Err(NotReported) }
    }

    /// Makes a change that the publisher counts.
    ///
    /// # Errors
    /// [`NotReported`] when the table does not answer, or is not the one that the stack serves.
    pub async fn beat(&self) -> Result<(), NotReported>
    where
        S: Read<TableId> + Write<TableIdentity>,
    {
        self.check.beat(&self.table).await.map_err(|cause| {
            failed(&cause);
            NotReported
        })
    }

    /// Finds out all ages, and whether none is missing.
    pub async fn ages(&self) -> (Ages, bool) {
        let mut ages = Ages::new();
        let mut is_complete = true;
        let began = self.now();
        for kind in AttentionKind::ALL.into_iter().filter(|kind| *kind != AttentionKind::Open) {
            match self.table.find_attention(kind, Timestamp(0), None, 1).await {
                Ok(page) => {
                    let oldest = page.entries.first().map(|it| it.at);
                    ages.insert(kind.as_str(), oldest.map_or(0, |at| seconds_since(at, began)));
                }
                Err(cause) => is_complete &= failed(&cause),
            }
        }
        let (open, read) = self.read_open(began).await;
        is_complete &= read.err().is_none_or(|cause| failed(&cause));
        for (name, seconds) in open.ages(self.now()) {
            ages.entry(name).and_modify(|it| *it = seconds.max(*it)).or_insert(seconds);
        }
        (ages, is_complete)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }
}

fn failed(cause: &StoreError) -> bool {
    error!(%cause, "the table failed");
    false
}

fn seconds_since(at: Timestamp, now: Timestamp) -> u64 {
    now.0.saturating_sub(at.0) / 1_000
}

/// Reports and makes its change whenever it is asked to, for as long as the function lives. With a bad setting, nothing is reported.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve<S, A>(set_up: Result<Deps<S, A>, BadSetting>) -> Result<(), lambda_runtime::Error>
where
    S: FindAttention + ReadMany<WithdrawalId> + Write<WithdrawalRow> + Read<TableId> + Write<TableIdentity>,
    A: Clock,
{
    serve_events(set_up, async |deps: Option<&Deps<S, A>>, _: IgnoredAny| {
        let deps = deps.ok_or(NotReported)?;
        // Boxed: what the calls keep between their awaits would else be a part of `main`.
        let (reported, beaten) = Box::pin(join(deps.report(), deps.beat())).await;
        Ok(reported.and(beaten)?)
    })
    .await
}
