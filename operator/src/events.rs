//! `events`: lists the events that the rows still say, and has them published again for a receiver that has missed them.

use std::collections::BTreeMap;
use std::io;

use clap::{Args, Subcommand, ValueEnum};
use domain::{CustomTransactionId, DepositRow, Event, Timestamp};
use indicatif::ProgressBar;
use lambda::{Clock, System};
use paykassma::event_id;
use serde::{Deserialize, Serialize};
use store::{AnyRow, Replayable, Scan, credited_order, current_events};

use crate::api::Api;
use crate::deployment::Deployment;
use crate::external_sort::{RUN, Sorted, Sorter};
use crate::failure::{Done, Failure};
use crate::output::Output;
use crate::rows;
use crate::scan::{Unreadable, rows_bar, scan};
use crate::time::time_or_age;

/// What to do with events.
#[derive(Debug, Args)]
pub(crate) struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the events that the rows still say, the oldest first
    #[command(after_help = HELP)]
    List(List),
    /// Have events published again, with the ids that they had, the oldest first
    #[command(after_help = HELP)]
    Replay(Replay),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    chosen: Chosen,

    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = LIMIT)]
    limit: usize,
}

#[derive(Debug, Args)]
struct Replay {
    /// Where they go: to the merchant's server only, or to everybody who listens on the bus
    #[arg(long)]
    to: Destination,

    #[command(flatten)]
    chosen: Chosen,
}

/// How many events are listed, unless it is said.
pub(crate) const LIMIT: usize = 1000;

/// Which events. All that is given must hold.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Only what happened at this time or later: 2026-01-31T10:00:00Z, or an age such as 90min
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_or_age(text, System.now_ms()))]
    pub(crate) since: Option<Timestamp>,

    /// Only what happened before this time
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_or_age(text, System.now_ms()))]
    pub(crate) until: Option<Timestamp>,

    /// Only the event with this id. May be repeated
    #[arg(long, value_name = "ID")]
    pub(crate) id: Vec<String>,

    /// Only events of this transaction, such as deposit#order-1. May be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) transaction: Vec<String>,

    /// Only events of this type, such as deposit.credited. May be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Vec<String>,
}

const HELP: &str = "\
A row says its present state, its contradictions and its decisions: a withdrawal that is paid says withdrawal.paid, and no more that it
was submitted. payment.contested is never said. A receiver that knows an event's id drops it, so choose too many rather than too few:
what you missed in an outage happened up to a minute before it began.

It reads the whole table; with --since, twice. Exit status 1 if rows cannot be read, an --id is not found, or an event is refused.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Destination {
    Bus,
    Push,
}

/// An event that a row still says. They are sorted by their time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) time_ms: Timestamp,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) transaction: String,
    /// The key of the row that says it.
    pub(crate) row: String,
    pub(crate) id: String,
}

/// How many there are.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) events: u64,
    pub(crate) rows: u64,
    pub(crate) unreadable: Unreadable,
    /// How many events of each type.
    #[serde(skip)]
    pub(crate) of_type: BTreeMap<String, u64>,
}

/// Most events of one request.
const MOST: usize = 20;

#[derive(Serialize)]
struct Request<'a> {
    to: Destination,
    events: &'a [Name],
}

#[derive(Debug, Serialize, Deserialize)]
struct Name {
    row: String,
    id: String,
}

#[derive(Deserialize)]
struct Answer {
    replayed: u64,
    refused: Vec<NotReplayed>,
}

/// An event that was not published again.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NotReplayed {
    pub(crate) row: String,
    pub(crate) id: String,
    pub(crate) reason: String,
}

/// What became of all of them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Total {
    pub(crate) replayed: u64,
    pub(crate) refused: u64,
    rows: u64,
    unreadable: u64,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Events) -> Result<Done, Failure> {
    let table = deployment.table()?;
    match &arguments.command {
        Command::List(List { chosen, limit }) => {
            let (events, summary) = chosen.find(&table, rows_bar).await?;
            list(output, events, &summary, *limit)?;
            Ok(chosen.done(&summary))
        }
        Command::Replay(Replay { to, chosen }) => {
            if !chosen.is_narrow() {
                return Err(Failure::Usage("say which events: --since, --until, --id or --transaction".into()));
            }
            let (mut events, summary) = chosen.find(&table, rows_bar).await?;
            let refuse = |it: NotReplayed| {
                output.line(&it, || format!("not published again: {} of {}: {}", it.id, it.row, it.reason));
            };
            let total = replay(&deployment.api()?, *to, &mut events, &ProgressBar::hidden(), refuse).await?;
            let total = Total { rows: summary.rows, unreadable: summary.unreadable.number, ..total };
            output.line(&total, || total.text(*to));
            Ok(if total.refused == 0 { chosen.done(&summary) } else { Done::Found })
        }
    }
}

fn list(output: Output, events: Sorted<Listed>, summary: &Summary, limit: usize) -> Result<(), Failure> {
    let listed = first(events, limit)?;
    output.records(&listed, ["WHEN", "TYPE", "TRANSACTION", "ID"], |it| {
        [rows::time(it.time_ms), it.kind.clone(), it.transaction.clone(), it.id.clone()]
    });
    output.line(summary, || {
        let Summary { events, rows, unreadable, .. } = summary;
        format!("\n{events} events in {rows} rows; {unreadable} rows cannot be read")
    });
    Ok(())
}

/// The next events, at most so many.
pub(crate) fn first(events: impl Iterator<Item = io::Result<Listed>>, limit: usize) -> Result<Vec<Listed>, Failure> {
    events.take(limit).collect::<io::Result<_>>().map_err(|error| not_sorted(&error))
}

