//! The operator's tool: what needs a person, and what a person may do about it. It looks at the table itself, and reads no secret.
//! Whatever changes something is a request to a function of the stack, which knows who asks.

mod adopt;
pub mod after_restore;
mod api;
mod audit;
mod cli;
mod console;
mod days;
pub mod decisions;
mod deployment;
mod env_file;
mod escape;
mod events;
mod external_sort;
mod failure;
mod figures;
mod find;
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
mod said;
mod scan;
mod show;
mod spelled;
mod sums;
mod time;
mod unreached;
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
    let (is_verbose, done) = match Cli::try_parse() {
        Ok(cli) => (cli.verbose, command(&cli).await),
        Err(error) => (false, usage(&error)),
    };
    let printed = output::finish();
    match done.and_then(|done| printed.map(|()| done)) {
        Ok(done) => done.status(),
        Err(failure) => {
            output::complain(&failure.to_string());
            if let Some(cause) = failure.cause().filter(|_| is_verbose) {
                output::complain(&format!("cause: {cause}"));
            }
            failure.status()
        }
    }
}

/// Prints what clap says: help and the version for those who asked, and otherwise what is wrong with the command line.
fn usage(error: &clap::Error) -> Result<Done, Failure> {
    let text = error.render().to_string();
    if error.use_stderr() {
        return Err(Failure::CommandLine(text.trim_end().to_owned()));
    }
    output::print(text.trim_end());
    Ok(Done::Well)
}

async fn command(cli: &Cli) -> Result<Done, Failure> {
    let deployment = Deployment::find(&cli.stack).await?;
    if let Command::Serve(arguments) = &cli.command {
        return console::serve(deployment, arguments).await;
    }
    match on(&deployment, cli).await {
        Err(Failure::Unreached(unreached)) => Err(Failure::Unreached(deployment.explain(unreached).await)),
        done => done,
    }
}

async fn on(deployment: &Deployment, cli: &Cli) -> Result<Done, Failure> {
    let output = Output::new(cli.json);
    match &cli.command {
        Command::List(arguments) => list::run(deployment, output, arguments).await,
        Command::Show(arguments) => show::run(deployment, output, arguments).await,
        Command::Find(arguments) => find::run(deployment, output, arguments).await,
        Command::Resolve(arguments) => resolve::run(deployment, output, arguments).await,
        Command::Replay(arguments) => replay::run(deployment, output, arguments).await,
        Command::Redrive(arguments) => redrive::run(deployment, output, arguments).await,
        Command::Reconcile(arguments) => reconcile::run(deployment, output, arguments).await,
        Command::AfterRestore(arguments) => after_restore::run(deployment, output, arguments).await,
        Command::Adopt(arguments) => adopt::run(deployment, output, arguments).await,
        Command::Audit(arguments) => audit::run(deployment, output, arguments).await,
        Command::Events(arguments) => events::run(deployment, output, arguments).await,
        Command::Serve(_) => Ok(Done::Well),
    }
}
