//! The table's stream and its publisher: every change in its order, at least once; events leave by a bus that fails.

use std::collections::BTreeMap;

use event_publisher::Deps;
use lambda::{ChangeHandler, Publish, Published, RowChange};
use serde_dynamo::{AttributeValue, Item, to_item};
use serde_json::Value;
use store::{Row, RowKey, Stored};

use super::expected_events::{ExpectedEvent, said};
use super::faults::Patience;
use super::functions::LIMIT_MS;
use super::rules::{SECRET, break_rule, check};
use super::world::{Answer, Job, World};
use super::wrong;

/// Most events of one call of the bus.
const MOST: usize = 10;
const PUBLISHED: &str = "each change of state is published exactly as it was, and nothing else is";
const SAME: &str = "an event's id stands for one event";

/// What a change must be published as: of which row, in which version.
type Due = BTreeMap<(String, u64), Vec<ExpectedEvent>>;

#[derive(Default)]
pub(super) struct Stream {
    changes: Vec<RowChange>,
    /// How many of the changes are done.
    done: usize,
    is_read: bool,
    batches: u64,
    due: Due,
    /// What the bus has taken, by the event's id.
    taken: BTreeMap<String, String>,
}

fn image<R: Row>(stored: &Stored<R>) -> Item {
    let mut image: Item = to_item(&stored.row).unwrap();
    image.insert("transaction_id".into(), AttributeValue::S(stored.row.id().key()));
    image.insert("version".into(), AttributeValue::N(stored.version.to_string()));
    image
}

/// A row has changed, which must publish these.
pub(super) fn changed<R: Row>(world: &World, old: Option<&Stored<R>>, new: &Stored<R>, expected: Vec<ExpectedEvent>) {
    if !world.with(|state| state.settings.has_publisher) {
        return;
    }
    let at_ms = world.clock_ms();
    let change = RowChange { old: old.map(image), new: Some(image(new)), at_ms };
    world.with(|state| {
        state.stream.changes.push(wrong::image(state.settings.wrong, change));
        let key = (new.row.id().key(), new.version);
        state.stream.due.entry(key).or_default().extend(expected);
    });
    read_on(world, 0);
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

fn hand_over(world: &World, name: &str) {
    let most = usize::try_from(world.chance.between(&format!("{name} size"), 1, 10)).unwrap();
    let changes: Vec<_> =
        world.with(|state| state.stream.changes.iter().skip(state.stream.done).take(most).cloned().collect());
    let is_twice = world.happens(&format!("{name} twice"), 10);
    if is_twice {
        world.start(&format!("publisher, {name} again"), LIMIT_MS, publisher(world, changes.clone()), |_, _| {});
    }
    world.start(&format!("publisher, {name}"), LIMIT_MS, publisher(world, changes), move |world, answer| {
        let done = if let Some(Answer::Published(done)) = answer { done } else { 0 };
        world.with(|state| {
            state.stream.done += done;
            state.stream.is_read = false;
        });
        read_on(world, if done == 0 { 2_000 } else { 0 });
    });
}

fn publisher(world: &World, changes: Vec<RowChange>) -> Job {
    let deps = Deps { bus: Bus(world.clone()) };
    let world = world.clone();
    Box::pin(async move { Answer::Published(wrong::published(&world, changes.len(), deps.handle(&changes).await)) })
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

fn take(world: &World, detail: &str) {
    let event: Value = serde_json::from_str(detail).unwrap();
    let id = event["id"].as_str().unwrap().to_owned();
    world.note(|| format!("event: {detail}"));
    let other = world.with(|state| state.stream.taken.insert(id.clone(), detail.to_owned()));
    check(world, SAME, other.as_ref().is_none_or(|other| other == detail), || format!("{detail} and {other:?}"));
    let is_masked = !["secret-of", "person-account", "1234560079"].iter().any(|marker| detail.contains(marker));
    check(world, SECRET, is_masked, || detail.to_owned());
}

/// What was published is what had to be published.
pub(super) fn at_rest(world: &World) {
    let (mut due, taken) = world.with(|state| (state.stream.due.clone(), state.stream.taken.clone()));
    due.retain(|_, expected| !expected.is_empty());
    let mut published = Due::new();
    for detail in taken.values() {
        let event: Value = serde_json::from_str(detail).unwrap();
        let key = (event["transaction"].as_str().unwrap().to_owned(), event["version"].as_u64().unwrap());
        published.entry(key).or_default().push(said(&event));
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
