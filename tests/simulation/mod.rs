//! The whole bundle in a simulated world: the real handlers, one scheduler, one seed, and every way to go wrong.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]
#![expect(clippy::print_stdout, reason = "the figures")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a rule is about the states that it names")]

mod activations;
mod ceilings;
mod crashes;
mod decisions;
mod deposits;
mod expected_events;
mod faults;
mod functions;
mod guarantees;
mod intruder;
mod lists;
mod many_payments;
mod operators;
mod orders;
pub(crate) mod output;
mod provider;
mod push;
mod queue;
mod random;
mod releases;
mod replays;
mod reporter;
mod rest;
mod restored;
mod rules;
mod run;
mod stream;
mod table;
mod users;
mod withdrawals;
mod world;
mod wrong;
mod wrong_variants;

pub(crate) use run::number;
