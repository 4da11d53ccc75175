//! A person's decision: made on the current rows, shown, and written as one conditional change.

use domain::{
    CustomTransactionId, DepositRow, NotResolved, Outcome, Payment, Resolution, SignedFacts, Unreadable, WithdrawalRow,
};
use store::{AnyRow, Change, Read, ReadAny, Row, RowKey, StoreError, Stored, Transact, Transacted, Write, Written};

/// All that decisions do to the table.
pub trait Table: ReadAny + Write<Payment> + Write<WithdrawalRow> + Write<Unreadable> + Transact {}

impl<T: ReadAny + Write<Payment> + Write<WithdrawalRow> + Write<Unreadable> + Transact> Table for T {}

/// Why a decision is not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// The row's state does not allow it.
    #[error(transparent)]
    NotResolved(#[from] NotResolved),
    /// An order has no state of its own.
    #[error("an order is decided by its payments: resolve one of them")]
    IsOrder,
    /// A count has no state.
    #[error("a count of entered numbers is nothing to decide about")]
    IsCount,
    /// Only a credit needs an order.
    #[error("an order is named only for a payment that is credited")]
    OrderNotNeeded,
    /// The table failed.
    #[error(transparent)]
    Table(#[from] StoreError),
}

/// A decision that can be written while nobody else changes its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    before: AnyRow,
    change: RowChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RowChange {
    Withdrawal(Change<WithdrawalRow>),
    /// The payment, and the order that is credited.
    Payment(Box<Change<Payment>>, Option<Box<Change<DepositRow>>>),
    Unreadable(Change<Unreadable>),
}

impl Decision {
    /// Decides about a row. A payment is credited to `order`, or to the order that the provider has signed.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use domain::{Evidence, Outcome, Remark, Resolution, Timestamp, Unreadable};
    /// use operator::decision::Decision;
    /// use store::{AnyRow, Change, Memory, Stored, Write};
    ///
    /// let table = Memory::default();
    /// let evidence = Evidence {
    ///     additional_data: "[5]".into(), element: 0, signature: "538e..".into(), received_at: Timestamp(0),
    /// };
    /// let row = Unreadable::new(evidence, "it is no object");
    /// table.write(Change::new(row.clone())).await.unwrap();
    /// let remark = |text: &str| Remark::parse(text).unwrap();
    /// let resolution = Resolution {
    ///     outcome: Outcome::Rejected,
    ///     by: remark("alice"),
    ///     reason: remark("asked the provider"),
    ///     evidence: remark("ticket 7"),
    ///     at: Timestamp(1),
    ///     closes: 0,
    ///     taken_from: None,
    /// };
    /// let decision = Decision::make(&table, AnyRow::Unreadable(Stored { row, version: 1 }), None, resolution).await.unwrap();
    /// assert_eq!(decision.after().version(), 2);
    /// assert!(decision.write(&table).await.unwrap());
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`NotDecided`] when the row does not allow it, or the table fails.
    pub async fn make(
        table: &impl ReadAny,
        row: AnyRow,
        order: Option<&CustomTransactionId>,
        resolution: Resolution,
    ) -> Result<Self, NotDecided> {
        let is_credit = matches!(row, AnyRow::Payment(_)) && resolution.outcome == Outcome::Credited;
        if order.is_some() && !is_credit {
            return Err(NotDecided::OrderNotNeeded);
        }
        let change = match &row {
            AnyRow::Deposit(_) => return Err(NotDecided::IsOrder),
            AnyRow::EntryCount(_) => return Err(NotDecided::IsCount),
            AnyRow::Withdrawal(stored) => {
                let row = match &stored.row {
                    WithdrawalRow::Registered(row) => WithdrawalRow::Registered(Box::new(row.resolve(resolution)?)),
                    WithdrawalRow::Foreign(row) => WithdrawalRow::Foreign(Box::new(row.resolve(resolution)?)),
                };
                RowChange::Withdrawal(stored.becomes(row))
            }
            AnyRow::Unreadable(stored) => RowChange::Unreadable(stored.becomes(stored.row.resolve(resolution)?)),
            AnyRow::Payment(stored) => {
                let order = read_order(table, &stored.row, order).await?;
                let deposit = order.as_ref().and_then(|it| it.row.registered());
                let (payment, credited) = stored.row.resolve(deposit, resolution)?;
                let credited = order
                    .zip(credited)
                    .map(|(order, deposit)| Box::new(order.becomes(DepositRow::Registered(deposit))));
                RowChange::Payment(Box::new(stored.becomes(payment)), credited)
            }
        };
        Ok(Self { before: row, change })
    }

    /// The row on which it was decided.
    #[must_use]
    pub fn before(&self) -> &AnyRow {
        &self.before
    }

    /// The row as it will be.
    #[must_use]
    pub fn after(&self) -> AnyRow {
        match &self.change {
            RowChange::Withdrawal(change) => WithdrawalRow::into_any(change.clone().written()),
            RowChange::Payment(change, _) => Payment::into_any((**change).clone().written()),
            RowChange::Unreadable(change) => Unreadable::into_any(change.clone().written()),
        }
    }

    /// The key of the order that is credited.
    #[must_use]
    pub fn credited(&self) -> Option<String> {
        let RowChange::Payment(_, Some(order)) = &self.change else { return None };
        Some(order.row.id().key())
    }

    /// Writes all of it or nothing. `false` when a row has changed since it was read.
    ///
    /// # Errors
    /// [`StoreError`] when the table fails.
    pub async fn write(self, table: &impl Table) -> Result<bool, StoreError> {
        Ok(match self.change {
            RowChange::Withdrawal(change) => table.write(change).await? == Written::Done,
            RowChange::Unreadable(change) => table.write(change).await? == Written::Done,
            RowChange::Payment(change, None) => table.write(*change).await? == Written::Done,
            RowChange::Payment(change, Some(order)) => table.transact(*order, vec![*change]).await? == Transacted::Done,
        })
    }
}

/// The order that the person names, or the one that the provider has signed.
async fn read_order(
    table: &impl Read<CustomTransactionId>,
    payment: &Payment,
    named: Option<&CustomTransactionId>,
) -> Result<Option<Stored<DepositRow>>, StoreError> {
    let signed = || payment.facts().and_then(SignedFacts::order);
    match named.cloned().or_else(signed) {
        Some(id) => table.read(&id).await,
        None => Ok(None),
    }
}
