//! The reporter: it comes on a schedule, finds each withdrawal that has not ended, and gives up attempts whose sender must be dead.

use domain::{AttentionKind, Timestamp, Withdrawal, WithdrawalState};
use store::{AnyRow, AttentionPage, FindAttention, IndexEntry, StoreError};

use super::faults::Patience;
use super::functions::{LIMIT_MS, report_attention};
use super::queue;
use super::rules::check;
use super::table::Table;
use super::world::{Answer, World};
use super::wrong;

const LISTED: &str = "each open withdrawal is in the index with its creation time";
const REPORTED: &str = "each open withdrawal is reported by the time in its state";
const GIVEN_UP: &str = "no attempt is on its way for ever";

/// A row is written so long after its time at most, and the index is late by no more.
const SETTLED_MS: u64 = 60_000;
/// Between two reports.
const PERIOD_MS: u64 = 900_000;

/// The reports that are made while things go wrong.
pub(super) fn plan(world: &World) {
    for number in 1..=4 {
        world.after(number * PERIOD_MS, move |world| {
            report(world, &format!("reporter {number}"), false);
        });
    }
}

fn report(world: &World, name: &str, is_last: bool) {
    let began_ms = world.clock_ms();
    world.start(name, LIMIT_MS, report_attention(world), move |world, answer| match answer {
        Some(Answer::Ages(ages, true)) => judge(world, &ages, began_ms),
        answer => check(world, REPORTED, !is_last, || format!("there is no report: {answer:?}")),
    });
}

impl FindAttention for Table {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&IndexEntry>,
        limit: usize,
    ) -> Result<AttentionPage, StoreError> {
        let (what, after) = (format!("find {}", kind.as_str()), after.cloned());
        let name = self.0.next_call("late index");
        let is_late = self.0.happens(&name, 10);
        let found = self.0.call(&what, Patience::Endless, move |world| {
            let index = if is_late { late(world) } else { index(world) };
            let mut entries = index.into_iter().filter(|(of, _)| *of == kind).map(|(_, entry)| entry);
            let is_after = |it: &IndexEntry| it.at >= since && after.as_ref().is_none_or(|after| it > after);
            let mut found: Vec<_> = entries.by_ref().filter(is_after).take(limit + 1).collect();
            let has_more = found.len() > limit;
            found.truncate(limit);
            AttentionPage { next: found.last().filter(|_| has_more).cloned(), entries: found }
        });
        found.await.map_err(|fault| StoreError::Transient(format!("{fault:?}")))
    }
}

/// What the index has.
fn index(world: &World) -> Vec<(AttentionKind, IndexEntry)> {
    let rows = world.rows().into_iter();
    let entries = rows.filter_map(|(key, row)| {
        let attention = row.attention()?;
        let is_there = !wrong::is_not_indexed(world, &row);
        is_there.then_some((attention.kind, IndexEntry { at: attention.at, key }))
    });
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by(|(_, one), (_, other)| one.cmp(other));
    world.with(|state| state.late_index.clone_from(&entries));
    entries
}

/// What the index had when it was last asked.
fn late(world: &World) -> Vec<(AttentionKind, IndexEntry)> {
    let late = world.with(|state| {
        state.reached.insert("a late index");
        state.late_index.clone()
    });
    if late.is_empty() { index(world) } else { late }
}

fn open(world: &World) -> Vec<Withdrawal> {
    let rows = world.rows().into_values();
    let withdrawals = rows.filter_map(|row| match row {
        AnyRow::Withdrawal(it) => it.row.registered().cloned(),
        _ => None,
    });
    withdrawals.filter(|row| !row.is_final()).collect()
}

/// What a report must say of a withdrawal, by a reading of the row that is no part of the code under test.
fn expected(row: &Withdrawal) -> Option<(&'static str, Timestamp)> {
    match row.state {
        WithdrawalState::Sending | WithdrawalState::Waiting => Some(("not_submitted", row.created_at)),
        WithdrawalState::Unknown => Some(("unknown", row.state_since)),
        WithdrawalState::Submitted => Some(("submitted", row.state_since)),
        _ => None,
    }
}

/// Has the last reports made, and judges them: the first one gives up what is on its way.
pub(super) fn at_rest(world: &World) {
    world.with(|state| state.is_at_rest = true);
    for number in 1..=2 {
        world.after(PERIOD_MS, move |world| report(world, &format!("reporter at rest {number}"), true));
        world.run();
    }
    for row in open(world) {
        let id = row.request.withdrawal_id.as_str();
        let place = (AttentionKind::Open, IndexEntry { at: row.created_at, key: format!("withdrawal#{id}") });
        check(world, LISTED, index(world).contains(&place), || format!("{id} is {:?}", row.state));
        let is_given_up = row.state != WithdrawalState::Sending;
        check(world, GIVEN_UP, is_given_up, || format!("{id} is sending"));
    }
}

/// Judges a complete report by the withdrawals that had been in their state for a while when it began.
fn judge(world: &World, ages: &attention_reporter::Ages, began_ms: u64) {
    let is_settled = |(_, since): &(&str, Timestamp)| since.0.saturating_add(SETTLED_MS) <= began_ms;
    for (row, (name, since)) in open(world).iter().filter_map(|row| Some((row, expected(row)?))) {
        // Of a row that it did not read, a report knows when it was created: later, if the clock has jumped back since.
        let since = if ages["unread"] > 0 { since.max(row.created_at) } else { since };
        if !is_settled(&(name, since)) {
            continue;
        }
        let seconds = began_ms.saturating_sub(since.0) / 1_000;
        check(world, REPORTED, ages[name] >= seconds, || format!("{name} for {seconds} s, but {ages:?}"));
    }
}

/// A person sends new messages for the withdrawals that wait, with the operator's tool.
pub(super) fn replace_messages(world: &World) {
    for row in open(world).into_iter().filter(|row| row.state == WithdrawalState::Waiting) {
        let message = queue::armed(row.request.withdrawal_id.as_str());
        if world.with(|state| state.messages.gone.remove(&message)) {
            world.with(|state| state.reached.insert("a lost message is replaced"));
        }
        queue::send(world, &message);
    }
}

/// Notes that the reporter has given up an attempt.
pub(super) fn given_up(world: &World, old: &Withdrawal, new: &Withdrawal) {
    let is_given_up = old.state == WithdrawalState::Sending && new.state == WithdrawalState::Unknown;
    if is_given_up && world.running().starts_with("reporter") {
        world.with(|state| state.reached.insert("an attempt is given up by the reporter"));
    }
}
