//! `events`: lists the events that the rows still say, and has them published again for a receiver that has missed them.

use std::collections::BTreeMap;
use std::io;

use clap::{Args, Subcommand, ValueEnum};
use domain::{CustomTransactionId, DepositRow, Event, Timestamp};
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
use crate::scan::{rows_bar, scan};
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
    #[arg(long, value_name = "N", default_value_t = 1000)]
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

/// Which events. All that is given must hold.
#[derive(Debug, Args)]
struct Chosen {
    /// Only what happened at this time or later: 2026-01-31T10:00:00Z, or an age such as 90min
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_or_age(text, System.now_ms()))]
    since: Option<Timestamp>,

    /// Only what happened before this time
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_or_age(text, System.now_ms()))]
    until: Option<Timestamp>,

    /// Only the event with this id. May be repeated
    #[arg(long, value_name = "ID")]
    id: Vec<String>,

    /// Only events of this transaction, such as deposit#order-1. May be repeated
    #[arg(long, value_name = "KEY")]
    transaction: Vec<String>,

    /// Only events of this type, such as deposit.credited. May be repeated
    #[arg(long = "type", value_name = "TYPE")]
    kind: Vec<String>,
}

const HELP: &str = "\
A row says its present state, its contradictions and its decisions: a withdrawal that is paid says withdrawal.paid, and no more that it
was submitted. payment.contested is never said. A receiver that knows an event's id drops it, so choose too many rather than too few:
what you missed in an outage happened up to a minute before it began.

It reads the whole table; with --since, twice. Exit status 1 if rows cannot be read, an --id is not found, or an event is refused.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
enum Destination {
    Bus,
    Push,
}

/// An event that a row still says. They are sorted by their time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Listed {
    time_ms: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    transaction: String,
    /// The key of the row that says it.
    row: String,
    id: String,
}

/// How many there are.
#[derive(Debug, Default, Serialize)]
struct Summary {
    events: u64,
    rows: u64,
    unreadable: u64,
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
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    row: String,
    id: String,
    reason: String,
}

/// What became of all of them.
#[derive(Debug, Default, Serialize)]
struct Total {
    replayed: u64,
    refused: u64,
    rows: u64,
    unreadable: u64,
}

pub(crate) async fn run(deployment: &Deployment, output: Output, arguments: &Events) -> Result<Done, Failure> {
    let table = deployment.table()?;
    match &arguments.command {
        Command::List(List { chosen, limit }) => {
            let (events, summary) = chosen.find(&table).await?;
            list(output, events, &summary, *limit)?;
            Ok(chosen.done(&summary))
        }
        Command::Replay(Replay { to, chosen }) => {
            if !chosen.is_narrow() {
                return Err(Failure::Usage("say which events: --since, --until, --id or --transaction".into()));
            }
            let (events, summary) = chosen.find(&table).await?;
            let is_all_replayed = replay(&deployment.api()?, output, *to, events, &summary).await?;
            Ok(if is_all_replayed { chosen.done(&summary) } else { Done::Found })
        }
    }
}

fn list(output: Output, events: Sorted<Listed>, summary: &Summary, limit: usize) -> Result<(), Failure> {
    let listed = events.take(limit).collect::<io::Result<Vec<_>>>().map_err(|error| not_sorted(&error))?;
    output.records(&listed, ["WHEN", "TYPE", "TRANSACTION", "ID"], |it| {
        [rows::time(it.time_ms), it.kind.clone(), it.transaction.clone(), it.id.clone()]
    });
    output.line(summary, || {
        let Summary { events, rows, unreadable } = summary;
        format!("\n{events} events in {rows} rows; {unreadable} rows cannot be read")
    });
    Ok(())
}

/// They are published in the order of their time. Gives whether all are. A request that was answered with an error may be sent again:
/// ids stay.
async fn replay(
    api: &Api,
    output: Output,
    to: Destination,
    mut events: Sorted<Listed>,
    summary: &Summary,
) -> Result<bool, Failure> {
    let mut done = Total { rows: summary.rows, unreadable: summary.unreadable, ..Total::default() };
    loop {
        let names = events.by_ref().take(MOST).map(|it| it.map(|Listed { row, id, .. }| Name { row, id }));
        let names = names.collect::<io::Result<Vec<_>>>().map_err(|error| not_sorted(&error))?;
        if names.is_empty() {
            break;
        }
        let Answer { replayed, refused } = api.post("/replays", &Request { to, events: &names }).await?;
        for it in &refused {
            output.line(it, || format!("not published again: {} of {}: {}", it.id, it.row, it.reason));
        }
        done.replayed = done.replayed.saturating_add(replayed);
        done.refused = done.refused.saturating_add(u64::try_from(refused.len()).unwrap_or(u64::MAX));
    }
    output.line(&done, || {
        let Total { replayed, refused, rows, unreadable } = done;
        let to = match to {
            Destination::Bus => "published on the bus",
            Destination::Push => "sent to the merchant's server",
        };
        format!(
            "{replayed} events are {to} again, {refused} are not; {rows} rows were read, {unreadable} cannot be read"
        )
    });
    Ok(done.refused == 0)
}

fn not_sorted(error: &io::Error) -> Failure {
    Failure::Usage(format!("the events cannot be sorted in the temporary directory: {error}"))
}

impl Chosen {
    /// Each id must have been found, and every row read.
    fn done(&self, summary: &Summary) -> Done {
        let asked = u64::try_from(self.id.len()).unwrap_or(u64::MAX);
        if summary.unreadable == 0 && summary.events >= asked { Done::Well } else { Done::Found }
    }

    /// Whether it says which events at all.
    fn is_narrow(&self) -> bool {
        self.since.is_some() || self.until.is_some() || !self.id.is_empty() || !self.transaction.is_empty()
    }

    /// Looks at all rows.
    async fn find(&self, table: &(impl Scan + Clone + Send + 'static)) -> Result<(Sorted<Listed>, Summary), Failure> {
        let registered = self.registered(table).await?;
        let mut events = Sorter::new(RUN);
        let mut summary = Summary::default();
        let bar = rows_bar();
        summary.rows = scan(table, &bar, |row| {
            let Ok(scanned) = row else {
                summary.unreadable = summary.unreadable.saturating_add(1);
                return Ok(());
            };
            for event in listed(&scanned.row, &registered).into_iter().filter(|event| self.holds(event)) {
                summary.events = summary.events.saturating_add(1);
                events.push(event).map_err(|error| not_sorted(&error))?;
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
    ) -> Result<BTreeMap<CustomTransactionId, Timestamp>, Failure> {
        let mut registered = BTreeMap::new();
        let Some(since) = self.since else { return Ok(registered) };
        scan(table, &rows_bar(), |row| {
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
