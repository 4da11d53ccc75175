//! The ceiling on outgoing money: bursts of withdrawals around full hours and midnight, and the rules of what is sent out.

use std::collections::BTreeMap;

use domain::{
    Amount, Ceiling, CeilingRule, Ceilings, Day, Hour, ReservedSums, ReservedSumsId, Sum, WalletType, Withdrawal,
    WithdrawalRow,
};
use store::{AnyRow, Stored};

use super::random::Chance;
use super::rules::{break_rule, check, withdrawal_row};
use super::table::row;
use super::users::{Ask, ask_at};
use super::world::{EPOCH_MS, World};

const CEILING: &str = "no more is sent out than the ceilings allow";
const RESERVED: &str = "what is journalled is reserved";
const SUMS: &str = "the sums of the hours are the sum of the day";

/// When a full hour or midnight comes, if it comes in a run.
const TURN_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

/// The ceilings of a run, and how far our functions' clock is ahead.
#[derive(Clone, Copy)]
pub(super) struct Outgoing {
    pub per_hour: Option<u64>,
    pub per_day: Option<u64>,
    pub ahead_ms: u64,
}

impl Outgoing {
    /// What a seed makes of it.
    pub(super) fn of(chance: Chance) -> Option<Self> {
        let (per_hour, per_day) = chance.one_of(
            "ceilings",
            &[(Some(3_000), None), (Some(3_000), Some(5_000)), (None, Some(4_000)), (Some(9_000), Some(6_000))],
        );
        let ahead = |length_ms: u64| length_ms - EPOCH_MS % length_ms - TURN_MS;
        let ahead_ms = chance.one_of("the turn of", &[0, ahead(HOUR_MS), ahead(24 * HOUR_MS)]);
        chance.percent("has ceilings", 40).then_some(Self { per_hour, per_day, ahead_ms })
    }

    fn ceilings(self) -> Ceilings {
        let ceiling = |most: Option<u64>| CeilingRule::Every(most.map_or(Ceiling::None, |it| Ceiling::AtMost(sum(it))));
        Ceilings { per_hour: ceiling(self.per_hour), per_day: ceiling(self.per_day) }
    }
}

fn sum(number: u64) -> Sum {
    Amount::parse(&number.to_string()).unwrap().into()
}

/// The ceilings that our functions are given.
pub(super) fn ceilings(world: &World) -> Ceilings {
    world.with(|state| state.settings.outgoing.map_or(Ceilings::NONE, Outgoing::ceilings))
}

/// Somebody asks for many withdrawals at a time.
pub(super) fn plan(world: &World) {
    if world.with(|state| state.settings.outgoing.is_none()) || !world.happens("a burst of withdrawals", 60) {
        return;
    }
    for number in 0..6 {
        let id = format!("burst{number}");
        let at = TURN_MS - 2_000 + world.chance.below(&format!("{id} at"), 4_000);
        let asked = Ask::Withdrawal { id: id.clone(), label: "person-0".into(), amount: 1_000 };
        ask_at(world, at, &format!("withdraw {id}"), asked);
    }
}

/// What is journalled in a day, and in an hour of it.
type Journalled = BTreeMap<(Day, Option<Hour>), Sum>;

fn journalled<'a>(rows: impl Iterator<Item = &'a Withdrawal>) -> Journalled {
    let mut sums = Journalled::new();
    for row in rows {
        let (day, hour) = (Day::of(row.created_at), Hour::of(row.created_at));
        for time in [(day, None), (day, Some(hour))] {
            let sum = sums.entry(time).or_default();
            *sum = sum.plus(row.request.amount);
        }
    }
    sums
}

fn all_journalled(world: &World) -> Journalled {
    let rows = world.rows().into_values().filter_map(|row| match row {
        AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(row), .. }) => Some(*row),
        _ => None,
    });
    journalled(rows.collect::<Vec<_>>().iter())
}

fn reserved(world: &World, day: Day, hour: Option<Hour>) -> Sum {
    let id = ReservedSumsId { payment_system: WalletType::parse("paytm").unwrap(), day };
    let Some(sums) = row(world, &id) else { return Sum::default() };
    hour.map_or(sums.reserved, |hour| sums.hours.get(&hour).copied().unwrap_or_default())
}

