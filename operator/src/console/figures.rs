//! What moved on each day, what waits, and what was refused, as charts and tables.

use axum::extract::{Form, State};
use axum::response::Response;
use domain::{CurrencyCode, Timestamp, Totals};
use indicatif::ProgressBar;
use lambda::{Clock, System};
use maud::{Markup, html};
use pages::{field, filled};

use super::find::unreadable;
use super::jobs::{Finished, Kept};
use super::{Ask, Console, Fields};
use crate::days::Days;
use crate::failure::Failure;
use crate::figures::{Age, ByWallet, Daily, Figures, Flow, figures};

const PAGE: &str = "/figures";

/// How many days are shown unless others are asked for.
const DAYS: u64 = 30;

/// How tall a chart is and how wide a day is in it, in its own units.
const TALL: u32 = 1_000;
const WIDE: usize = 10;

/// How many colours there are.
const COLOURS: usize = 5;

/// `GET /figures`
pub(super) async fn ask(State(console): Ask) -> Response {
    console.answer(PAGE, "Figures", &form(&console))
}

fn form(console: &Console) -> Markup {
    let days = Days::last(DAYS, Timestamp(System.now_ms()));
    let day = |name: &str, day: Option<domain::Day>| html! { input type="date" id=(name) name=(name) value=[day]; };
    html! {
        p { "What was credited and paid on each day, what is held or open, and what was refused. It reads the whole table." }
        form method="post" action={ (console.base) (PAGE) } {
            div.fields {
                (field("first", "First day", &day("first", days.each().next())))
                (field("last", "Last day", &day("last", days.each().next_back())))
                (field("offset", "Offset of the days from UTC", &html! { input id="offset" name="offset" value="+00:00" size="7"; }))
                button.primary { "Start" }
            }
        }
        p.hint { "A payment counts on the day of its signed postback, a withdrawal on the day on which it ended, and what a person decided on the day of the decision." }
        (console.jobs_of(PAGE))
    }
}

/// `POST /figures`
pub(super) async fn start(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let text = |name: &str| fields.get(name).and_then(|text| filled(text)).unwrap_or_default();
    match Days::of(text("first"), text("last"), text("offset")) {
        Ok(days) => {
            let what = format!("Figures of {}", span(days));
            console.start(PAGE, what, async move |console, bar| counted(&console, days, &bar).await)
        }
        Err(failure) => console.problem(PAGE, "Figures", &failure, &form(&console)),
    }
}

fn span(days: Days) -> String {
    let mut each = days.each();
    let ends = [each.next(), each.next_back()];
    ends.into_iter().flatten().map(|day| day.to_string()).collect::<Vec<_>>().join(" to ")
}

async fn counted(console: &Console, days: Days, bar: &ProgressBar) -> Result<Finished, Failure> {
    let all = figures(&console.table, days, Timestamp(System.now_ms()), bar).await?;
    let mut currencies: Vec<_> = all.flows.keys().map(|(currency_code, _)| currency_code).collect();
    currencies.dedup();
    let main = html! {
        (unreadable(console, &all.unreadable))
        @if currencies.is_empty() { p { "No money has moved on these days, and none was refused." } }
        @for currency_code in currencies { (of_currency(&all, currency_code)) }
        (waiting(console, &all))
        p { a.button href={ (console.base) (PAGE) } { "Other days" } }
    };
    Ok(Finished { main, kept: Kept::Nothing })
}

fn of_currency(all: &Figures, currency_code: &CurrencyCode) -> Markup {
    let find = |flow| all.flows.get(&(currency_code.clone(), flow));
    let refusals = Flow::REFUSALS.into_iter().filter_map(|flow| Some((flow.as_str().to_owned(), find(flow)?)));
    let refusals: Vec<_> = refusals.map(|(name, of)| Series { name, daily: &of.all }).collect();
    html! {
        @for (flow, of) in [Flow::Credited, Flow::Paid].into_iter().filter_map(|flow| Some((flow, find(flow)?))) {
            (moved(all.days, flow, of, currency_code))
        }
        @if !refusals.is_empty() {
            h2 { "Refused, " (currency_code) }
            (lines(all.days, &refusals, currency_code))
            (by_day(&format!("Refused by day, {currency_code}"), all.days, &refusals))
        }
    }
}

/// What is drawn in one colour, and has one column.
struct Series<'a> {
    name: String,
    daily: &'a Daily,
}

/// What has moved by each wallet.
fn moved(days: Days, flow: Flow, of: &ByWallet, currency_code: &CurrencyCode) -> Markup {
    let wallets = of.wallets.iter().map(|(wallet, daily)| Series { name: wallet.to_string(), daily });
    let wallets: Vec<_> = wallets.collect();
    let all = Series { name: "All".into(), daily: &of.all };
    let name = format!("{} by day, {currency_code}", flow.as_str());
    html! {
        h2 { (flow.as_str()) ", " (currency_code) }
        (bars(&name, days, &wallets, &of.all))
        (by_day(&name, days, &wallets.into_iter().chain([all]).collect::<Vec<_>>()))
    }
}

