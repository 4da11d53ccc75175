//! `audit`: the money invariants, row by row and across rows.
//!
//! The table is read once. What two rows say about one credit is sorted by payment on disk and then compared.

mod credits;
mod rules;
#[cfg(test)]
mod tests;

use clap::Args;
use indicatif::ProgressBar;
use lambda::{Clock, System};
use serde::Serialize;
use store::{ScannedRow, UnreadableRow};

use crate::deployment::{Deployment, Keys};
use crate::external_sort::{RUN, Sorter};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::scan::{rows_bar, scan};
use credits::{Said, compare};

/// How to check.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Audit {
    /// Count evidence that no current key verifies as a break
    #[arg(long)]
    pub(crate) strict: bool,
}

const HELP: &str = "\
Each break of a rule is one line:
  unreadable    every row can be read, under its own key
  evidence      what a row stores of the provider is signed, and says what the row says
  decision      each end was signed by the provider or decided by a person; nothing was rejected while it was in doubt
  credits       each credited payment appears once in its order, with its amount, currency and label; the sums agree
  journal       the bytes that are sent to the provider say what was asked for
  state         no row is in an impossible state
  index         what needs a person is in the index `attention`, and nothing else
  unverifiable  not a break, unless --strict: no current key verifies the evidence, for instance after a rotation

Each row is read at its own moment. Where two rows differ, both are read again before the break is reported.";

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    Unreadable,
    Evidence,
    Decision,
    Credits,
    Journal,
    State,
    Index,
    Unverifiable,
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Evidence => "evidence",
            Self::Decision => "decision",
            Self::Credits => "credits",
            Self::Journal => "journal",
            Self::State => "state",
            Self::Index => "index",
            Self::Unverifiable => "unverifiable",
        }
    }
}

/// A rule that a row breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Break {
    pub(crate) rule: Rule,
    pub(crate) id: String,
    pub(crate) what: String,
}

#[derive(Serialize)]
struct Summary {
    rows: u64,
    broken: u64,
    unverifiable: u64,
    seconds: u64,
    rows_per_second: u64,
}

/// Reports what is broken, as it is found.
struct Reporter {
    output: Output,
    bar: ProgressBar,
    is_strict: bool,
    broken: u64,
    unverifiable: u64,
}

impl Reporter {
    fn report(&mut self, found: &Break) {
        let is_break = self.is_strict || found.rule != Rule::Unverifiable;
        let count = if is_break { &mut self.broken } else { &mut self.unverifiable };
        *count = count.saturating_add(1);
        let Break { rule, id, what } = found;
        self.bar.suspend(|| self.output.line(found, || format!("{:<12}  {id}  {what}", rule.as_str())));
    }
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Audit) -> Result<Done, Failure> {
    let (table, keys) = (deployment.table()?, deployment.keys().await?);
    let (bar, began_ms) = (rows_bar(), System.now_ms());
    let mut reporter = Reporter { output, bar: bar.clone(), is_strict: arguments.strict, broken: 0, unverifiable: 0 };
    let mut said = Sorter::new(RUN);
    let rows = scan(&table, &bar, |row| look(row, &keys, &mut reporter, &mut said)).await?;
    compare(&table, said.sorted()?, |found| reporter.report(&found)).await?;
    let taken_ms = System.now_ms().saturating_sub(began_ms);
    let Reporter { broken, unverifiable, .. } = reporter;
    let rows_per_second = rows.saturating_mul(1_000).checked_div(taken_ms).unwrap_or(rows);
    let summary = Summary { rows, broken, unverifiable, seconds: taken_ms / 1_000, rows_per_second };
    output.line(&summary, || {
        format!(
            "\n{rows} rows in {} s, {rows_per_second} per second: {broken} broken, {unverifiable} that cannot be verified any more",
            summary.seconds
        )
    });
    Ok(if broken == 0 { Done::Well } else { Done::Found })
}

fn look(
    row: Result<ScannedRow, UnreadableRow>,
    keys: &Keys,
    reporter: &mut Reporter,
    said: &mut Sorter<Said>,
) -> Result<(), Failure> {
    match row {
        Ok(scanned) => {
            for found in rules::check(&scanned, keys, &crate::postback::Lists::default()) {
                reporter.report(&found);
            }
            for it in Said::of(&scanned.row) {
                said.push(it)?;
            }
        }
        Err(UnreadableRow { key, reason }) => reporter.report(&Break { rule: Rule::Unreadable, id: key, what: reason }),
    }
    Ok(())
}
