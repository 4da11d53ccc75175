//! The merchant's server and the forwarder that posts events to it: a server that is down for hours, slow, or loses its own answer; a queue
//! that delivers late, twice and to throttled invocations; and the rotation of the key that signs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use event_forwarder::{Deps, Keys, NotTaken, Policy, Post, SignedEvent};
use lambda::{AwsError, Backlog, Defer, Handled, Message, MessageHandler, ScheduleHandler, SecretStore, Waiting};
use serde_json::Value;
use standardwebhooks::Webhook;

use super::faults::Patience;
use super::functions::{LIMIT_MS, Ports};
use super::random::Chance;
use super::rules::check;
use super::world::{Answer, EPOCH_MS, Job, World};
use super::wrong::{self, Wrong};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The key after the rotation.
const NEXT_KEY: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
/// So long a warm function knows the old keys.
const CACHED_MS: u64 = 300_000;
/// Six times the forwarder's time limit.
const VISIBILITY_MS: u64 = 6 * LIMIT_MS;
/// How often one of the events is tried that wait.
const PROBE_MS: u64 = 900_000;
const HOUR_MS: u64 = 3_600_000;

const ARRIVES: &str = "each event reaches the merchant's server, once that answers";
const GENUINE: &str =
    "what is posted is what the bus has taken, under its own id, and signed with a key that the server knows";

/// A merchant's server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// From when and until when it takes nothing.
    down: (u64, u64),
    /// When our key is rotated. The server knows the new one some minutes later.
    rotated_ms: u64,
}

impl Server {
    /// What a seed makes of it.
    pub(super) fn of(chance: Chance) -> Option<Self> {
        let from = chance.below("the server is down", 1_800_000);
        let hours = chance.one_of("for hours", &[0, 1, 3, 9]);
        let rotated_ms = chance.below("the event key is rotated", 3 * HOUR_MS);
        let server = Self { down: (from, from + hours * HOUR_MS), rotated_ms };
        chance.percent("a merchant's server", 20).then_some(server)
    }

    fn is_down(&self, now_ms: u64) -> bool {
        (self.down.0..self.down.1).contains(&now_ms)
    }

    /// The key that it verifies with.
    fn key(&self, now_ms: u64) -> &'static str {
        if now_ms >= self.rotated_ms + 2 * CACHED_MS { NEXT_KEY } else { KEY }
    }
}

#[derive(Default)]
pub(super) struct Push {
    letters: BTreeMap<u64, Letter>,
    /// The events that the forwarder has set aside.
    waiting: BTreeMap<u64, String>,
    last: u64,
    probes: u64,
    is_probing: bool,
    /// All that the bus has taken, and what has come to the server.
    sent: BTreeSet<String>,
    came: BTreeSet<String>,
}

struct Letter {
    body: String,
    sent_at_ms: u64,
    received: u32,
    /// Grows whenever the time changes at which it comes out, so that only the latest one counts.
    round: u64,
}

/// The bus has taken an event: its rule sends it to the queue, at least once.
pub(super) fn published(world: &World, detail: &str) {
    if world.with(|state| state.settings.server.is_none()) {
        return;
    }
    world.with(|state| state.push.sent.insert(detail.to_owned()));
    send(world, detail);
    if world.happens(&format!("sent twice: {detail}"), 5) {
        send(world, detail);
    }
}

fn send(world: &World, body: &str) {
    let id = world.with(|state| {
        state.push.last += 1;
        let letter = Letter { body: body.to_owned(), sent_at_ms: EPOCH_MS + state.now_ms, received: 0, round: 0 };
        state.push.letters.insert(state.push.last, letter);
        state.push.last
    });
    comes_out(world, id, 100);
}

fn comes_out(world: &World, id: u64, ms: u64) {
    let round = world.with(|state| {
        let letter = state.push.letters.get_mut(&id)?;
        letter.round += 1;
        Some(letter.round)
    });
    let Some(round) = round else { return };
    let name = format!("event {id}.{round}");
    let late = if world.happens(&format!("{name} late"), 10) { world.chance.below(&name, 200_000) } else { 0 };
    world.after(ms + late, move |world| {
        let is_current = world.with(|state| state.push.letters.get(&id).is_some_and(|it| it.round == round));
        if is_current {
            receive(world, id);
        }
    });
}

