//! Runs of the world: many seeds, one seed with its trace, and a failing seed made small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::Separator;

use super::ceilings::Outgoing;
use super::faults::Faults;
use super::intruder::{self, Rotation};
use super::provider::{Labels, Model};
use super::push::Server;
use super::random::Chance;
use super::releases::Releases;
use super::restored::{self, Restore};
use super::world::{Settings, World};
use super::wrong::Wrong;
use super::{many_payments, operators, replays, reporter, rest, users};

/// Until then things go wrong.
const QUIET_FROM_MS: u64 = 3_600_000;

/// What some seed must reach, or the runs show nothing.
const REACHED: [&str; 74] = [
    "a forged change is set aside",
    "a forged row",
    "a restored table",
    "a withdrawal is doubted after a restore",
    "an event is published again",
    "an event waits for the merchant's server",
    "waiting events are moved back",
    "an id is reserved after a restore",
    "an older release is refused a write",
    "old keys are known",
    "what a newer release wrote is written over by it",
    "withdrawals are switched on after a restore",
    "a change is set aside",
    "a change that was set aside is published",
    "a ceiling is reached",
    "a full page of waiting payments",
    "a list is done",
    "a list is sent again by a person",
    "a late index",
    "a lost message is replaced",
    "a message expires",
    "a message is lost",
    "a payment is held by itself",
    "a reservation is given back",
    "a reservation without a withdrawal",
    "a respelled payment",
    "a same number is held",
    "a throttled receive",
    "an attempt is given up by the reporter",
    "a second credit of an order",
    "a write is throttled",
    "an odd number",
    "a conflict is closed",
    "a contested payment",
    "a contested payment is held",
    "a contradicted payment",
    "a fail that ends nothing",
    "a forged postback",
    "a number changes hands after a day",
    "a number is taken from a claim",
    "a payment's conflict",
    "a used id is rejected",
    "a withdrawal's conflict",
    "a write meets a transaction",
    "accepted",
    "an opposite outcome",
    "an undocumented status",
    "answered fail",
    "answered fail and accepted",
    "answered limit_reached",
    "claimed",
    "credited",
    "credited by a person",
    "credited to an order that is not signed",
    "dead letter",
    "ended by a person",
    "failed",
    "needs review",
    "not resolved",
    "not sent",
    "paid",
    "quarantined",
    "rejected",
    "rejected payment",
    "released",
    "sending",
    "several elements",
    "submitted",
    "two words about a withdrawal that is not ours",
    "unknown",
    "unknown row",
    "unmatched",
    "waiting",
    "withdrawals of several hours",
];

/// What a seed makes of everything that is settled before a run.
pub(super) fn settings(seed: u64, wrong: Option<Wrong>) -> Settings {
    let chance = Chance(seed);
    Settings {
        seed,
        faults: Faults::ByChance(chance.one_of("faults", &[0, 20, 60, 150])),
        wrong,
        skipped: BTreeSet::new(),
        is_traced: false,
        quiet_from_ms: QUIET_FROM_MS,
        provider: Model {
            wants_unique_ids: chance.percent("unique ids", 50),
            labels: chance.one_of("labels", &Labels::ALL),
            ..chance.one_of("provider", &Model::ALL)
        },
        resend_unknown: chance.percent("resend", 40),
        separator: chance.one_of("separator", &[Separator::Dot, Separator::Hyphen]),
        max_receive_count: chance.one_of("receives", &[2, 4, 8]),
        outgoing: Outgoing::of(chance),
        lost_messages: chance.one_of("lost messages", &[0, 0, 0, 20, 100]),
        has_publisher: true,
        has_operators: chance.percent("operators", 60),
        takes_two: chance.percent("large amounts take two people", 40),
        units_per_second: chance.one_of("units per second", &[None, None, None, Some(60), Some(20)]),
        unwritable: many_payments::unwritable(chance),
        newer: chance.one_of("a newer release", &[None, None, Some((60_000, 1_200_000)), Some((60_000, 28_800_000))]),
        has_intruder: chance.percent("an intruder", 20),
        rotation: Rotation::of(chance),
        releases: Releases::of(chance),
        restore: Restore::of(chance),
        server: Server::of(chance),
        is_strict: true,
    }
}

