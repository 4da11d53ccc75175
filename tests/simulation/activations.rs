//! The rules of entered numbers: what was asked for and under which id, who entered it, and what may end.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Amount, Attempt, AttemptState, CLAIM_BLOCKS_MS, CustomTransactionId, Deposit, EntryCount, Journal, Mismatch,
    Payment, PaymentState,
};
use paykassma::Activation;
use store::AnyRow;

use super::functions::NUMBERS_PER_DAY;
use super::rules::{check, payment_row};
use super::table::row;
use super::world::World;

const JOURNALLED: &str = "each call for a number is journalled before it is sent";
const ONE_NUMBER: &str = "an attempt's id stands for one number of one order";
const ENDED: &str = "after an attempt has ended the next one gets another id";
const ACTIVATED: &str = "an attempt that was answered ok is not sent again";
const FORGOTTEN: &str = "no attempt ends while a call of it may have had an effect";
const CLAIMED: &str = "a number is one order's until it is given up, or for a day";
const CONTESTED: &str = "a person decides about a contested number";
const COUNTED: &str = "a label enters so many numbers a day and no more";

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallEnd {
    /// Under way, or nobody knows.
    Unknown,
    /// It had no effect.
    NotSent,
    Failed,
    Taken,
}

#[derive(Clone, Debug)]
struct Call {
    order: String,
    number: String,
    id: String,
    end: CallEnd,
}

/// What the rules remember of entered numbers.
#[derive(Clone, Default)]
pub(super) struct Activations {
    calls: Vec<Call>,
    /// The calls that were journalled, by the id under which they are sent.
    journalled: BTreeMap<String, BTreeSet<String>>,
    /// The ids of the attempts that have failed.
    failed: BTreeSet<String>,
    /// Who was answered that a number is recorded, and with which amount.
    entered: Vec<(String, String, Amount)>,
    /// From which orders a person took numbers.
    taken: BTreeSet<(String, String)>,
    /// The tasks that may not ask, because the answer was on record when they began.
    answered: BTreeSet<String>,
    /// The days on which numbers were counted.
    days: BTreeSet<u64>,
}

/// A function is about to ask the provider for a number. Gives the call's place.
pub(super) fn asks(world: &World, order: &str, id: &str, number: &str) -> usize {
    let running = world.running();
    let call = Call { order: order.into(), number: number.into(), id: id.into(), end: CallEnd::Unknown };
    let (place, sent, journalled, other, has_failed, is_answered) = world.with(|state| {
        let known = &mut state.rules.activations;
        let other = known.calls.iter().find(|it| it.id == id && (it.order != order || it.number != number)).cloned();
        known.calls.push(call);
        let sent = known.calls.iter().filter(|it| it.id == id).count();
        let journalled = known.journalled.get(id).map_or(0, BTreeSet::len);
        let (has_failed, is_answered) = (known.failed.contains(id), known.answered.contains(&running));
        (known.calls.len() - 1, sent, journalled, other, has_failed, is_answered)
    });
    check(world, JOURNALLED, sent <= journalled, || format!("{id}: {sent} calls, {journalled} journalled"));
    check(world, ONE_NUMBER, other.is_none(), || format!("{id}: {number} of {order}, and {other:?}"));
    check(world, ENDED, !has_failed, || format!("{id} again"));
    check(world, ACTIVATED, !is_answered, || format!("{id} by {running}"));
    place
}

/// What the provider has answered to a call.
pub(super) fn answered(world: &World, call: usize, said: &Activation) {
    let end = match said {
        Activation::NotSent(_) => CallEnd::NotSent,
        Activation::Rejected(_) => CallEnd::Failed,
        Activation::Unknown(_) => CallEnd::Unknown,
        Activation::Activated { .. } | Activation::Pending(_) | Activation::Possible(_) => CallEnd::Taken,
    };
    world.with(|state| state.rules.activations.calls[call].end = end);
}

/// Whether no call under this id can have had an effect.
fn is_harmless(world: &World, id: &str) -> bool {
    world.with(|state| {
        let mut calls = state.rules.activations.calls.iter().filter(|it| it.id == id);
        calls.all(|it| matches!(it.end, CallEnd::NotSent | CallEnd::Failed))
    })
}

/// A task begins to handle a number that a user enters.
pub(super) fn begins(world: &World, task: String, order: &str, number: &str) {
    let attempt = order_row(world, order).and_then(|it| attempt(&it, number));
    if attempt.is_some_and(|it| it.outcome == AttemptState::Activated) {
        world.with(|state| state.rules.activations.answered.insert(task));
    }
}

fn order_row(world: &World, order: &str) -> Option<Deposit> {
    row(world, &CustomTransactionId::parse(order).unwrap())?.registered().cloned()
}

fn attempt(deposit: &Deposit, number: &str) -> Option<Attempt> {
    deposit.attempts.iter().find(|it| it.transaction_id.as_str() == number).cloned()
}

