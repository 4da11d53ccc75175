//! Transactions by what a customer says.

use axum::extract::{Form, State};
use axum::response::Response;
use domain::{Amount, TransactionId};
use indicatif::ProgressBar;
use maud::{Markup, html};
use pages::{field, filled};

use super::jobs::{Finished, Kept};
use super::{Ask, Console, Fields, when};
use crate::failure::Failure;
use crate::find::{Day, Find, Found, LIMIT, Summary, find};
use crate::rows;
use crate::scan::Unreadable;

const PAGE: &str = "/find";

/// The form's fields, and how people call them.
const FIELDS: [(&str, &str, &str); 5] = [
    ("number", "Number of the payment", "47752123519"),
    ("label", "Label of the user", "user-5"),
    ("account", "Account, name or mail address", ""),
    ("amount", "Amount", "700.50"),
    ("day", "Day (UTC, or with an offset)", "2026-11-27+08:00"),
];

/// `GET /find`
pub(super) async fn ask(State(console): Ask) -> Response {
    console.answer(PAGE, "Find", &form(&console, &Fields::new()))
}

fn form(console: &Console, fields: &Fields) -> Markup {
    html! {
        form method="post" action={ (console.base) (PAGE) } {
            div.fields {
                (inputs(&FIELDS, fields))
                button.primary { "Find" }
            }
        }
        p.hint { "All that is given must hold, to the letter; a number may be in any spelling and wallet. It reads the whole table." }
        (console.jobs_of(PAGE))
    }
}

/// A field for each name, with its label, an example, and what was entered.
pub(super) fn inputs(names: &[(&str, &str, &str)], entered: &Fields) -> Markup {
    html! {
        @for (name, label, example) in names {
            (field(name, label, &html! { input id=(name) name=(name) value=[entered.get(*name)] placeholder=(example) autocomplete="off"; }))
        }
    }
}

/// `POST /find`
pub(super) async fn start(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    match read(&fields) {
        Ok((what, arguments)) => {
            console.start(PAGE, what, async move |console, bar| found(&console, &arguments, &bar).await)
        }
        Err(failure) => console.problem(PAGE, "Find", &failure, &form(&console, &fields)),
    }
}

/// What to look for, and how it is called on pages, where people's own is not shown.
fn read(fields: &Fields) -> Result<(String, Find), Failure> {
    let text = |name: &str| fields.get(name).and_then(|value| filled(value));
    let wrong = |name: &str, rule: String| Failure::Usage(format!("{name} {rule}"));
    let arguments = Find {
        label: text("label").map(ToOwned::to_owned),
        account: text("account").map(ToOwned::to_owned),
        amount: text("amount")
            .map(str::parse::<Amount>)
            .transpose()
            .map_err(|rule| wrong("Amount", rule.to_string()))?,
        day: text("day").map(Day::parse).transpose().map_err(|rule| wrong("Day", rule))?,
        number: text("number")
            .map(TransactionId::parse)
            .transpose()
            .map_err(|rule| wrong("Number", rule.to_string()))?,
        reveal: false,
        limit: LIMIT,
    };
    let given: Vec<_> = FIELDS
        .iter()
        .filter_map(|(name, ..)| match (*name, text(name)?) {
            ("label" | "account", _) => Some(format!("{name} ***")),
            (name, value) => Some(format!("{name} {value}")),
        })
        .collect();
    if given.is_empty() {
        return Err(Failure::Usage("say what to look for".into()));
    }
    Ok((format!("Find {}", given.join(", ")), arguments))
}

async fn found(console: &Console, arguments: &Find, bar: &ProgressBar) -> Result<Finished, Failure> {
    let (found, summary) = find(&console.table, arguments, bar).await?;
    Ok(Finished { main: result(console, &found, &summary), kept: Kept::Nothing })
}

fn result(console: &Console, found: &[Found], summary: &Summary) -> Markup {
    let rows = html! {
        @for it in found {
            tr {
                td.wide { a href=(console.transaction(&it.id)) { code { (it.id) } } }
                td { span.state { (it.state) } }
                td.amount { (rows::money(it.amount.as_deref(), it.currency_code.as_deref())) }
                td.time { @if let Some(at) = it.at_ms { (when(at)) } }
                td.wide { (it.why) }
            }
        }
    };
    html! {
        p { strong { (summary.found) " found." } (more(summary.found, found.len())) }
        (unreadable(console, &summary.unreadable))
        @if !found.is_empty() { (pages::table("Transactions", &["Transaction", "State", "Amount", "When", "Why"], &["Amount"], &rows)) }
        p { a.button href={ (console.base) (PAGE) } { "Find another" } }
    }
}

/// Rows that a scan could not read.
pub(super) fn unreadable(console: &Console, rows: &Unreadable) -> Markup {
    html! {
        @if rows.number > 0 {
            section.card {
                h2 { span.state.bad { (rows.number) " unreadable" } }
                p { "What these rows say is not known." }
                ul { @for it in &rows.some { li { a href=(console.transaction(&it.key)) { code { (it.key) } } ": " (it.reason) } } }
            }
        }
    }
}

/// Says that not all are listed.
pub(super) fn more(all: u64, listed: usize) -> Markup {
    html! { @if u64::try_from(listed).is_ok_and(|listed| listed < all) { " The first " (listed) " are listed." } }
}
