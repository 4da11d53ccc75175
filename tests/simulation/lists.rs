//! The rules of stored lists, of credited numbers, and of payments that wait.

use domain::{
    CreditedNumber, Evidence, ListPlace, ListProgress, ListState, PaymentState, StoredList, Unreadable, WaitingPage,
};
use store::StoredListId;

use super::rules::{break_rule, check, durable};
use super::table::row;
use super::world::World;

const STORED: &str = "a signed list is stored before what it proves, and never changes";
const DONE: &str = "a list is done once all its elements are durable";
const NUMBER: &str = "a credited number names its order's credit, and never changes";
const PAGE: &str = "a page of waiting payments never changes";
const READ: &str = "what the provider signs is read";

/// Names the list that an evidence refers to, as the provider's own record does.
pub(super) fn name(evidence: &Evidence) -> String {
    match &evidence.place {
        ListPlace::Here(list) => list.signature.clone(),
        ListPlace::Stored { list } => list.as_str().to_owned(),
    }
}

/// The list of an evidence is stored.
pub(super) fn is_stored(world: &World, evidence: &Evidence) -> bool {
    match &evidence.place {
        ListPlace::Here(_) => true,
        ListPlace::Stored { list } => row(world, &StoredListId(list.clone())).is_some(),
    }
}

pub(super) fn evidence(world: &World, evidence: &Evidence) {
    check(world, STORED, is_stored(world, evidence), || format!("{evidence:?}"));
}

pub(super) fn stored_list(world: &World, old: Option<&StoredList>, new: Option<&StoredList>) {
    check(world, STORED, old.is_none() && new.is_some(), || format!("{old:?} -> {new:?}"));
}

pub(super) fn progress(world: &World, old: Option<&ListProgress>, new: Option<&ListProgress>) {
    let Some(new) = new else { return break_rule(world, DONE, "the row is gone") };
    let holds = match old {
        None => new.state == ListState::Unfinished,
        Some(old) => old.state == ListState::Unfinished && *new == old.done(),
    };
    check(world, DONE, holds, || format!("{old:?} -> {new:?}"));
    if new.state == ListState::Done {
        let postback = world.with(|state| state.provider.lists.get(new.hash.as_str()).cloned());
        let elements = postback.map(|it| durable(world, &it)).unwrap_or_default();
        let is_done = elements.len() == new.elements && elements.iter().all(|is_durable| *is_durable);
        check(world, DONE, is_done, || format!("{new:?}: {elements:?}"));
        world.with(|state| state.reached.insert("a list is done"));
    }
}

pub(super) fn credited_number(world: &World, old: Option<&CreditedNumber>, new: Option<&CreditedNumber>) {
    let holds = old.is_none()
        && new.is_some_and(|new| {
            row(world, &new.payment).is_some_and(
                |payment| matches!(&payment.state, PaymentState::Credited { order, .. } if *order == new.order),
            )
        });
    check(world, NUMBER, holds, || format!("{old:?} -> {new:?}"));
    world.with(|state| state.reached.insert("a second credit of an order"));
}

pub(super) fn waiting_page(world: &World, old: Option<&WaitingPage>, new: Option<&WaitingPage>) {
    check(world, PAGE, old.is_none() && new.is_some(), || format!("{old:?} -> {new:?}"));
    world.with(|state| state.reached.insert("a full page of waiting payments"));
}

pub(super) fn unreadable(world: &World, _: Option<&Unreadable>, new: Option<&Unreadable>) {
    let Some(new) = new else { return break_rule(world, READ, "its row is gone") };
    evidence(world, &new.evidence);
    break_rule(world, READ, "an element was unreadable");
}