/// A user was answered that the number is recorded, or that it is another order's. Whether it is recorded.
pub(super) fn is_entered(world: &World, order: &str, number: &str, amount: &str) -> bool {
    let Some(deposit) = order_row(world, order) else { return false };
    let label = deposit.order.label.as_str().to_owned();
    let entry = (number.to_owned(), label, Amount::parse(amount).unwrap());
    world.with(|state| state.rules.activations.entered.push(entry));
    let is_credited = deposit.credited.iter().any(|it| it.payment.transaction_id.as_str() == number);
    let order = &deposit.order.custom_transaction_id;
    is_credited || payment_row(world, number).is_some_and(|it| it.was_entered_for(order))
}

/// A person has taken a number from an order.
pub(super) fn taken(world: &World, order: &str, number: &str) {
    world.with(|state| state.rules.activations.taken.insert((order.into(), number.into())));
}

pub(super) fn payment(world: &World, old: Option<&Payment>, new: &Payment) {
    use PaymentState::{Claimed, Credited, Quarantined, Released};
    let number = new.key.transaction_id.as_str();
    if let Claimed { journal: Some(Journal { id, calls, .. }), .. } = &new.state {
        let nonces = calls.iter().map(|it| it.nonce.clone());
        world.with(|state| {
            state.rules.activations.journalled.entry(id.as_str().to_owned()).or_default().extend(nonces);
        });
    }
    let has_decided = new.resolutions.len() > old.map_or(0, |it| it.resolutions.len());
    match (old.map(|it| &it.state), &new.state) {
        (Some(Claimed { journal: Some(Journal { id, .. }), .. }), Released { .. }) if !has_decided => {
            check(world, FORGOTTEN, is_harmless(world, id.as_str()), || format!("{number} is given up by {id}"));
        }
        (Some(Claimed { order, journal }), Claimed { order: next, journal: taken }) if order != next => {
            let at = |it: &Option<Journal>| it.as_ref().map_or(0, |it| it.claimed_at.0);
            let is_old = at(taken).saturating_sub(at(journal)) >= CLAIM_BLOCKS_MS;
            check(world, CLAIMED, is_old, || format!("{number}: {order}, and {next}"));
            world.with(|state| state.reached.insert("a number changes hands after a day"));
        }
        (Some(Credited { .. }), _) => {}
        (_, Credited { order, credited_label, facts }) if !has_decided => {
            let is_contested = world.with(|state| {
                let known = &state.rules.activations;
                let is_taken = known.taken.contains(&(order.as_str().to_owned(), number.to_owned()));
                is_taken
                    || known.entered.iter().any(|(entered, label, amount)| {
                        entered == number && label != credited_label.as_str() && *amount == facts.amount
                    })
            });
            check(world, CONTESTED, !is_contested, || format!("{number} is credited to {order}"));
        }
        _ => {}
    }
    if matches!(new.state, Quarantined { mismatch: Mismatch::Contested | Mismatch::TakenAway, .. }) {
        world.with(|state| state.reached.insert("a contested payment is held"));
    }
    if new.entries.len() > 1 {
        world.with(|state| state.reached.insert("a contested payment"));
    }
}

pub(super) fn deposit(world: &World, old: Option<&Deposit>, new: &Deposit) {
    for attempt in &new.attempts {
        let known = old.and_then(|it| it.attempts.iter().find(|it| it.id == attempt.id));
        let id = attempt.id.as_ref().unwrap().as_str();
        let is_ended = matches!(attempt.outcome, AttemptState::Failed | AttemptState::NotSent);
        if is_ended && known.is_none_or(|it| it.outcome != attempt.outcome) {
            check(world, FORGOTTEN, is_harmless(world, id), || format!("{id} has ended as {:?}", attempt.outcome));
        }
        let is_undone = known.is_some_and(|it| it.outcome == AttemptState::Activated && it.outcome != attempt.outcome);
        check(world, ACTIVATED, !is_undone, || format!("{id} is {:?} again", attempt.outcome));
        world.with(|state| {
            if attempt.outcome == AttemptState::Failed {
                state.rules.activations.failed.insert(id.to_owned());
            }
            if attempt.refusal.is_some() {
                state.reached.insert("a fail that ends nothing");
            }
        });
    }
}

pub(super) fn entry_count(world: &World, new: Option<&EntryCount>) {
    let Some(new) = new else { return };
    world.with(|state| state.rules.activations.days.insert(new.day));
    check(world, COUNTED, new.entered <= NUMBERS_PER_DAY, || format!("{new:?}"));
}

/// Whoever enters very many numbers gets no more of them recorded than a day has.
pub(super) fn at_rest(world: &World) {
    let days = world.with(|state| state.rules.activations.days.len()).max(1);
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for row in world.rows().into_values() {
        let AnyRow::Payment(payment) = row else { continue };
        for entry in &payment.row.entries {
            *numbers.entry(entry.label.as_str().to_owned()).or_default() += 1;
        }
    }
    let most = usize::try_from(NUMBERS_PER_DAY).unwrap() * days;
    for (label, numbers) in numbers {
        check(world, COUNTED, numbers <= most, || format!("{label} has {numbers} numbers of {most}"));
    }
}
