//! A row of any kind.

use domain::{
    Attention, CustomTransactionId, DepositRow, EntryCount, LabelHash, Payment, PaymentKey, TransactionId, Unreadable,
    UnreadableId, WalletType, WithdrawalId, WithdrawalRow,
};

use crate::{Read, Row, RowKey, StoreError, Stored};

/// What names a row of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowId {
    /// An order, registered or not.
    Deposit(CustomTransactionId),
    /// A payment.
    Payment(PaymentKey),
    /// A withdrawal, of ours or not.
    Withdrawal(WithdrawalId),
    /// A verified element that could not be understood.
    Unreadable(UnreadableId),
    /// How many numbers a label enters.
    EntryCount(LabelHash),
}

impl RowId {
    /// Reads a row's key. `None` when no kind of row has such a key.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once('#')?;
        match kind {
            "deposit" => Some(Self::Deposit(CustomTransactionId::parse(rest).ok()?)),
            "payment" => {
                let (wallet_type, number) = rest.split_once('#')?;
                let wallet_type = WalletType::parse(wallet_type).ok()?;
                Some(Self::Payment(PaymentKey { wallet_type, transaction_id: TransactionId::parse(number).ok()? }))
            }
            "withdrawal" => Some(Self::Withdrawal(WithdrawalId::parse(rest).ok()?)),
            "unreadable" => {
                let (signature, element) = rest.split_once('#')?;
                Some(Self::Unreadable(UnreadableId { signature: signature.to_owned(), element: element.parse().ok()? }))
            }
            "entries" => Some(Self::EntryCount(LabelHash::parse(rest)?)),
            _ => None,
        }
    }
}

/// A stored row of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyRow {
    /// An order, registered or not.
    Deposit(Stored<DepositRow>),
    /// A payment.
    Payment(Stored<Payment>),
    /// A withdrawal, of ours or not.
    Withdrawal(Stored<WithdrawalRow>),
    /// An element that could not be understood.
    Unreadable(Stored<Unreadable>),
    /// How many numbers a label enters.
    EntryCount(Stored<EntryCount>),
}

impl AnyRow {
    /// The value of the partition key.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Deposit(it) => it.row.id().key(),
            Self::Payment(it) => it.row.key.key(),
            Self::Withdrawal(it) => it.row.id().key(),
            Self::Unreadable(it) => it.row.id().key(),
            Self::EntryCount(it) => it.row.id().key(),
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
        }
    }

    /// How many times the row was written.
    #[must_use]
    pub fn version(&self) -> u64 {
        match self {
            Self::Deposit(it) => it.version,
            Self::Payment(it) => it.version,
            Self::Withdrawal(it) => it.version,
            Self::Unreadable(it) => it.version,
            Self::EntryCount(it) => it.version,
        }
    }

    /// Whether somebody must look at the row.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        match self {
            Self::Deposit(it) => Row::attention(&it.row),
            Self::Payment(it) => Row::attention(&it.row),
            Self::Withdrawal(it) => Row::attention(&it.row),
            Self::Unreadable(it) => Row::attention(&it.row),
            Self::EntryCount(it) => Row::attention(&it.row),
        }
    }
}

/// The right to read rows of all kinds.
pub trait ReadAny:
    Read<CustomTransactionId> + Read<PaymentKey> + Read<WithdrawalId> + Read<UnreadableId> + Read<LabelHash>
{
}

impl<T> ReadAny for T where
    T: Read<CustomTransactionId> + Read<PaymentKey> + Read<WithdrawalId> + Read<UnreadableId> + Read<LabelHash>
{
}

/// Reads the row of this name; `None` when there is none.
///
/// # Errors
/// [`StoreError`] when the table fails.
pub async fn read_any(table: &impl ReadAny, id: &RowId) -> Result<Option<AnyRow>, StoreError> {
    Ok(match id {
        RowId::Deposit(id) => table.read(id).await?.map(AnyRow::Deposit),
        RowId::Payment(key) => table.read(key).await?.map(AnyRow::Payment),
        RowId::Withdrawal(id) => table.read(id).await?.map(AnyRow::Withdrawal),
        RowId::Unreadable(id) => table.read(id).await?.map(AnyRow::Unreadable),
        RowId::EntryCount(label) => table.read(label).await?.map(AnyRow::EntryCount),
    })
}
