//! The table's stream and its publisher, as Lambda feeds it: every unmarked change in its order, at least once; events leave by a bus
//! that fails; and the queue of changes that were set aside.

use std::collections::{BTreeMap, BTreeSet};

use event_publisher::{Deps, Proofs};
use lambda::{
    AwsError, ChangeHandler, ChangeRecord, Handled, Publish, Published, RowChange, SetAside, SetAsideMessage,
};
use serde_dynamo::{AttributeValue, Item, to_item};
use serde_json::{Value, json};
use store::{QUIET, Row, RowKey, Stored};

use super::expected_events::{ExpectedEvent, said};
use super::faults::Patience;
use super::functions::{LIMIT_MS, Ports, table_check};
use super::rules::{SECRET, break_rule, check};
use super::table::Table;
use super::world::{Answer, Job, World};
use super::wrong;
use super::{intruder, push, restored};

/// Most events of one call of the bus.
const MOST: usize = 10;
/// When Lambda gives a batch up.
const MOST_RETRIES: u32 = 10_000;
const MOST_AGE_MS: u64 = 6 * 3_600_000;
/// A change that was set aside is tried again after this time.
const SET_ASIDE_MS: u64 = 900_000;
const PUBLISHED: &str = "each change of state is published exactly as it was, and nothing else is";
const ONE_ID: &str = "a credit is published under one id in every history";
const SAME: &str = "an event's id stands for one event";
const MARKED: &str = "a change is marked as quiet if it publishes nothing, and only then";
const GIVEN_UP: &str = "nothing keeps the stream from going on until its changes are given up";
/// Before the state of a row in the images of a newer release.
const NEWER: &str = "newer ";

/// What a change must be published as: of which row, in which generation of the table and which version.
type Due = BTreeMap<(String, u64, u64), Vec<ExpectedEvent>>;

#[derive(Default)]
pub(super) struct Stream {
    changes: Vec<StreamChange>,
    /// How many of the changes are done.
    done: usize,
    /// The batch that comes again until it is done: its end, and how often it came without getting shorter.
    batch: Option<(usize, u32)>,
    is_read: bool,
    batches: u64,
    /// The versions of rows that a newer release wrote.
    newer: BTreeSet<(String, u64)>,
    /// The messages of changes that were set aside, and in which generation of the table that was.
    set_aside: BTreeMap<u64, (String, u64)>,
    last_message: u64,
    due: Due,
    /// What the bus has taken, by the event's id, the table's generation and the row's version.
    taken: BTreeMap<(String, u64, u64), String>,
}

/// A change in the stream.
#[derive(Clone)]
struct StreamChange {
    key: String,
    change: RowChange,
    /// The world's time: the functions' clocks may jump.
    written_ms: u64,
    is_old_newer: bool,
    is_new_newer: bool,
}

impl StreamChange {
    /// What Lambda hands to the function. What a newer release wrote is of a state that this release does not know.
    fn record(&self, world: &World, number: usize) -> String {
        let image = |image: &Option<Item>, is_newer: bool| {
            let mut image = image.clone()?;
            let is_misread = is_newer && wrong::is_misread(world, &mut image);
            if let (Some(AttributeValue::S(state)), true) = (image.get_mut("state"), is_newer && !is_misread) {
                state.insert_str(0, NEWER);
            }
            Some(image)
        };
        let dynamodb = json!({
            "SequenceNumber": number.to_string(),
            "Keys": {"transaction_id": {"S": &self.key}},
            "OldImage": image(&self.change.old, self.is_old_newer),
            "NewImage": image(&self.change.new, self.is_new_newer),
        });
        json!({"eventID": number.to_string(), "dynamodb": dynamodb}).to_string()
    }

    /// What the mapping's filter says.
    fn passes(&self) -> bool {
        !self.change.new.as_ref().is_some_and(|image| matches!(image.get(QUIET), Some(AttributeValue::Bool(_))))
    }
}

/// The text as the newer release reads it, once it runs again.
fn reads(world: &World, text: &str) -> String {
    let until_ms = world.with(|state| state.settings.newer.map(|(_, until_ms)| until_ms));
    let is_read = until_ms.is_none_or(|until_ms| world.with(|state| state.now_ms) >= until_ms);
    if is_read { text.replace(&format!("\"{NEWER}"), "\"") } else { text.to_owned() }
}

fn image<R: Row>(stored: &Stored<R>, is_quiet: bool) -> Item {
    let mut image: Item = to_item(&stored.row).unwrap();
    image.insert("transaction_id".into(), AttributeValue::S(stored.row.id().key()));
    image.insert("version".into(), AttributeValue::N(stored.version.to_string()));
    if is_quiet {
        image.insert(QUIET.into(), AttributeValue::Bool(true));
    }
    image
}