/// A chart: a bar for each day, with a part for each of the series.
fn bars(name: &str, days: Days, series: &[Series<'_>], all: &Daily) -> Markup {
    let most = days.each().zip(&all.days).max_by_key(|(_, totals)| totals.sum);
    let top = most.map(|(_, totals)| totals.sum).unwrap_or_default();
    let mut bases = vec![0_u32; all.days.len()];
    let parts: Vec<_> = series
        .iter()
        .map(|it| {
            let parts = it.daily.days.iter().zip(&mut bases).map(|(totals, base)| {
                let height = totals.sum.parts_of(top, TALL);
                *base = base.saturating_add(height);
                (TALL.saturating_sub(*base), height)
            });
            parts.collect::<Vec<_>>()
        })
        .collect();
    let highest = most.map(|(day, totals)| format!("The highest bar is {} on {day}.", totals.sum)).unwrap_or_default();
    let drawing = html! {
        @for (place, parts) in parts.iter().enumerate() {
            g class=(colour(place)) {
                @for (day, (y, height)) in parts.iter().enumerate() {
                    @if *height > 0 { rect x=(day.saturating_mul(WIDE)) y=(y) width=(WIDE.saturating_sub(2)) height=(height) {} }
                }
            }
        }
    };
    chart(name, &highest, days, series, &drawing)
}

/// A chart: a line for each of the series, through the number of each day.
fn lines(days: Days, series: &[Series<'_>], currency_code: &CurrencyCode) -> Markup {
    let top = series.iter().flat_map(|it| &it.daily.days).map(|totals| totals.count).max().unwrap_or_default().max(1);
    let y = |totals: &Totals| {
        let height = totals.count.saturating_mul(TALL.into()).div_euclid(top);
        u64::from(TALL).saturating_sub(height)
    };
    let points = |it: &Series<'_>| {
        let x = |day: usize| day.saturating_mul(WIDE).saturating_add(WIDE / 2);
        let points = it.daily.days.iter().enumerate().map(|(day, totals)| format!("{},{}", x(day), y(totals)));
        points.collect::<Vec<_>>().join(" ")
    };
    let drawing = html! {
        @for (place, it) in series.iter().enumerate() { polyline class=(colour(place)) points=(points(it)) {} }
    };
    let highest = format!("The highest point is {top} on one day.");
    chart(&format!("Number refused by day, {currency_code}"), &highest, days, series, &drawing)
}

fn colour(place: usize) -> String {
    format!("colour-{}", place.wrapping_rem(COLOURS))
}

fn chart(name: &str, highest: &str, days: Days, series: &[Series<'_>], drawing: &Markup) -> Markup {
    html! {
        figure {
            svg.chart role="img" aria-label={ (name) ", " (span(days)) ". " (highest) " The table has all numbers." }
                viewBox={ "0 0 " (days.count().saturating_mul(WIDE)) " " (TALL) } preserveAspectRatio="none" { (drawing) }
            figcaption {
                (span(days)) ". " (highest)
                ul.legend {
                    @for (place, it) in series.iter().enumerate() {
                        li { svg class=(colour(place)) viewBox="0 0 8 8" aria-hidden="true" { rect width="8" height="8" {} } (it.name) }
                    }
                }
            }
        }
    }
}

/// The numbers of a chart, for the days that have any.
fn by_day(name: &str, days: Days, series: &[Series<'_>]) -> Markup {
    let heads: Vec<_> = ["Day"].into_iter().chain(series.iter().map(|it| it.name.as_str())).collect();
    let row = |head: String, totals: &[Totals]| {
        html! { tr { th scope="row" { (head) } @for it in totals { td.amount { @if it.count > 0 { (it.sum) " (" (it.count) ")" } } } } }
    };
    let of_day = |day| series.iter().filter_map(move |it| it.daily.days.get(day)).copied().collect::<Vec<_>>();
    let of_days = days.each().enumerate().map(|(place, day)| (day.to_string(), of_day(place)));
    let total = ("In all".to_owned(), series.iter().map(|it| it.daily.total).collect());
    let rows = of_days.filter(|(_, totals)| totals.iter().any(|it| it.count > 0)).chain([total]);
    let rows = html! { @for (head, totals) in rows { (row(head, &totals)) } };
    pages::table(name, &heads, heads.get(1..).unwrap_or_default(), &rows)
}

/// What is held or open now, by age.
fn waiting(console: &Console, all: &Figures) -> Markup {
    let heads: Vec<_> = ["Kind"].into_iter().chain(Age::ALL.map(Age::as_str)).collect();
    let rows = html! {
        @for (kind, ages) in &all.waiting {
            tr {
                th scope="row" { a href={ (console.base) "/?kind=" (kind.as_str()) } { (kind.as_str()) } }
                @for age in Age::ALL {
                    td.amount { @if let Some(it) = ages.get(&age) { (it.rows) @for part in it.sums.each() { br; (part) } } }
                }
            }
        }
    };
    html! {
        h2 { "Held and open now, by age" }
        @if all.waiting.is_empty() { p { "Nothing." } }
        @else { (pages::table("Held and open, by age", &heads, heads.get(1..).unwrap_or_default(), &rows)) }
    }
}