/// Checks sums against the ceilings. Gives whether one is reached.
fn is_within(world: &World, sums: &Journalled, what: &str) -> bool {
    let Some(outgoing) = world.with(|state| state.settings.outgoing) else { return false };
    let mut is_reached = false;
    for ((day, hour), sent) in sums {
        let most = if hour.is_some() { outgoing.per_hour } else { outgoing.per_day };
        let Some(most) = most.map(sum) else { continue };
        check(world, CEILING, *sent <= most, || format!("{what}: {sent} of {most} on {day}, {hour:?}"));
        is_reached |= *sent == most;
    }
    is_reached
}

/// A withdrawal is journalled, or the sums have changed.
pub(super) fn judge(world: &World) {
    if world.with(|state| state.settings.outgoing.is_none()) {
        return;
    }
    let sums = all_journalled(world);
    if is_within(world, &sums, "journalled") {
        world.with(|state| state.reached.insert("a ceiling is reached"));
    }
    for ((day, hour), sent) in sums {
        let reserved = reserved(world, day, hour);
        check(world, RESERVED, sent <= reserved, || format!("{reserved} of {sent} on {day}, {hour:?}"));
    }
}

pub(super) fn reserved_sums(world: &World, old: Option<&ReservedSums>, new: Option<&ReservedSums>) {
    let Some(new) = new else { return break_rule(world, SUMS, "the row is gone") };
    let by_hour = new.hours.iter().map(|(hour, sum)| ((new.day, Some(*hour)), *sum));
    is_within(world, &by_hour.chain([((new.day, None), new.reserved)]).collect(), "reserved");
    let hours: Vec<Amount> = new.hours.values().filter_map(|sum| Amount::parse(&sum.to_string()).ok()).collect();
    let is_sum = hours.into_iter().collect::<Sum>() == new.reserved;
    check(world, SUMS, is_sum && old.is_none_or(|old| old.id() == new.id()), || format!("{old:?} -> {new:?}"));
    if old.is_some_and(|old| new.reserved < old.reserved) {
        world.with(|state| state.reached.insert("a reservation is given back"));
    }
    judge(world);
}

/// What was sent to the provider is within the ceilings, too.
pub(super) fn at_rest(world: &World) {
    let sent = world.with(|state| state.rules.sends.keys().cloned().collect::<Vec<_>>());
    let rows: Vec<_> = sent
        .iter()
        .filter_map(|id| match withdrawal_row(world, id) {
            Some(WithdrawalRow::Registered(row)) => Some(*row),
            _ => None,
        })
        .collect();
    let is_limited = world.with(|state| state.settings.outgoing.is_some());
    is_within(world, &journalled(rows.iter()), "sent");
    let kept = world.rows().into_values().filter_map(|row| match row {
        AnyRow::ReservedSums(it) => Some(it.row),
        _ => None,
    });
    let journalled = all_journalled(world);
    for sums in kept {
        check(world, RESERVED, is_limited, || format!("without a ceiling: {sums:?}"));
        if sums.reserved > journalled.get(&(sums.day, None)).copied().unwrap_or_default() {
            world.with(|state| state.reached.insert("a reservation without a withdrawal"));
        }
    }
    let hours = journalled.keys().filter(|(_, hour)| hour.is_some()).count();
    if hours > 1 && is_limited {
        world.with(|state| state.reached.insert("withdrawals of several hours"));
    }
}

/// A merchant's request begins: whether its id is on record already.
pub(super) fn is_on_record(world: &World, asked: &Ask) -> bool {
    matches!(asked, Ask::Withdrawal { id, .. } if withdrawal_row(world, id).is_some())
}

/// A merchant was answered that a ceiling is reached: not about what is on record.
pub(super) fn refused(world: &World, was_on_record: bool, what: impl FnOnce() -> String) {
    world.with(|state| state.reached.insert("answered limit_reached"));
    check(world, "what is on record is answered as ever, whatever the ceiling", !was_on_record, what);
}
