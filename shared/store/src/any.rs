//! A row of any kind.

use domain::{Attention, CustomTransactionId, DepositRow, Payment, PaymentKey, TransactionId, WalletType};
use domain::{WithdrawalId, WithdrawalRow};

use crate::{Read, Row, StoreError, Stored, Unreadable};

/// What names a row of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowId {
    /// An order, registered or not.
    Deposit(CustomTransactionId),
    /// A payment.
    Payment(PaymentKey),
    /// A withdrawal, of ours or not.
    Withdrawal(WithdrawalId),
    /// A verified element that was not understood: the signature of its list, and its place in it.
    Unreadable(String, usize),
}

impl RowId {
    /// Reads a row's key. `None` when it is the key of no kind of row.
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
                Some(Self::Unreadable(signature.to_owned(), element.parse().ok()?))
            }
            _ => None,
        }
    }
}

/// A row of any kind, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyRow {
    /// An order, or its place.
    Deposit(Stored<DepositRow>),
    /// A payment.
    Payment(Stored<Payment>),
    /// A withdrawal, of ours or not.
    Withdrawal(Stored<WithdrawalRow>),
    /// An element that was not understood.
    Unreadable(Stored<Unreadable>),
}

impl AnyRow {
    /// The value of the partition key.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Deposit(it) => DepositRow::key(it.row.id()),
            Self::Payment(it) => Payment::key(&it.row.key),
            Self::Withdrawal(it) => WithdrawalRow::key(it.row.id()),
            Self::Unreadable(it) => Unreadable::key(&it.row.id()),
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
        }
    }
}

/// The right to read rows of all kinds.
pub trait ReadAny: Read<DepositRow> + Read<Payment> + Read<WithdrawalRow> + Read<Unreadable> {}

impl<T: Read<DepositRow> + Read<Payment> + Read<WithdrawalRow> + Read<Unreadable>> ReadAny for T {}

/// Reads the row of this name; `None` when there is none.
///
/// # Errors
/// [`StoreError`] when the table does not answer.
pub async fn read_any(table: &impl ReadAny, id: &RowId) -> Result<Option<AnyRow>, StoreError> {
    Ok(match id {
        RowId::Deposit(id) => Read::<DepositRow>::read(table, id).await?.map(AnyRow::Deposit),
        RowId::Payment(key) => Read::<Payment>::read(table, key).await?.map(AnyRow::Payment),
        RowId::Withdrawal(id) => Read::<WithdrawalRow>::read(table, id).await?.map(AnyRow::Withdrawal),
        RowId::Unreadable(signature, element) => {
            let id = (signature.clone(), *element);
            Read::<Unreadable>::read(table, &id).await?.map(AnyRow::Unreadable)
        }
    })
}
