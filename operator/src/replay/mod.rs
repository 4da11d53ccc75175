//! `replay`: sends a stored postback through the receiver again, as if the provider had sent it.

mod held;
mod rebuilt;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use domain::{Label, Mismatch};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::{id, rows};
use held::HELD;
use rebuilt::rebuilt;

/// What to send again.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["id", "held", "file"]), after_help = HELP)]
pub(crate) struct Replay {
    /// The key of a row that stores a postback: payment#WALLET#NUMBER, unreadable#LIST#N or list#LIST
    pub(crate) id: Option<String>,

    /// All payments that are held for this reason, each signed list once
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    pub(crate) held: Option<Mismatch>,

    /// A postback's whole body, exactly as the provider sent it
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The user's label, where the row has none
    #[arg(long, conflicts_with_all = ["held", "file"])]
    pub(crate) label: Option<String>,
}

const HELP: &str = "\
A list of several elements is sent as a whole, with the unsigned fields of each copy that is not finished. Elements that are
decided stay as they are. If the receiver answers 503, because it had not enough time, the list is sent again, at most 5 times.";

fn reasons() -> impl TypedValueParser<Value = Mismatch> {
    let names = PossibleValuesParser::new(HELD.map(|(name, _)| name));
    names.try_map(|name| HELD.into_iter().find(|it| it.0 == name).map(|it| it.1).ok_or("is an unknown reason"))
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Replay) -> Result<Done, Failure> {
    let api = deployment.api()?;
    if let Some(mismatch) = arguments.held {
        let send = async |body| api.postback(body).await;
        return held::run(&deployment.table()?, &api, output, mismatch, send).await;
    }
    let Some(id) = &arguments.id else {
        let file = arguments.file.as_ref().ok_or_else(|| Failure::Usage("give an ID, --held or --file".into()))?;
        let answer = api.send("/postbacks", read(file)?).await?;
        output.line(&answer, || answer.text());
        return Ok(answer.done());
    };
    let table = deployment.table()?;
    let label = arguments.label.as_deref().map(Label::parse).transpose();
    let label = label.map_err(|rule| Failure::Usage(format!("--label {rule}")))?;
    let mut done = Done::Well;
    for body in rebuilt(&table, &id::find(&table, id).await?, label, &api).await? {
        let answer = api.postback(body).await?;
        output.line(&answer, || answer.text());
        done = if done == Done::Well { answer.done() } else { done };
    }
    if done == Done::Well {
        let row = id::find(&table, id).await?;
        output.say(&format!("{} is {}: {}", row.key(), row.state_name(), rows::why(&row)));
    }
    Ok(done)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}
