//! What a person may decide: end what is open, close what contradicts, turn no end, and all of it on record.

use ::operator::decisions::DecisionReply;
use decision_recorder::SecondPerson;
use domain::{
    Amount, Contradiction, ForeignWithdrawal, Outcome, Payment, PaymentState, Proposal, Resolution, Withdrawal,
    WithdrawalState,
};

use store::RowKey;

use super::activations;
use super::rules::check;
use super::world::World;
use super::wrong::Wrong;

const DECIDED: &str = "a person ends what is open, closes what contradicts, turns no end, and all of it is on record";

const TWO_PEOPLE: &str = "a large amount takes two people, and each decision is on the row that a person has seen";

/// Above this amount a decision takes two people, in the runs in which any does.
const LARGE: &str = "400";

/// The ARN of a person.
pub(super) fn caller(person: u64) -> String {
    format!("arn:aws:iam::123456789012:user/operator-{person}")
}

/// Which decisions of this run take two people.
pub(super) fn second_person(world: &World) -> SecondPerson {
    let takes_two = world.with(|state| state.settings.takes_two);
    let setting = if takes_two && !world.is(Wrong::DecideAlone) { LARGE } else { "none" };
    SecondPerson::parse(setting).unwrap()
}

/// A person has seen a preview.
pub(super) fn seen(world: &World, shown: &DecisionReply) {
    world.with(|state| state.previews.insert((shown.id.clone(), shown.version)));
}

/// A proposal decides nothing, and is about the row that a person has seen.
pub(super) fn proposal(world: &World, _: Option<&Proposal>, new: Option<&Proposal>) {
    let Some(Proposal { about, resolution, .. }) = new else { return };
    let decided_on = resolution.decided_on.as_ref().map(|it| (about.clone(), it.version));
    let is_seen = decided_on.is_some_and(|it| world.with(|state| state.previews.contains(&it)));
    check(world, TWO_PEOPLE, is_seen && resolution.proposed_by.is_none(), || format!("{about}: {resolution:?}"));
}

/// Who decided is on record, and what they had seen. A large amount was decided by two.
fn by_whom(world: &World, key: &str, amount: Option<Amount>, added: &[Resolution]) {
    for decision in added {
        let is_seen = decision.decided_on.as_ref().is_some_and(|it| {
            // A payment whose number could not be read is credited by a decision about that element.
            let is_it = |id: &str| id == key || (it.state == "unreadable" && id.starts_with("unreadable#"));
            world.with(|state| state.previews.iter().any(|(id, version)| *version == it.version && is_it(id)))
        });
        let takes_two = world.with(|state| state.settings.takes_two)
            && amount.is_some_and(|amount| amount > Amount::parse(LARGE).unwrap());
        let is_by_two = decision.proposed_by.as_ref().is_some_and(|first| Some(first) != decision.caller.as_ref());
        let holds = decision.caller.is_some() && is_seen && (is_by_two || !takes_two);
        check(world, TWO_PEOPLE, holds, || format!("{key}: {decision:?}"));
        if is_by_two {
            world.with(|state| state.reached.insert("two people decide"));
        }
    }
}

/// Decisions are only added, and each closes all that it could have seen and nothing that comes later.
fn added<'a>(
    world: &World,
    id: &str,
    old: &[Resolution],
    new: &'a [Resolution],
    contradictions: &[Contradiction],
) -> &'a [Resolution] {
    let is_kept = new.starts_with(old);
    let added = new.get(old.len()..).unwrap_or_default();
    let holds = is_kept && added.len() < 2 && added.iter().all(|it| it.closes == contradictions.len());
    check(world, DECIDED, holds, || format!("{id}: {old:?} -> {new:?}"));
    added
}

