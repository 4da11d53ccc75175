//! The rules of stored lists, of credited numbers, and of payments that wait.

use domain::{
    CreditedNumber, Evidence, ListPlace, ListProgress, ListState, PaymentState, StoredList, TableIdentity, Unreadable,
    WaitingPage,
};
use store::{ListProgressId, StoredListId};

use super::provider::Subject;
use super::rules::{break_rule, check, durable};
use super::table::row;
use super::world::World;

const STORED: &str = "a signed list is stored before what it proves, and never changes";
const DONE: &str = "a list is done once all its elements are durable";
const NUMBER: &str = "a credited number names its order's credit, and never changes";
const PAGE: &str = "a page of waiting payments never changes";
const IDENTITY: &str = "a table has one history, until a person adopts it";
const READ: &str = "what the provider signs is read";

/// Names the list that an evidence refers to, as the provider's own record does.
pub(super) fn name(evidence: &Evidence) -> String {
    match &evidence.place {
        ListPlace::Here(list) => list.signature.clone(),
        ListPlace::Stored { list } => list.as_str().to_owned(),
    }
}

/// The list of an evidence is stored, and a row says how far it is.
fn is_stored(world: &World, evidence: &Evidence) -> bool {
    match &evidence.place {
        ListPlace::Here(_) => true,
        ListPlace::Stored { list } => {
            row(world, &StoredListId(list.clone())).is_some() && row(world, &ListProgressId(list.clone())).is_some()
        }
    }
}

/// Which table this is never changes but by an adoption.
pub(super) fn table_identity(world: &World, old: Option<&TableIdentity>, new: Option<&TableIdentity>) {
    let holds = match (old, new) {
        (None, Some(new)) => new.generation == 1,
        (Some(old), Some(new)) => new.generation == old.generation + 1 && new.stream != old.stream,
        (_, None) => false,
    };
    if let Some(row) = new {
        super::restored::adopted(world, row);
    }
    check(world, IDENTITY, holds, || format!("{old:?} became {new:?}"));
}

pub(super) fn evidence(world: &World, evidence: &Evidence) {
    check(world, STORED, is_stored(world, evidence), || format!("{evidence:?}"));
}

pub(super) fn stored_list(world: &World, old: Option<&StoredList>, new: Option<&StoredList>) {
    check(world, STORED, old.is_none() && new.is_some(), || format!("{old:?} -> {new:?}"));
}

pub(super) fn progress(world: &World, old: Option<&ListProgress>, new: Option<&ListProgress>) {
    let Some(new) = new else { return break_rule(world, DONE, "the row is gone") };
    let known = old.map(|it| it.copies.as_slice()).unwrap_or_default();
    let is_kept = known.len() <= new.copies.len()
        && known
            .iter()
            .zip(&new.copies)
            .all(|(old, new)| old.unsigned == new.unsigned && (new.is_done || !old.is_done));
    let is_done = new.copies.iter().all(|copy| copy.is_done) == (new.state == ListState::Done);
    check(world, DONE, is_kept && is_done, || format!("{old:?} -> {new:?}"));
    let ended = |row: &ListProgress| row.copies.iter().filter(|copy| copy.is_done).count();
    if ended(new) > old.map_or(0, ended) {
        let postback = world.with(|state| state.provider.lists.get(new.hash.as_str()).cloned());
        let elements = postback.map(|it| durable(world, &it)).unwrap_or_default();
        let are_durable = elements.len() == new.elements && elements.iter().all(|is_durable| *is_durable);
        check(world, DONE, are_durable, || format!("{new:?}: {elements:?}"));
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

/// Only an odd spelling is not read, and what is readable of it is as it was signed.
pub(super) fn unreadable(world: &World, old: Option<&Unreadable>, new: Option<&Unreadable>) {
    let Some(new) = new else { return break_rule(world, READ, "its row is gone") };
    evidence(world, &new.evidence);
    let fact =
        world.with(|state| state.provider.signed.get(&(new.hash.as_str().into(), new.evidence.element)).cloned());
    let is_odd = fact.zip(new.payment.as_ref()).is_some_and(|(fact, payment)| {
        fact.written.is_odd()
            && payment.amount.to_string() == fact.amount
            && matches!(&fact.subject, Subject::Payment { order, .. } if *order == payment.custom_transaction_id)
    });
    check(world, READ, is_odd, || format!("{new:?}"));
    let is_kept = old.is_none_or(|old| old.evidence == new.evidence && new.resolutions.starts_with(&old.resolutions));
    check(world, READ, is_kept, || format!("{old:?} -> {new:?}"));
    world.with(|state| state.reached.insert("an odd number"));
}
