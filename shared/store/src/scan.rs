//! A scan over all rows.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{self, Config};
use domain::{Attention, AttentionKind, Timestamp};

use crate::attention::PAGE;
use crate::aws_error::unavailable;
use crate::row::{ATTENTION, ATTENTION_AT, FORMAT, Item, KEY, text};
use crate::{AnyRow, DynamoDb, Memory, StoreError};

/// One of the equal parts of a table, which may be scanned at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Which, from 0.
    pub number: u16,
    /// How many there are.
    pub of: u16,
}

/// A row that a scan has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedRow {
    /// The row.
    pub row: AnyRow,
    /// What the index says about it. If that is not the row's own [`AnyRow::attention`], the index is wrong.
    pub indexed: Option<Attention>,
    /// The row format that is stored; the oldest rows have none.
    pub format: Option<u64>,
}

/// A row that cannot be read. The scan goes on past it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct UnreadableRow {
    /// The value of the partition key.
    pub key: String,
    /// Why not.
    pub reason: String,
}

/// Some rows, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage {
    /// The rows.
    pub rows: Vec<Result<ScannedRow, UnreadableRow>>,
    /// The key after which to go on; `None` when this was the segment's last.
    pub next: Option<String>,
}

/// The right to read all rows. Each row is read at its own moment. A row that exists during the whole scan is read once.
pub trait Scan: Sync {
    /// Reads the rows of a segment that follow this key.
    fn scan(&self, segment: Segment, after: Option<&str>) -> impl Future<Output = Result<ScanPage, StoreError>> + Send;
}

impl Scan for DynamoDb {
    async fn scan(&self, segment: Segment, after: Option<&str>) -> Result<ScanPage, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .segment(segment.number.into())
            .total_segments(segment.of.into())
            .set_exclusive_start_key(after.map(|key| Item::from([(KEY.to_owned(), text(key))])));
        let answer = scan.customize().config_override(patient()).send().await.map_err(|error| unavailable(&error))?;
        let next = answer.last_evaluated_key.as_ref().map(|key| of_text(key, KEY)).map(str::to_owned);
        Ok(ScanPage { rows: answer.items.unwrap_or_default().into_iter().map(scanned_row).collect(), next })
    }
}

/// A page has up to a megabyte, and a scan reads many. So it may take longer than a row, and is retried more often.
fn patient() -> config::Builder {
    let time = Duration::from_secs(30);
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(time).operation_timeout(time.saturating_mul(4));
    Config::builder().timeout_config(timeouts.build()).retry_config(RetryConfig::standard().with_max_attempts(8))
}

fn of_text<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|it| it.as_s().ok()).map_or("", String::as_str)
}

fn scanned_row(item: Item) -> Result<ScannedRow, UnreadableRow> {
    let key = of_text(&item, KEY).to_owned();
    let unreadable_row = |reason: String| UnreadableRow { key: key.clone(), reason };
    let indexed = indexed(&item).map_err(|name| unreadable_row(format!("`{name}` can't be read")))?;
    let format = match item.get(FORMAT) {
        None => None,
        Some(format) => {
            let read = format.as_n().ok().and_then(|digits| digits.parse().ok());
            Some(read.ok_or_else(|| unreadable_row(format!("`{FORMAT}` can't be read")))?)
        }
    };
    let row = AnyRow::from_item(key.split('#').next().unwrap_or_default(), item.into());
    let row = row.ok_or_else(|| unreadable_row("a row of an unknown kind".into()))?;
    let row = row.map_err(|error| match error {
        StoreError::Permanent { reason, .. } => unreadable_row(reason),
        StoreError::Newer { .. } | StoreError::Transient(_) | StoreError::NoAnswer(_) | StoreError::WrongTable => {
            unreadable_row(error.to_string())
        }
    })?;
    if row.key() != key {
        return Err(unreadable_row(format!("the row of {}", row.key())));
    }
    Ok(ScannedRow { row, indexed, format })
}

fn indexed(item: &Item) -> Result<Option<Attention>, &'static str> {
    if !item.contains_key(ATTENTION) {
        return if item.contains_key(ATTENTION_AT) { Err(ATTENTION) } else { Ok(None) };
    }
    let kind = AttentionKind::named(of_text(item, ATTENTION)).ok_or(ATTENTION)?;
    let at = item.get(ATTENTION_AT).and_then(|it| it.as_n().ok()?.parse().ok()).ok_or(ATTENTION_AT)?;
    Ok(Some(Attention { kind, at: Timestamp(at) }))
}

impl Scan for Memory {
    async fn scan(&self, segment: Segment, after: Option<&str>) -> Result<ScanPage, StoreError> {
        let rows = self.rows().into_iter();
        let mut found: Vec<(String, AnyRow)> =
            rows.filter(|(key, _)| segment.has(key) && after.is_none_or(|after| key.as_str() > after)).collect();
        let has_more = found.len() > PAGE;
        found.truncate(PAGE);
        let next = found.last().filter(|_| has_more).map(|(key, _)| key.clone());
        let scanned = |row: AnyRow| ScannedRow { indexed: row.attention(), format: Some(row.format()), row };
        let rows = found.into_iter().map(|(_, row)| Ok(scanned(row))).collect();
        Ok(ScanPage { rows, next })
    }
}

impl Segment {
    fn has(self, key: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish().checked_rem(self.of.into()) == Some(self.number.into())
    }
}
