//! The rules bite: each wrong variant is found, and the naive policies do the harm that they are known for.

use super::rest;
use super::run::{broken, in_parallel, number, run, settings};
use super::world::Settings;
use super::wrong::Wrong;

/// Most seeds that a wrong variant may survive.
const PATIENCE: usize = 1_000;

#[test]
fn every_wrong_variant_is_found_within_1000_seeds() {
    let from = number("FROM").unwrap_or(0);
    let find = |wrong: Wrong| {
        let found = (from..).take(PATIENCE).find_map(|seed| Some((seed, broken(&run(settings(seed, Some(wrong))))?.0)));
        (wrong, found)
    };
    let all = in_parallel(Wrong::ALL, find);
    for (wrong, found) in &all {
        match found {
            Some((seed, rule)) => println!("{wrong:?}: seed {seed}: {rule}"),
            None => println!("{wrong:?}: NOT FOUND"),
        }
    }
    let missed: Vec<_> = all.iter().filter(|(_, found)| found.is_none()).collect();
    assert!(missed.is_empty() && all.len() >= 25, "{missed:?}");
}

/// The bugs that these runs or people have found in our own code, each as a wrong variant with a seed that shows it.
const FOUND: [(Wrong, u64); 22] = [
    (Wrong::SharedSender, 15),
    (Wrong::ForgetLabels, 195),
    (Wrong::FirstWordOnly, 18),
    (Wrong::FailEndsAnyAttempt, 76),
    (Wrong::ReuseFailedId, 21),
    (Wrong::SendActivatedAgain, 26),
    (Wrong::ForgetEntries, 11),
    (Wrong::CreditContested, 57),
    (Wrong::ForgetTakenFrom, 4),
    (Wrong::AcceptAnyLabel, 83),
    (Wrong::ForgetPages, 90),
    (Wrong::CreditEachSpelling, 32),
    (Wrong::ReadAnySpelling, 58),
    (Wrong::CountRemembered, 1),
    (Wrong::RetryForEver, 11),
    (Wrong::AnyCopyEnds, 303),
    (Wrong::ForgetSubmitted, 52),
    (Wrong::YoungAgain, 1),
    (Wrong::NeverGiveUp, 6),
    (Wrong::ReadAsForeign, 4),
    (Wrong::ForgetGeneration, 9),
    (Wrong::WaitByAgeAlone, 197),
];

#[test]
fn the_seeds_of_the_bugs_found_show_them_and_hold_now() {
    for (bug, seed) in FOUND {
        assert!(broken(&run(settings(seed, Some(bug)))).is_some(), "{bug:?} is not in seed {seed} any more");
        assert_eq!(broken(&run(settings(seed, None))), None);
    }
}

#[test]
fn naive_policies_pay_and_refund_and_ours_does_not() {
    let seeds = number("SEEDS").unwrap_or(300);
    for (name, wrong) in [
        ("retry until it works", Some(Wrong::TimeoutIsNotSent)),
        ("retry; a duplicate means accepted", Some(Wrong::RetryAndDuplicateIsAccepted)),
        ("ours", None),
    ] {
        let harmed = in_parallel(&(0..seeds).collect::<Vec<_>>(), |seed| {
            let settings =
                Settings { is_strict: false, resend_unknown: false, has_operators: false, ..settings(seed, wrong) };
            let world = run(settings);
            (rest::is_harmed(&world), world.with(|state| !state.provider.withdrawals.is_empty()))
        });
        let runs = harmed.iter().filter(|(_, has_withdrawals)| *has_withdrawals).count();
        let harmed = harmed.iter().filter(|(harmed, _)| *harmed).count();
        println!("{name}: {harmed} of {runs} runs with withdrawals paid and released, or paid twice");
        assert_eq!(harmed > 0, wrong.is_some());
    }
}
