//! A row of any kind.

use std::collections::BTreeMap;

use domain::{
    Amount, Attention, CreditedNumber, CreditedNumberId, CurrencyCode, CustomTransactionId, Day, DepositRow,
    EntryCount, Event, LabelHash, ListHash, ListProgress, NormalisedNumber, Payment, PaymentKey, Proposal, ProposalId,
    ReservedSums, ReservedSumsId, Resolution, StoredList, TableIdentity, TransactionId, Unreadable, UnreadableId,
    WaitingPage, WaitingPageId, WalletType, Withdrawal, WithdrawalId, WithdrawalRow,
};
use serde::Serialize;
use serde_dynamo::Item;

use crate::row::from_item;
use crate::{ListProgressId, Read, ReadMany, Row, RowKey, StoreError, Stored, StoredListId, TableId, UnreadableRow};

macro_rules! any_row {
    ($($(#[$doc:meta])* $kind:ident($row:ty, $id:ty, $prefix:literal);)*) => {
        /// What names a row of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum RowId {
            $($(#[$doc])* $kind($id),)*
        }

        /// A stored row of any kind.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum AnyRow {
            $($(#[$doc])* $kind(Stored<$row>),)*
        }

        impl AnyRow {
            /// The value of the partition key.
            #[must_use]
            pub fn key(&self) -> String {
                match self { $(Self::$kind(it) => it.row.id().key(),)* }
            }

            /// How many times the row was written.
            #[must_use]
            pub fn version(&self) -> u64 {
                match self { $(Self::$kind(it) => it.version,)* }
            }

            /// Whether somebody must look at the row.
            #[must_use]
            pub fn attention(&self) -> Option<Attention> {
                match self { $(Self::$kind(it) => Row::attention(&it.row),)* }
            }

            /// What people have decided about the row.
            #[must_use]
            pub fn resolutions(&self) -> &[Resolution] {
                match self { $(Self::$kind(it) => it.row.resolutions(),)* }
            }

            /// The row's format.
            pub(crate) fn format(&self) -> u64 {
                match self { $(Self::$kind(it) => it.row.format(),)* }
            }

            /// Hands the row to a serializer.
            ///
            /// # Errors
            /// The serializer's own.
            pub fn serialize_row<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$kind(it) => it.row.serialize(serializer),)* }
            }

            /// Reads a change of a row of the kind that its key begins with, and gives its version and its events; `None` when
            /// there is no such kind.
            pub(crate) fn events_of_change(
                kind: &str,
                old: Option<Item>,
                new: Item,
            ) -> Option<Result<(u64, Vec<Event>), StoreError>> {
                match kind {
                    $($prefix => Some(events_of_change::<$row>(old, new)),)*
                    _ => None,
                }
            }

            /// Reads an item as a row of the kind that its key begins with; `None` when there is no such kind.
            pub(crate) fn from_item(kind: &str, item: Item) -> Option<Result<Self, StoreError>> {
                match kind {
                    $($prefix => Some(from_item(item).map(Self::$kind)),)*
                    _ => None,
                }
            }
        }

        impl RowId {
            /// The value of the partition key.
            #[must_use]
            pub fn key(&self) -> String {
                match self { $(Self::$kind(id) => id.key(),)* }
            }
        }

        /// The right to read rows of all kinds.
        pub trait ReadAny: $(Read<$id> +)* {}

        impl<T: $(Read<$id> +)*> ReadAny for T {}

        /// Reads the row of this name; `None` when there is none.
        ///
        /// # Errors
        /// [`StoreError`] when the table fails.
        pub async fn read_any(table: &impl ReadAny, id: &RowId) -> Result<Option<AnyRow>, StoreError> {
            Ok(match id { $(RowId::$kind(id) => table.read(id).await?.map(AnyRow::$kind),)* })
        }
    };
}

fn events_of_change<R: Row>(old: Option<Item>, new: Item) -> Result<(u64, Vec<Event>), StoreError> {
    let old: Option<Stored<R>> = old.map(from_item).transpose()?;
    let Stored { row, version } = from_item::<R>(new)?;
    Ok((version, Row::events(&row, old.as_ref().map(|it| &it.row))))
}

any_row! {
    /// An order, registered or not.
    Deposit(DepositRow, CustomTransactionId, "deposit");
    /// A payment.
    Payment(Payment, PaymentKey, "payment");
    /// A withdrawal, of ours or not.
    Withdrawal(WithdrawalRow, WithdrawalId, "withdrawal");
    /// A verified element that could not be understood.
    Unreadable(Unreadable, UnreadableId, "unreadable");
    /// How many numbers a label enters.
    EntryCount(EntryCount, LabelHash, "entries");
    /// A number for which an order was credited.
    CreditedNumber(CreditedNumber, CreditedNumberId, "number");
    /// A page of payments that wait for an order.
    WaitingPage(WaitingPage, WaitingPageId, "waiting");
    /// A signed list.
    StoredList(StoredList, StoredListId, "evidence");
    /// How far the elements of a list are.
    ListProgress(ListProgress, ListProgressId, "list");
    /// Which table this is.
    TableIdentity(TableIdentity, TableId, "table");
    /// A decision that waits for a second person.
    Proposal(Proposal, ProposalId, "proposal");
    /// How much of a payment system's money was reserved to be sent out in a day.
    ReservedSums(ReservedSums, ReservedSumsId, "ceiling");
}

/// Reads the row of this key, for those who go on past a row that cannot be read; `None` when there is none.
///
/// # Errors
/// [`StoreError`] when the table fails.
pub async fn read_key(table: &impl ReadAny, key: &str) -> Result<Option<Result<AnyRow, UnreadableRow>>, StoreError> {
    let Some(id) = RowId::parse(key) else {
        return Ok(Some(Err(UnreadableRow { key: key.to_owned(), reason: "a row of an unknown kind".into() })));
    };
    match read_any(table, &id).await {
        Ok(row) => Ok(row.map(Ok)),
        Err(error) => error.unreadable_row().map(|it| Some(Err(it))),
    }
}

/// Reads many rows, and alone each one that a batch leaves out, to learn why it cannot be read. A row that there is not is left out.
///
/// # Errors
/// [`StoreError`] when the table fails.
pub async fn read_each<I: RowKey>(
    table: &impl ReadMany<I>,
    ids: &[I],
) -> Result<BTreeMap<I, Result<Stored<I::Row>, UnreadableRow>>, StoreError> {
    let found = table.read_many(ids).await?;
    let mut all: BTreeMap<_, _> = found.into_iter().map(|(id, row)| (id, Ok(row))).collect();
    for id in ids {
        if all.contains_key(id) {
            continue;
        }
        match table.read(id).await {
            Ok(row) => all.extend(row.map(|row| (id.clone(), Ok(row)))),
            Err(error) => drop(all.insert(id.clone(), Err(error.unreadable_row()?))),
        }
    }
    Ok(all)
}

impl RowId {
    /// Reads a row's key. `None` when no kind of row has such a key.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once('#')?;
        match kind {
            "deposit" => Some(Self::Deposit(CustomTransactionId::parse(rest).ok()?)),
            "payment" => Some(Self::Payment(PaymentKey::of_row(key)?)),
            "withdrawal" => Some(Self::Withdrawal(WithdrawalId::parse(rest).ok()?)),
            "unreadable" => {
                let (list, element) = rest.split_once('#')?;
                let list = ListHash::parse(list)?;
                Some(Self::Unreadable(UnreadableId { list, element: element.parse().ok()? }))
            }
            "entries" => Some(Self::EntryCount(LabelHash::parse(rest)?)),
            "number" => {
                let (order, number) = rest.split_once('#')?;
                let (order, number) = (CustomTransactionId::parse(order).ok()?, TransactionId::parse(number).ok()?);
                Some(Self::CreditedNumber(CreditedNumberId { order, number: NormalisedNumber::of(&number) }))
            }
            "waiting" => {
                let (order, page) = rest.split_once('#')?;
                let order = CustomTransactionId::parse(order).ok()?;
                Some(Self::WaitingPage(WaitingPageId { order, page: page.parse().ok()? }))
            }
            "evidence" => Some(Self::StoredList(StoredListId(ListHash::parse(rest)?))),
            "list" => Some(Self::ListProgress(ListProgressId(ListHash::parse(rest)?))),
            "proposal" => Self::parse(rest).map(|_| Self::Proposal(ProposalId(rest.to_owned()))),
            "table" => rest.is_empty().then_some(Self::TableIdentity(TableId)),
            "ceiling" => {
                let (payment_system, day) = rest.split_once('#')?;
                let payment_system = WalletType::parse(payment_system).ok()?;
                Some(Self::ReservedSums(ReservedSumsId { payment_system, day: Day::parse(day).ok()? }))
            }
            _ => None,
        }
    }
}

