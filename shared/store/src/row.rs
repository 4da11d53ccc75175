//! The kinds of row, their keys, and their form as items of DynamoDB.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Attention, CreditedNumber, CreditedNumberId, CustomTransactionId, DepositRow, EntryCount, Event, LabelHash,
    ListHash, ListProgress, Payment, PaymentKey, Proposal, ProposalId, ReservedSums, ReservedSumsId, Resolution,
    StoredList, TableIdentity, Unreadable, UnreadableId, WaitingPage, WaitingPageId, Window, WithdrawalId,
    WithdrawalRow,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws_error::too_large;
use crate::{AnyRow, Change, StoreError, Stored};

/// The table's partition key.
pub(crate) const KEY: &str = "transaction_id";
/// How many times a row was written.
pub(crate) const VERSION: &str = "version";
/// The oldest row format that has what is in the row; absent in the oldest rows.
pub(crate) const FORMAT: &str = "format";
/// The newest format that this code writes. It reads the next one too, and never writes over it.
pub const OUR_FORMAT: u64 = 2;
/// The format of a row that has nothing newer: the releases before this one may change it.
pub(crate) const FIRST_FORMAT: u64 = 1;
/// The row's state: each kind that has more than one of them names it.
const STATE: &str = "state";
/// Why somebody must look at the row; absent when nobody must. The hash key of the index of the same name.
pub(crate) const ATTENTION: &str = "attention";
/// Since when it must; the index's range key.
pub(crate) const ATTENTION_AT: &str = "attention_at";
/// The mark of a row whose last change publishes nothing: `true`, or absent. A change without it is published, so whoever wrote
/// it, nothing is lost.
pub const QUIET: &str = "quiet";

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A kind of row.
pub trait Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What names a row of this kind.
    type Id: RowKey<Row = Self>;

    /// The row's own name.
    fn id(&self) -> Self::Id;

    /// Whether somebody must look at the row: only such rows are in the index.
    fn attention(&self) -> Option<Attention>;

    /// The events of this row, which has replaced `old`.
    fn events(&self, old: Option<&Self>) -> Vec<Event>;

    /// What people have decided about the row.
    fn resolutions(&self) -> &[Resolution] {
        &[]
    }

    /// What the merchant wants of the payment window of this order.
    fn window(&self) -> Option<&Window> {
        None
    }

    /// The row's format: 2 once a decision names its verified caller, and for an order with parameters of the payment window.
    fn format(&self) -> u64 {
        let is_decided = self.resolutions().iter().any(|it| it.caller.is_some());
        let has_window = self.window().is_some_and(|it| !it.is_empty());
        if is_decided || has_window { OUR_FORMAT } else { FIRST_FORMAT }
    }

    /// Whether this attribute is an exact decimal: a number in the table, and a string for serde, which has no such numbers.
    #[must_use]
    fn is_decimal(_attribute: &str) -> bool {
        false
    }

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
    (
        $row:ty, $id:ty, $kind:ident, |$it:ident| $key:expr, |$of:ident| $own:expr, |$open:ident| $attention:expr,
        |$new:ident, $old:ident| $events:expr $(, decimal: $is_decimal:path)? $(, resolutions: |$resolved:ident| $resolutions:expr)?
        $(, window: |$order:ident| $window:expr)?
    ) => {
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

            fn events(&self, old: Option<&Self>) -> Vec<Event> {
                let ($new, $old) = (self, old);
                $events
            }

            $(fn resolutions(&self) -> &[Resolution] {
                let $resolved = self;
                $resolutions
            })?

            $(fn window(&self) -> Option<&Window> {
                let $order = self;
                $window
            })?

            $(fn is_decimal(attribute: &str) -> bool {
                $is_decimal(attribute)
            })?

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

row!(
    DepositRow,
    CustomTransactionId,
    Deposit,
    |id| format!("deposit#{id}"),
    |row| row.id().clone(),
    |_row| None,
    |row, old| row.events(old),
    window: |row| row.registered().map(|it| &it.order.window)
);
row!(
    Payment,
    PaymentKey,
    Payment,
    |id| id.row_key(),
    |row| row.key.clone(),
    |row| row.attention(),
    |row, old| row.events(old),
    resolutions: |row| &row.resolutions
);
row!(
    WithdrawalRow,
    WithdrawalId,
    Withdrawal,
    |id| format!("withdrawal#{id}"),
    |row| row.id().clone(),
    |row| row.attention(),
    |row, old| row.events(old),
    resolutions: |row| row.resolutions()
);
row!(
    Unreadable,
    UnreadableId,
    Unreadable,
    |id| format!("unreadable#{}#{}", id.list.as_str(), id.element),
    |row| row.id(),
    |row| row.attention(),
    |row, old| row.events(old),
    resolutions: |row| &row.resolutions
);
row!(
    Proposal,
    ProposalId,
    Proposal,
    |id| format!("proposal#{}", id.0),
    |row| row.id(),
    |_row| None,
    |_row, _old| Vec::new(),
    resolutions: |row| std::slice::from_ref(&row.resolution)
);

row!(
    EntryCount,
    LabelHash,
    EntryCount,
    |id| format!("entries#{}", id.as_str()),
    |row| row.label_hash.clone(),
    |_row| None,
    |_row, _old| Vec::new()
);

row!(
    CreditedNumber,
    CreditedNumberId,
    CreditedNumber,
    |id| format!("number#{}#{}", id.order, id.number),
    |row| row.id(),
    |_row| None,
    |_row, _old| Vec::new()
);
row!(
    WaitingPage,
    WaitingPageId,
    WaitingPage,
    |id| format!("waiting#{}#{}", id.order, id.page),
    |row| row.id(),
    |_row| None,
    |_row, _old| Vec::new()
);

row!(
    ReservedSums,
    ReservedSumsId,
    ReservedSums,
    |id| format!("ceiling#{}#{}", id.payment_system, id.day),
    |row| row.id(),
    |_row| None,
    |_row, _old| Vec::new(),
    decimal: ReservedSums::is_sum
);

/// Names the row of a stored list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredListId(pub ListHash);

/// Names the row that says how far a list is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListProgressId(pub ListHash);

/// Names the row that says which table this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId;

row!(TableIdentity, TableId, TableIdentity, |_id| "table#".to_owned(), |_row| TableId, |_row| None, |_row, _old| {
    Vec::new()
});
row!(
    StoredList,
    StoredListId,
    StoredList,
    |id| format!("evidence#{}", id.0.as_str()),
    |row| StoredListId(row.hash.clone()),
    |_row| None,
    |_row, _old| Vec::new()
);
row!(
    ListProgress,
    ListProgressId,
    ListProgress,
    |id| format!("list#{}", id.0.as_str()),
    |row| ListProgressId(row.hash.clone()),
    |row| row.attention(),
    |_row, _old| Vec::new()
);

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn decimal(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn attribute(value: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(StoreError::transient)
}

pub(crate) fn to_item<R: Row>(change: &Change<R>) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(&change.row).map_err(StoreError::transient)?;
    for (_, value) in item.iter_mut().filter(|(name, _)| R::is_decimal(name)) {
        if let AttributeValue::S(digits) = value {
            *value = decimal(digits);
        }
    }
    item.insert(KEY.into(), text(change.row.id().key()));
    item.insert(VERSION.into(), number(change.expected_version.saturating_add(1)));
    item.insert(FORMAT.into(), number(change.row.format()));
    if let Some(Attention { kind, at }) = change.row.attention() {
        item.insert(ATTENTION.into(), text(kind.as_str()));
        item.insert(ATTENTION_AT.into(), number(at.0));
    }
    if change.is_quiet() {
        item.insert(QUIET.into(), AttributeValue::Bool(true));
    }
    // DynamoDB refuses a transaction with such a put without saying which row it is.
    if size(&item) > MAX_BYTES { Err(too_large(change.row.id().key())) } else { Ok(item) }
}

/// The largest row, in bytes.
const MAX_BYTES: usize = 400 * 1024;

/// A row's size as DynamoDB counts it: names and values, and what lists and maps add.
fn size(item: &Item) -> usize {
    item.iter().fold(0, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(size_of_value(value)))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "our rows have no sets and no binary values")]
