//! Flows through the whole with the real binaries, the simulation, and checks of the whole.

#![cfg(test)]

mod alarms;
mod architecture;
mod flows;
mod simulation;
mod template;
