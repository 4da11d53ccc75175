//! All rows of the table, read in several parts at the same time, and how far that is.

use std::fmt;
use std::future::{Future, ready};
use std::panic::resume_unwind;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Serialize, Serializer};
use store::{Scan, ScannedRow, Segment, UnreadableRow};

use crate::failure::Failure;

/// Parts of the table that are read at the same time: as many pages are held at most.
const SEGMENTS: u16 = 4;

/// Most rows that are named if they cannot be read. All are counted.
const NAMED: usize = 20;

/// A row as a scan has read it.
pub(crate) type Scanned = Result<ScannedRow, UnreadableRow>;

/// A page, and what was made of its rows.
struct Looked<T> {
    rows: u64,
    found: T,
    next: Option<String>,
}

/// The rows that could not be read: how many, and some of them.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    pub(crate) number: u64,
    pub(crate) some: Vec<UnreadableRow>,
}

impl Unreadable {
    pub(crate) fn add(&mut self, bad: UnreadableRow) {
        self.number = self.number.saturating_add(1);
        if self.some.len() < NAMED {
            self.some.push(bad);
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.number)
    }
}

impl Serialize for Unreadable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.number)
    }
}

/// Has each row taken as it comes. Gives how many there were.
pub(crate) async fn scan(
    table: &(impl Scan + Clone + Send + 'static),
    bar: &ProgressBar,
    mut take: impl FnMut(Scanned) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let all = |rows: Vec<Scanned>| ready(Ok(rows));
    scan_pages(table, bar, all, |rows| rows.into_iter().try_for_each(&mut take)).await
}

/// Has the rows of each page looked at, and takes what was found. Pages are read and looked at on all processors, and taken one
/// after the other. Gives how many rows there were.
pub(crate) async fn scan_pages<T, Look, Looking, Found>(
    table: &T,
    bar: &ProgressBar,
    look: Look,
    mut take: impl FnMut(Found) -> Result<(), Failure>,
) -> Result<u64, Failure>
where
    T: Scan + Clone + Send + 'static,
    Look: Fn(Vec<Scanned>) -> Looking + Clone + Send + 'static,
    Looking: Future<Output = Result<Found, Failure>> + Send,
    Found: Send + 'static,
{
    let segments =
        (0..SEGMENTS).map(|number| Box::pin(pages(table.clone(), Segment { number, of: SEGMENTS }, look.clone())));
    let mut pages = pin!(stream::select_all(segments));
    let mut all: u64 = 0;
    while let Some(Looked { rows, found, .. }) = pages.try_next().await? {
        take(found)?;
        all = all.saturating_add(rows);
        bar.inc(rows);
    }
    bar.finish();
    Ok(all)
}

/// Walks a segment from its first page (`Some(None)`) to its last. Each page is a task of its own.
fn pages<T, Look, Looking, Found>(
    table: T,
    segment: Segment,
    look: Look,
) -> impl Stream<Item = Result<Looked<Found>, Failure>>
where
    T: Scan + Clone + Send + 'static,
    Look: Fn(Vec<Scanned>) -> Looking + Clone + Send + 'static,
    Looking: Future<Output = Result<Found, Failure>> + Send,
    Found: Send + 'static,
{
    stream::try_unfold(Some(None::<String>), move |place| {
        let (table, look) = (table.clone(), look.clone());
        async move {
            let Some(after) = place else { return Ok(None) };
            let page = tokio::spawn(async move {
                let page = table.scan(segment, after.as_deref()).await?;
                let rows = u64::try_from(page.rows.len()).unwrap_or(u64::MAX);
                Ok::<_, Failure>(Looked { rows, found: look(page.rows).await?, next: page.next })
            });
            let mut page = page.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
            let next = page.next.take().map(Some);
            Ok(Some((page, next)))
        }
    })
}

/// How many seconds a scan took, and how many rows it read in one.
pub(crate) fn pace(rows: u64, taken_ms: u64) -> (u64, u64) {
    (taken_ms / 1_000, rows.saturating_mul(1_000).checked_div(taken_ms).unwrap_or(rows))
}

/// Counts rows on stderr, where that is a terminal.
pub(crate) fn rows_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} rows, {per_sec}, {elapsed}");
    let bar = ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Shows how much of a file is read.
pub(crate) fn bytes_bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
