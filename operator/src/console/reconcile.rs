//! The provider's export against the table.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use indicatif::ProgressBar;
use maud::{Markup, html};
use pages::{field, filled};
use serde::Deserialize;

use super::jobs::{Finished, Job, Kept};
use super::transaction::is_decidable;
use super::{Ask, Console, Fields, Shared};
use crate::days;
use crate::failure::Failure;
use crate::reconcile::{Comparison, Config, Period, Place, Total};

const PAGE: &str = "/reconcile";

/// The largest upload.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// How many lines a page of a class has, and how many of a difference are with the result.
const LINES: usize = 100;
const FIRST_LINES: usize = 20;

/// How an export is read that comes without settings, until some were used.
const SAMPLE: &str = include_str!("../../samples/export.toml");

/// The settings that were used last.
#[derive(Default)]
pub(super) struct LastSettings(Mutex<Option<String>>);

/// What an export and the table have: one file for each class.
pub(super) struct Compared {
    totals: Vec<Total>,
    /// A file is read by one request at a time.
    turn: Mutex<()>,
}

/// What a person has entered.
struct Entered {
    export: File,
    bytes: u64,
    name: String,
    settings: String,
    fields: Fields,
}

impl LastSettings {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, settings: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(settings);
    }
}

pub(super) fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MOST_BYTES)
}

/// `GET /reconcile`
pub(super) async fn ask(State(console): Ask) -> Response {
    console.answer(PAGE, "Reconcile", &form(&console))
}

fn form(console: &Console) -> Markup {
    let current = if console.export_settings.get().is_some() { "those that were used last" } else { "the sample" };
    let file = |name: &str, is_required: bool| html! { input type="file" id=(name) name=(name) required[is_required] aria-describedby={ (name) "-hint" }; };
    html! {
        p { "Compares the provider's back-office export with the table, and changes nothing." }
        form method="post" action={ (console.base) (PAGE) } enctype="multipart/form-data" {
            div.field {
                label for="export" { "Export" }
                (file("export", true))
                p.hint id="export-hint" { "CSV, as the provider made it: a spreadsheet that saves it again rewrites long numbers. At most 256 MiB." }
            }
            div.field {
                label for="settings" { "Settings: how to read the export" }
                (file("settings", false))
                p.hint id="settings-hint" { "Without a file: " a href={ (console.base) "/reconcile/settings" } { (current) } "." }
            }
            div.fields {
                (field("first", "First day of the export", &html! { input type="date" id="first" name="first"; }))
                (field("last", "Last day", &html! { input type="date" id="last" name="last"; }))
                (field("offset", "Offset of the days from UTC", &html! { input id="offset" name="offset" value="+08:00" size="7"; }))
                button.primary { "Compare" }
            }
        }
        p.hint { "Without days, each transaction of the table must be in the export." }
        (console.jobs_of(PAGE))
    }
}

/// `POST /reconcile`
pub(super) async fn start(State(console): Ask, form: Multipart) -> Response {
    let entered = async {
        let entered = Entered::read(form, &console).await?;
        let config =
            Config::parse(&entered.settings).map_err(|rule| Failure::Usage(format!("the settings: {rule}")))?;
        let period = entered.period()?;
        Ok((entered, config, period))
    };
    match entered.await {
        Ok((entered, config, period)) => {
            let what = format!("Reconcile {}", entered.name);
            console.start(PAGE, what, async move |console, bar| compared(console, bar, entered, config, period).await)
        }
        Err(failure) => console.problem(PAGE, "Reconcile", &failure, &self::form(&console)),
    }
}

fn unread(error: &MultipartError) -> Failure {
    Failure::Usage(format!("the upload: {}", error.body_text()))
}

impl Entered {
    async fn read(mut form: Multipart, console: &Console) -> Result<Self, Failure> {
        let (mut export, mut bytes, mut name) = (tempfile::tempfile()?, 0_u64, String::new());
        let mut fields = Fields::new();
        while let Some(mut field) = form.next_field().await.map_err(|error| unread(&error))? {
            let of = field.name().unwrap_or_default().to_owned();
            if of != "export" {
                fields.insert(of, field.text().await.map_err(|error| unread(&error))?);
                continue;
            }
            field.file_name().unwrap_or_default().clone_into(&mut name);
            while let Some(chunk) = field.chunk().await.map_err(|error| unread(&error))? {
                export.write_all(&chunk)?;
                bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            }
        }
        if bytes == 0 {
            return Err(Failure::Usage("choose the provider's export".into()));
        }
        export.rewind()?;
        let settings = fields.get("settings").and_then(|text| filled(text)).map(ToOwned::to_owned);
        let settings = settings.or_else(|| console.export_settings.get()).unwrap_or_else(|| SAMPLE.to_owned());
        Ok(Self { export, bytes, name, settings, fields })
    }

