//! `simulator`: runs the simulated provider alone, and sends signed postbacks to a stack.

mod program;

use std::process::ExitCode;

use clap::Parser;

use crate::program::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    program::run(&Cli::parse()).await
}
