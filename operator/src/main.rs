//! The operator's tool: what needs a person, and what a person may do about it.

mod cli;
mod deployment;
mod failure;
mod id;
mod list;
mod output;
mod rows;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).await {
        Ok(done) => done.status(),
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.status()
        }
    }
}

async fn run(cli: &Cli) -> Result<Done, Failure> {
    let deployment = Deployment::find(&cli.stack).await?;
    let output = Output::new(cli.json);
    match &cli.command {
        Command::List(arguments) => list::run(&deployment, output, arguments).await,
    }
}