fn receive(world: &World, id: u64) {
    let letter = world.with(|state| {
        let letter = state.push.letters.get_mut(&id)?;
        letter.received += 1;
        Some((letter.body.clone(), letter.sent_at_ms, letter.received))
    });
    let Some((body, sent_at_ms, receive_count)) = letter else { return };
    comes_out(world, id, VISIBILITY_MS);
    let name = format!("forwarder {id}.{receive_count}");
    if world.happens(&format!("{name} throttled"), 5) {
        return;
    }
    let deps = deps(world);
    let receive_count = if world.is(Wrong::WaitByAgeAlone) { 1 } else { receive_count };
    let job: Job = Box::pin(async move {
        let message = Message { body: &body, receipt_handle: &id.to_string(), receive_count, sent_at_ms };
        Answer::Handled(deps.handle(message).await)
    });
    world.start(&name.clone(), LIMIT_MS, job, move |world, answer| {
        let is_done = matches!(answer, Some(Answer::Handled(Handled::Done)));
        if is_done && !world.happens(&format!("{name} not deleted"), 5) {
            world.with(|state| state.push.letters.remove(&id));
        }
    });
}

fn add(world: &World, body: &str) {
    let begins = world.with(|state| {
        state.reached.insert("an event waits for the merchant's server");
        state.push.last += 1;
        state.push.waiting.insert(state.push.last, body.to_owned());
        !std::mem::replace(&mut state.push.is_probing, true)
    });
    if begins {
        world.after(PROBE_MS, probe);
    }
}

/// The schedule: it goes on as long as something waits.
fn probe(world: &World) {
    let number = world.with(|state| {
        state.push.is_probing = !state.push.waiting.is_empty();
        state.push.probes += 1;
        state.push.is_probing.then_some(state.push.probes)
    });
    let Some(number) = number else { return };
    world.after(PROBE_MS, probe);
    let deps = deps(world);
    let job: Job = Box::pin(async move {
        let done = deps.on_schedule().await;
        Answer::Handled(if done.is_ok() { Handled::Done } else { Handled::Again })
    });
    world.start(&format!("forwarder's schedule {number}"), LIMIT_MS, job, |_, _| {});
}

fn deps(world: &World) -> Deps<Line, Line, Line, Line, Ports> {
    let line = Line(world.clone());
    let policy = Policy { first_retry: Duration::from_secs(5), give_up_after: Duration::from_hours(1) };
    Deps {
        receiver: line.clone(),
        queue: line.clone(),
        backlog: line.clone(),
        keys: line,
        clock: Ports(world.clone()),
        policy,
    }
}

/// The forwarder's ports.
#[derive(Clone)]
struct Line(World);

impl Line {
    async fn call<T: Send + 'static>(
        &self,
        what: &str,
        apply: impl FnMut(&World) -> T + Send + 'static,
    ) -> Result<T, AwsError> {
        self.0.call(what, Patience::Endless, apply).await.map_err(|fault| AwsError(format!("{fault:?}")))
    }
}

impl Post for Line {
    async fn post(&self, event: SignedEvent<'_>) -> Result<(), NotTaken> {
        let SignedEvent { id, timestamp, signature, body } = event;
        let (id, signature) = wrong::post(&self.0, id, &signature);
        let body = body.to_owned();
        let arrived = move |world: &World| arrives(world, &id, timestamp, &signature, &body);
        let answer = self.0.call("post event", Patience::Ms(15_000), arrived).await;
        let not_taken = |reason: String, retry_after| Err(NotTaken { reason, retry_after });
        match answer {
            Ok(true) => Ok(()),
            Ok(false) if self.0.is(Wrong::AnyAnswerIsTaken) => Ok(()),
            Ok(false) => {
                not_taken("HTTP 503".into(), self.0.happens("retry after", 20).then_some(Duration::from_mins(7)))
            }
            Err(fault) => not_taken(format!("{fault:?}"), None),
        }
    }
}

