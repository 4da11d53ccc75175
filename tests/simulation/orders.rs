//! All orders of what can happen to one submission that is on its way.

use domain::{Disagreement, WithdrawalId, WithdrawalRow, WithdrawalState};
use serde_json::json;

use super::faults::{Fault, Faults};
use super::functions::{LIMIT_MS, create_withdrawal};
use super::provider::{Fact, Model, Subject, report};
use super::run::{broken, in_parallel, settings};
use super::table::row;
use super::world::{Settings, World};
use super::wrong::Wrong;
use super::{queue, rest};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Answer,
    Paid,
    Failed,
    TimeOut,
    Redelivery,
    Redrive,
}

const THINGS: [Thing; 6] =
    [Thing::Answer, Thing::Paid, Thing::Failed, Thing::TimeOut, Thing::Redelivery, Thing::Redrive];

/// What the submission's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Ok,
    Fail,
    Lost,
    NotSent,
}

/// The submission's number among the effects: the secrets, the message and the row come before it.
const SUBMISSION: usize = 3;

fn permutations(of: &[Thing]) -> Vec<Vec<Thing>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |first: &Thing| {
        let rest: Vec<_> = of.iter().copied().filter(|it| it != first).collect();
        permutations(&rest).into_iter().map(|rest| [vec![*first], rest].concat()).collect::<Vec<_>>()
    };
    of.iter().flat_map(with_first).collect()
}

fn run(order: &[Thing], said: Said, gap_ms: u64, resend_unknown: bool, is_traced: bool) -> World {
    let at = |thing| 1_000 + gap_ms * u64::try_from(order.iter().position(|it| *it == thing).unwrap()).unwrap();
    let fault = match said {
        Said::Ok | Said::Fail => None,
        Said::Lost => Some(Fault::After),
        Said::NotSent => Some(Fault::Before),
    };
    let faults = fault.map(|fault| (SUBMISSION, fault)).into_iter().collect();
    let world = World::new(Settings {
        faults: Faults::Planned { faults, submission_ms: at(Thing::Answer) },
        provider: Model { dedups: true, balance_first: true },
        resend_unknown,
        is_traced,
        max_receive_count: 4,
        is_told: false,
        ..settings(0, None)
    });
    world.with(|state| {
        state.provider.settles = false;
        state.provider.balance = if said == Said::Fail { 0 } else { 1_000 };
    });
    let body = json!({"withdrawal_id": "w", "label": "person-0", "amount": 1000, "currency_code": "INR",
        "account_number": "1234560079"});
    world.start("create", at(Thing::TimeOut), create_withdrawal(&world, body.to_string()), |_, _| {});
    for (thing, status) in [(Thing::Paid, 1), (Thing::Failed, 5)] {
        let subject = Subject::Withdrawal { id: "w".into(), status };
        let fact = Fact { subject, amount: "1000".into(), label: "person-0".into() };
        world.after(at(thing), move |world| {
            contradicts(world);
            report(world, fact);
        });
    }
    world.after(at(Thing::Redelivery), |world| queue::receive_again(world, 1));
    world.after(at(Thing::Redrive), |world| {
        world.with(|state| state.messages.dead.insert(99, r#"{"withdrawal_id":"w"}"#.into()));
        queue::redrive(world);
    });
    world.run();
    rest::at_rest(&world);
    world
}

fn contradicts(world: &World) {
    world.with(|state| state.provider.payouts.iter_mut().for_each(|it| it.is_contradicted = true));
}

/// The end that the first word of the provider gives, and that no later one takes away.
fn is_right(world: &World, order: &[Thing], said: Said) -> bool {
    let Some(WithdrawalRow::Registered(row)) = row(world, &WithdrawalId::parse("w").unwrap()) else { return false };
    let place = |thing| order.iter().position(|it| *it == thing);
    let is_conflict = row.contradictions.iter().any(|it| it.disagreement == Disagreement::Outcome);
    let first = if place(Thing::Paid) < place(Thing::Failed) { 1 } else { 5 };
    match row.state {
        WithdrawalState::Paid { .. } => first == 1 && is_conflict,
        WithdrawalState::Failed { .. } => first == 5 && is_conflict,
        WithdrawalState::Rejected { .. } => matches!(said, Said::Fail | Said::NotSent) && is_conflict,
        _ => false,
    }
}

/// Gives the number of runs.
fn check(order: &[Thing]) -> usize {
    let mut runs = 0;
    for said in [Said::Ok, Said::Fail, Said::Lost, Said::NotSent] {
        for (gap_ms, resends) in [(1_000, false), (1_000, true), (100_000, false), (100_000, true)] {
            let world = run(order, said, gap_ms, resends, false);
            runs += 1;
            if broken(&world).is_some() || !is_right(&world, order, said) {
                let world = run(order, said, gap_ms, resends, true);
                let trace = world.with(|state| state.trace.join("\n"));
                panic!("{trace}\n{order:?} {said:?} {gap_ms} {resends}: {:?}", broken(&world));
            }
        }
    }
    runs
}

#[test]
fn in_every_order_the_first_word_stands_and_the_other_is_a_conflict() {
    let orders = permutations(&THINGS);
    let runs: usize = in_parallel(&orders, |order| check(&order)).into_iter().sum();
    println!("{} orders, 4 answers, 2 spacings, sent again or not: {runs} runs", orders.len());
}

/// One attempt is surely not sent, and the answer to the write that says so is lost. Before the SDK writes again, another
/// invocation sends: the provider accepts, and that invocation dies.
fn answer_written_over_the_next_attempt(wrong: Option<Wrong>) -> World {
    let (not_sent, written_again, dies_after) = (Fault::Before, Fault::Again, Fault::KillAfter);
    let faults = [(SUBMISSION, not_sent), (7, not_sent), (8, written_again), (11, dies_after)].into();
    let world = World::new(Settings {
        faults: Faults::Planned { faults, submission_ms: 1 },
        provider: Model { dedups: false, balance_first: true },
        resend_unknown: false,
        max_receive_count: 8,
        ..settings(SURELY_NOT_SENT, wrong)
    });
    let body = json!({"withdrawal_id": "w", "label": "person-0", "amount": 1000, "currency_code": "INR",
        "account_number": "1234560079"});
    world.start("create", LIMIT_MS, create_withdrawal(&world, body.to_string()), |_, _| {});
    world.after(30_000, |world| queue::receive_again(world, 1));
    world.after(30_100, |world| queue::receive_again(world, 1));
    world.run();
    world
}

/// A seed in which what was not sent is seen for what it is.
const SURELY_NOT_SENT: u64 = 1;

#[test]
fn a_late_answer_to_one_attempt_does_not_end_the_next() {
    let world = answer_written_over_the_next_attempt(None);
    rest::at_rest(&world);
    assert_eq!(broken(&world), None);
    assert_eq!(world.with(|state| state.rules.sends["w"].len()), 3, "the schedule is the one that is meant");
    let shared = answer_written_over_the_next_attempt(Some(Wrong::SharedSender));
    assert!(broken(&shared).is_some_and(|(rule, _)| rule.contains("never forgotten")));
}