/// Runs a seed to its end.
pub(super) fn run(settings: Settings) -> World {
    let world = World::new(settings);
    users::plan(&world);
    if world.with(|state| state.settings.has_operators) {
        operators::plan(&world);
    }
    if world.with(|state| state.settings.has_intruder && state.settings.has_publisher) {
        intruder::plan(&world);
    }
    replays::plan(&world);
    restored::plan(&world);
    reporter::plan(&world);
    many_payments::watch(&world);
    world.run();
    if world.with(|state| state.rules.broken.is_empty()) {
        rest::at_rest(&world);
    }
    world
}

pub(super) fn broken(world: &World) -> Option<(&'static str, String)> {
    world.with(|state| state.rules.broken.first().cloned())
}

/// Takes away one thing after the other, as long as the same rule is still broken.
pub(super) fn shrink(failing: Settings) -> World {
    let mut world = run(failing);
    let rule = broken(&world).map(|(rule, _)| rule);
    loop {
        let (settings, happened) = world.with(|state| (state.settings.clone(), state.happened.clone()));
        let smaller = happened.into_iter().rev().find_map(|thing| {
            let mut settings = settings.clone();
            settings.skipped.insert(thing);
            let world = run(settings);
            (broken(&world).map(|(rule, _)| rule) == rule).then_some(world)
        });
        match smaller {
            Some(smaller) => world = smaller,
            None => break,
        }
    }
    let mut settings = world.with(|state| state.settings.clone());
    settings.is_traced = true;
    run(settings)
}

/// The rules that are broken, with how often and where first.
pub(super) type Failing = BTreeMap<&'static str, (u64, u64)>;

/// Does something with each of these on all cores, and gives the answers in their order.
pub(super) fn in_parallel<T: Send + Sync + Clone, U: Send>(these: &[T], of: impl Fn(T) -> U + Sync) -> Vec<U> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(it) = these.get(index) else { break };
                    let answer = of(it.clone());
                    done.lock().unwrap().insert(index, answer);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// Runs these seeds. Gives what failed, and how often each kind of thing was reached.
pub(super) fn run_all(seeds: Range<u64>) -> (Failing, BTreeMap<&'static str, u64>) {
    let outcomes = in_parallel(&seeds.collect::<Vec<_>>(), |seed| {
        let world = run(settings(seed, None));
        (seed, broken(&world), world.with(|state| std::mem::take(&mut state.reached)))
    });
    let (mut failing, mut all) = (Failing::new(), BTreeMap::new());
    for (seed, broken, reached) in outcomes {
        if let Some((rule, _)) = broken {
            failing.entry(rule).or_insert((0, seed)).0 += 1;
        }
        for thing in reached {
            *all.entry(thing).or_insert(0) += 1;
        }
    }
    (failing, all)
}

/// What a person needs to see of a failing seed.
pub(super) fn story(failing: Settings) -> String {
    let seed = failing.seed;
    let world = shrink(failing);
    let (rule, how) = broken(&world).unwrap_or(("nothing is broken", String::new()));
    let (trace, happened) = world.with(|state| (state.trace.join("\n"), state.happened.clone()));
    format!(
        "{trace}\n\nwhat had to happen: {happened:#?}\nseed {seed} breaks: {rule}\n{how}\nreplay: SEED={seed} cargo test --test whole a_seed_is_replayed -- --nocapture"
    )
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how a person asks for a seed, or for more of them")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

#[test]
fn every_rule_holds_in_every_seed() {
    let seeds = number("SEEDS").unwrap_or(1_000);
    let from = number("FROM").unwrap_or(0);
    let (failing, reached) = run_all(from..from + seeds);
    println!("{seeds} seeds, {} failing; reached: {reached:#?}", failing.values().map(|(times, _)| times).sum::<u64>());
    for (rule, (times, seed)) in &failing {
        println!("{times} times, first in seed {seed}: {rule}");
    }
    if seeds >= 1_000 {
        let missing: Vec<_> = REACHED.iter().filter(|thing| !reached.contains_key(*thing)).collect();
        assert!(missing.is_empty(), "never reached: {missing:?}");
    }
    if let Some((_, seed)) = failing.into_values().min_by_key(|(_, seed)| *seed) {
        panic!("{}", story(settings(seed, None)));
    }
}

#[test]
fn a_seed_is_replayed() {
    let mut settings = settings(number("SEED").unwrap_or(0), None);
    settings.is_traced = true;
    let world = run(settings);
    println!("{}", world.with(|state| state.trace.join("\n")));
    assert_eq!(broken(&world), None);
}
