//! Many payments of one user in one postback, for one order or for many; an order whose row cannot be used for a while; and what
//! the operators' commands do about both.

use std::sync::Arc;

use domain::{
    Amount, CurrencyCode, Label, ListHash, ListProgress, Mismatch, Payment, PaymentState, TransactionId, Unreadable,
    Unsigned, WalletType,
};
use paykassma::{PostbackBody, UnsignedFields};
use store::{AnyRow, ListProgressId, StoredListId};

use super::faults::Faults;
use super::functions::{LIMIT_MS, receive_postback};
use super::provider::{ACCESS_KEY, Fact, Money, Postback, Subject, Top, Written, report_all, send};
use super::random::Chance;
use super::rules::{self, check};
use super::table::row;
use super::users::{Ask, ask_at};
use super::world::{Answer, World};

const HELD: &str = "a payment is held by itself only where its order cannot be used, and never left out then";
/// A postback that came so long before the end is stored by then.
const PATIENCE_MS: u64 = 600_000;
/// A longer list may be killed too often.
const SHORT: usize = 3;
const PERSON: &str = "person-6";

/// A user pays many times.
pub(super) fn plan(world: &World) {
    let chance = world.chance;
    let count = chance.between("many payments: how many", 21, 60);
    let orders = chance.one_of("many payments: orders", &[1, 1, 3, count]);
    for order in 0..orders {
        let id = format!("many{order}");
        let asked = Ask::Deposit { id: id.clone(), label: PERSON.into(), amount: None };
        ask_at(world, chance.below(&id, 500_000), &format!("register {id}"), asked);
    }
    let facts = (0..count).map(|index| {
        let (number, order) = (format!("{}", 90_000 + index), format!("many{}", index % orders));
        let bound = Some((order.clone(), PERSON.to_owned()));
        let money = Money { amount: "1".into(), bound, is_contradicted: false, is_acknowledged: false };
        world.with(|state| state.provider.money.insert(number.clone(), money));
        let subject = Subject::Payment { number, order };
        Fact { subject, amount: "1".into(), label: PERSON.into(), written: Written::AsItIs }
    });
    let facts: Vec<_> = facts.collect();
    let at = chance.below("many payments: when", 400_000);
    world.after(at, move |world| report_all(world, facts));
}

/// Whether the provider gives a postback up after an answer that was not ok. Where the list is on record, a person sends it
/// again later.
pub(super) fn is_given_up(world: &World, postback: &Arc<Postback>) -> bool {
    let hash = ListHash::parse(postback.hash.as_str()).unwrap();
    let unsigned = unsigned(&postback.top);
    let is_on_record = |it: ListProgress| it.copies.iter().any(|copy| copy.unsigned == unsigned);
    let is_given_up = row(world, &ListProgressId(hash)).is_some_and(is_on_record)
        && world.happens(&format!("the provider gives {} up", postback.name), 30);
    if is_given_up {
        let quiet_ms = world.with(|state| state.settings.quiet_from_ms - state.now_ms);
        let postback = Arc::clone(postback);
        world.after(quiet_ms + 1_000, move |world| send_again(world, &postback, 1));
    }
    is_given_up
}

fn unsigned(Top { label, amount, currency_code, wallet_type, direction }: &Top) -> Unsigned {
    Unsigned {
        wallet_type: WalletType::parse(*wallet_type).ok(),
        amount: Amount::parse(amount).ok(),
        currency_code: CurrencyCode::parse(*currency_code).ok(),
        label: Label::parse(label.as_str()).ok(),
        direction: Some(*direction),
    }
}

/// At the end only altered copies may be unfinished: nobody sends those again. A person hears of them.
pub(super) fn list_at_rest(world: &World, row: &ListProgress) {
    let genuine = world.with(|state| state.provider.lists.get(row.hash.as_str()).map(|it| unsigned(&it.top)));
    let is_done = row.unfinished().all(|copy| Some(&copy.unsigned) != genuine.as_ref());
    check(world, rules::DURABLE, is_done, || format!("{row:?}"));
    check(world, rules::FINAL, row.unfinished().next().is_some() == row.attention().is_some(), || format!("{row:?}"));
}

/// `operator replay list#..`: the postback as its rows have it.
fn send_again(world: &World, postback: &Arc<Postback>, attempt: u64) {
    let hash = ListHash::parse(postback.hash.as_str()).unwrap();
    let progress = row(world, &ListProgressId(hash.clone()));
    let copy = progress.and_then(|it| it.unfinished().next().cloned());
    let Some((copy, list)) = copy.zip(row(world, &StoredListId(hash))) else {
        return rules::delivered(world, postback);
    };
    let unsigned = UnsignedFields::from(copy.unsigned);
    let body = PostbackBody::around(&list.list.additional_data, &list.list.signature, ACCESS_KEY).unwrap();
    let body = body.with_unsigned(&unsigned).to_string().into_bytes();
    let again = Arc::clone(postback);
    let name = format!("{} sent again by a person {attempt}", postback.name);
    world.start(&name.clone(), LIMIT_MS, receive_postback(world, body), move |world, answer| {
        let is_stored = matches!(answer, Some(Answer::Reply(200, _)));
        if is_stored {
            world.with(|state| state.reached.insert("a list is sent again by a person"));
        }
        // Another copy may be unfinished too.
        world.after(if is_stored { 0 } else { 10_000 }, move |world| send_again(world, &again, attempt + 1));
    });
}

