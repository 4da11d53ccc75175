//! The table: what a function may do to it, DynamoDB, and the in-memory twin. Both pass one contract.

mod any_row;
mod attention;
mod aws_error;
mod dynamodb;
mod memory;
mod outbox;
mod reserve;
mod row;
mod scan;
mod table_check;
mod update;

pub use any_row::{AnyRow, ReadAny, RowId, read_any, read_each, read_key};
pub use attention::{AttentionPage, FindAttention, IndexEntry, PAGE};
pub use dynamodb::DynamoDb;
pub use memory::Memory;
pub use outbox::{Replayable, RowEvents, credited_order, current_events, row_events};
pub use reserve::{Reserve, Reserved};
pub use row::{ListProgressId, OUR_FORMAT, QUIET, Row, RowKey, StoredListId, TableId};
pub use scan::{Scan, ScanPage, ScannedRow, Segment, UnreadableRow};
pub use table_check::TableCheck;
pub use update::{BackOff, MAX_TRIES, Updated, longest_wait_ms, retry, update, update_from};

use std::collections::BTreeMap;
use std::future::Future;

use domain::{
    CreditedNumber, Deposit, DepositRow, ExpectedCredit, Payment, Unreadable, WaitingPage, WithdrawalReport,
    WithdrawalRow,
};

/// The body of DynamoDB's `CreateTable` for the table, without its name: its key and its index. The deployed table is
/// described in template.yaml; a test compares the two.
pub const CREATE_TABLE: &str = include_str!("create_table.json");

/// The pattern of the changes that the table's stream hands to the publisher: all but those that are marked with [`QUIET`]. A
/// test compares it with template.yaml.
pub const STREAM_FILTER: &str = include_str!("stream_filter.json");

/// The table could not do it, or did not say that it did. What was asked may have been done all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It may pass by itself or with the next deployment: throttling, an outage, a missing right, a write over a row of a newer
    /// format.
    #[error("the table failed: {0}")]
    Transient(String),
    /// It did not answer, and may with the next try: no connection, no answer in time, no credentials. The text is that of the client.
    #[error("the table failed: {0}")]
    NoAnswer(String),
    /// The row was read completely and cannot be decoded, because its format is newer than ours. The next deployment can.
    #[error("the row {key} has a newer format")]
    Newer {
        /// The key of the row.
        key: String,
    },
    /// It happens every time: the row is larger than a row may be, or was read completely and cannot be decoded, although its
    /// format is not newer than ours.
    #[error("the row {key} cannot be used: {reason}")]
    Permanent {
        /// The key of the row.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The table is not the one that the stack serves: nothing is read or written before a person has adopted it.
    #[error("the table names another stream than the stack reads: it must be adopted first")]
    WrongTable,
}

impl StoreError {
    /// A failure that may pass.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub fn transient(reason: impl ToString) -> Self {
        Self::Transient(reason.to_string())
    }

    /// What a list shows in place of the row that could not be read.
    ///
    /// # Errors
    /// The error itself, if it says nothing about the row.
    pub fn unreadable_row(self) -> Result<UnreadableRow, Self> {
        match self {
            Self::Permanent { key, reason } => Ok(UnreadableRow { key, reason }),
            Self::Newer { key } => Ok(UnreadableRow { key, reason: "it has a newer format".into() }),
            Self::Transient(_) | Self::NoAnswer(_) | Self::WrongTable => Err(self),
        }
    }

    /// Whether it is about this row, and happens every time.
    #[must_use]
    pub fn is_permanent_of(&self, id: &impl RowKey) -> bool {
        matches!(self, Self::Permanent { key, .. } if *key == id.key())
    }
}

/// A stored row. Its version grows by one with every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<R> {
    /// The row.
    pub row: R,
    /// How many times it was written.
    pub version: u64,
}

impl Stored<DepositRow> {
    /// The order, if it is registered.
    #[must_use]
    pub fn registered(self) -> Option<Stored<Deposit>> {
        match self.row {
            DepositRow::Registered(row) => Some(Stored { row, version: self.version }),
            DepositRow::Unregistered(_) => None,
        }
    }
}

impl<R> Stored<R> {
    /// The same row in another type.
    pub fn map<T>(self, into: impl FnOnce(R) -> T) -> Stored<T> {
        Stored { row: into(self.row), version: self.version }
    }
}

impl<R: Row> Stored<R> {
    /// The change of this row into another, valid while no one else has written it.
    #[must_use]
    pub fn becomes(&self, row: R) -> Change<R> {
        Change::of(row, Some(self))
    }
}

/// A row to be written in place of the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<R> {
    /// The row as it will be.
    pub row: R,
    /// The version that must be current; 0: the row must not exist.
    pub expected_version: u64,
    /// What [`Change::is_quiet`] says. Only the constructors set it: they know both rows.
    is_quiet: bool,
}

