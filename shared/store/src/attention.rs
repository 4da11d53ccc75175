//! The sparse index of the rows that somebody must look at.

use std::future::Future;

use domain::{AttentionKind, Timestamp};

use crate::aws_error::unavailable;
use crate::row::{ATTENTION, ATTENTION_AT, Item, KEY, number, text};
use crate::{DynamoDb, Memory, RowId, StoreError};

/// The most rows on a page.
pub const PAGE: usize = 20;

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The last row's time.
    pub at: Timestamp,
    /// The last row's key.
    pub key: String,
}

/// Some rows of the index, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionPage {
    /// The rows.
    pub rows: Vec<RowId>,
    /// Since when the first of them has been waiting.
    pub first_at: Option<Timestamp>,
    /// Where to go on; `None` when there are no more.
    pub next: Option<Cursor>,
}

/// The right to find the rows that somebody must look at. What was written a moment ago may be missing.
pub trait FindAttention: Sync {
    /// Finds at most [`PAGE`] rows of a kind that changed at this time or later, after the cursor.
    fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&Cursor>,
    ) -> impl Future<Output = Result<AttentionPage, StoreError>> + Send;
}

fn page(found: &[Cursor], has_more: bool) -> Result<AttentionPage, StoreError> {
    let next = found.last().filter(|_| has_more).cloned();
    let rows = found.iter().map(|it| RowId::parse(&it.key)).collect::<Option<_>>();
    let rows = rows.ok_or_else(|| StoreError::transient("the index has a row of an unknown kind"))?;
    Ok(AttentionPage { rows, first_at: found.first().map(|it| it.at), next })
}

impl FindAttention for DynamoDb {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&Cursor>,
    ) -> Result<AttentionPage, StoreError> {
        let start = after.map(|Cursor { at, key }| {
            Item::from([
                (KEY.to_owned(), text(key)),
                (ATTENTION.to_owned(), text(kind.as_str())),
                (ATTENTION_AT.to_owned(), number(at.0)),
            ])
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(ATTENTION)
            .key_condition_expression(format!("{ATTENTION} = :kind AND {ATTENTION_AT} >= :since"))
            .expression_attribute_values(":kind", text(kind.as_str()))
            .expression_attribute_values(":since", number(since.0))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| unavailable(&error))?;
        let found = answer.items.unwrap_or_default().iter().map(cursor).collect::<Option<_>>();
        let found: Vec<_> = found.ok_or_else(|| StoreError::transient("the index has a row without its keys"))?;
        page(&found, answer.last_evaluated_key.is_some())
    }
}

fn cursor(item: &Item) -> Option<Cursor> {
    let at = item.get(ATTENTION_AT)?.as_n().ok()?.parse().ok()?;
    Some(Cursor { at: Timestamp(at), key: item.get(KEY)?.as_s().ok()?.clone() })
}

impl FindAttention for Memory {
    async fn find_attention(
        &self,
        kind: AttentionKind,
        since: Timestamp,
        after: Option<&Cursor>,
    ) -> Result<AttentionPage, StoreError> {
        let rows = self.rows();
        let indexed = rows.into_iter().filter_map(|(key, row)| {
            let attention = row.attention().filter(|it| it.kind == kind)?;
            Some(Cursor { at: attention.at, key })
        });
        let mut found: Vec<_> = indexed.filter(|it| it.at >= since && after.is_none_or(|after| it > after)).collect();
        found.sort();
        let has_more = found.len() > PAGE;
        found.truncate(PAGE);
        page(&found, has_more)
    }
}
