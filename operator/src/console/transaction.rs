//! One transaction: what happened, on what evidence, and why the rules decided so.

use axum::extract::{Form, Query, State};
use axum::response::Response;
use domain::Timestamp;
use lambda::{Clock, System};
use maud::{Markup, html};
use serde::Deserialize;
use store::UnreadableRow;

use super::{Ask, Console, Fields, when};
use crate::failure::Failure;
use crate::show::{Shown, Signed, pretty, shown};
use crate::{output, rows};

/// Which.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    id: String,
    /// Says what was just done.
    #[serde(default)]
    done: String,
}

pub(super) async fn show(State(console): Ask, Query(Asked { id, done }): Query<Asked>) -> Response {
    let id = id.trim();
    console.respond("", &title(id), page(&console, id, &done, false)).await
}

/// Shows people's names, accounts and labels of this transaction once. That somebody has looked is logged.
pub(super) async fn reveal(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let id = fields.get("id").map(String::as_str).unwrap_or_default();
    output::complain(&format!(
        "{} {} has looked at the people of {id}",
        rows::time(Timestamp(System.now_ms())),
        console.by
    ));
    console.respond("", &title(id), page(&console, id, "", true)).await
}

fn title(id: &str) -> String {
    if id.is_empty() { "Transaction".into() } else { id.to_owned() }
}

async fn page(console: &Console, id: &str, done: &str, is_revealed: bool) -> Result<Markup, Failure> {
    if id.is_empty() {
        return Err(Failure::Usage("say which transaction: a key, an id, or the number of a payment".into()));
    }
    let all = shown(&console.table, id, &console.systems, is_revealed).await?;
    Ok(html! {
        @if done == "recorded" { p.good role="status" { "The decision is recorded." } }
        @for row in &all { (of(console, row, is_revealed)) }
    })
}

fn of(console: &Console, row: &Result<Shown, UnreadableRow>, is_revealed: bool) -> Markup {
    let shown = match row {
        Ok(shown) => shown,
        Err(bad) => {
            return html! { section.card { h2 { code { (bad.key) } } p { span.state.bad { "unreadable" } } p { (bad.reason) } } };
        }
    };
    let Shown { id, state, why, attention, version, history, evidence, row } = shown;
    html! {
        section.card {
            h2 { code { (id) } }
            dl {
                dt { "State" } dd { span.state { (state) } }
                dt { "Why" } dd { (why) }
                @if let Some(kind) = attention { dt { "Needs a person" } dd { span.state.wait { (kind.replace('_', " ")) } } }
                dt { "Version" } dd { (version) }
            }
            div.actions {
                @if !console.is_read_only && is_decidable(id) {
                    a.button.primary href={ (console.base) "/decide?id=" (super::encode(id)) } { "Decide" }
                }
                @if !is_revealed {
                    form method="post" action={ (console.base) "/transaction" } {
                        input type="hidden" name="id" value=(id);
                        button { "Show people" }
                    }
                }
            }
        }
        h2 { "History" }
        @if history.is_empty() { p { "Nothing is recorded." } }
        ol.timeline { @for it in history { li { (when(it.at_ms)) " " (it.what) } } }
        @for it in evidence { (signed(it)) }
        h2 { "The row" }
        details { summary { "As it is stored" } pre { (pretty(row)) } }
    }
}

/// Whether people decide about rows with such keys at all; the function says whether about this one.
pub(super) fn is_decidable(key: &str) -> bool {
    ["payment#", "withdrawal#", "unreadable#"].iter().any(|kind| key.starts_with(kind))
}

/// What the provider signed, to the letter.
fn signed(it: &Signed) -> Markup {
    let which = it.element.map_or_else(
        || format!("all {} elements", it.elements),
        |element| format!("element {element} (from 0) of {}", it.elements),
    );
    html! {
        h2 { "Signed: " (which) }
        dl {
            dt { "Signature" } dd { code { (it.signature) } }
            dt { "Access key" } dd { code { (it.access_key) } }
            @if let Some(at) = it.received_at_ms { dt { "Received" } dd { (when(at)) } }
        }
        pre { (pretty(&it.said)) }
    }
}
