//! The program's commands.

mod cli;
mod console;
mod end;
mod send;
mod serve;
mod stack_file;

use std::process::ExitCode;

pub(crate) use cli::Cli;
use cli::Command;

/// Runs the command and gives the exit status.
pub(crate) async fn run(cli: &Cli) -> ExitCode {
    let done = match &cli.command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Send(arguments) => send::run(arguments).await,
    };
    match done {
        Ok(done) => done.status(),
        Err(failure) => {
            console::complain(&failure.to_string());
            failure.status()
        }
    }
}
