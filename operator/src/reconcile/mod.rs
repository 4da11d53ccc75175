//! `reconcile`: the provider's export against the table.
//!
//! Both are read once, in whatever order they have, sorted by key on disk, and compared side by side: the memory it takes does not depend
//! on how many they are, and no row is read by itself.

mod amount;
mod compare;
mod config;
mod entry;
mod export;
mod files;
mod lines;
mod record;
mod records;
mod standing;

use std::fs::File;
use std::future::ready;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use domain::Timestamp;
use indicatif::ProgressBar;
use store::{Scan, UnreadableRow};
use tokio::task::yield_now;

use crate::deployment::Deployment;
use crate::external_sort::{RUN, Sorter};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::scan::{Scanned, bytes_bar, rows_bar, scan_pages};
use crate::time::time;
use compare::compare;
use files::Files;

pub(crate) use compare::Period;
pub(crate) use config::Config;
pub(crate) use entry::{Entry, ProviderRecord, Side};
pub(crate) use export::{BadLine, Export, Line};
pub(crate) use files::{Place, Total};
pub(crate) use standing::Standing;

/// What to compare.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Reconcile {
    /// The provider's back-office export, as CSV with a line of heads
    file: PathBuf,

    /// How to read the export: a copy of operator/samples/export.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Where to write one CSV file per class; made if need be, and files of these names replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The export begins here: nothing earlier is missing in it. Such as 2026-01-31, which is in UTC, or 2026-01-31T00:00:00+08:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// The export ends before this: nothing later is missing in it
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
}

const HELP: &str = "\
Classes, each a file in --out:
  matched          both say the same
  missing_here     in the export alone; of withdrawals without a column for it, it cannot say whether they were made by hand
  missing_there    in the table alone, between --since and --until
  amount_differs   another amount or currency
  status_differs   the money moved on one side, or one side has not ended; what a person found out about the money counts
  by_hand          withdrawals that the export marks as made in the back office: they send no postback, and are no difference
  contradicting    lines with one id, and with different amounts or ends: they are not compared
  duplicated       further lines with one id; the one that says that the money moved is compared
  bad_lines        lines that cannot be read, with the column and why; also ids that break the wallet's rule and are not in the table
  bad_rows         rows of the table that cannot be read
  ignored          lines that are no transactions, as --config says

Failed deposits leave no trace in the table: if the export has them, they match. Numbers that a user has only entered are no payments.
Exit status 1 if any class but matched, by_hand and ignored has a line.
It holds 32,768 transactions in memory, and the rest in nameless files of the temporary directory (TMPDIR), about 100 bytes each.";

impl Period {
    /// From one time to a later one; all times without them.
    pub(crate) fn of(since: Option<Timestamp>, until: Option<Timestamp>) -> Option<Self> {
        let period = Self { since: since.unwrap_or(Timestamp(0)), until: until.unwrap_or(Timestamp(u64::MAX)) };
        (period.since < period.until).then_some(period)
    }
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Reconcile) -> Result<Done, Failure> {
    let period = Period::of(arguments.since, arguments.until);
    let period = period.ok_or_else(|| Failure::Usage("--since must be before --until".into()))?;
    let config = Config::read(&arguments.config)?;
    let table = deployment.table()?;
    let unopened = |error: io::Error| Failure::Usage(format!("{}: {error}", arguments.file.display()));
    let file = File::open(&arguments.file).map_err(unopened)?;
    let bar = bytes_bar(file.metadata().map_err(unopened)?.len());
    let mut comparison = Comparison::new(config, period, Place::Directory(&arguments.out))?;
    comparison.read(bar.wrap_read(file)).await?;
    bar.finish();
    let totals = comparison.compare(&table, &rows_bar()).await?;
    output.records(&totals, ["CLASS", "COUNT", "IN THE EXPORT", "IN THE TABLE", "FILE"], |it| {
        let [there, here] = [&it.there, &it.here].map(ToString::to_string);
        [it.class.to_owned(), it.count.to_string(), there, here, it.file.display().to_string()]
    });
    let is_well = totals.iter().all(|it| !it.differs || it.count == 0);
    Ok(if is_well { Done::Well } else { Done::Found })
}

/// An export that is compared with the table.
pub(crate) struct Comparison {
    config: Config,
    period: Period,
    sorter: Sorter<Entry>,
    files: Files,
}

/// So many lines of an export are read before others have their turn.
const LINES: u64 = 1_000;

impl Comparison {
    /// Makes one whose findings go to files.
    pub(crate) fn new(config: Config, period: Period, out: Place<'_>) -> Result<Self, Failure> {
        Ok(Self { config, period, sorter: Sorter::new(RUN), files: Files::create(out)? })
    }

    /// Reads the export.
    pub(crate) async fn read(&mut self, input: impl Read) -> Result<(), Failure> {
        let Self { config, sorter, files, .. } = self;
        let mut export = Export::open(config, input)?;
        for number in 1_u64.. {
            match export.next()? {
                Some(Line::Transaction(entry)) => sorter.push(entry)?,
                Some(Line::Bad(bad)) => files.bad_line(&bad)?,
                Some(Line::Ignored(line, reason)) => files.ignored(line, reason)?,
                None => break,
            }
            if number.is_multiple_of(LINES) {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Reads the table, and compares. Gives what is in each file.
    pub(crate) async fn compare(
        self,
        table: &(impl Scan + Clone + Send + 'static),
        bar: &ProgressBar,
    ) -> Result<Vec<Total>, Failure> {
        let Self { config, period, mut sorter, mut files } = self;
        let entries = |rows: Vec<Scanned>| {
            let entries = rows.into_iter().filter_map(|row| row.map(|it| Entry::of_row(&it.row)).transpose());
            ready(Ok(entries.collect::<Vec<_>>()))
        };
        let take = |entries: Vec<Result<Entry, UnreadableRow>>| {
            entries.into_iter().try_for_each(|entry| match entry {
                Ok(entry) => Ok(sorter.push(entry)?),
                Err(bad) => files.bad_row(&bad),
            })
        };
        scan_pages(table, bar, entries, take).await?;
        compare(sorter.sorted()?, period, |finding| match finding.odd_id() {
            Some((line, rule)) => {
                let column = config.columns.deposit_id.clone();
                files.bad_line(&BadLine { line, column, reason: rule.to_owned() })
            }
            None => files.finding(finding),
        })?;
        files.finish()
    }
}
