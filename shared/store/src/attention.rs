//! The sparse index of the rows that somebody must look at, and of the withdrawals that have not ended.

use std::future::Future;

use domain::{AttentionKind, Timestamp, WithdrawalId};

use crate::aws_error::unavailable;
use crate::row::{ATTENTION, ATTENTION_AT, Item, KEY, number, text};
use crate::{DynamoDb, Memory, RowId, StoreError};

/// The most rows on a page that a person reads.
pub const PAGE: usize = 20;

/// What the index says about a row. It also names the place after which a page begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Since when the row is in the index.
    pub at: Timestamp,
    /// The row's key.
    pub key: String,
}

impl IndexEntry {
    /// The row's name. `None` when no kind of row that we know has such a key.
    #[must_use]
    pub fn id(&self) -> Option<RowId> {
        RowId::parse(&self.key)
    }

    /// The withdrawal, if the entry is one.
    #[must_use]
    pub fn withdrawal_id(&self) -> Option<WithdrawalId> {
        if let Some(RowId::Withdrawal(id)) = self.id() { Some(id) } else { None }
    }
}

/// Some entries of the index, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionPage {
    /// The entries.
    pub entries: Vec<IndexEntry>,
    /// Where to go on; `None` when there are no more.
    pub next: Option<IndexEntry>,
}

/// The right to find the rows that somebody must look at. What was written a moment ago may be missing.
pub trait FindAttention: Sync {
    /// Finds at most `limit` rows of a kind that are in the index since this time or later, after the given entry.
    fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&IndexEntry>,
        limit: usize,
    ) -> impl Future<Output = Result<AttentionPage, StoreError>> + Send;
}

fn page(entries: Vec<IndexEntry>, has_more: bool) -> AttentionPage {
    let next = entries.last().filter(|_| has_more).cloned();
    AttentionPage { entries, next }
}

impl FindAttention for DynamoDb {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&IndexEntry>,
        limit: usize,
    ) -> Result<AttentionPage, StoreError> {
        let start = after.map(|IndexEntry { at, key }| {
            Item::from([
                (KEY.to_owned(), text(key)),
                (ATTENTION.to_owned(), text(kind.as_str())),
                (ATTENTION_AT.to_owned(), number(at.0)),
            ])
        });
        // A number beyond our own would be found again after each page.
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(ATTENTION)
            .key_condition_expression(format!("{ATTENTION} = :kind AND {ATTENTION_AT} BETWEEN :since AND :last"))
            .expression_attribute_values(":kind", text(kind.as_str()))
            .expression_attribute_values(":since", number(since.0))
            .expression_attribute_values(":last", number(u64::MAX))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| unavailable(&error))?;
        let entries = answer.items.unwrap_or_default().iter().map(entry).collect::<Option<_>>();
        let entries: Vec<_> = entries.ok_or_else(|| StoreError::transient("the index has a row without its keys"))?;
        Ok(page(entries, answer.last_evaluated_key.is_some()))
    }
}

fn entry(item: &Item) -> Option<IndexEntry> {
    let digits = item.get(ATTENTION_AT)?.as_n().ok()?;
    Some(IndexEntry { at: Timestamp(at_least(digits)?), key: item.get(KEY)?.as_s().ok()?.clone() })
}

/// The number, or the next whole one: a page that begins after it does not find the same row again.
fn at_least(digits: &str) -> Option<u64> {
    let (whole, has_rest) = digits.split_once('.').map_or((digits, false), |(whole, _)| (whole, true));
    Some(whole.parse::<u64>().ok()?.saturating_add(has_rest.into()))
}

impl FindAttention for Memory {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&IndexEntry>,
        limit: usize,
    ) -> Result<AttentionPage, StoreError> {
        let rows = self.rows();
        let indexed = rows.into_iter().filter_map(|(key, row)| {
            let attention = row.attention().filter(|it| it.kind == kind)?;
            Some(IndexEntry { at: attention.at, key })
        });
        let mut found: Vec<_> = indexed.filter(|it| it.at >= since && after.is_none_or(|after| it > after)).collect();
        found.sort();
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok(page(found, has_more))
    }
}
