//! What needs a person, and the withdrawals that have not ended.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{AttentionFilter, Timestamp};
use lambda::{Clock, System};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Ask, Console};
use crate::escape::cell;
use crate::failure::Failure;
use crate::list::{self, Open};
use crate::rows;

/// Most rows of a kind that the page shows. The file has all.
const SHOWN: usize = 200;

/// What the page is asked for.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    kind: String,
}

impl Asked {
    fn filters(&self) -> Result<Vec<AttentionFilter>, Failure> {
        match self.kind.as_str() {
            "" => Ok(Vec::new()),
            name => AttentionFilter::named(name)
                .map(|it| vec![it])
                .ok_or_else(|| Failure::Usage(format!("{name} is an unknown kind"))),
        }
    }
}

pub(super) async fn show(State(console): Ask, Query(asked): Query<Asked>) -> Response {
    console.respond("/", "Needs a person", needs(&console, &asked)).await
}

async fn needs(console: &Console, asked: &Asked) -> Result<Markup, Failure> {
    let now_ms = System.now_ms();
    let found = list::open(&console.table, &asked.filters()?, Timestamp(now_ms), SHOWN).await?;
    Ok(html! {
        nav.actions aria-label="Kinds" {
            a.button href={ (console.base) "/" } aria-current=[asked.kind.is_empty().then_some("true")] { "All" }
            @for filter in AttentionFilter::ALL {
                @let name = filter.as_str();
                a.button href={ (console.base) "/?kind=" (name) } aria-current=[(asked.kind == name).then_some("true")] { (words(name)) }
            }
        }
        @if found.is_empty() { p { "Nothing." } } @else { (ages(&found, now_ms)) (table(console, &found, now_ms)) }
        p { a.button href={ (console.base) "/open.csv?kind=" (asked.kind) } { "Download as CSV" } }
    })
}

/// A kind's name for people.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// How many there are of each kind, how old the oldest is, and a bar in proportion to the number.
fn ages(found: &[Open], now_ms: u64) -> Markup {
    let kinds = AttentionFilter::ALL.map(|filter| (filter, found.iter().filter(move |it| it.attention == filter)));
    let kinds =
        kinds.map(|(filter, of_kind)| (filter.as_str(), of_kind.clone().count(), of_kind.map(|it| it.since_ms).min()));
    let most = kinds.iter().map(|(_, count, _)| *count).max().unwrap_or(1).max(1);
    let rows = html! {
        @for (name, count, oldest) in kinds {
            @if let Some(oldest) = oldest {
                tr {
                    th scope="row" { (words(name)) }
                    td.amount { (count) @if count == SHOWN { " or more" } }
                    td.time { (rows::age(oldest, now_ms)) }
                    td.wide { svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" { rect width=(count.saturating_mul(100).div_euclid(most)) height="8" {} } }
                }
            }
        }
    };
    html! { h2 { "How many, and how old" } (pages::table("How many of each kind", &["Kind", "Rows", "Oldest", ""], &["Rows"], &rows)) }
}

fn table(console: &Console, found: &[Open], now_ms: u64) -> Markup {
    let rows = html! {
        @for it in found {
            tr {
                td { (words(it.attention.as_str())) }
                td.wide { a href=(console.transaction(&it.id)) { code { (it.id) } } }
                td.time { (rows::age(it.since_ms, now_ms)) }
                td { span.state { (it.state) } }
                td.amount { (rows::money(it.amount.as_deref(), it.currency_code.as_deref())) }
                td.wide { (it.why) }
            }
        }
    };
    let heads = ["Kind", "Transaction", "Waiting", "State", "Amount", "Why"];
    html! { h2 { "The oldest first" } (pages::table("Transactions", &heads, &["Amount"], &rows)) }
}

/// `GET /open.csv`: all rows, not only those that the page shows.
pub(super) async fn csv(State(console): Ask, Query(asked): Query<Asked>) -> Response {
    match written(&console, &asked).await {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"open.csv\""),
            ];
            (headers, text).into_response()
        }
        Err(failure) => console.problem("/", "This did not work", &console.explained(failure).await, &html! {}),
    }
}

async fn written(console: &Console, asked: &Asked) -> Result<Vec<u8>, Failure> {
    let found = list::open(&console.table, &asked.filters()?, Timestamp(System.now_ms()), usize::MAX).await?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let unwritten = |error: csv::Error| Failure::NotPrinted(error.to_string());
    csv.write_record(["kind", "transaction", "since", "state", "amount", "currency", "why"]).map_err(unwritten)?;
    for it in &found {
        let (amount, currency) = (it.amount.clone().unwrap_or_default(), it.currency_code.clone().unwrap_or_default());
        let cells = [
            it.attention.as_str().to_owned(),
            it.id.clone(),
            rows::time(it.since_ms),
            it.state.to_owned(),
            amount,
            currency,
        ];
        let cells = cells.into_iter().chain([it.why.clone()]).map(|text| cell(&text).into_owned());
        csv.write_record(cells).map_err(unwritten)?;
    }
    csv.into_inner().map_err(|error| Failure::NotPrinted(error.to_string()))
}
