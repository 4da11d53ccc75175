//! The queue: at least once, late, twice, out of order; to the dead letters and back. In some runs it loses messages, as a person may
//! who purges it, lets them expire, and counts receives that no function has seen.

use std::collections::{BTreeMap, BTreeSet};

use lambda::Handled;

use super::functions::{LIMIT_MS, submit_withdrawal};
use super::world::{Answer, World};

/// The delay of an armed message: longer than a function's time limit.
const DELAY_MS: u64 = 60_000;
/// Six times the submitter's time limit.
const VISIBILITY_MS: u64 = 6 * LIMIT_MS;

#[derive(Default)]
pub(super) struct Messages {
    live: BTreeMap<u64, Letter>,
    pub dead: BTreeMap<u64, String>,
    /// All that were ever sent.
    pub sent: BTreeSet<String>,
    /// The messages of which nobody hears any more.
    pub gone: BTreeSet<String>,
    last: u64,
}

struct Letter {
    body: String,
    received: u32,
    /// Grows whenever the time changes at which it comes out, so that only the latest one counts.
    round: u64,
}

/// Takes a message; it comes out at least once.
pub(super) fn send(world: &World, body: &str) {
    let id = world.with(|state| {
        state.messages.last += 1;
        let id = state.messages.last;
        state.messages.live.insert(id, Letter { body: body.to_owned(), received: 0, round: 0 });
        state.messages.sent.insert(body.to_owned());
        id
    });
    let lost = world.with(|state| state.settings.lost_messages);
    if world.happens(&format!("message {id} lost"), lost) {
        return lose(world, id, "a message is lost");
    }
    comes_out(world, id, DELAY_MS);
}

fn lose(world: &World, id: u64, how: &'static str) {
    world.with(|state| {
        if let Some(letter) = state.messages.live.remove(&id) {
            state.note(|| format!("{how}: {}", letter.body));
            state.reached.insert(how);
            state.messages.gone.insert(letter.body);
        }
    });
}

/// The message of a withdrawal.
pub(super) fn armed(id: &str) -> String {
    format!("{{\"withdrawal_id\":\"{id}\"}}")
}

/// Has a received message come out again after this time.
pub(super) fn defer(world: &World, facts: &str, ms: u64) {
    comes_out(world, facts.parse().unwrap(), ms);
}

/// Brings the dead letters back.
pub(super) fn redrive(world: &World) {
    let dead = world.with(|state| std::mem::take(&mut state.messages.dead));
    for (_, body) in dead {
        world.note(|| format!("redriven: {body}"));
        let id = world.with(|state| {
            state.messages.last += 1;
            let id = state.messages.last;
            state.messages.live.insert(id, Letter { body, received: 0, round: 0 });
            id
        });
        comes_out(world, id, 1);
    }
}

fn comes_out(world: &World, id: u64, ms: u64) {
    let round = world.with(|state| {
        let letter = state.messages.live.get_mut(&id)?;
        letter.round += 1;
        Some(letter.round)
    });
    let Some(round) = round else { return };
    let name = format!("message {id}.{round}");
    let late = if world.happens(&format!("{name} late"), 20) { world.chance.below(&name, 200_000) } else { 0 };
    world.after(ms + late, move |world| receive(world, id, round));
    if world.happens(&format!("{name} twice"), 10) {
        let late = world.chance.below(&format!("{name} second"), 100_000);
        world.after(ms + late, move |world| receive_again(world, id));
    }
}

fn receive(world: &World, id: u64, round: u64) {
    let is_current = world.with(|state| state.messages.live.get(&id).is_some_and(|it| it.round == round));
    if is_current {
        receive_again(world, id);
    }
}

/// Hands a message to the submitter, whether or not another one is busy with it. While withdrawals are off, none is read.
pub(super) fn receive_again(world: &World, id: u64) {
    if world.with(|state| !state.history.is_on) {
        return world.after(30_000, move |world| receive_again(world, id));
    }
    let received = world.with(|state| {
        let most = state.settings.max_receive_count;
        let letter = state.messages.live.get_mut(&id)?;
        letter.received += 1;
        if letter.received > most {
            let body = state.messages.live.remove(&id)?.body;
            state.note(|| format!("dead letter: {body}"));
            state.reached.insert("dead letter");
            state.messages.dead.insert(id, body);
            return None;
        }
        Some((letter.body.clone(), letter.received))
    });
    let Some((body, received)) = received else { return };
    let lost = world.with(|state| state.settings.lost_messages);
    if world.happens(&format!("message {id}.{received} expired"), lost / 4) {
        return lose(world, id, "a message expires");
    }
    comes_out(world, id, VISIBILITY_MS);
    if world.happens(&format!("submitter {id}.{received} throttled"), lost.max(3)) {
        world.with(|state| state.reached.insert("a throttled receive"));
        return;
    }
    let job = submit_withdrawal(world, body, id.to_string(), received);
    let name = format!("submitter {id}.{received}");
    world.start(&name.clone(), LIMIT_MS, job, move |world, answer| {
        let is_done = match answer {
            Some(Answer::Handled(Handled::Done)) => true,
            Some(Answer::Handled(Handled::Again)) => super::wrong::is_acknowledged_always(world),
            Some(Answer::Reply(..) | Answer::Published(_) | Answer::Ages(..)) | None => false,
        };
        if is_done && !world.happens(&format!("{name} not deleted"), 5) {
            world.with(|state| state.messages.live.remove(&id));
        }
    });
}
