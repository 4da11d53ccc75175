//! All rows of the table, one after the other, and how far that is.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use store::{Scan, ScanPage, ScannedRow, Segment, StoreError, UnreadableRow};

use crate::failure::Failure;

/// Parts of the table that are read at the same time: as many pages are held at most.
const SEGMENTS: u16 = 4;

/// Has each row looked at as it comes. Gives how many there were.
pub(crate) async fn scan(
    table: &impl Scan,
    bar: &ProgressBar,
    mut look: impl FnMut(Result<ScannedRow, UnreadableRow>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let segments = (0..SEGMENTS).map(|number| Box::pin(stretches(table, Segment { number, of: SEGMENTS })));
    let mut stretches = pin!(stream::select_all(segments));
    while let Some(page) = stretches.try_next().await? {
        for row in page.rows {
            look(row)?;
            bar.inc(1);
        }
    }
    bar.finish();
    Ok(bar.position())
}

/// Walks a segment from its first page (`Some(None)`) to its last.
fn stretches(table: &impl Scan, segment: Segment) -> impl Stream<Item = Result<ScanPage, StoreError>> {
    stream::try_unfold(Some(None::<String>), move |place| async move {
        let Some(after) = place else { return Ok(None) };
        let page = table.scan(segment, after.as_deref()).await?;
        let next = page.next.clone().map(Some);
        Ok(Some((page, next)))
    })
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