    fn period(&self) -> Result<Period, Failure> {
        let text = |name: &str| self.fields.get(name).and_then(|text| filled(text));
        let offset = text("offset").unwrap_or_default();
        let since = text("first").map(|day| days::begin(day, offset)).transpose()?;
        let until = text("last").map(|day| days::end(day, offset)).transpose()?;
        Period::of(since, until).ok_or_else(|| Failure::Usage("the last day must not be before the first".into()))
    }
}

async fn compared(
    console: Shared,
    bar: ProgressBar,
    entered: Entered,
    config: Config,
    period: Period,
) -> Result<Finished, Failure> {
    let Entered { export, bytes, settings, .. } = entered;
    let mut comparison = Comparison::new(config, period, Place::Nameless)?;
    let rows = bar.message();
    bar.set_length(bytes);
    bar.set_message("bytes of the export read");
    comparison.read(bar.wrap_read(export)).await?;
    bar.unset_length();
    bar.set_position(0);
    bar.set_message(rows);
    let totals = comparison.compare(&console.table, &bar).await?;
    console.export_settings.set(settings);
    Ok(Finished { main: html! {}, kept: Kept::Compared(Compared { totals, turn: Mutex::default() }) })
}

impl Compared {
    /// What was found: each class, and the first lines of each difference.
    pub(super) fn show(&self, console: &Console, job: &str) -> Markup {
        let Self { totals, .. } = self;
        let address = |class: &str| format!("{}{PAGE}/{job}/{class}", console.base);
        let differences = || totals.iter().filter(|it| it.differs && it.count > 0);
        let rows = html! {
            @for it in totals {
                tr {
                    th scope="row" { @if it.count > 0 { a href=(address(it.class)) { (words(it.class)) } } @else { (words(it.class)) } }
                    td.wide { (meaning(it.class)) }
                    td.amount { @if it.differs && it.count > 0 { span.bad { (it.count) } } @else { (it.count) } }
                    td.amount { (it.there) }
                    td.amount { (it.here) }
                    td { @if it.count > 0 { a href={ (address(it.class)) "/csv" } aria-label={ (words(it.class)) " as CSV" } { "CSV" } } }
                }
            }
        };
        let heads = ["Class", "Meaning", "Lines", "In the export", "In the table", "File"];
        html! {
            @if differences().next().is_none() { p { span.state.good { "No difference." } } }
            (pages::table("Classes", &heads, &["Lines", "In the export", "In the table"], &rows))
            @for it in differences() {
                h2 { (words(it.class)) }
                @match self.table(console, it, 0, FIRST_LINES) {
                    Ok((table, _)) => {
                        (table)
                        @if count(it) > FIRST_LINES { p { a href=(address(it.class)) { "All " (it.count) " lines" } } }
                    }
                    Err(failure) => p.error { (failure) },
                }
            }
            p { a.button href={ (console.base) (PAGE) } { "Compare another" } }
        }
    }

    /// A part of a file from a place on, and where it ends.
    fn chunk(&self, total: &Total, at: u64) -> Result<(Vec<u8>, u64), Failure> {
        let (mut chunk, mut file) = (vec![0; 64 * 1024], &total.content);
        let turn = self.turn.lock();
        file.seek(SeekFrom::Start(at))?;
        let length = file.read(&mut chunk)?;
        drop(turn);
        chunk.truncate(length);
        Ok((chunk, at.saturating_add(u64::try_from(length).unwrap_or_default())))
    }

    /// Some lines of a class, and how many they are.
    fn table(&self, console: &Console, total: &Total, from: usize, most: usize) -> Result<(Markup, usize), Failure> {
        let unread = |error: csv::Error| Failure::Usage(format!("{}: {error}", total.class));
        let turn = self.turn.lock();
        (&total.content).rewind()?;
        let mut file = csv::Reader::from_reader(&total.content);
        let names = file.headers().map_err(unread)?.clone();
        let records = file.records().skip(from).take(most).collect::<Result<Vec<_>, _>>().map_err(unread)?;
        drop(turn);
        let place = |name: &str| names.iter().position(|it| it == name);
        let columns = COLUMNS.iter().filter_map(|(head, parts)| {
            let places = parts.iter().map(|part| place(part)).collect::<Option<Vec<_>>>();
            Some((*head, places?))
        });
        let (heads, columns): (Vec<_>, Vec<_>) = columns.unzip();
        let (id, state) = (place("id"), place("state_here"));
        let has_decision = !console.is_read_only && id.is_some();
        let rows = html! {
            @for record in &records {
                // What only the export has is no row.
                @let is_row = state.is_none_or(|place| record.get(place) != Some(""));
                @let key = id.and_then(|id| record.get(id)).filter(|_| is_row);
                tr {
                    @for places in &columns {
                        @let cell = places.iter().filter_map(|place| record.get(*place)).collect::<Vec<_>>().join(" ");
                        @match key.filter(|_| id.is_some_and(|id| places.contains(&id))) {
                            Some(key) => td { a href=(console.transaction(key)) { code { (cell) } } },
                            None => td { (cell) },
                        }
                    }
                    @if has_decision {
                        td { @if let Some(key) = key.filter(|key| is_decidable(key)) {
                            a href={ (console.base) "/decide?id=" (super::encode(key)) } aria-label={ "Decide " (key) } { "Decide" }
                        } }
                    }
                }
            }
        };
        let heads: Vec<_> = heads.into_iter().chain(has_decision.then_some("Decision")).collect();
        Ok((pages::table(&words(total.class), &heads, &[], &rows), records.len()))
    }
}

