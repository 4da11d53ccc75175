//! People who have events published again: now and then, of what the rows say then, and once more at the end, of all that they say.

use std::collections::{BTreeMap, BTreeSet};

use event_publisher::{Deps, Destination, EventName, MOST_EVENTS, Replay};
use lambda::{AwsError, Handler, Publish, Published, Reply, Request, SendLater};
use paykassma::event_id;
use serde_json::{Value, json};
use store::{Replayable, current_events};

use super::faults::Patience;
use super::functions::LIMIT_MS;
use super::rules::check;
use super::stream;
use super::world::{Answer, Job, World};
use super::wrong::Wrong;
use super::{decisions, push};

const SAYS_THE_SAME: &str = "a replay publishes what was published before, under the same id";
const SAYS_ALL: &str = "a replay has every credit, and every end of a withdrawal";
const MONEY: [&str; 3] = ["deposit.credited", "withdrawal.paid", "withdrawal.failed"];

/// What replays have published, by its id.
pub(super) type Replays = BTreeMap<String, Value>;

/// All replays of a run but the last.
pub(super) fn plan(world: &World) {
    let has_publisher = world.with(|state| state.settings.has_publisher);
    for number in 0..if has_publisher { 2 } else { 0 } {
        let name = format!("a replay {number}");
        if world.happens(&name, 20) {
            let at = world.chance.below(&format!("{name} at"), 4_000_000);
            world.after(at, move |world| replay(world, &name));
        }
    }
}

/// Replays all that the rows say now, forged rows included.
fn replay(world: &World, name: &str) {
    let to = world.chance.one_of(&format!("{name} to"), &[Destination::Bus, Destination::Push]);
    for (place, events) in names(world).chunks(MOST_EVENTS).enumerate() {
        let body = serde_json::to_string(&Replay { to, events: events.to_vec() }).unwrap();
        world.start(&format!("publisher, {name}, request {place}"), LIMIT_MS, request(world, body), |_, _| {});
    }
}

/// The events that the rows say, as the operator's tool finds them.
fn names(world: &World) -> Vec<EventName> {
    let rows = world.table.rows();
    let names = rows.iter().flat_map(|(row, stored)| {
        let name = |Replayable { transaction, current, .. }: Replayable| EventName {
            row: row.clone(),
            id: event_id(&current.event, &transaction),
        };
        current_events(stored, None).into_iter().map(name)
    });
    names.filter(|name| !world.is(Wrong::ForgetPayments) || !name.row.starts_with("payment#")).collect()
}

fn request(world: &World, body: String) -> Job {
    let deps: Deps<Again, _, _, _, Again> = stream::deps_with(world, Again(world.clone()), Some(Again(world.clone())));
    let (caller, world) = (decisions::caller(0), world.clone());
    Box::pin(async move {
        let request =
            Request { body: body.as_bytes(), route: "POST /replays", caller: Some(&caller), ..Request::default() };
        let Reply { status, body } = deps.handle(request).await.unwrap_or_else(|error| Reply::of_error(&error));
        if world.is(Wrong::ReplayUnproved) {
            publish_refused(&world, &body);
        }
        Answer::Reply(status.as_u16(), body)
    })
}

/// What the wrong variant does with events that are not proved.
fn publish_refused(world: &World, answer: &str) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let rows = world.table.rows();
    for name in answer["refused"].as_array().into_iter().flatten() {
        let said = rows.get(name["row"].as_str().unwrap()).map(|row| current_events(row, None));
        for Replayable { transaction, current, .. } in said.into_iter().flatten() {
            let id = event_id(&current.event, &transaction);
            let event =
                json!({"id": id, "type": current.event.kind(), "transaction": transaction, "data": current.event});
            if name["id"] == id {
                take(world, &event.to_string());
            }
        }
    }
}

/// Where replayed events go.
struct Again(World);

impl Publish for Again {
    async fn publish(&self, events: &[Published]) -> usize {
        let events = events.to_vec();
        let count = events.len();
        let publish = move |world: &World| events.iter().for_each(|event| take(world, &event.detail));
        let taken = self.0.call("put events again", Patience::Endless, publish).await;
        if taken.is_ok() { count } else { 0 }
    }
}

impl SendLater for Again {
    async fn send_later(&self, body: String) -> Result<(), AwsError> {
        let send = move |world: &World| {
            take(world, &body);
            push::published(world, &body);
        };
        self.0
            .call("send an event again", Patience::Endless, send)
            .await
            .map_err(|fault| AwsError(format!("{fault:?}")))
    }
}

fn take(world: &World, detail: &str) {
    let mut event: Value = serde_json::from_str(detail).unwrap();
    if world.is(Wrong::ReplayUnderNewId) {
        event["id"] = format!("{} again", event["id"]).into();
    }
    if world.is(Wrong::NumberFromOne) && event["data"]["payment_number"].is_number() {
        event["data"]["payment_number"] = 1.into();
    }
    stream::judge_money(world, &event);
    world.with(|state| {
        state.reached.insert("an event is published again");
        state.replays.insert(event["id"].as_str().unwrap().to_owned(), event);
    });
}

/// Everything is replayed once more, and compared with all that was published.
pub(super) fn at_rest(world: &World) {
    if !world.with(|state| state.settings.has_publisher) {
        return;
    }
    let earlier = world.with(|state| std::mem::take(&mut state.replays));
    replay(world, "the last replay");
    world.run();
    let (replays, published, generation) =
        world.with(|state| (state.replays.clone(), stream::published(&state.stream), state.history.generation));
    for (id, event) in earlier.iter().chain(&replays) {
        let is_known = published.iter().any(|it| it["id"] == **id && is_same(it, event));
        check(world, SAYS_THE_SAME, is_known, || event.to_string());
    }
    let forged: BTreeSet<_> = world.with(|state| state.forged.keys().cloned().collect());
    let must_be_there = published.iter().filter(|event| {
        let is_money = MONEY.iter().any(|kind| event["type"] == *kind);
        is_money && event["generation"] == generation && !forged.contains(event["transaction"].as_str().unwrap())
    });
    for event in must_be_there {
        check(world, SAYS_ALL, replays.contains_key(event["id"].as_str().unwrap()), || event.to_string());
    }
}

/// Whether a replay says the same as what was published. It does not know the number of an old credit, and what a person decided may
/// have been signed since.
fn is_same(published: &Value, replayed: &Value) -> bool {
    let is_same_history = published["generation"] == replayed["generation"];
    let facts = |event: &Value| {
        let mut data = event["data"].as_object().unwrap().clone();
        data.remove("decided_by");
        if replayed["data"]["payment_number"].is_null() {
            data.remove("payment_number");
        }
        data
    };
    !is_same_history || facts(published) == facts(replayed)
}
