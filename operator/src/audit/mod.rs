//! `audit`: the money invariants, row by row and across rows.
//!
//! The table is read once. What several rows say about one order, list or number is sorted on disk and then compared.

mod credits;
mod lists;
mod numbers;
mod quote;
mod rules;
#[cfg(test)]
mod tests;
mod waiting;

use std::io;

use clap::Args;
use indicatif::ProgressBar;
use lambda::{Clock, System};
use serde::Serialize;
use store::{ReadAny, ScannedRow, UnreadableRow};

use crate::deployment::{Deployment, Keys};
use crate::external_sort::{RUN, Sorter};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::scan::{rows_bar, scan};
use credits::Said;
use lists::OfList;
use numbers::ByNumber;
use rules::Checked;
use waiting::Named;

/// How to check.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Audit {
    /// Count what is only listed as broken: `unverifiable` and `same_number`
    #[arg(long)]
    pub(crate) strict: bool,
}

const HELP: &str = "\
Each break of a rule is one line:
  unreadable    every row can be read, under its own key
  evidence      what a row stores of the provider is signed, and says what the row says; a list has its hash
  decision      each end was signed by the provider or decided by a person; nothing was rejected while it was in doubt
  credits       count and sum of an order are those of its payments, and each credit that it remembers is one of them;
                from the second credit on each number has its row; two payments of one number differ, as a person stated
  waiting       each payment that waits for an order has its row
  journal       the bytes that are sent to the provider say what was asked for
  state         no row is in an impossible state
  index         what needs a person is in the index `attention`, and nothing else

Not a break, unless --strict:
  unverifiable  no current key verifies the evidence, for instance after a rotation
  same_number   two credited payments have the same number, but for capital letters, leading zeros and the wallet: two wallets
                may use one number, or one payment was credited twice

Each row is read at its own moment. Where two rows differ, both are read again before the break is reported.";

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    Unreadable,
    Evidence,
    Decision,
    Credits,
    Waiting,
    Journal,
    State,
    Index,
    Unverifiable,
    SameNumber,
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Evidence => "evidence",
            Self::Decision => "decision",
            Self::Credits => "credits",
            Self::Waiting => "waiting",
            Self::Journal => "journal",
            Self::State => "state",
            Self::Index => "index",
            Self::Unverifiable => "unverifiable",
            Self::SameNumber => "same_number",
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
    #[serde(flatten)]
    counts: Counts,
    seconds: u64,
    rows_per_second: u64,
}

/// How many lines were reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    broken: u64,
    unverifiable: u64,
    same_number: u64,
}

impl Counts {
    fn add(&mut self, rule: Rule, is_strict: bool) {
        let count = match rule {
            Rule::Unverifiable if !is_strict => &mut self.unverifiable,
            Rule::SameNumber if !is_strict => &mut self.same_number,
            Rule::Unreadable
            | Rule::Evidence
            | Rule::Decision
            | Rule::Credits
            | Rule::Waiting
            | Rule::Journal
            | Rule::State
            | Rule::Index
            | Rule::Unverifiable
            | Rule::SameNumber => &mut self.broken,
        };
        *count = count.saturating_add(1);
    }

    fn done(self) -> Done {
        if self.broken == 0 { Done::Well } else { Done::Found }
    }
}

/// Reports what is found, as it is found.
struct Reporter {
    output: Output,
    bar: ProgressBar,
    is_strict: bool,
    counts: Counts,
}

impl Reporter {
    fn report(&mut self, found: &Break) {
        self.counts.add(found.rule, self.is_strict);
        let Break { rule, id, what } = found;
        self.bar.suspend(|| self.output.line(found, || format!("{:<12}  {id}  {what}", rule.as_str())));
    }
}

/// What rows say about each other.
struct Sorters {
    credits: Sorter<Said>,
    numbers: Sorter<ByNumber>,
    lists: Sorter<OfList>,
    waiting: Sorter<Named>,
}

impl Sorters {
    fn new(most: usize) -> Self {
        Self {
            credits: Sorter::new(most),
            numbers: Sorter::new(most),
            lists: Sorter::new(most),
            waiting: Sorter::new(most),
        }
    }

    /// Checks a row by itself, and keeps what it says about others.
    fn look(&mut self, scanned: &ScannedRow, keys: &Keys, mut report: impl FnMut(Break)) -> io::Result<()> {
        let Checked { found, quotes } = rules::check(scanned, keys);
        found.into_iter().for_each(&mut report);
        let quotes = quotes.into_iter().map(|(list, quote)| OfList::quote(list, quote));
        quotes.chain(OfList::of(&scanned.row)).try_for_each(|it| self.lists.push(it))?;
        Said::of(&scanned.row).map_or(Ok(()), |it| self.credits.push(it))?;
        ByNumber::of(&scanned.row).map_or(Ok(()), |it| self.numbers.push(it))?;
        Named::of(&scanned.row).into_iter().try_for_each(|it| self.waiting.push(it))
    }

    /// Compares what the rows say about each other.
    async fn compare(self, table: &impl ReadAny, keys: &Keys, mut report: impl FnMut(Break)) -> Result<(), Failure> {
        lists::check(table, keys, self.lists.sorted()?, &mut report).await?;
        credits::compare(table, self.credits.sorted()?, &mut report).await?;
        waiting::check(table, self.waiting.sorted()?, &mut report).await?;
        numbers::list(self.numbers.sorted()?, report)
    }
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Audit) -> Result<Done, Failure> {
    let (table, keys) = (deployment.table()?, deployment.keys().await?);
    let (bar, began_ms) = (rows_bar(), System.now_ms());
    let is_strict = arguments.strict;
    let mut reporter = Reporter { output, bar: bar.clone(), is_strict, counts: Counts::default() };
    let mut sorters = Sorters::new(RUN);
    let rows = scan(&table, &bar, |row| {
        match row {
            Ok(scanned) => sorters.look(&scanned, &keys, |found| reporter.report(&found))?,
            Err(UnreadableRow { key: id, reason: what }) => {
                reporter.report(&Break { rule: Rule::Unreadable, id, what });
            }
        }
        Ok(())
    });
    let rows = rows.await?;
    sorters.compare(&table, &keys, |found| reporter.report(&found)).await?;
    let taken_ms = System.now_ms().saturating_sub(began_ms);
    let counts = reporter.counts;
    let rows_per_second = rows.saturating_mul(1_000).checked_div(taken_ms).unwrap_or(rows);
    let summary = Summary { rows, counts, seconds: taken_ms / 1_000, rows_per_second };
    output.line(&summary, || {
        let Counts { broken, unverifiable, same_number } = counts;
        format!(
            "\n{rows} rows in {} s, {rows_per_second} per second: {broken} broken, {unverifiable} that cannot be verified any more, {same_number} of the same number",
            summary.seconds
        )
    });
    Ok(counts.done())
}