/// From which line on.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: usize,
}

/// `GET /reconcile/JOB/CLASS`: the lines of a class.
pub(super) async fn lines(
    State(console): Ask,
    Path((id, class)): Path<(String, String)>,
    Query(Asked { from }): Query<Asked>,
) -> Response {
    let main = async {
        let job = console.find_job(&id)?;
        let (compared, total) = find(&job, &class)?;
        let (table, shown) = compared.table(&console, total, from, LINES)?;
        let until = from.saturating_add(shown);
        Ok(html! {
            p { a href={ (console.base) "/jobs/" (id) } { "All classes" } }
            p { (meaning(total.class)) ". Lines " (from.saturating_add(1)) " to " (until) " of " (total.count) "." }
            (table)
            div.actions {
                @if until < count(total) { a.button href={ "?from=" (until) } { "Next lines" } }
                a.button href={ (console.base) (PAGE) "/" (id) "/" (total.class) "/csv" } { "Download as CSV" }
            }
        })
    };
    console.respond(PAGE, &words(&class), main).await
}

/// `GET /reconcile/JOB/CLASS/csv`
pub(super) async fn csv(State(console): Ask, Path((id, class)): Path<(String, String)>) -> Response {
    let job = console.find_job(&id).and_then(|job| find(&job, &class).map(|_| Arc::clone(&job)));
    match job {
        Ok(job) => {
            let name = format!("attachment; filename=\"{class}.csv\"");
            let chunks = stream::try_unfold((job, class, 0), async |(job, class, at)| {
                let (compared, total) = find(&job, &class)?;
                let (chunk, next) = compared.chunk(total, at)?;
                Ok::<_, Failure>((!chunk.is_empty()).then_some((chunk, (job, class, next))))
            });
            let headers =
                [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
            (headers, Body::from_stream(chunks)).into_response()
        }
        Err(failure) => console.problem(PAGE, "This did not work", &failure, &html! {}),
    }
}

/// `GET /reconcile/settings`: what is used without a file.
pub(super) async fn settings(State(console): Ask) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"export.toml\""),
    ];
    (headers, console.export_settings.get().unwrap_or_else(|| SAMPLE.to_owned())).into_response()
}

/// A class of a job that has compared.
fn find<'a>(job: &'a Job, class: &str) -> Result<(&'a Compared, &'a Total), Failure> {
    let compared = if let Some(Kept::Compared(compared)) = job.kept() { Some(compared) } else { None };
    let found = compared.and_then(|it| Some((it, it.totals.iter().find(|total| total.class == class)?)));
    found.ok_or_else(|| Failure::NotAllowed("there is no such class".into()))
}

fn count(total: &Total) -> usize {
    usize::try_from(total.count).unwrap_or(usize::MAX)
}

/// The columns of a page, and of which columns of a file each is made.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("Transaction", &["id"]),
    ("Line", &["line"]),
    ("In the export", &["amount_there", "currency_there", "status_there"]),
    ("In the table", &["amount_here", "currency_here", "state_here"]),
    ("Remark", &["remark"]),
    ("Column", &["column"]),
    ("Reason", &["reason"]),
];

/// A class's name, for people.
fn words(class: &str) -> String {
    class.replace('_', " ")
}

/// What a class means.
fn meaning(class: &str) -> &'static str {
    match class {
        "matched" => "Both say the same",
        "missing_here" => "Only in the export",
        "missing_there" => "Only in the table",
        "amount_differs" => "Another amount or currency",
        "status_differs" => "The money moved on one side only, or one side has not ended",
        "by_hand" => "Withdrawals made in the back office: no difference",
        "contradicting" => "Lines with one id that contradict each other",
        "duplicated" => "Further lines with one id",
        "bad_lines" => "Lines that cannot be read",
        "bad_rows" => "Rows of the table that cannot be read",
        "ignored" => "Lines that are no transactions: no difference",
        _ => "",
    }
}
