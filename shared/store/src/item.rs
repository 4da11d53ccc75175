//! Rows and their keys. Every key begins with its kind: a withdrawal's postback has an empty `transaction_id`.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Attention, AttentionKind, CustomTransactionId, DepositRow, Payment, PaymentKey, WithdrawalId, WithdrawalRow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::memory::Rows;
use crate::{Change, StoreError, Stored, Unreadable};

/// The table's partition key.
pub(crate) const KEY: &str = "transaction_id";
/// How many times a row was written.
pub(crate) const VERSION: &str = "version";
/// Why somebody must look at the row; absent when nobody must. The hash key of the index of the same name.
pub(crate) const ATTENTION: &str = "attention";
/// Since when; the index's range key.
pub(crate) const ATTENTION_AT: &str = "attention_at";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A kind of row.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// What names a row of this kind.
    type Id: Clone + Ord + Send + Sync;

    /// The row's own name.
    fn id(&self) -> Self::Id;

    /// The value of the partition key.
    fn key(id: &Self::Id) -> String;

    /// Whether somebody must look at the row: only such rows are in the index.
    fn attention(&self) -> Option<Attention>;

    #[doc(hidden)]
    fn rows(tables: &mut Rows) -> &mut BTreeMap<Self::Id, Stored<Self>>;
}

impl Row for DepositRow {
    type Id = CustomTransactionId;

    fn id(&self) -> Self::Id {
        self.id().clone()
    }

    fn key(id: &Self::Id) -> String {
        format!("deposit#{id}")
    }

    fn attention(&self) -> Option<Attention> {
        None
    }

    fn rows(tables: &mut Rows) -> &mut BTreeMap<Self::Id, Stored<Self>> {
        &mut tables.deposits
    }
}

impl Row for Payment {
    type Id = PaymentKey;

    fn id(&self) -> Self::Id {
        self.key.clone()
    }

    fn key(id: &Self::Id) -> String {
        format!("payment#{}#{}", id.wallet_type, id.transaction_id)
    }

    fn attention(&self) -> Option<Attention> {
        self.attention()
    }

    fn rows(tables: &mut Rows) -> &mut BTreeMap<Self::Id, Stored<Self>> {
        &mut tables.payments
    }
}

impl Row for WithdrawalRow {
    type Id = WithdrawalId;

    fn id(&self) -> Self::Id {
        self.id().clone()
    }

    fn key(id: &Self::Id) -> String {
        format!("withdrawal#{id}")
    }

    fn attention(&self) -> Option<Attention> {
        self.attention()
    }

    fn rows(tables: &mut Rows) -> &mut BTreeMap<Self::Id, Stored<Self>> {
        &mut tables.withdrawals
    }
}

impl Row for Unreadable {
    type Id = (String, usize);

    fn id(&self) -> Self::Id {
        (self.evidence.signature.clone(), self.evidence.element)
    }

    fn key((signature, element): &Self::Id) -> String {
        format!("unreadable#{signature}#{element}")
    }

    fn attention(&self) -> Option<Attention> {
        let attention = Attention { kind: AttentionKind::Unreadable, at: self.evidence.received_at };
        self.resolutions.is_empty().then_some(attention)
    }

    fn rows(tables: &mut Rows) -> &mut BTreeMap<Self::Id, Stored<Self>> {
        &mut tables.unreadables
    }
}

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
    item.insert(KEY.into(), text(R::key(&change.row.id())));
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
