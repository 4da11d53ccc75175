//! The table: what a function may do to it, DynamoDB, and the in-memory twin. Both pass one contract.

mod advance;
mod any;
mod attention;
mod dynamodb;
mod item;
mod memory;
mod outbox;
mod scan;

pub use advance::{Advanced, advance};
pub use any::{AnyRow, ReadAny, RowId, read_any};
pub use attention::{Cursor, FindAttention, PAGE, Page};
pub use dynamodb::DynamoDb;
pub use item::Row;
pub use memory::Memory;
pub use outbox::{RowEvents, row_events};
pub use scan::{Scan, ScanPage, ScannedRow, Segment, UnreadableRow};

use std::future::Future;

use domain::{Evidence, ExpectedCredit, NotResolved, Payment, Resolution, WithdrawalReport, WithdrawalRow};
use serde::{Deserialize, Serialize};

/// The table could not do it, or did not say that it did. What was asked may stand all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table did not answer: {0}")]
pub struct StoreError(pub String);

/// Races that one change may lose to others who write its rows before the table counts as not answering.
pub const MAX_RACES: u32 = 8;

impl StoreError {
    /// The change lost [`MAX_RACES`] races.
    #[must_use]
    pub fn all_races_lost() -> Self {
        Self(format!("{MAX_RACES} races were lost"))
    }
}

/// A row as it stands. Its version grows by one with every write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<R> {
    /// The row.
    pub row: R,
    /// How many times it was written.
    pub version: u64,
}

impl<R> Stored<R> {
    /// The change of this row into another, valid while no one else has written it.
    #[must_use]
    pub fn becomes(&self, row: R) -> Change<R> {
        Change { row, expected_version: self.version }
    }
}

/// A row to be written in place of the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<R> {
    /// The row as it will be.
    pub row: R,
    /// The version that must stand; 0: the row must not exist.
    pub expected_version: u64,
}

impl<R> Change<R> {
    /// A row that must not exist yet.
    #[must_use]
    pub fn new(row: R) -> Self {
        Self { row, expected_version: 0 }
    }

    /// A row in place of what stands, if anything does.
    #[must_use]
    pub fn of(row: R, current: Option<&Stored<R>>) -> Self {
        Self { row, expected_version: current.map_or(0, |stored| stored.version) }
    }
}

/// What a write came to. To lose a race is an answer, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<R> {
    /// It stands as asked.
    Done,
    /// Nothing was written, because this stands.
    Conflict {
        /// The current row; `None` when there is none.
        current: Option<Stored<R>>,
    },
}

/// What a write of several rows came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transacted {
    /// All stand as asked.
    Done,
    /// Nothing was written: a row is not what was expected, or another write was under way. The payment's row is given if it
    /// is known to be what stood in the way.
    Conflict {
        /// The current row of the payment.
        payment: Option<Box<Stored<Payment>>>,
    },
}

/// A verified element of a postback that could not be understood: kept whole, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unreadable")]
pub struct Unreadable {
    /// The signed text.
    pub evidence: Evidence,
    /// What was not understood.
    pub reason: String,
    /// What people found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolutions: Vec<Resolution>,
}

impl Unreadable {
    /// An element that nobody has looked at.
    #[must_use]
    pub fn new(evidence: Evidence, reason: impl Into<String>) -> Self {
        Self { evidence, reason: reason.into(), resolutions: Vec::new() }
    }

    /// Notes what was found out about it, whatever that is: no money depends on this row.
    ///
    /// # Errors
    /// [`NotResolved`] when that was done already.
    pub fn resolve(&self, resolution: Resolution) -> Result<Self, NotResolved> {
        if self.resolutions.is_empty() {
            Ok(Self { resolutions: vec![resolution], ..self.clone() })
        } else {
            Err(NotResolved::NothingOpen)
        }
    }
}

/// The right to read rows of a kind. A read sees every write that was answered before it.
pub trait Read<R: Row>: Sync {
    /// Reads a row; `None` when there is none.
    fn read(&self, id: &R::Id) -> impl Future<Output = Result<Option<Stored<R>>, StoreError>> + Send;
}

/// The right to write rows of a kind.
pub trait Write<R: Row>: Sync {
    /// Writes a row if the version it replaces stands. Writing the very row that stands one version later is `Done`: it is
    /// our own write, whose answer was lost.
    fn write(&self, change: Change<R>) -> impl Future<Output = Result<Written<R>, StoreError>> + Send;
}

/// The right to change an order and its payments in one transaction.
pub trait Transact: Sync {
    /// Writes all or nothing.
    fn transact(
        &self,
        deposit: Change<domain::DepositRow>,
        payments: Vec<Change<Payment>>,
    ) -> impl Future<Output = Result<Transacted, StoreError>> + Send;
}

/// The right to credit a payment without reading anything first.
pub trait Credit: Sync {
    /// Credits the payment and its order in one transaction, if the payment is undecided and the stored order has the
    /// expected label, currency and wallet.
    fn credit(&self, expected: &ExpectedCredit) -> impl Future<Output = Result<Transacted, StoreError>> + Send;
}

/// The right to end a withdrawal without reading it first.
pub trait EndWithdrawal: Sync {
    /// Writes a report's outcome, if the withdrawal is not ended, nothing contradicts it, and its amount (to the letter), currency, payment system
    /// and label are those of the report. A report without an outcome changes nothing.
    fn end_withdrawal(
        &self,
        report: &WithdrawalReport,
    ) -> impl Future<Output = Result<Written<WithdrawalRow>, StoreError>> + Send;
}
