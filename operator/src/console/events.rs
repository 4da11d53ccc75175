//! The events that rows still say, and their replay.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::response::Response;
use clap::ValueEnum;
use indicatif::ProgressBar;
use lambda::{Clock, System};
use maud::{Markup, html};
use pages::filled;
use tokio::sync::Mutex;

use super::find::{inputs, more, unreadable};
use super::jobs::{Finished, Kept};
use super::{Ask, Console, Fields, Shared, when};
use crate::events::{self, Chosen, Destination, LIMIT, Listed, NotReplayed, Summary, Total, first, not_sorted};
use crate::external_sort::Sorted;
use crate::failure::Failure;
use crate::time::time_or_age;

const PAGE: &str = "/events";

/// The form's fields, how people call them, and an example.
const FIELDS: [(&str, &str, &str); 5] = [
    ("since", "Since (a time, or an age)", "90min"),
    ("until", "Until (before this time)", "2026-11-28T10:00:00Z"),
    ("type", "Types", "deposit.credited"),
    ("transaction", "Transactions", "deposit#order-1"),
    ("id", "Ids of events", ""),
];

/// `GET /events`
pub(super) async fn ask(State(console): Ask) -> Response {
    console.answer(PAGE, "Events", &form(&console, &Fields::new()))
}

fn form(console: &Console, fields: &Fields) -> Markup {
    html! {
        p { "The events that the table's rows still say: a row says its present state, its contradictions and its decisions." }
        form method="post" action={ (console.base) (PAGE) } {
            div.fields {
                (inputs(&FIELDS, fields))
                button.primary { "List events" }
            }
        }
        p.hint {
            "All that is given must hold. Several types, transactions or ids are divided by spaces. It reads the whole table, with Since twice."
        }
        (console.jobs_of(PAGE))
    }
}

/// `POST /events`
pub(super) async fn start(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    match read(&fields) {
        Ok((what, chosen)) => console.start(PAGE, what, async move |console, bar| list(&console, &chosen, &bar).await),
        Err(failure) => console.problem(PAGE, "Events", &failure, &form(&console, &fields)),
    }
}

/// Which events, and how that is called.
fn read(fields: &Fields) -> Result<(String, Chosen), Failure> {
    let text = |name: &str| fields.get(name).and_then(|value| filled(value));
    let now_ms = System.now_ms();
    let time = |name: &str, label: &str| {
        let time = text(name).map(|text| time_or_age(text, now_ms)).transpose();
        time.map_err(|rule| Failure::Usage(format!("{label} {rule}")))
    };
    let several = |name: &str| text(name).into_iter().flat_map(str::split_whitespace).map(ToOwned::to_owned).collect();
    let chosen = Chosen {
        since: time("since", "Since")?,
        until: time("until", "Until")?,
        id: several("id"),
        transaction: several("transaction"),
        kind: several("type"),
    };
    let given: Vec<_> = FIELDS.iter().filter_map(|(name, ..)| Some(format!("{name} {}", text(name)?))).collect();
    let what = if given.is_empty() { "All events".into() } else { format!("Events: {}", given.join(", ")) };
    Ok((what, chosen))
}

/// What was found.
pub(super) struct Events {
    all: Arc<Mutex<Sorted<Listed>>>,
    listed: Vec<Listed>,
    is_replayable: bool,
}

async fn list(console: &Console, chosen: &Chosen, bar: &ProgressBar) -> Result<Finished, Failure> {
    let again = || {
        bar.set_position(0);
        bar.clone()
    };
    let (mut events, summary) = chosen.find(&console.table, again).await?;
    let listed = first(events.by_ref(), LIMIT)?;
    let main = found(console, chosen, listed.len(), &summary);
    let is_replayable = !console.is_read_only && !listed.is_empty() && chosen.is_narrow();
    let kept = Kept::Events(Events { all: Arc::new(Mutex::new(events)), listed, is_replayable });
    Ok(Finished { main, kept })
}

