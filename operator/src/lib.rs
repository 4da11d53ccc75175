//! The operator's tool: what needs a person, and what a person may do about it. It looks at the table itself, and reads no secret.
//! Whatever changes something is a request to a function of the stack, which knows who asks.

mod adopt;
pub mod after_restore;
mod api;
mod audit;
mod cli;
pub mod decisions;
mod deployment;
mod external_sort;
mod failure;
mod id;
mod list;
mod mask;
mod output;
mod postback;
mod reconcile;
mod redrive;
mod replay;
mod resolve;
mod rows;
mod scan;
mod show;
mod verifier;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::deployment::Deployment;
use crate::failure::Done;
pub use crate::failure::Failure;
use crate::output::Output;

/// Runs the program with this process's command line.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    match command(&cli).await {
        Ok(done) => done.status(),
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.status()
        }
    }
}

async fn command(cli: &Cli) -> Result<Done, Failure> {
    let deployment = Deployment::find(&cli.stack).await?;
    let output = Output::new(cli.json);
    match &cli.command {
        Command::List(arguments) => list::run(&deployment, output, arguments).await,
        Command::Show(arguments) => show::run(&deployment, output, arguments).await,
        Command::Resolve(arguments) => resolve::run(&deployment, output, arguments).await,
        Command::Replay(arguments) => replay::run(&deployment, output, arguments).await,
        Command::Redrive(arguments) => redrive::run(&deployment, output, arguments).await,
        Command::Reconcile(arguments) => reconcile::run(&deployment, output, arguments).await,
        Command::AfterRestore(arguments) => after_restore::run(&deployment, output, arguments).await,
        Command::Adopt(arguments) => adopt::run(&deployment, output, arguments).await,
        Command::Audit(arguments) => audit::run(&deployment, output, arguments).await,
    }
}