impl AnyRow {
    /// The row, if it is a withdrawal of ours.
    #[must_use]
    pub fn withdrawal(&self) -> Option<&Withdrawal> {
        if let Self::Withdrawal(stored) = self { stored.row.registered() } else { None }
    }

    /// The money that it is about: signed, or asked for.
    #[must_use]
    pub fn money(&self) -> Option<(Amount, &CurrencyCode)> {
        match self {
            Self::Deposit(it) => {
                let order = &it.row.registered()?.order;
                Some((order.amount?, &order.currency_code))
            }
            Self::Payment(it) => it.row.facts().map(|facts| (facts.amount, &facts.currency_code)),
            Self::Withdrawal(it) => match &it.row {
                WithdrawalRow::Registered(row) => Some((row.request.amount, &row.request.currency_code)),
                WithdrawalRow::Foreign(row) => Some((row.facts.amount, &row.facts.currency_code)),
                WithdrawalRow::Reserved(_) => None,
            },
            Self::Unreadable(it) => it.row.payment.as_ref().map(|payment| (payment.amount, &payment.currency_code)),
            Self::EntryCount(_)
            | Self::ReservedSums(_)
            | Self::CreditedNumber(_)
            | Self::WaitingPage(_)
            | Self::StoredList(_)
            | Self::ListProgress(_)
            | Self::Proposal(_)
            | Self::TableIdentity(_) => None,
        }
    }

    /// The name of its state in the table.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self {
            Self::Deposit(it) => it.row.state_name(),
            Self::Payment(it) => it.row.state.name(),
            Self::Withdrawal(it) => it.row.state_name(),
            Self::Unreadable(_) => "unreadable",
            Self::EntryCount(_) => "counted",
            Self::CreditedNumber(_) => "credited",
            Self::WaitingPage(_) => "waiting",
            Self::StoredList(_) => "stored",
            Self::ListProgress(it) => it.row.state.name(),
            Self::TableIdentity(_) => "in_service",
            Self::Proposal(_) => "proposed",
            Self::ReservedSums(_) => "reserved",
        }
    }
}
