//! `adopt`: puts a restored or copied table into service.

use clap::Args;
use domain::TableIdentity;
use serde::Serialize;
use store::{Change, Read, StoreError, TableId, Write, Written};

use crate::deployment::Deployment;
use crate::failure::{Done, Failure};
use crate::output::Output;

/// Nothing to choose but whether to write.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Adopt {
    /// Show what would change, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

const HELP: &str = "\
A restored or copied table names the stream of the table that it was made from, so postbacks and withdrawals are answered 503. This
command writes that the stack reads the stream TABLE_STREAM_ARN, and raises the table's generation, which every event carries.

Switch withdrawals off first, and run `after-restore` before you switch them on again: docs/runbook.md, Restore.";

/// A table that was put into service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// The stream that the table named before; `None` if it named none.
    pub before: Option<String>,
    /// The stream that it names now.
    pub stream: String,
    /// Its generation.
    pub generation: u64,
    /// Whether that is new.
    pub is_new: bool,
}

/// Puts the table into service for the stack that reads this stream. Nothing is written if it is so already, or with `dry_run`.
///
/// # Errors
/// [`StoreError`] if the table fails, or if somebody else has adopted it meanwhile.
pub async fn adopt(
    table: &(impl Read<TableId> + Write<TableIdentity>),
    stream: &str,
    dry_run: bool,
) -> Result<Adopted, StoreError> {
    let current = table.read(&TableId).await?;
    let before = current.as_ref().map(|it| it.row.stream.clone());
    let adopted = TableIdentity::adopted(current.as_ref().map(|it| &it.row), stream);
    let is_new = adopted.is_some();
    let row = adopted.clone().or_else(|| current.as_ref().map(|it| it.row.clone()));
    let TableIdentity { stream, generation } = row.unwrap_or_else(|| TableIdentity::new(stream));
    if let Some(row) = adopted.filter(|_| !dry_run)
        && table.write(Change::of(row, current.as_ref())).await? != Written::Done
    {
        return Err(StoreError::transient("somebody else has adopted the table meanwhile"));
    }
    Ok(Adopted { before, stream, generation, is_new })
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Adopt) -> Result<Done, Failure> {
    let stream = deployment.setting("TABLE_STREAM_ARN")?;
    let adopted = adopt(&deployment.table()?, stream, arguments.dry_run).await?;
    output.line(&adopted, || text(&adopted, arguments.dry_run));
    Ok(Done::Well)
}

fn text(adopted: &Adopted, dry_run: bool) -> String {
    let Adopted { before, stream, generation, is_new } = adopted;
    if !is_new {
        return format!("The table is in service for {stream}, generation {generation}. Nothing was written.");
    }
    let before = before.as_deref().unwrap_or("none");
    let end = if dry_run { "Nothing was written." } else { "Done." };
    format!("stream: {before} -> {stream}\ngeneration: {generation}\n{end}")
}

#[cfg(test)]
mod tests {
    use store::{Memory, TableCheck};

    use super::*;

    #[tokio::test]
    async fn a_table_is_adopted_once_and_then_works_for_its_stream() {
        let table = Memory::default();
        TableCheck::new("arn:original").generation(&table).await.unwrap();
        let restored = TableCheck::new("arn:restored");
        let shown = adopt(&table, "arn:restored", true).await.unwrap();
        assert_eq!((shown.generation, shown.is_new), (2, true));
        assert_eq!(restored.generation(&table).await, Err(StoreError::WrongTable), "it was only shown");
        let adopted = adopt(&table, "arn:restored", false).await.unwrap();
        assert_eq!((adopted.before.as_deref(), adopted.generation), (Some("arn:original"), 2));
        assert_eq!(restored.generation(&table).await, Ok(2));
        let again = adopt(&table, "arn:restored", false).await.unwrap();
        assert_eq!((again.generation, again.is_new), (2, false), "a second time changes nothing");
    }
}