pub(super) fn withdrawal(world: &World, old: Option<&Withdrawal>, new: &Withdrawal) {
    use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
    let id = new.request.withdrawal_id.as_str();
    let known = old.map(|it| &it.resolutions[..]).unwrap_or_default();
    let added = added(world, id, known, &new.resolutions, &new.contradictions);
    by_whom(world, &new.request.withdrawal_id.key(), Some(new.request.amount), added);
    let by_word = |outcome| added.iter().any(|it| it.outcome == outcome);
    let holds = match (old.map(|it| &it.state), &new.state) {
        (Some(Paid { facts: None }), Paid { .. }) | (Some(Failed { facts: None }), Failed { .. }) => true,
        (Some(Waiting | Unknown | Submitted), Paid { facts: None }) => by_word(Outcome::Paid),
        (Some(Waiting | Unknown | Submitted), Failed { facts: None }) => by_word(Outcome::Failed),
        (_, Paid { facts: None } | Failed { facts: None }) => false,
        (Some(old), Rejected { .. } | Paid { .. } | Failed { .. }) => added.is_empty() || *old == new.state,
        (_, Sending | Waiting | Unknown | Submitted | Rejected { .. } | Paid { .. } | Failed { .. }) => {
            added.is_empty()
        }
    };
    check(world, DECIDED, holds, || format!("{id}: {:?} -> {:?}, {added:?}", old.map(|it| &it.state), new.state));
    if let (Paid { facts: None } | Failed { facts: None }, [_, ..]) = (&new.state, added) {
        world.with(|state| state.reached.insert("ended by a person"));
    }
    closed(world, added, &new.contradictions);
}

pub(super) fn foreign(world: &World, old: &ForeignWithdrawal, new: &ForeignWithdrawal) {
    let id = new.withdrawal_id.as_str();
    let added = added(world, id, &old.resolutions, &new.resolutions, &new.contradictions);
    check(world, DECIDED, added.is_empty() || is_open(old), || format!("{id}: {added:?}"));
    if !new.contradictions.is_empty() {
        world.with(|state| state.reached.insert("two words about a withdrawal that is not ours"));
    }
}

pub(super) fn payment(world: &World, old: Option<&Payment>, new: &Payment) {
    use PaymentState::{Claimed, Credited, Quarantined, Rejected, Released, Unmatched};
    let number = new.key.transaction_id.as_str();
    let known = old.map(|it| &it.resolutions[..]).unwrap_or_default();
    let added = added(world, number, known, &new.resolutions, &new.contradictions);
    by_whom(world, &new.key.row_key(), new.facts().map(|it| it.amount), added);
    let by_word = |outcome| added.iter().any(|it| it.outcome == outcome);
    let holds = match (old.map(|it| &it.state), &new.state) {
        (Some(Rejected { .. }), Rejected { .. }) => true,
        (Some(Unmatched { .. } | Quarantined { .. }), Rejected { .. }) => by_word(Outcome::Rejected),
        (_, Rejected { .. }) => false,
        (Some(old @ Credited { .. }), it) => old == it,
        (Some(Unmatched { .. } | Quarantined { .. }), Credited { order, facts, .. }) if !facts.names(order) => {
            world.with(|state| state.reached.insert("credited to an order that is not signed"));
            let was_unmatched = matches!(old.map(|it| &it.state), Some(Unmatched { .. }));
            by_word(Outcome::Credited) && (was_unmatched || new.was_entered_for(order))
        }
        (_, Credited { order, facts, .. }) => facts.names(order) && (added.is_empty() || by_word(Outcome::Credited)),
        (Some(Claimed { order, .. }), Released { .. }) if by_word(Outcome::Rejected) => {
            activations::taken(world, order.as_str(), number);
            world.with(|state| state.reached.insert("a number is taken from a claim"));
            true
        }
        (_, Claimed { .. } | Released { .. } | Unmatched { .. } | Quarantined { .. }) => added.is_empty(),
    };
    check(world, DECIDED, holds, || format!("{number}: {:?} -> {:?}, {added:?}", old.map(|it| &it.state), new.state));
    if let (Credited { .. }, [_, ..]) = (&new.state, added) {
        world.with(|state| state.reached.insert("credited by a person"));
    }
    closed(world, added, &new.contradictions);
}

fn closed(world: &World, added: &[Resolution], contradictions: &[Contradiction]) {
    if !added.is_empty() && !contradictions.is_empty() {
        world.with(|state| state.reached.insert("a conflict is closed"));
    }
}

/// Whether a foreign withdrawal has a report that no person has looked at.
pub(super) fn is_open(row: &ForeignWithdrawal) -> bool {
    row.resolutions.is_empty() || is_contradicted(&row.contradictions, &row.resolutions)
}

/// Whether something contradicts a decision and no person has looked at it.
pub(super) fn is_contradicted(contradictions: &[Contradiction], resolutions: &[Resolution]) -> bool {
    contradictions.len() > resolutions.iter().map(|it| it.closes).max().unwrap_or(0)
}
