//! All orders of what can happen to one submission that is on its way.

use domain::{Mismatch, Outcome, WithdrawalId, WithdrawalRow, WithdrawalState};
use serde_json::json;

use super::faults::{Fault, Faults};
use super::functions::{LIMIT_MS, create_withdrawal};
use super::provider::{Fact, Model, Subject, Written, report};
use super::run::{broken, in_parallel, number, settings};
use super::table::row;
use super::world::{Settings, World};
use super::wrong::Wrong;
use super::{operators, queue, rest};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Answer,
    Paid,
    Failed,
    TimeOut,
    Redelivery,
    Redrive,
    Decision,
}

const THINGS: [Thing; 7] =
    [Thing::Answer, Thing::Paid, Thing::Failed, Thing::TimeOut, Thing::Redelivery, Thing::Redrive, Thing::Decision];

/// What the submission's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Ok,
    Fail,
    Lost,
    NotSent,
}

/// One way in which an order of things is run.
#[derive(Clone, Copy, Debug)]
struct Variant {
    said: Said,
    gap_ms: u64,
    resend_unknown: bool,
    decided: Outcome,
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

fn run(order: &[Thing], variant: Variant, is_traced: bool) -> World {
    let Variant { said, gap_ms, resend_unknown, decided } = variant;
    let at = |thing| 1_000 + gap_ms * u64::try_from(order.iter().position(|it| *it == thing).unwrap()).unwrap();
    let fault = match said {
        Said::Ok | Said::Fail => None,
        Said::Lost => Some(Fault::After),
        Said::NotSent => Some(Fault::Before),
    };
    let faults = fault.map(|fault| (SUBMISSION, fault)).into_iter().collect();
    let world = World::new(Settings {
        faults: Faults::Planned { faults, submission_ms: at(Thing::Answer) },
        provider: Model::of(true, true),
        resend_unknown,
        is_traced,
        max_receive_count: 4,
        has_publisher: false,
        outgoing: None,
        takes_two: false,
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
        let fact = Fact { subject, amount: "1000".into(), label: "person-0".into(), written: Written::AsItIs };
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
    world.after(at(Thing::Decision), move |world| {
        let case = store::RowId::Withdrawal(WithdrawalId::parse("w").unwrap());
        operators::decide(world, "operator".into(), case, decided, 1);
    });
    world.run();
    rest::at_rest(&world);
    world
}

fn contradicts(world: &World) {
    world.with(|state| state.provider.withdrawals.iter_mut().for_each(|it| it.is_contradicted = true));
}

/// The end that the first word gives, the provider's or a person's, and that no later one takes away. A person's word is
/// none while an attempt is on its way, and only closes what contradicts an end.
fn is_right(world: &World, order: &[Thing], Variant { said, decided, .. }: Variant) -> bool {
    let Some(WithdrawalRow::Registered(row)) = row(world, &WithdrawalId::parse("w").unwrap()) else { return false };
    let place = |thing| order.iter().position(|it| *it == thing);
    let is_conflict = row.contradictions.iter().any(|it| it.mismatch == Mismatch::Outcome);
    let first = if place(Thing::Paid) < place(Thing::Failed) { Outcome::Paid } else { Outcome::Failed };
    let has_decided_first = world.with(|state| state.reached.contains("ended by a person"));
    let may_have = place(Thing::Decision) < place(Thing::Paid).min(place(Thing::Failed));
    let first = if has_decided_first { decided } else { first };
    let is_possible = may_have || !has_decided_first;
    match row.state {
        WithdrawalState::Paid { facts: Some(_) } => first == Outcome::Paid && is_conflict && is_possible,
        WithdrawalState::Failed { facts: Some(_) } => first == Outcome::Failed && is_conflict && is_possible,
        WithdrawalState::Rejected { .. } => matches!(said, Said::Fail | Said::NotSent) && is_conflict,
        _ => false,
    }
}

fn variants() -> Vec<Variant> {
    let mut all = Vec::new();
    for said in [Said::Ok, Said::Fail, Said::Lost, Said::NotSent] {
        for (gap_ms, resend_unknown) in [(1_000, false), (1_000, true), (100_000, false), (100_000, true)] {
            for decided in [Outcome::Paid, Outcome::Failed] {
                all.push(Variant { said, gap_ms, resend_unknown, decided });
            }
        }
    }
    all
}

/// Whether a person ended it.
fn check(order: &[Thing], variant: Variant) -> bool {
    let world = run(order, variant, false);
    if broken(&world).is_some() || !is_right(&world, order, variant) {
        let world = run(order, variant, true);
        let trace = world.with(|state| state.trace.join("\n"));
        panic!("{trace}\n{order:?} {variant:?}: {:?}", broken(&world));
    }
    world.with(|state| state.reached.contains("ended by a person"))
}

/// Each order in a few of the variants, in turn; `FULL=1`: in all of them.
#[test]
fn in_every_order_the_first_word_holds_and_the_other_is_a_conflict() {
    const FEW: usize = 3;
    let (orders, variants) = (permutations(&THINGS), variants());
    let few = if number("FULL").is_some() { variants.len() } else { FEW };
    let all: Vec<_> = (0..orders.len() * few).map(|run| (run / few, run % variants.len())).collect();
    let ended = in_parallel(&all, |(order, variant)| check(&orders[order], variants[variant]));
    let by_a_person = ended.iter().filter(|it| **it).count();
    println!(
        "{} orders, {} variants: {} runs, {by_a_person} ended by a person",
        orders.len(),
        variants.len(),
        all.len()
    );
    assert!(by_a_person > all.len() / 20);
}

/// One attempt is surely not sent, and the answer to the write that says so is lost. Before the SDK writes again, another
/// invocation sends: the provider accepts, and that invocation dies.
fn answer_written_over_the_next_attempt(wrong: Option<Wrong>) -> World {
    let (not_sent, written_again, dies_after) = (Fault::Before, Fault::Again, Fault::KillAfter);
    let faults = [(SUBMISSION, not_sent), (7, not_sent), (8, written_again), (11, dies_after)].into();
    let world = World::new(Settings {
        faults: Faults::Planned { faults, submission_ms: 1 },
        provider: Model::of(false, true),
        resend_unknown: false,
        max_receive_count: 8,
        outgoing: None,
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