/// A row has changed, which must publish these.
pub(super) fn changed<R: Row>(world: &World, old: Option<&Stored<R>>, new: &Stored<R>, expected: Vec<ExpectedEvent>) {
    let key = new.row.id().key();
    let is_quiet = wrong::is_quiet(world, world.table.is_quiet(&key), &expected);
    check(world, MARKED, is_quiet == expected.is_empty(), || format!("{key}, {is_quiet}: {expected:?}"));
    if !world.with(|state| state.settings.has_publisher) {
        return;
    }
    let is_new_newer = is_newer(world, &key, new.version);
    let at_ms = world.clock_ms();
    // The mark of the old row does not matter.
    let change = RowChange { old: old.map(|it| image(it, false)), new: Some(image(new, is_quiet)), at_ms };
    world.with(|state| {
        let old = old.map(|it| (key.clone(), it.version));
        let is_old_newer = old.is_some_and(|it| state.stream.newer.contains(&it));
        let change = wrong::image(state.settings.wrong, change);
        let written_ms = state.now_ms;
        let key = key.clone();
        state.stream.changes.push(StreamChange { key, change, written_ms, is_old_newer, is_new_newer });
        let generation = state.history.generation;
        state.stream.due.entry((new.row.id().key(), generation, new.version)).or_default().extend(expected);
    });
    read_on(world, 0);
}

/// An intruder has written a row, which must publish nothing.
pub(super) fn forged<R: Row>(world: &World, old: Option<&Stored<R>>, new: &Stored<R>) {
    let change =
        RowChange { old: old.map(|it| image(it, false)), new: Some(image(new, false)), at_ms: world.clock_ms() };
    world.with(|state| {
        let (key, written_ms) = (new.row.id().key(), state.now_ms);
        let (is_old_newer, is_new_newer) = (false, false);
        state.stream.changes.push(StreamChange { key, change, written_ms, is_old_newer, is_new_newer });
    });
    read_on(world, 0);
}

/// Whether every change has been read.
pub(super) fn is_drained(world: &World) -> bool {
    world.with(|state| !state.stream.is_read && state.stream.done == state.stream.changes.len())
}

/// The restored table has a stream of its own, which is empty. What was set aside stays there.
pub(super) fn begin_anew(world: &World) {
    world.with(|state| {
        state.stream.changes.clear();
        state.stream.newer.clear();
        (state.stream.done, state.stream.batch) = (0, None);
    });
}

/// Whether a newer release writes this version of the row, in a state that it alone knows.
fn is_newer(world: &World, key: &str, version: u64) -> bool {
    let runs = world.with(|state| state.settings.newer.is_some_and(|(from, to)| (from..to).contains(&state.now_ms)));
    let is_newer = runs && world.happens(&format!("a newer release writes {key} {version}"), 10);
    if is_newer {
        world.with(|state| state.stream.newer.insert((key.to_owned(), version)));
    }
    is_newer
}

fn read_on(world: &World, pause_ms: u64) {
    let batch = world.with(|state| {
        let stream = &mut state.stream;
        let is_idle = !stream.is_read && stream.done < stream.changes.len();
        stream.is_read |= is_idle;
        stream.batches += u64::from(is_idle);
        is_idle.then_some(stream.batches)
    });
    let Some(batch) = batch else { return };
    let name = format!("batch {batch}");
    let late = if world.happens(&format!("{name} late"), 10) { 100_000 } else { 300 };
    let wait = pause_ms + world.chance.below(&name, late);
    world.after(wait, move |world| hand_over(world, &name));
}

/// The records of the current batch with their places, or of a new one.
fn batch(world: &World, name: &str) -> Vec<(usize, ChangeRecord)> {
    let most = usize::try_from(world.chance.between(&format!("{name} size"), 1, 10)).unwrap();
    let changes: Vec<_> = world.with(|state| {
        let stream = &mut state.stream;
        let all = stream.changes.len();
        let (end, _) = *stream.batch.get_or_insert((all.min(stream.done + most), 0));
        let places = stream.done..end;
        let passing = places.filter(|place| stream.changes[*place].passes());
        passing.map(|place| (place, stream.changes[place].clone())).collect()
    });
    let read = |change: StreamChange, place| {
        ChangeRecord::parse(&reads(world, &change.record(world, place)), change.change.at_ms)
    };
    changes.into_iter().map(|(place, change)| (place, read(change, place))).collect()
}

