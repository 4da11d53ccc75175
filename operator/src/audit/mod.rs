//! `audit`: the money invariants, row by row and across rows.
//!
//! The table is read once. What several rows say about one order, list or number is sorted on disk and then compared.

mod batches;
mod credits;
mod elements;
mod lists;
mod numbers;
mod quote;
mod report;
mod rules;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use clap::Args;
use domain::{SignedList, Timestamp};
use indicatif::ProgressBar;
use lambda::{Clock, System};
use store::{OUR_FORMAT, Read, ReadAny, RowKey, ScannedRow, TableId, UnreadableRow};

use crate::deployment::Deployment;
use crate::external_sort::{RUN, Sorter};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::scan::{Scanned, rows_bar, scan_pages};
use crate::verifier::Verifier;
use credits::Said;
use elements::ByElement;
use lists::OfList;
use numbers::ByNumber;
use quote::Quote;
use report::{Decided, Reporter};
use rules::Checked;
use waiting::Named;

pub(crate) use report::{Break, Counts, Rule, Summary, format_name};

/// How to check.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Audit {
    /// Count what is only listed as broken: `unverifiable`, `same_number`, `caller` and `open`
    #[arg(long)]
    pub(crate) strict: bool,
}

const HELP: &str = "\
Each break of a rule is one line:
  unreadable    every row can be read, under its own key
  unproved      a credit, and the end of a withdrawal by a postback, has a signature that a key verifies, whoever decided
  evidence      what a row stores of the provider is signed, and says what the row says; a list has its hash
  decision      each end was signed by the provider or decided by a person; nothing was rejected while it was in doubt
  credits       count and sum of an order are those of its payments, and each credit that it remembers is one of them;
                from the second credit on each number has its row; two payments of one number differ, as a person stated;
                what people credited has a signed element of its own
  list          a signed list of several elements is done within 15 minutes, and then each element has its row
  waiting       each payment that waits for an order has its row
  journal       the bytes that are sent to the provider say what was asked for
  state         no row is in an impossible state
  index         what needs a person is in the index `attention`, and nothing else
  format        every row has a format that this release writes
  table         the row `table#` names the stream that the stack reads (TABLE_STREAM_ARN)

Not a break, unless --strict:
  unverifiable  no key verifies evidence on which nothing was decided
  same_number   two credited payments have the same number, but for capital letters, leading zeros and the wallet: two wallets
                may use one number, or one payment was credited twice
  caller        a decision names no verified caller: it was made with a tool of 0.1.0, or written past the function that records decisions
  open          a withdrawal has not ended for more than 24 hours

If old credits are `unproved` after a rotation, the old pair of keys is missing: add it to RetiredPostbackKeys, with the time at
which it was retired. Then what is left is forged.

The summary has, by currency, the money that is not proved and the money about which people decided.

Each row is read at its own moment. Where two rows differ, both are read again before the break is reported.";

/// What was found on a page.
#[derive(Default)]
struct Found {
    breaks: Vec<Break>,
    by_person: Vec<Decided>,
    /// The withdrawals that have not ended, and when they were made.
    open: Vec<(String, Timestamp)>,
    /// How many rows have which format.
    formats: BTreeMap<Option<u64>, u64>,
    credits: Vec<Said>,
    numbers: Vec<ByNumber>,
    elements: Vec<ByElement>,
    lists: Vec<OfList>,
    waiting: Vec<Named>,
}

impl Found {
    /// Checks each row by itself, and notes what it says about others.
    async fn on(rows: Vec<Scanned>, verifier: &impl Verifier) -> Result<Self, Failure> {
        let (mut found, mut own) = (Self::default(), Vec::new());
        for row in rows {
            match row {
                Ok(scanned) => own.extend(found.look(&scanned)),
                Err(UnreadableRow { key, reason }) => found.breaks.push(Break::new(Rule::Unreadable, key, reason)),
            }
        }
        found.breaks.extend(batches::check_own(verifier, own).await?);
        Ok(found)
    }

    fn look(&mut self, scanned: &ScannedRow) -> Vec<(SignedList, Quote)> {
        let ScannedRow { row, format, .. } = scanned;
        let Checked { found, own, quotes, by_person, open_since } = rules::check(scanned);
        self.breaks.extend(found);
        self.by_person.extend(by_person);
        self.open.extend(open_since.map(|since| (row.key(), since)));
        let count = self.formats.entry(*format).or_default();
        *count = count.saturating_add(1);
        let quotes = quotes.into_iter().map(|(list, quote)| OfList::quote(list, quote));
        self.lists.extend(quotes.chain(OfList::of(row)));
        self.credits.extend(Said::of(row));
        self.numbers.extend(ByNumber::of(row));
        self.elements.extend(ByElement::of(row));
        self.waiting.extend(Named::of(row));
        own
    }
}

/// What rows say about each other.
struct Sorters {
    credits: Sorter<Said>,
    numbers: Sorter<ByNumber>,
    elements: Sorter<ByElement>,
    lists: Sorter<OfList>,
    waiting: Sorter<Named>,
}

