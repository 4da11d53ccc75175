//! `cargo run`: starts everything, shows both flows, and stays up.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use local::{Demonstration, Stack, complain, default_env_file, demonstrate, env_file, guide, say};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Cli;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all steps were as expected.
#[tokio::main]
async fn run(cli: &Cli) -> Result<bool, Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let stack = tokio::select! {
        stack = Stack::start(cli.options()) => stack?,
        () = &mut stopped => return Ok(!cli.once),
    };
    let passed = tokio::select! {
        passed = show(cli, &stack) => passed,
        () = &mut stopped => Ok(!cli.once),
    };
    stack.stop().await;
    passed
}

async fn show(cli: &Cli, stack: &Stack) -> Result<bool, Error> {
    let _known = Known::write(cli, stack)?;
    let none = Demonstration { passed: true, window: None };
    let Demonstration { passed, window } = match (cli.no_demo, stack.simulator()) {
        (true, _) => none,
        (false, None) => {
            say("No demonstration: it needs the simulated provider, which stands for the user who pays.");
            none
        }
        (false, Some(_)) => demonstrate(stack).await,
    };
    if cli.once {
        return Ok(passed);
    }
    say(&guide(stack, window.as_deref()));
    std::future::pending().await
}

/// The file that says where the stack is. It is removed with the stack, unless the user named it.
struct Known(Option<PathBuf>);

impl Known {
    fn write(cli: &Cli, stack: &Stack) -> Result<Self, Error> {
        if let Some(file) = &cli.env_file {
            env_file(stack, file)?;
        }
        if cli.once || cli.env_file.is_some() {
            return Ok(Self(None));
        }
        let file = default_env_file()?;
        env_file(stack, &file)?;
        Ok(Self(Some(file)))
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // It may be gone already, and then nothing is to be done.
            let _ = std::fs::remove_file(file);
        }
    }
}