/// The order whose row cannot be used in this run, if there is one, and from and until when.
pub(super) fn unwritable(chance: Chance) -> Option<(&'static str, u64, u64)> {
    let order = chance.one_of("the unwritable order", &["order0", "order1", "order2", "many0"]);
    let from = chance.below("unwritable from", 600_000);
    let until = from + chance.between("unwritable until", 60_000, 2_400_000);
    chance.percent("an order is unwritable", 25).then_some((order, from, until))
}

/// Whether an order's row cannot be used at this moment.
pub(super) fn is_unwritable(world: &World, key: &str) -> bool {
    world.with(|state| {
        let (now_ms, is_by_chance) = (state.now_ms, state.settings.faults.are_by_chance());
        let unwritable = state.settings.unwritable.filter(|_| is_by_chance);
        unwritable.is_some_and(|(order, from, until)| {
            key.strip_prefix("deposit#") == Some(order) && (from..until).contains(&now_ms)
        })
    })
}

/// Looks at what came of the order whose row could not be used, and re-evaluates what is held: `operator replay --held`.
pub(super) fn watch(world: &World) {
    let Some((order, from, until)) = world.with(|state| state.settings.unwritable) else { return };
    world.after(until, move |world| nothing_is_left_out(world, order, from));
    let quiet_ms = world.with(|state| state.settings.quiet_from_ms);
    for at in [until + 30_000, quiet_ms + 60_000] {
        world.after(at, send_held_again);
    }
}

/// A genuine postback for it that came long before the end is on record.
fn nothing_is_left_out(world: &World, order: &str, from: u64) {
    // A restore loses what came before, and an older release leaves the rows of a newer one alone.
    let is_reliable = world.with(|state| {
        let settings = &state.settings;
        let has_one_history = settings.restore.is_none() && settings.releases.is_none();
        has_one_history && matches!(settings.faults, Faults::ByChance(0..=20))
    });
    let (now_ms, lists) = world.with(|state| (state.now_ms, state.provider.lists.clone()));
    for postback in lists.into_values().filter(|it| is_reliable && it.facts.len() <= SHORT) {
        let sent = world.with(|state| state.provider.sent.get(&postback.name).copied());
        let hash = ListHash::parse(postback.hash.as_str()).unwrap();
        // A list that the provider has given up is found as unfinished.
        let is_unfinished = row(world, &ListProgressId(hash)).is_some_and(|it| it.attention().is_some());
        if is_unfinished || sent.is_none_or(|sent| sent < from || sent + PATIENCE_MS > now_ms) {
            continue;
        }
        for (fact, is_durable) in postback.facts.iter().zip(rules::durable(world, &postback)) {
            let is_of_order = matches!(&fact.subject, Subject::Payment { order: named, .. }
                if named.split(['.', '-']).next() == Some(order));
            check(world, HELD, !is_of_order || is_durable, || format!("{}: {fact:?}", postback.name));
        }
    }
}

fn send_held_again(world: &World) {
    let held = world.rows().into_values().filter_map(|row| match row {
        AnyRow::Payment(it) if is_held_by_itself(&it.row) => Some(it.row.key.transaction_id),
        _ => None,
    });
    let held: Vec<_> = held.collect();
    let lists = world.with(|state| state.provider.lists.clone());
    for postback in lists.into_values() {
        let is_about = |fact: &Fact| {
            matches!(&fact.subject, Subject::Payment { number, .. }
                if held.iter().any(|it| it.as_str() == fact.written.number(number)))
        };
        if postback.facts.iter().any(is_about) {
            send_until_ok(world, &postback, 1);
        }
    }
}

fn send_until_ok(world: &World, postback: &Arc<Postback>, attempt: u64) {
    let (name, again) = (format!("{} re-evaluated {attempt}", postback.name), Arc::clone(postback));
    send(world, &name, postback.body(&postback.top), postback.top.clone(), postback, move |world, is_ok| {
        if !is_ok {
            world.after(20_000, move |world| send_until_ok(world, &again, attempt + 1));
        }
    });
}

fn is_held_by_itself(payment: &Payment) -> bool {
    matches!(payment.state, PaymentState::Quarantined { mismatch: Mismatch::OrderUnwritable, .. })
}

/// A payment is held by itself only where its order cannot be used.
pub(super) fn payment(world: &World, old: Option<&Payment>, new: &Payment) {
    if is_held_by_itself(new) && old.is_none_or(|old| !is_held_by_itself(old)) {
        let order = new.facts().and_then(domain::SignedFacts::order);
        // The answer that says so may be a moment old.
        let holds = world.with(|state| {
            let unwritable =
                state.settings.unwritable.filter(|(_, from, until)| (*from..*until + LIMIT_MS).contains(&state.now_ms));
            unwritable.is_some_and(|(unwritable, ..)| order.as_ref().is_some_and(|it| it.as_str() == unwritable))
        });
        check(world, HELD, holds, || format!("{new:?}"));
        world.with(|state| state.reached.insert("a payment is held by itself"));
    }
    if matches!(new.state, PaymentState::Quarantined { mismatch: Mismatch::SameNumber, .. }) {
        world.with(|state| state.reached.insert("a same number is held"));
    }
}

/// The number that a person states: what the provider's back office shows.
pub(super) fn number_of(world: &World, row: &Unreadable) -> Option<TransactionId> {
    let element = (row.hash.as_str().to_owned(), row.evidence.element);
    let fact = world.with(|state| state.provider.signed.get(&element).cloned())?;
    let Subject::Payment { number, .. } = fact.subject else { return None };
    TransactionId::parse(number).ok()
}
