//! The money rules of all rows.

use std::collections::BTreeMap;

use axum::extract::{Form, State};
use axum::response::Response;
use indicatif::ProgressBar;
use maud::{Markup, html};

use super::jobs::{Finished, Kept};
use super::{Ask, Console, Fields, when};
use crate::audit::{Break, Counts, Rule, Summary, audit, format_name};
use crate::failure::Failure;

const PAGE: &str = "/audit";

/// Most breaks of a rule that the page shows.
const SHOWN: u64 = 200;

/// `GET /audit`
pub(super) async fn ask(State(console): Ask) -> Response {
    let main = html! {
        p { "Checks every row against the money rules, and changes nothing. It reads the whole table, and each stored list once more." }
        form method="post" action={ (console.base) (PAGE) } {
            fieldset {
                label { input type="checkbox" name="strict"; span { "Strict: what is only listed counts as broken" } }
            }
            button.primary { "Start" }
        }
        (console.jobs_of(PAGE))
    };
    console.answer(PAGE, "Audit", &main)
}

/// `POST /audit`
pub(super) async fn start(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let is_strict = fields.contains_key("strict");
    let what = if is_strict { "Strict audit" } else { "Audit" };
    console.start(PAGE, what.into(), async move |console, bar| audited(&console, &bar, is_strict).await)
}

/// The breaks of a rule: how many, and the first of them.
#[derive(Default)]
struct BrokenRule {
    count: u64,
    first: Vec<Break>,
}

async fn audited(console: &Console, bar: &ProgressBar, is_strict: bool) -> Result<Finished, Failure> {
    let mut broken: BTreeMap<Rule, BrokenRule> = BTreeMap::new();
    let take = |found: &Break| {
        let of_rule = broken.entry(found.rule).or_default();
        of_rule.count = of_rule.count.saturating_add(1);
        if of_rule.count <= SHOWN {
            of_rule.first.push(found.clone());
        }
    };
    let all = audit(&console.deployment, bar, is_strict, take).await?;
    let main = html! {
        (summary(&all))
        @for (rule, broken) in &broken { (of_rule(console, *rule, broken, is_strict)) }
        p { a.button href={ (console.base) (PAGE) } { "Audit again" } }
    };
    Ok(Finished { main, kept: Kept::Nothing })
}

fn summary(all: &Summary) -> Markup {
    let Summary { counts, unproved, by_person, open, formats, .. } = all;
    let Counts { broken, unverifiable, same_number, caller } = counts;
    let money = html! {
        tr { th scope="row" { "Not proved by its evidence" } td.amount { (unproved.credits) } td.amount { (unproved.ends) } }
        tr { th scope="row" { "Decided by people" } td.amount { (by_person.credits) } td.amount { (by_person.ends) } }
    };
    html! {
        @if *broken == 0 { p { span.state.good { "No rule is broken." } } }
        @else { p { span.state.bad { (broken) " broken." } } }
        dl {
            dt { "Cannot be verified any more" } dd { (unverifiable) }
            dt { "Of the same number" } dd { (same_number) }
            dt { "Decisions without a verified caller" } dd { (caller) }
            dt { "Open withdrawals" }
            dd { (open.count) ", " (open.older_than_a_day) " of them for more than a day" @if let Some(at) = open.oldest { "; the oldest is of " (when(at)) } }
            dt { "Rows by format" } dd { @for (format, rows) in formats { (rows) " of format " (format_name(*format)) ". " } }
        }
        (pages::table("Money", &["Money", "Credits", "Ends of withdrawals"], &["Credits", "Ends of withdrawals"], &money))
    }
}

fn of_rule(console: &Console, rule: Rule, broken: &BrokenRule, is_strict: bool) -> Markup {
    let BrokenRule { count, first } = broken;
    let rows = html! {
        @for it in first {
            tr {
                td.wide { a href=(console.transaction(&it.id)) { code { (it.id) } } }
                td.wide { (it.what) }
                td.amount { @if let Some(money) = &it.unproved { (money.amount) " " (money.currency_code) } }
            }
        }
    };
    let name = rule.as_str().replace('_', " ");
    html! {
        h2 { (name) ": " (count) @if rule.is_listed(is_strict) { " (only listed)" } }
        @if *count > SHOWN { p { "The first " (SHOWN) ". The command `operator audit` lists all." } }
        (pages::table(&name, &["Row", "What", "Not proved"], &["Not proved"], &rows))
    }
}