fn hand_over(world: &World, name: &str) {
    let (places, records): (Vec<_>, Vec<_>) = batch(world, name).into_iter().unzip();
    let Some(first) = places.first().copied() else { return goes_on(world, None) };
    let (age_ms, retries) = world.with(|state| {
        let written_ms = state.stream.changes[first].written_ms;
        (state.now_ms - written_ms, state.stream.batch.map_or(0, |(_, retries)| retries))
    });
    if age_ms > MOST_AGE_MS || retries > MOST_RETRIES {
        break_rule(world, GIVEN_UP, &format!("{} changes from {first} on", places.len()));
        return goes_on(world, None);
    }
    let is_twice = world.happens(&format!("{name} twice"), 10);
    if is_twice {
        world.start(&format!("publisher, {name} again"), LIMIT_MS, publisher(world, records.clone()), |_, _| {});
    }
    world.start(&format!("publisher, {name}"), LIMIT_MS, publisher(world, records), move |world, answer| {
        match answer {
            Some(Answer::Published(done)) => match places.get(done) {
                // The reported record comes again, with everything behind it.
                Some(place) => again(world, *place),
                None => goes_on(world, None),
            },
            Some(Answer::Reply(..) | Answer::Handled(_) | Answer::Ages(..)) | None => cut(world),
        }
    });
}

/// The stream goes on behind the batch, or at this place of it.
fn goes_on(world: &World, at: Option<(usize, u32)>) {
    let pause_ms = world.with(|state| {
        let stream = &mut state.stream;
        stream.is_read = false;
        let Some((end, _)) = stream.batch else { return 0 };
        match at {
            None => {
                (stream.done, stream.batch) = (end, None);
                0
            }
            Some((place, retries)) => {
                (stream.done, stream.batch) = (place, Some((end, retries)));
                // Lambda waits longer from time to time.
                2_000 << retries.min(5)
            }
        }
    });
    read_on(world, pause_ms);
}

/// A record was reported: what is before it is done. If nothing is, the batch has come once more for nothing.
fn again(world: &World, place: usize) {
    let retries = world.with(|state| {
        let is_shorter = (state.stream.done..place).any(|it| state.stream.changes[it].passes());
        let retries = state.stream.batch.map_or(0, |(_, retries)| retries);
        if is_shorter { 0 } else { retries + 1 }
    });
    goes_on(world, Some((place, retries)));
}

/// There was no answer: the batch is cut in two halves, of which the second one comes later.
fn cut(world: &World) {
    let at = world.with(|state| {
        let stream = &mut state.stream;
        let (end, retries) = stream.batch?;
        let count = end - stream.done;
        if count > 1 {
            stream.batch = Some((stream.done + count.div_euclid(2), retries));
            Some((stream.done, retries))
        } else {
            Some((stream.done, retries + 1))
        }
    });
    goes_on(world, at);
}

fn deps(world: &World) -> Deps<Bus, Aside, Table, Ports, Ports> {
    deps_with(world, Bus(world.clone()), None)
}

/// The publisher, with these ways out.
pub(super) fn deps_with<B, P>(world: &World, bus: B, push: Option<P>) -> Deps<B, Aside, Table, Ports, P> {
    let proofs = Proofs {
        table: Table(world.clone()),
        keys: Ports(world.clone()),
        separator: world.with(|state| state.settings.separator),
        last: std::sync::Mutex::default(),
    };
    Deps { check: table_check(world), proofs, bus, queue: Aside(world.clone()), push }
}

fn publisher(world: &World, records: Vec<ChangeRecord>) -> Job {
    let (deps, world) = (deps(world), world.clone());
    Box::pin(async move { Answer::Published(wrong::published(&world, records.len(), deps.handle(&records).await)) })
}

pub(super) struct Aside(World);

impl SetAside for Aside {
    async fn set_aside(&self, message: String) -> Result<(), AwsError> {
        if let Some(answer) = wrong::set_aside(&self.0, &message) {
            return answer;
        }
        let sent = self.0.call("set aside", Patience::Endless, move |world| wait_in_queue(world, &message)).await;
        sent.map_err(|fault| AwsError(format!("{fault:?}")))
    }
}

fn wait_in_queue(world: &World, message: &str) {
    intruder::set_aside(world, message);
    let id = world.with(|state| {
        state.reached.insert("a change is set aside");
        state.stream.last_message += 1;
        let (id, generation) = (state.stream.last_message, state.history.generation);
        state.stream.set_aside.insert(id, (message.to_owned(), generation));
        id
    });
    world.note(|| format!("set aside as message {id}: {message}"));
    world.after(SET_ASIDE_MS, move |world| try_again(world, id, 1));
}