fn size_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2).saturating_add(1),
        AttributeValue::L(values) => {
            values.iter().fold(3, |sum, value| sum.saturating_add(size_of_value(value)).saturating_add(1))
        }
        AttributeValue::M(item) => size(item).saturating_add(item.len()).saturating_add(3),
        _ => 1,
    }
}

/// Reads a complete row. Nothing is decided on a row that we cannot read. If its format is newer than ours, the next
/// deployment can read it.
pub(crate) fn from_item<R: Row>(item: impl Into<serde_dynamo::Item>) -> Result<Stored<R>, StoreError> {
    let mut item: serde_dynamo::Item = item.into();
    for (_, value) in item.iter_mut().filter(|(name, _)| R::is_decimal(name)) {
        if let serde_dynamo::AttributeValue::N(digits) = value {
            *value = serde_dynamo::AttributeValue::S(std::mem::take(digits));
        }
    }
    let (key, is_newer) = (text_of(&item, KEY), is_newer(&item));
    let version = number_of(&item, VERSION).ok_or_else(|| "it has no version".to_owned());
    let read = version.and_then(|version| {
        let state = text_of(&item, STATE);
        let row = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
        of_state(Stored { row, version }, &state)
    });
    read.map_err(|reason| if is_newer { StoreError::Newer { key } } else { StoreError::Permanent { key, reason } })
}

/// Gives the row if it is of the state that it names. A row of an unknown state may look like one of another state: an ended
/// withdrawal has all that a foreign one has.
fn of_state<R: Row>(stored: Stored<R>, state: &str) -> Result<Stored<R>, String> {
    let any = R::into_any(stored);
    let is_so = state.is_empty() || state == any.state_name();
    R::from_any(any).filter(|_| is_so).ok_or_else(|| format!("unknown state `{state}`"))
}

/// Why a row of a newer format is not written over.
pub(crate) const NEWER: &str = "a row has a newer format";

/// Whether a newer release has written the row.
pub(crate) fn is_newer(item: &serde_dynamo::Item) -> bool {
    number_of(item, FORMAT).is_some_and(|format| format > OUR_FORMAT)
}

fn number_of(item: &serde_dynamo::Item, name: &str) -> Option<u64> {
    if let Some(serde_dynamo::AttributeValue::N(digits)) = item.get(name) { digits.parse().ok() } else { None }
}

fn text_of(item: &serde_dynamo::Item, name: &str) -> String {
    if let Some(serde_dynamo::AttributeValue::S(text)) = item.get(name) { text.clone() } else { String::new() }
}
