//! Every effect of the two flows that move money goes wrong in every way; and every two of them.

use std::collections::BTreeMap;

use super::ceilings::Outgoing;
use super::deposits::pay;
use super::faults::{Fault, Faults};
use super::provider::Model;
use super::rest;
use super::run::{broken, in_parallel, settings};
use super::users::{Ask, ask};
use super::world::{Settings, World};

type Plan = BTreeMap<usize, Fault>;

fn run(flow: fn(&World), settings: &Settings, plan: &Plan) -> World {
    let faults = Faults::Planned { faults: plan.clone(), submission_ms: 1 };
    let world = World::new(Settings { faults, ..settings.clone() });
    flow(&world);
    world.run();
    rest::at_rest(&world);
    world
}

fn check(flow: fn(&World), settings: &Settings, plan: &Plan) -> usize {
    let world = run(flow, settings, plan);
    if let Some(broken) = broken(&world) {
        let world = run(flow, &Settings { is_traced: true, ..settings.clone() }, plan);
        panic!("{}\n{plan:?} breaks {broken:?}", world.with(|state| state.trace.join("\n")));
    }
    world.with(|state| state.effects)
}

/// Gives the number of effects, of single faults and of pairs.
fn all_singles_and_pairs(flow: fn(&World), settings: &Settings, seconds: &[Fault]) -> (usize, usize, usize) {
    let effects = check(flow, settings, &Plan::new());
    let (mut singles, mut pairs) = (0, 0);
    for first in 0..effects {
        for fault in Fault::ALL {
            let reached = check(flow, settings, &Plan::from([(first, fault)]));
            singles += 1;
            for second in first + 1..reached {
                for other in seconds {
                    check(flow, settings, &Plan::from([(first, fault), (second, *other)]));
                    pairs += 1;
                }
            }
        }
    }
    (effects, singles, pairs)
}

fn register() -> Ask {
    Ask::Deposit { id: "order0".into(), label: "person-0".into(), amount: None }
}

fn known_order(world: &World) {
    ask(world, "register".into(), register(), 1);
    let bound = Some(("order0".into(), "person-0".into()));
    world.after(300_000, |world| pay(world, "47752123510", "700.10", bound));
}

fn unknown_order(world: &World) {
    pay(world, "47752123510", "700.10", Some(("order0".into(), "person-0".into())));
    world.after(400_000, |world| ask(world, "register".into(), register(), 1));
}

fn entered_number(world: &World) {
    ask(world, "register".into(), register(), 1);
    let entered = Ask::Activation { id: "order0".into(), number: "47752123510".into(), amount: "700.10".into() };
    pay(world, "47752123510", "700.10", None);
    world.after(300_000, |world| ask(world, "enter".into(), entered, 1));
}

/// The user taps twice, and the provider takes an id once.
fn number_entered_twice(world: &World) {
    world.with(|state| state.provider.model.wants_unique_ids = true);
    ask(world, "register".into(), register(), 1);
    let entered = Ask::Activation { id: "order0".into(), number: "47752123510".into(), amount: "700.10".into() };
    let again = entered.clone();
    world.after(300_000, |world| ask(world, "enter".into(), entered, 1));
    world.after(300_004, |world| ask(world, "enter again".into(), again, 1));
    world.after(600_000, |world| pay(world, "47752123510", "700.10", None));
}

fn withdrawal(world: &World) {
    let asked = Ask::Withdrawal { id: "w0".into(), label: "person-0".into(), amount: 3_000 };
    ask(world, "withdraw".into(), asked, 1);
}

/// What a second fault is in `cargo test`; `FULL=1` takes all.
const SECONDS: &[Fault] = &[Fault::KillBefore, Fault::KillAfter];

fn seconds() -> &'static [Fault] {
    if super::run::number("FULL").is_some() { &Fault::ALL } else { SECONDS }
}

#[test]
fn a_postback_survives_every_crash_and_every_two() {
    type Flow = (&'static str, fn(&World));
    let flows: [Flow; 4] = [
        ("known order", known_order),
        ("unknown order", unknown_order),
        ("entered number", entered_number),
        ("number entered twice", number_entered_twice),
    ];
    let all = in_parallel(&flows, |(name, flow)| (name, all_singles_and_pairs(flow, &settings(1, None), seconds())));
    for (name, (effects, singles, pairs)) in all {
        println!("{name}: {effects} effects, {singles} single faults, {pairs} pairs");
        assert!(effects > 4);
    }
}

#[test]
fn a_withdrawal_survives_every_crash_and_every_two() {
    let mut cases = Vec::new();
    let exactly = Some(Outgoing { per_hour: Some(3_000), per_day: None, ahead_ms: 0 });
    for provider in Model::ALL {
        for (resend_unknown, outgoing) in [(false, None), (true, None), (false, exactly)] {
            for seed in [seed_of(1), seed_of(5)] {
                cases.push(Settings {
                    provider,
                    resend_unknown,
                    outgoing,
                    max_receive_count: 4,
                    has_publisher: false,
                    ..settings(seed, None)
                });
            }
        }
    }
    let all = in_parallel(&cases, |settings| all_singles_and_pairs(withdrawal, &settings, seconds()));
    assert!(all.iter().all(|(effects, ..)| *effects > 4));
    let (singles, pairs) = all.iter().fold((0, 0), |sum, (_, singles, pairs)| (sum.0 + singles, sum.1 + pairs));
    println!("withdrawal, 4 models, sent again or not, paid or failed: {singles} single faults, {pairs} pairs");
}

/// A seed in which the provider says this of the withdrawal.
fn seed_of(status: i64) -> u64 {
    let ends_so = |seed: &u64| {
        let world = run(withdrawal, &settings(*seed, None), &Plan::new());
        world.with(|state| state.provider.withdrawals.iter().all(|it| it.said == Some(status)))
    };
    (0..1_000).find(ends_so).unwrap()
}
