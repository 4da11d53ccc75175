//! `adopt`: has a restored or copied table put into service.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;

/// Nothing to choose but whether to write.
#[derive(Debug, Args, Serialize)]
#[command(after_help = HELP)]
pub(crate) struct Adopt {
    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const HELP: &str = "\
A restored or copied table names the stream of the table that it was made from, so postbacks and withdrawals are answered 503. This
command has the stack write that it reads its own stream, and raise the table's generation, which every event carries.

Switch withdrawals off first, and run `after-restore` before you switch them on again: docs/runbook.md, Restore.";

/// A table that was put into service, or that would be.
#[derive(Serialize, Deserialize)]
struct Adopted {
    /// The stream that the table named before.
    before: Option<String>,
    /// The stream that it names now.
    stream: String,
    generation: u64,
    is_new: bool,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Adopt) -> Result<Done, Failure> {
    let adopted: Adopted = deployment.api()?.post("/adoptions", arguments).await?;
    output.line(&adopted, || adopted.text(arguments.dry_run));
    Ok(Done::Well)
}

impl Adopted {
    fn text(&self, is_dry_run: bool) -> String {
        let Self { before, stream, generation, is_new } = self;
        if !is_new {
            return format!("The table is in service for {stream}, generation {generation}. Nothing was written.");
        }
        let before = before.as_deref().unwrap_or("none");
        let end = if is_dry_run { "Nothing was written." } else { "Done." };
        format!("stream: {before} -> {stream}\ngeneration: {generation}\n{end}")
    }
}