impl Sorters {
    fn new(most: usize) -> Self {
        Self {
            credits: Sorter::new(most),
            numbers: Sorter::new(most),
            elements: Sorter::new(most),
            lists: Sorter::new(most),
            waiting: Sorter::new(most),
        }
    }

    /// Takes what was found on a page, and reports the rest of it.
    fn take(&mut self, found: Found, now: Timestamp, reporter: &mut Reporter<impl FnMut(&Break)>) -> io::Result<()> {
        found.breaks.iter().for_each(|it| reporter.report(it));
        found.by_person.iter().for_each(|it| reporter.summary.by_person.add(it));
        for (id, created_at) in found.open {
            if let Some(old) = reporter.summary.add_open(id, created_at, now) {
                reporter.report(&old);
            }
        }
        found.formats.into_iter().for_each(|(format, rows)| reporter.summary.add_format(format, rows));
        found.credits.into_iter().try_for_each(|it| self.credits.push(it))?;
        found.numbers.into_iter().try_for_each(|it| self.numbers.push(it))?;
        found.elements.into_iter().try_for_each(|it| self.elements.push(it))?;
        found.lists.into_iter().try_for_each(|it| self.lists.push(it))?;
        found.waiting.into_iter().try_for_each(|it| self.waiting.push(it))
    }

    /// Compares what the rows say about each other.
    async fn compare(
        self,
        table: &impl ReadAny,
        verifier: &impl Verifier,
        now: Timestamp,
        mut report: impl FnMut(Break),
    ) -> Result<(), Failure> {
        lists::check(table, verifier, now, self.lists.sorted()?, &mut report).await?;
        credits::compare(table, self.credits.sorted()?, &mut report).await?;
        waiting::check(table, self.waiting.sorted()?, &mut report).await?;
        elements::check(self.elements.sorted()?, &mut report)?;
        numbers::list(self.numbers.sorted()?, report)
    }
}

/// Reports each record that is the same as one before it. `what` is made of the first of them and the record.
fn repeated<T>(
    sorted: impl Iterator<Item = io::Result<T>>,
    is_same: impl Fn(&T, &T) -> bool,
    what: impl Fn(&T, &T) -> Break,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut first: Option<T> = None;
    for next in sorted {
        let next = next?;
        match &first {
            Some(first) if is_same(first, &next) => report(what(first, &next)),
            Some(_) | None => first = Some(next),
        }
    }
    Ok(())
}

/// What is wrong with the row that says which table this is. `stream` is the one that the stack reads, if that is known.
async fn check_table(table: &impl Read<TableId>, stream: Option<&str>) -> Option<Break> {
    let what = match table.read(&TableId).await {
        Ok(Some(row)) if stream.is_none_or(|stream| row.row.stream == stream) => return None,
        Ok(Some(row)) => format!("it names the stream {}, and the stack reads another", row.row.stream),
        Ok(None) => "there is no such row: no function has started, or it was deleted".into(),
        Err(error) => error.to_string(),
    };
    Some(Break::new(Rule::Table, TableId.key(), what))
}

/// What is to be reported about the formats of the rows.
fn check_formats(summary: &Summary) -> Vec<Break> {
    let formats = summary.formats.iter().filter_map(|(format, rows)| Some(((*format)?, rows)));
    let unknown = formats.filter(|(format, _)| !(1..=OUR_FORMAT).contains(format));
    let what = |(format, rows)| format!("{rows} rows are of format {format}, which this release does not write");
    unknown.map(|it| Break::new(Rule::Format, TableId.key(), what(it))).collect()
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Audit) -> Result<Done, Failure> {
    let bar = rows_bar();
    let print = |found: &Break| {
        bar.suspend(|| output.line(found, || format!("{:<12}  {}  {}", found.rule.as_str(), found.id, found.what)));
    };
    let summary = audit(deployment, &bar, arguments.strict, print).await?;
    output.line(&summary, || format!("\n{summary}"));
    Ok(summary.counts.done())
}

/// Checks all rows. Gives each break to `take` as it is found, and then what all adds up to.
pub(crate) async fn audit(
    deployment: &Deployment,
    bar: &ProgressBar,
    is_strict: bool,
    take: impl FnMut(&Break),
) -> Result<Summary, Failure> {
    let (table, verifier) = (deployment.table()?, Arc::new(deployment.api()?));
    let now = Timestamp(System.now_ms());
    let mut reporter = Reporter { is_strict, summary: Summary::default(), take };
    let mut sorters = Sorters::new(RUN);
    let of_pages = Arc::clone(&verifier);
    let look = move |rows| {
        let verifier = Arc::clone(&of_pages);
        async move { Found::on(rows, &*verifier).await }
    };
    let rows = scan_pages(&table, bar, look, |found| Ok(sorters.take(found, now, &mut reporter)?)).await?;
    sorters.compare(&table, &*verifier, now, |found| reporter.report(&found)).await?;
    let stream = deployment.setting("TABLE_STREAM_ARN").ok();
    let last = check_formats(&reporter.summary).into_iter().chain(check_table(&table, stream).await);
    last.collect::<Vec<_>>().iter().for_each(|it| reporter.report(it));
    let mut summary = reporter.summary;
    summary.took(rows, System.now_ms().saturating_sub(now.0));
    Ok(summary)
}