/// They are published in the order of their time. A request that was answered with an error may be sent again: ids stay.
pub(crate) async fn replay(
    api: &Api,
    to: Destination,
    events: &mut Sorted<Listed>,
    bar: &ProgressBar,
    mut refuse: impl FnMut(NotReplayed),
) -> Result<Total, Failure> {
    let mut done = Total::default();
    loop {
        let events = first(events.by_ref(), MOST)?;
        if events.is_empty() {
            return Ok(done);
        }
        let names: Vec<_> = events.into_iter().map(|Listed { row, id, .. }| Name { row, id }).collect();
        let Answer { replayed, refused } = api.post("/replays", &Request { to, events: &names }).await?;
        done.replayed = done.replayed.saturating_add(replayed);
        done.refused = done.refused.saturating_add(u64::try_from(refused.len()).unwrap_or(u64::MAX));
        refused.into_iter().for_each(&mut refuse);
        bar.inc(replayed);
    }
}

impl Total {
    fn text(&self, to: Destination) -> String {
        let Self { replayed, refused, rows, unreadable } = self;
        let to = to.became();
        format!(
            "{replayed} events are {to} again, {refused} are not; {rows} rows were read, {unreadable} cannot be read"
        )
    }
}

impl Destination {
    /// What becomes of the events, in words.
    pub(crate) fn became(self) -> &'static str {
        match self {
            Self::Bus => "published on the bus",
            Self::Push => "sent to the merchant's server",
        }
    }
}

pub(crate) fn not_sorted(error: &io::Error) -> Failure {
    Failure::Usage(format!("the events cannot be sorted in the temporary directory: {error}"))
}

impl Chosen {
    /// Each id must have been found, and every row read.
    fn done(&self, summary: &Summary) -> Done {
        if summary.unreadable.number == 0 && self.has_each_id(summary) { Done::Well } else { Done::Found }
    }

    /// Whether an event was found for each id.
    pub(crate) fn has_each_id(&self, summary: &Summary) -> bool {
        summary.events >= u64::try_from(self.id.len()).unwrap_or(u64::MAX)
    }

    /// Whether it says which events at all.
    pub(crate) fn is_narrow(&self) -> bool {
        self.since.is_some() || self.until.is_some() || !self.id.is_empty() || !self.transaction.is_empty()
    }

    /// Looks at all rows. Each scan has a bar of its own.
    pub(crate) async fn find(
        &self,
        table: &(impl Scan + Clone + Send + 'static),
        bar: impl Fn() -> ProgressBar,
    ) -> Result<(Sorted<Listed>, Summary), Failure> {
        let registered = self.registered(table, &bar).await?;
        let mut events = Sorter::new(RUN);
        let mut summary = Summary::default();
        summary.rows = scan(table, &bar(), |row| {
            match row {
                Ok(scanned) => {
                    for event in listed(&scanned.row, &registered).into_iter().filter(|event| self.holds(event)) {
                        summary.count(&event);
                        events.push(event).map_err(|error| not_sorted(&error))?;
                    }
                }
                Err(bad) => summary.unreadable.add(bad),
            }
            Ok(())
        })
        .await?;
        Ok((events.sorted().map_err(|error| not_sorted(&error))?, summary))
    }

    /// The orders that were registered since the time that is given. A payment that came before its order was credited then.
    async fn registered(
        &self,
        table: &(impl Scan + Clone + Send + 'static),
        bar: impl Fn() -> ProgressBar,
    ) -> Result<BTreeMap<CustomTransactionId, Timestamp>, Failure> {
        let mut registered = BTreeMap::new();
        let Some(since) = self.since else { return Ok(registered) };
        scan(table, &bar(), |row| {
            if let Ok(scanned) = row
                && let AnyRow::Deposit(stored) = scanned.row
                && let DepositRow::Registered(deposit) = stored.row
                && deposit.created_at >= since
            {
                registered.insert(deposit.order.custom_transaction_id, deposit.created_at);
            }
            Ok(())
        })
        .await?;
        Ok(registered)
    }

    fn holds(&self, event: &Listed) -> bool {
        let is_one = |of: &[String], it: &String| of.is_empty() || of.contains(it);
        self.since.is_none_or(|since| event.time_ms >= since)
            && self.until.is_none_or(|until| event.time_ms < until)
            && is_one(&self.id, &event.id)
            && is_one(&self.transaction, &event.transaction)
            && is_one(&self.kind, &event.kind)
    }
}

impl Summary {
    fn count(&mut self, event: &Listed) {
        self.events = self.events.saturating_add(1);
        let of_type = self.of_type.entry(event.kind.clone()).or_default();
        *of_type = of_type.saturating_add(1);
    }
}

/// The events of a row.
fn listed(row: &AnyRow, registered: &BTreeMap<CustomTransactionId, Timestamp>) -> Vec<Listed> {
    let order_at = credited_order(row).and_then(|order| registered.get(order));
    let of = |Replayable { transaction, current, .. }: Replayable| {
        let is_credit = matches!(current.event, Event::DepositCredited(_));
        let order_at = order_at.filter(|_| is_credit);
        Listed {
            time_ms: order_at.map_or(current.at, |at| current.at.max(*at)),
            kind: current.event.kind().to_owned(),
            id: event_id(&current.event, &transaction),
            transaction,
            row: row.key(),
        }
    };
    current_events(row, None).into_iter().map(of).collect()
}
