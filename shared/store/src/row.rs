//! The kinds of row, their keys, and their form as items of DynamoDB.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Attention, CustomTransactionId, DepositRow, EntryCount, LabelHash, Payment, PaymentKey, Unreadable, UnreadableId,
    WithdrawalId, WithdrawalRow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{AnyRow, Change, StoreError, Stored};

/// The table's partition key.
pub(crate) const KEY: &str = "transaction_id";
/// How many times a row was written.
pub(crate) const VERSION: &str = "version";
/// Why somebody must look at the row; absent when nobody must. The hash key of the index of the same name.
pub(crate) const ATTENTION: &str = "attention";
/// Since when it must; the index's range key.
pub(crate) const ATTENTION_AT: &str = "attention_at";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A kind of row.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What names a row of this kind.
    type Id: RowKey<Row = Self>;

    /// The row's own name.
    fn id(&self) -> Self::Id;

    /// Whether somebody must look at the row: only such rows are in the index.
    fn attention(&self) -> Option<Attention>;

    /// The row among the rows of all kinds.
    fn into_any(stored: Stored<Self>) -> AnyRow;

    /// The row, if it is of this kind.
    fn from_any(row: AnyRow) -> Option<Stored<Self>>;
}

/// What names a row. It decides of which kind the row is.
pub trait RowKey: Clone + Ord + Send + Sync + 'static {
    /// The kind of row.
    type Row: Row<Id = Self>;

    /// The value of the partition key. It begins with the kind: the provider leaves `transaction_id` empty for withdrawals.
    fn key(&self) -> String;
}

macro_rules! row {
    ($row:ty, $id:ty, $kind:ident, |$it:ident| $key:expr, |$of:ident| $own:expr, |$open:ident| $attention:expr) => {
        impl Row for $row {
            type Id = $id;

            fn id(&self) -> $id {
                let $of = self;
                $own
            }

            fn attention(&self) -> Option<Attention> {
                let $open = self;
                $attention
            }

            fn into_any(stored: Stored<Self>) -> AnyRow {
                AnyRow::$kind(stored)
            }

            fn from_any(row: AnyRow) -> Option<Stored<Self>> {
                if let AnyRow::$kind(stored) = row { Some(stored) } else { None }
            }
        }

        impl RowKey for $id {
            type Row = $row;

            fn key(&self) -> String {
                let $it = self;
                $key
            }
        }
    };
}

row!(DepositRow, CustomTransactionId, Deposit, |id| format!("deposit#{id}"), |row| row.id().clone(), |_row| None);
row!(
    Payment,
    PaymentKey,
    Payment,
    |id| format!("payment#{}#{}", id.wallet_type, id.transaction_id),
    |row| row.key.clone(),
    |row| row.attention()
);
row!(WithdrawalRow, WithdrawalId, Withdrawal, |id| format!("withdrawal#{id}"), |row| row.id().clone(), |row| row
    .attention());
row!(
    Unreadable,
    UnreadableId,
    Unreadable,
    |id| format!("unreadable#{}#{}", id.signature, id.element),
    |row| row.id(),
    |row| row.attention()
);

row!(
    EntryCount,
    LabelHash,
    EntryCount,
    |id| format!("entries#{}", id.as_str()),
    |row| row.label_hash.clone(),
    |_row| None
);

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn attribute(value: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|error| StoreError(format!("a value does not fit: {error}")))
}

pub(crate) fn to_item<R: Row>(change: &Change<R>) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(&change.row).map_err(|error| StoreError(format!("a row does not fit: {error}")))?;
    item.insert(KEY.into(), text(change.row.id().key()));
    item.insert(VERSION.into(), number(change.expected_version.saturating_add(1)));
    if let Some(Attention { kind, at }) = change.row.attention() {
        item.insert(ATTENTION.into(), text(kind.as_str()));
        item.insert(ATTENTION_AT.into(), number(at.0));
    }
    Ok(item)
}

/// Reads a row. A row that we cannot read is as good as a table that does not answer: nothing is decided on it.
pub(crate) fn from_item<R: Row>(item: impl Into<serde_dynamo::Item>) -> Result<Stored<R>, StoreError> {
    let item: serde_dynamo::Item = item.into();
    let version = match item.get(VERSION) {
        Some(serde_dynamo::AttributeValue::N(digits)) => digits.parse().ok(),
        Some(_) | None => None,
    };
    let version = version.ok_or_else(|| StoreError("a row has no version".into()))?;
    let row = serde_dynamo::from_item(item).map_err(|error| StoreError(format!("a row is unreadable: {error}")))?;
    Ok(Stored { row, version })
}
