//! Flows through the real binaries on the local stack, as a merchant, the provider and a person see them.

mod activations;
mod bad_input;
mod bad_settings;
mod calls;
mod deposits;
mod events;
mod injector;
mod large_postbacks;
mod load;
mod many_payments;
mod numbers;
mod openapi;
mod operator;
mod operator_held;
mod operator_reconcile;
mod postbacks;
mod privacy;
mod publishing;
mod queries;
mod reference;
mod support;
mod throttle;
mod unwritable;
mod upstream;
mod wallets;
mod withdrawals;
