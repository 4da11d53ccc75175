//! Flows through the whole with the real binaries, and checks of the whole.

#![cfg(test)]

mod architecture;
mod bad_input;
mod bad_settings;
mod calls;
mod deposits;
mod events;
mod injector;
mod load;
mod openapi;
mod operator;
mod operator_reconcile;
mod postbacks;
mod privacy;
mod publishing;
mod questions;
mod reference;
mod simulation;
mod support;
mod template;
mod wallets;
mod withdrawals;
