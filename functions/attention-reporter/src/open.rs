//! The open withdrawals: the index says which there are, and only their rows say how long they have been in their state.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use domain::{AttentionKind, Effect, Stage, Timestamp, Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState};
use futures_util::future::{Either, select};
use lambda::{Clock, Metric, count};
use store::{FindAttention, IndexEntry, ReadMany, RowKey, StoreError, Stored, Write, Written, read_each};
use tracing::{error, warn};

use crate::{Ages, Deps, LOST_AFTER, seconds_since};

/// No rows are read later than this after the report has begun.
pub const LAST_READ: Duration = Duration::from_secs(12);
/// By then it is reported what was found, whatever is not read: a part of a report is better than being killed at the time limit.
pub const LAST_REPORT: Duration = Duration::from_secs(17);

/// Rows that are read at a time: no more are in memory.
const BATCH: usize = 100;

/// What an open withdrawal may be reported as.
const OF_OPEN: [&str; 5] = ["not_submitted", "unknown", "submitted", "needs_review", "conflict"];
/// The oldest open withdrawal that was not read.
const UNREAD: &str = "unread";
/// What cannot be read.
const UNREADABLE: &str = "unreadable";

/// What is known of the open withdrawals.
#[derive(Debug, Default)]
pub(crate) struct Open {
    oldest: BTreeMap<&'static str, Timestamp>,
    unread: Unread,
}

/// What has not been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unread {
    /// Nobody knows how much.
    #[default]
    All,
    /// Withdrawals that were created then or later.
    Since(Timestamp),
    Nothing,
}

impl Open {
    fn note(&mut self, name: &'static str, since: Timestamp) {
        self.oldest.entry(name).and_modify(|it| *it = since.min(*it)).or_insert(since);
    }

    fn note_withdrawal(&mut self, row: &Withdrawal) {
        // A row that has ended meanwhile may still be in the index.
        let Some((stage, since)) = row.stage() else { return };
        let name = match stage {
            Stage::NotSubmitted => "not_submitted",
            Stage::Unknown => "unknown",
            Stage::Submitted => "submitted",
        };
        self.note(name, since);
        if row.needs_review.is_some() {
            self.note("needs_review", row.state_since);
        }
        if let Some(since) = row.conflict_since() {
            self.note("conflict", since);
        }
    }

    fn note_unreadable(&mut self, entry: &IndexEntry) {
        error!(reference = entry.key, "an open withdrawal cannot be read");
        self.note(UNREADABLE, entry.at);
    }

    /// The ages. A withdrawal that was not read may be in any state since it was created. If nobody knows how many were not read,
    /// no age is known.
    pub(crate) fn ages(&self, now: Timestamp) -> Ages {
        let seconds = |since: Option<Timestamp>| since.map_or(0, |at| seconds_since(at, now));
        let of = |name: &'static str| (name, seconds(self.oldest.get(name).copied()));
        let mut ages: Ages = [of(UNREADABLE)].into();
        let least = match self.unread {
            Unread::All => return ages,
            Unread::Since(at) => seconds_since(at, now).max(1),
            Unread::Nothing => 0,
        };
        ages.insert(UNREAD, least);
        ages.extend(OF_OPEN.map(of).map(|(name, seconds)| (name, seconds.max(least))));
        ages
    }
}

impl<S, A> Deps<S, A>
where
    S: FindAttention + ReadMany<WithdrawalId> + Write<WithdrawalRow>,
    A: Clock,
{
    /// Reads the open withdrawals from the oldest on, as far as time allows.
    pub(crate) async fn read_open(&self, began: Timestamp) -> (Open, Result<(), StoreError>) {
        let mut open = Open::default();
        let left = LAST_REPORT.saturating_sub(self.since(began));
        let read = match select(pin!(self.fill(&mut open, began)), pin!(self.clock.sleep(left))).await {
            Either::Left((read, _)) => read,
            Either::Right(_) => Ok(()),
        };
        let read = match open.unread {
            Unread::All => read.and_then(|()| Err(StoreError::transient("no open withdrawal was read in time"))),
            Unread::Since(at) => {
                error!(created_at_ms = at.0, "the open withdrawals from here on were not read");
                read
            }
            Unread::Nothing => read,
        };
        (open, read)
    }

    fn since(&self, began: Timestamp) -> Duration {
        Duration::from_millis(self.now().0.saturating_sub(began.0))
    }

    async fn fill(&self, open: &mut Open, began: Timestamp) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.table.find_attention(AttentionKind::Open, Timestamp(0), after.as_ref(), BATCH).await?;
            if let Some(first) = page.entries.first() {
                open.unread = Unread::Since(first.at);
                self.read_page(open, &page.entries).await?;
            }
            let Some(next) = page.next else {
                open.unread = Unread::Nothing;
                return Ok(());
            };
            open.unread = Unread::Since(next.at);
            if self.since(began) >= LAST_READ {
                return Ok(());
            }
            after = Some(next);
        }
    }

    async fn read_page(&self, open: &mut Open, entries: &[IndexEntry]) -> Result<(), StoreError> {
        let ids: Vec<_> = entries.iter().filter_map(IndexEntry::withdrawal_id).collect();
        let mut rows = read_each(&self.table, &ids).await?;
        for entry in entries {
            let Some(id) = entry.withdrawal_id() else {
                open.note_unreadable(entry);
                continue;
            };
            match rows.remove(&id) {
                Some(Ok(Stored { row: WithdrawalRow::Registered(row), version })) => {
                    open.note_withdrawal(&self.given_up(Stored { row: *row, version }).await);
                }
                Some(Err(_)) => open.note_unreadable(entry),
                Some(Ok(Stored { row: WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_), .. })) | None => {}
            }
        }
        Ok(())
    }

    /// The row, after its attempt is given up if its sender must be dead. The submitter does the same on the armed message, which may
    /// be lost.
    async fn given_up(&self, stored: Stored<Withdrawal>) -> Withdrawal {
        let Stored { row, version } = stored;
        let now = self.now();
        let lifetime_ms = u64::try_from(LOST_AFTER.as_millis()).unwrap_or(u64::MAX).max(self.sender_lifetime_ms);
        if row.state != WithdrawalState::Sending || !row.is_sender_dead(now, lifetime_ms) {
            return row;
        }
        let (Some(lost), Effect::Moved) = row.after(row.lose(), None, now) else { return row };
        let current = Stored { row: WithdrawalRow::Registered(Box::new(row.clone())), version };
        let id = row.request.withdrawal_id.key();
        match self.table.write(current.becomes(WithdrawalRow::Registered(Box::new(lost.clone())))).await {
            Ok(Written::Done) => {
                count!(error, Metric::WithdrawalUnknown, id, "its sender died, and no message came back to it");
                lost
            }
            Ok(Written::Conflict { current: Some(Stored { row: WithdrawalRow::Registered(row), .. }) }) => *row,
            Ok(Written::Conflict { .. }) => row,
            // One row that cannot be written does not hide the others. The next report tries again.
            Err(cause) => {
                warn!(reference = id, %cause, "the attempt was not given up");
                row
            }
        }
    }
}