fn try_again(world: &World, id: u64, attempt: u64) {
    let Some((message, generation)) = world.with(|state| state.stream.set_aside.get(&id).cloned()) else { return };
    if is_left(world, &message, generation) {
        return;
    }
    let body = wrong::message(world, reads(world, &message));
    let deps = deps(world);
    let age = std::time::Duration::from_millis(attempt * SET_ASIDE_MS);
    let job: Job = Box::pin(async move { Answer::Handled(deps.try_again(SetAsideMessage { body: &body, age }).await) });
    let name = format!("publisher, message {id}.{attempt}");
    world.start(&name.clone(), LIMIT_MS, job, move |world, answer| {
        let is_done = matches!(answer, Some(Answer::Handled(Handled::Done)));
        if is_done && !world.happens(&format!("{name} not deleted"), 5) {
            world.with(|state| {
                state.reached.insert("a change that was set aside is published");
                state.stream.set_aside.remove(&id);
            });
        }
    });
    world.after(SET_ASIDE_MS, move |world| try_again(world, id, attempt + 1));
}

/// Whether a message waits for a person in the end: what is forged, and what only the table before a restore can prove.
fn is_left(world: &World, message: &str, generation: u64) -> bool {
    let key = key_of(message).unwrap_or_default();
    world.with(|state| {
        let last_ms = state.settings.newer.map_or(0, |(_, until_ms)| until_ms).max(state.settings.quiet_from_ms);
        let may_wait = state.forged.contains_key(&key) || generation < state.history.generation;
        may_wait && state.now_ms > last_ms + 8 * SET_ASIDE_MS
    })
}

/// The row and its version of a message's change.
fn change_of(message: &str) -> Option<(String, u64)> {
    let body: Value = serde_json::from_str(message).unwrap();
    let of = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let key = of("/record/dynamodb/Keys/transaction_id/S")?;
    Some((key, of("/record/dynamodb/NewImage/version/N")?.parse().unwrap()))
}

/// The row of a message's change.
pub(super) fn key_of(message: &str) -> Option<String> {
    change_of(message).map(|(key, _)| key)
}

/// The rows of which a change was set aside.
pub(super) fn keys_set_aside(world: &World) -> BTreeSet<String> {
    world.with(|state| state.stream.set_aside.values().filter_map(|(message, _)| key_of(message)).collect())
}

struct Bus(World);

impl Publish for Bus {
    async fn publish(&self, events: &[Published]) -> usize {
        let mut done = 0;
        for chunk in events.chunks(MOST) {
            let (name, chunk) = (self.0.next_call("entries"), chunk.to_vec());
            let count = chunk.len();
            let put = self.0.call("put events", Patience::Endless, move |world| put(world, &name, &chunk)).await;
            let refused = put.unwrap_or(Some(0));
            done += refused.unwrap_or(count);
            if refused.is_some() {
                break;
            }
        }
        done
    }
}

/// Takes events, but for those that are refused. Gives the first of them, if there is one.
fn put(world: &World, name: &str, events: &[Published]) -> Option<usize> {
    let mut refused = None;
    for (place, event) in events.iter().enumerate() {
        if world.happens(&format!("{name}: {place} refused"), 3) {
            refused = refused.or(Some(place));
        } else {
            take(world, &wrong::detail(world, name, &event.detail));
        }
    }
    if world.is(wrong::Wrong::ForgetRejectedEvents) { None } else { refused }
}

pub(super) fn take(world: &World, detail: &str) {
    let event: Value = serde_json::from_str(detail).unwrap();
    let id = event["id"].as_str().unwrap().to_owned();
    let place = (event["generation"].as_u64().unwrap(), event["version"].as_u64().unwrap());
    world.note(|| format!("event: {detail}"));
    push::published(world, detail);
    judge_money(world, &event);
    let (others, generation) = world.with(|state| {
        let others = state.stream.taken.range((id.clone(), 0, 0)..=(id.clone(), u64::MAX, u64::MAX));
        let others: Vec<_> = others.map(|((_, table, row), other)| ((*table, *row), other.clone())).collect();
        state.stream.taken.insert((id.clone(), place.0, place.1), detail.to_owned());
        (others, state.history.generation)
    });
    if place.0 == generation {
        restored::waits(world, || detail.to_owned());
    }
    for (other_place, other) in others {
        // A row may come to the same fact twice, such as the same reason why a payment is held.
        let is_same = other == detail || (other_place != place && is_same_fact(world, &event, &parsed(&other)));
        check(world, SAME, is_same, || format!("{detail} and {other}"));
    }
    let is_masked = !["secret-of", "person-account", "1234560079"].iter().any(|marker| detail.contains(marker));
    check(world, SECRET, is_masked, || detail.to_owned());
}