/// An event comes to the server. Gives whether the server takes it.
fn arrives(world: &World, id: &str, timestamp: u64, signature: &str, body: &str) -> bool {
    let (server, now_ms) = world.with(|state| (state.settings.server, state.now_ms));
    let Some(server) = server else { return false };
    if server.is_down(now_ms) {
        return false;
    }
    let seconds = i64::try_from(timestamp).unwrap();
    let expected = Webhook::new(server.key(now_ms)).unwrap().sign(id, seconds, body.as_bytes()).unwrap();
    let is_signed = signature.split(' ').any(|one| one == expected);
    let event: Value = serde_json::from_str(body).unwrap();
    let is_genuine = is_signed && event["id"] == id && world.with(|state| state.push.sent.contains(body));
    check(world, GENUINE, is_genuine, || format!("{id}, {is_signed}: {body}"));
    let age_ms = world.clock_ms().abs_diff(timestamp * 1_000);
    check(world, GENUINE, age_ms < HOUR_MS, || format!("{id}: the time of the attempt is {timestamp}"));
    world.with(|state| state.push.came.insert(body.to_owned()));
    true
}

impl Defer for Line {
    async fn defer(&self, receipt_handle: &str, time: Duration) -> Result<(), AwsError> {
        let (id, ms) = (receipt_handle.parse().unwrap(), u64::try_from(time.as_millis()).unwrap());
        self.call("put an event off", move |world| comes_out(world, id, ms)).await
    }
}

impl Backlog for Line {
    async fn add(&self, body: String) -> Result<(), AwsError> {
        if self.0.is(Wrong::ForgetUndelivered) {
            return Ok(());
        }
        self.call("set an event aside", move |world| add(world, &body)).await
    }

    async fn first(&self) -> Result<Option<Waiting>, AwsError> {
        let first = |world: &World| {
            let first = world.with(|state| state.push.waiting.first_key_value().map(|(id, body)| (*id, body.clone())));
            first.map(|(id, body)| Waiting { body, receipt_handle: id.to_string() })
        };
        self.call("take a waiting event", first).await
    }

    async fn remove(&self, receipt_handle: &str) -> Result<(), AwsError> {
        let id: u64 = receipt_handle.parse().unwrap();
        self.call("remove a waiting event", move |world| drop(world.with(|state| state.push.waiting.remove(&id)))).await
    }

    async fn move_all_back(&self) -> Result<(), AwsError> {
        let moved = |world: &World| {
            for body in world.with(|state| std::mem::take(&mut state.push.waiting)).into_values() {
                send(world, &body);
            }
            world.with(|state| state.reached.insert("waiting events are moved back"));
        };
        self.call("move events back", moved).await
    }
}

impl SecretStore<Keys> for Line {
    async fn current(&self) -> Result<Arc<Keys>, AwsError> {
        self.call("secrets", |_| ()).await?;
        let (server, now_ms) = self.0.with(|state| (state.settings.server, state.now_ms));
        let rotated_ms = server.map_or(u64::MAX, |it| it.rotated_ms);
        let is_stale = now_ms < rotated_ms + CACHED_MS && self.0.chance.percent(&self.0.next_call("stale"), 50);
        let keys = if now_ms < rotated_ms || is_stale { (KEY, "") } else { (NEXT_KEY, KEY) };
        let (key, previous) = wrong::event_keys(&self.0, keys);
        Ok(Arc::new(Keys { events_secret: key.into(), events_secret_previous: previous.into() }))
    }

    async fn renewed(&self) -> Result<Option<Arc<Keys>>, AwsError> {
        Ok(None)
    }
}

/// Every event has come to the server, and nothing waits any more.
pub(super) fn at_rest(world: &World) {
    let (missing, left) = world.with(|state| {
        let push = &state.push;
        let missing: Vec<_> = push.sent.difference(&push.came).cloned().collect();
        (missing, push.waiting.len() + push.letters.len())
    });
    check(world, ARRIVES, missing.is_empty() && left == 0, || {
        format!("{left} are left, and these never came: {missing:?}")
    });
}