fn found(console: &Console, chosen: &Chosen, listed: usize, summary: &Summary) -> Markup {
    let types =
        html! { @for (kind, number) in &summary.of_type { tr { th scope="row" { (kind) } td.amount { (number) } } } };
    html! {
        p { strong { (summary.events) " found." } (more(summary.events, listed)) }
        @if !chosen.has_each_id(summary) { p.error { "Not every id was found." } }
        (unreadable(console, &summary.unreadable))
        @if listed > 0 {
            (pages::table("How many of each type", &["Type", "Events"], &["Events"], &types))
            @if !chosen.is_narrow() { p.hint { "To replay events, choose them by time, transaction or id." } }
        }
    }
}

impl Events {
    /// How to replay them, and what they are. `id` is the job's that has found them.
    pub(super) fn show(&self, console: &Console, id: &str) -> Markup {
        let rows = html! {
            @for it in &self.listed {
                tr {
                    td.time { (when(it.time_ms)) }
                    td { (it.kind) }
                    td.wide { a href=(console.transaction(&it.row)) { code { (it.transaction) } } }
                    td.wide { code { (it.id) } }
                }
            }
        };
        html! {
            @if self.is_replayable { (replay_form(console, id)) }
            @if !self.listed.is_empty() {
                h2 { "The oldest first" }
                (pages::table("Events", &["When", "Type", "Transaction", "Id"], &[], &rows))
            }
        }
    }
}

fn replay_form(console: &Console, id: &str) -> Markup {
    html! {
        h2 { "Replay these" }
        form method="post" action={ (console.base) (PAGE) "/replay" } {
            input type="hidden" name="job" value=(id);
            fieldset {
                legend { "To whom" }
                label { input type="radio" name="to" value="push" required; "The merchant's server only" }
                label { input type="radio" name="to" value="bus"; "Everybody who listens on the bus" }
            }
            button.primary { "Replay all of them" }
        }
        p.hint { "Each has the id that it had: a receiver that knows it drops it. It may be repeated, also after an error." }
    }
}

/// `POST /events/replay`
pub(super) async fn replay(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let text = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let chosen = console.find_job(text("job")).and_then(|job| match job.kept() {
        Some(Kept::Events(events)) if events.is_replayable => Ok(Arc::clone(&events.all)),
        Some(_) | None => Err(Failure::Usage("list the events first".into())),
    });
    let to = Destination::from_str(text("to"), false).map_err(|_| Failure::Usage("say to whom".into()));
    match chosen.and_then(|events| Ok((events, to?))) {
        Ok((events, to)) => {
            let work = async move |console: Shared, bar: ProgressBar| publish(&console, &events, to, &bar).await;
            console.start(PAGE, "Replay events".into(), work)
        }
        Err(failure) => console.problem(PAGE, "Nothing is replayed", &failure, &html! {}),
    }
}

async fn publish(
    console: &Console,
    events: &Mutex<Sorted<Listed>>,
    to: Destination,
    bar: &ProgressBar,
) -> Result<Finished, Failure> {
    bar.set_message("events replayed");
    let (mut events, mut refused) = (events.lock().await, Vec::new());
    events.rewind().map_err(|error| not_sorted(&error))?;
    let refuse = |it| {
        if refused.len() < LIMIT {
            refused.push(it);
        }
    };
    let total = events::replay(&console.deployment.api()?, to, &mut events, bar, refuse).await?;
    Ok(Finished { main: outcome(console, to, &total, &refused), kept: Kept::Nothing })
}

fn outcome(console: &Console, to: Destination, total: &Total, refused: &[NotReplayed]) -> Markup {
    let rows = html! {
        @for it in refused {
            tr { td.wide { a href=(console.transaction(&it.row)) { code { (it.row) } } } td.wide { code { (it.id) } } td.wide { (it.reason) } }
        }
    };
    html! {
        p { strong { (total.replayed) " " (to.became()) " again, " (total.refused) " refused." } (more(total.refused, refused.len())) }
        @if !refused.is_empty() { (pages::table("Not published again", &["Row", "Id", "Why"], &[], &rows)) }
    }
}