/// Whether both say the same. In another history of the table, what surrounds a fact may be other: how many payments an order had
/// before, who decided and why, and what it is that a postback contradicts. If the provider states two amounts of one payment, the
/// other one may be credited then: under the same id, because it is the same payment.
fn is_same_fact(world: &World, event: &Value, other: &Value) -> bool {
    let are_same = |names: &[&str]| names.iter().all(|name| event[*name] == other[*name]);
    if event["generation"] == other["generation"] {
        return are_same(&["transaction", "type", "data"]);
    }
    let contradicts =
        ["payment.conflict", "withdrawal.conflict", "withdrawal.foreign"].iter().any(|it| event["type"] == *it)
            && !event["data"]["mismatch"].is_null();
    let has_two_amounts = event["type"] == "deposit.credited" && is_same_payment(event, other) && {
        let number = event["data"]["transaction_id"].as_str().unwrap();
        world.with(|state| state.provider.money.get(number).is_some_and(|money| money.is_contradicted))
    };
    let is_same_amount = said(event) == said(other) && event["data"]["amount"] == other["data"]["amount"];
    are_same(&["transaction", "type"]) && (contradicts || has_two_amounts || is_same_amount)
}

fn parsed(detail: &str) -> Value {
    serde_json::from_str(detail).unwrap()
}

fn is_same_payment(event: &Value, other: &Value) -> bool {
    ["transaction_id", "wallet_type"].iter().all(|name| event["data"][*name] == other["data"][*name])
}

/// What an intruder has written is never published as money, and a credit has one id in every history.
pub(super) fn judge_money(world: &World, event: &Value) {
    let kind = event["type"].as_str().unwrap();
    if !["deposit.credited", "withdrawal.paid", "withdrawal.failed"].contains(&kind) {
        return;
    }
    let row = event["transaction"].as_str().unwrap();
    let is_forged = world.with(|state| state.forged.contains_key(row));
    check(world, intruder::FORGED, !is_forged, || event.to_string());
    let same_credit =
        |other: &Value| other["type"] == kind && other["transaction"] == row && is_same_payment(other, event);
    let other_id = world.with(|state| {
        let mut taken = state.stream.taken.values().map(|it| parsed(it));
        taken.find(|it| kind == "deposit.credited" && same_credit(it) && it["id"] != event["id"])
    });
    check(world, ONE_ID, other_id.is_none(), || format!("{event} and {other_id:?}"));
}

/// All that the bus has taken.
pub(super) fn published(stream: &Stream) -> Vec<Value> {
    stream.taken.values().map(|detail| parsed(detail)).collect()
}

/// The place of an event among those of its change.
pub(super) fn place(world: &World, event: &Value) -> Option<usize> {
    let (generation, version) = (event["generation"].as_u64()?, event["version"].as_u64()?);
    let key = (event["transaction"].as_str()?.to_owned(), generation, version);
    world.with(|state| state.stream.due.get(&key)?.iter().position(|due| *due == said(event)))
}

/// What was published is what had to be published.
pub(super) fn at_rest(world: &World) {
    let (mut due, taken) = world.with(|state| (state.stream.due.clone(), state.stream.taken.clone()));
    due.retain(|_, expected| !expected.is_empty());
    let mut published = Due::new();
    for detail in taken.values() {
        let event: Value = serde_json::from_str(detail).unwrap();
        let (generation, version) = (event["generation"].as_u64().unwrap(), event["version"].as_u64().unwrap());
        let key = (event["transaction"].as_str().unwrap().to_owned(), generation, version);
        published.entry(key).or_default().push(said(&event));
    }
    // Of the history before a restore, what was set aside may stay so: the restored table does not prove it.
    for (message, generation) in world.with(|state| state.stream.set_aside.values().cloned().collect::<Vec<_>>()) {
        let is_past = world.with(|state| generation < state.history.generation);
        if let Some((row, version)) = change_of(&message).filter(|_| is_past) {
            let key = (row, generation, version);
            due.remove(&key);
            published.remove(&key);
        }
    }
    for expected in due.values_mut().chain(published.values_mut()) {
        expected.sort();
    }
    if due != published {
        let differing = |these: &Due, others: &Due| {
            these
                .iter()
                .filter(|(key, it)| others.get(*key) != Some(it))
                .map(|it| format!("{it:?}"))
                .collect::<Vec<_>>()
        };
        break_rule(
            world,
            PUBLISHED,
            &format!("due {:?}, published {:?}", differing(&due, &published), differing(&published, &due)),
        );
    }
}