impl<R: Row> Change<R> {
    /// A row that must not exist yet.
    #[must_use]
    pub fn new(row: R) -> Self {
        Self::of(row, None)
    }

    /// A row in place of the current one, if there is one.
    #[must_use]
    pub fn of(row: R, current: Option<&Stored<R>>) -> Self {
        let is_quiet = row.events(current.map(|stored| &stored.row)).is_empty();
        Self { row, expected_version: current.map_or(0, |stored| stored.version), is_quiet }
    }

    /// The current row once more. It publishes nothing, and reaches the publisher all the same.
    fn heartbeat(current: Stored<R>) -> Self {
        Self { row: current.row, expected_version: current.version, is_quiet: false }
    }
}

impl<R> Change<R> {
    /// Whether the change publishes nothing. The row is written with this mark. The mark is right whenever the write succeeds,
    /// because the write succeeds only in place of the row that the mark was computed from.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// The row as it is stored once it is written.
    #[must_use]
    pub fn written(self) -> Stored<R> {
        Stored { row: self.row, version: self.expected_version.saturating_add(1) }
    }
}

/// The answer to a write. To lose a race is an answer, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<R> {
    /// The row was written.
    Done,
    /// Nothing was written, because the current row is another one, or because a transaction was changing the row.
    Conflict {
        /// The current row; `None` when there is none.
        current: Option<Stored<R>>,
    },
}

/// The answer to a write of several rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transacted {
    /// All rows were written.
    Done,
    /// Nothing was written: a row is not the expected one, or another write was under way.
    Conflict {
        /// The current row of the payment, if it is known to be the one that was not expected.
        payment: Option<Box<Stored<Payment>>>,
    },
}

/// The right to read the rows that an id names. A read sees every write that was answered before it.
pub trait Read<I: RowKey>: Sync {
    /// Reads a row; `None` when there is none.
    fn read(&self, id: &I) -> impl Future<Output = Result<Option<Stored<I::Row>>, StoreError>> + Send;
}

/// The right to read many rows at a time.
pub trait ReadMany<I: RowKey>: Read<I> {
    /// Reads those rows that there are. A row that cannot be decoded is left out: whoever needs it reads it alone.
    fn read_many(&self, ids: &[I]) -> impl Future<Output = Result<BTreeMap<I, Stored<I::Row>>, StoreError>> + Send;
}

/// The right to write rows of a kind.
pub trait Write<R: Row>: BackOff {
    /// Writes a row if the version that it replaces is current. If the very row is current one version later, that is `Done`: it
    /// is our own write, whose answer was lost.
    fn write(&self, change: Change<R>) -> impl Future<Output = Result<Written<R>, StoreError>> + Send;
}

/// An order and the rows that change together with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The order.
    pub deposit: Change<DepositRow>,
    /// Payments.
    pub payments: Vec<Change<Payment>>,
    /// Credited numbers, none of which may have a row.
    pub numbers: Vec<CreditedNumber>,
    /// A page of waiting payments that the order's place has filled. It may not have a row.
    pub page: Option<WaitingPage>,
    /// The element that a person credits.
    pub unreadable: Option<Change<Unreadable>>,
}

impl Transaction {
    /// An order and payments.
    #[must_use]
    pub fn new(deposit: Change<DepositRow>, payments: Vec<Change<Payment>>) -> Self {
        Self { deposit, payments, numbers: Vec::new(), page: None, unreadable: None }
    }

    /// The new rows that must not exist yet.
    fn new_rows(&self) -> (Vec<Change<CreditedNumber>>, Option<Change<WaitingPage>>) {
        (self.numbers.iter().cloned().map(Change::new).collect(), self.page.clone().map(Change::new))
    }
}

/// The right to change an order and other rows in one transaction.
pub trait Transact: BackOff {
    /// Writes all or nothing.
    fn transact(&self, transaction: Transaction) -> impl Future<Output = Result<Transacted, StoreError>> + Send;
}

/// The right to credit a payment without reading anything first.
pub trait Credit: Sync {
    /// Credits the payment and its order in one transaction where [`ExpectedCredit::credited`] does.
    fn credit(&self, expected: &ExpectedCredit) -> impl Future<Output = Result<Transacted, StoreError>> + Send;
}

/// The right to end a withdrawal without reading it first.
pub trait EndWithdrawal: Sync {
    /// Writes the row of [`domain::Withdrawal::ended_by`], if there is one.
    fn end_withdrawal(
        &self,
        report: &WithdrawalReport,
    ) -> impl Future<Output = Result<Written<WithdrawalRow>, StoreError>> + Send;
}
