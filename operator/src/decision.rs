//! A person's decision: made on the current rows, shown, and written as one conditional change.

use domain::{
    CreditedNumber, CreditedRows, CustomTransactionId, Decided, Deposit, DepositRow, NormalisedNumber, NotResolved,
    Outcome, Payment, PaymentKey, Resolution, SignedFacts, TransactionId, Unreadable, WithdrawalRow,
};
use store::{
    AnyRow, Change, Read, ReadAny, Row, RowKey, StoreError, Stored, Transact, Transacted, Transaction, Write, Written,
};

/// All that decisions do to the table.
pub trait Table: ReadAny + Write<Payment> + Write<WithdrawalRow> + Write<Unreadable> + Transact {}

impl<T: ReadAny + Write<Payment> + Write<WithdrawalRow> + Write<Unreadable> + Transact> Table for T {}

/// Why a decision is not made. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// The row's state does not allow it.
    #[error(transparent)]
    NotResolved(#[from] NotResolved),
    /// The order was credited for the number.
    #[error("the order was credited for this number already, by {first}")]
    SameNumber {
        /// The key of the payment that was credited.
        first: String,
    },
    /// An order has no state of its own.
    #[error("an order is decided by its payments: resolve one of them")]
    IsOrder,
    /// A row that only serves others.
    #[error("there is nothing to decide about such a row")]
    NothingToDecide,
    /// Only a credit needs an order.
    #[error("an order is named only for a payment that is credited")]
    OrderNotNeeded,
    /// Only the credit of an element that was not understood needs a number.
    #[error("a number is stated only for an unreadable element that is credited")]
    NumberNotNeeded,
    /// Only a credit needs the statement that it is a different payment.
    #[error("a different payment is stated only for one that is credited")]
    DifferenceNotNeeded,
    /// An order that is registered is needed.
    #[error("a payment is credited to a registered order: name one")]
    NoOrder,
    /// The table failed.
    #[error(transparent)]
    Table(#[from] StoreError),
}

/// What a person states beside the decision itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The order to credit; the one that the provider has signed, if `None`.
    pub order: Option<CustomTransactionId>,
    /// The number of a payment whose signed number is no number.
    pub number: Option<TransactionId>,
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
    Payment(Box<Change<Payment>>),
    Unreadable(Box<Change<Unreadable>>),
    /// A credit: the order, the payment, and the unreadable element if it is one.
    Credit(Box<Transaction>),
}

impl Decision {
    /// Decides about a row.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use domain::{Evidence, ListHash, ListPlace, Outcome, Remark, Resolution, SignedList, Timestamp, Unreadable};
    /// use operator::decision::{Decision, Stated};
    /// use store::{AnyRow, Change, Memory, Stored, Write};
    ///
    /// let table = Memory::default();
    /// let list = SignedList { additional_data: "[5]".into(), signature: "538e..".into(), access_key: "key".into() };
    /// let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(0) };
    /// let row = Unreadable::new(ListHash::from([0; 32]), evidence, "it is no object", None);
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
    ///     credited_to: None,
    ///     is_different_payment: false,
    /// };
    /// let row = AnyRow::Unreadable(Stored { row, version: 1 });
    /// let decision = Decision::make(&table, row, &Stated::default(), resolution).await.unwrap();
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
        stated: &Stated,
        resolution: Resolution,
    ) -> Result<Self, NotDecided> {
        let is_credit = resolution.outcome == Outcome::Credited;
        let credits_payment = is_credit && matches!(row, AnyRow::Payment(_));
        let credits_odd = is_credit && matches!(&row, AnyRow::Unreadable(it) if it.row.payment.is_some());
        if stated.order.is_some() && !(credits_payment || credits_odd) {
            return Err(NotDecided::OrderNotNeeded);
        }
        if stated.number.is_some() && !credits_odd {
            return Err(NotDecided::NumberNotNeeded);
        }
        if resolution.is_different_payment && !(credits_payment || credits_odd) {
            return Err(NotDecided::DifferenceNotNeeded);
        }
        let change = match &row {
            AnyRow::Deposit(_) => return Err(NotDecided::IsOrder),
            AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::TableIdentity(_) => return Err(NotDecided::NothingToDecide),
            AnyRow::Withdrawal(stored) => {
                let row = match &stored.row {
                    WithdrawalRow::Registered(row) => WithdrawalRow::Registered(Box::new(row.resolve(resolution)?)),
                    WithdrawalRow::Foreign(row) => WithdrawalRow::Foreign(Box::new(row.resolve(resolution)?)),
                    WithdrawalRow::Reserved(_) => return Err(NotDecided::NothingToDecide),
                };
                RowChange::Withdrawal(stored.becomes(row))
            }
            AnyRow::Unreadable(unreadable) if credits_odd => {
                RowChange::Credit(Box::new(credit_odd(table, unreadable, stated, resolution).await?))
            }
            AnyRow::Unreadable(unreadable) => {
                RowChange::Unreadable(Box::new(unreadable.becomes(unreadable.row.resolve(resolution)?)))
            }
            AnyRow::Payment(payment) => {
                let signed = payment.row.facts().and_then(SignedFacts::order);
                let order = read_order(table, stated.order.as_ref().or(signed.as_ref())).await?;
                let number = read_number(table, order.as_ref(), &payment.row.key.transaction_id).await?;
                let deposit = order.as_ref().map(|it| &it.row);
                let decided = payment.row.resolve(deposit, number.as_ref(), resolution);
                match decided.map_err(|error| named(error, deposit, number.as_ref(), &payment.row.key))? {
                    Decided::Payment(row) => RowChange::Payment(Box::new(payment.becomes(*row))),
                    Decided::Credited(rows) => {
                        let order = order.ok_or(NotDecided::NoOrder)?;
                        RowChange::Credit(Box::new(credit(*rows, &order, Some(payment))))
                    }
                }
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
            RowChange::Payment(change) => Payment::into_any((**change).clone().written()),
            RowChange::Unreadable(change) => Unreadable::into_any((**change).clone().written()),
            RowChange::Credit(transaction) => {
                let unreadable = transaction.unreadable.clone().map(|it| Unreadable::into_any(it.written()));
                let payment = || transaction.payments.first().cloned().map(|it| Payment::into_any(it.written()));
                unreadable.or_else(payment).unwrap_or_else(|| self.before.clone())
            }
        }
    }

    /// The key of the order that is credited.
    #[must_use]
    pub fn credited(&self) -> Option<String> {
        let RowChange::Credit(transaction) = &self.change else { return None };
        Some(transaction.deposit.row.id().key())
    }

    /// The key of the payment that is credited.
    #[must_use]
    pub fn payment(&self) -> Option<String> {
        let RowChange::Credit(transaction) = &self.change else { return None };
        transaction.payments.first().map(|it| it.row.key.key())
    }

    /// Writes all of it or nothing. `false` when a row has changed since it was read.
    ///
    /// # Errors
    /// [`StoreError`] when the table fails.
    pub async fn write(self, table: &impl Table) -> Result<bool, StoreError> {
        Ok(match self.change {
            RowChange::Withdrawal(change) => table.write(change).await? == Written::Done,
            RowChange::Unreadable(change) => table.write(*change).await? == Written::Done,
            RowChange::Payment(change) => table.write(*change).await? == Written::Done,
            RowChange::Credit(transaction) => table.transact(*transaction).await? == Transacted::Done,
        })
    }
}

/// Credits an element whose number or order id is odd, under the number that a person states.
async fn credit_odd(
    table: &impl ReadAny,
    unreadable: &Stored<Unreadable>,
    stated: &Stated,
    resolution: Resolution,
) -> Result<Transaction, NotDecided> {
    let odd = unreadable.row.payment.as_ref().ok_or(NotDecided::NothingToDecide)?;
    let key = odd.key(stated.number.as_ref())?;
    let signed = read_order(table, odd.facts(&unreadable.row.evidence).order().as_ref()).await?;
    let is_order_known = signed.is_some();
    let order = match &stated.order {
        Some(id) => read_order(table, Some(id)).await?,
        None => signed,
    };
    let order = order.ok_or(NotDecided::NoOrder)?;
    let (payment, number) = (table.read(&key).await?, read_number(table, Some(&order), &key.transaction_id).await?);
    let decided = unreadable.row.credit(
        stated.number.as_ref(),
        payment.as_ref().map(|it| &it.row),
        (&order.row, is_order_known),
        number.as_ref(),
        resolution,
    );
    let (row, decided) = decided.map_err(|error| named(error, Some(&order.row), number.as_ref(), &key))?;
    let Decided::Credited(rows) = decided else { return Err(NotDecided::NothingToDecide) };
    Ok(Transaction { unreadable: Some(unreadable.becomes(row)), ..credit(*rows, &order, payment.as_ref()) })
}

/// The rows of a credit in place of the current ones.
fn credit(rows: CreditedRows, order: &Stored<Deposit>, payment: Option<&Stored<Payment>>) -> Transaction {
    let deposit = order.clone().map(DepositRow::Registered).becomes(DepositRow::Registered(rows.deposit));
    let transaction = Transaction::new(deposit, vec![Change::of(rows.payment, payment)]);
    Transaction { numbers: rows.numbers, ..transaction }
}

/// Names the payment because of which another one is not credited.
fn named(
    error: NotResolved,
    order: Option<&Deposit>,
    number: Option<&CreditedNumber>,
    payment: &PaymentKey,
) -> NotDecided {
    let is_same = |other: &&PaymentKey| {
        let of = |key: &PaymentKey| NormalisedNumber::of(&key.transaction_id);
        *other != payment && of(other) == of(payment)
    };
    let remembered = order.into_iter().flat_map(|it| &it.credited).map(|it| &it.payment);
    let first = number.map(|it| &it.payment).into_iter().chain(remembered).find(is_same);
    match first {
        Some(first) if error == NotResolved::SameNumber => NotDecided::SameNumber { first: first.key() },
        Some(_) | None => error.into(),
    }
}

async fn read_order(
    table: &impl Read<CustomTransactionId>,
    id: Option<&CustomTransactionId>,
) -> Result<Option<Stored<Deposit>>, StoreError> {
    let Some(id) = id else { return Ok(None) };
    Ok(table.read(id).await?.and_then(Stored::registered))
}

async fn read_number(
    table: &impl ReadAny,
    order: Option<&Stored<Deposit>>,
    number: &TransactionId,
) -> Result<Option<CreditedNumber>, StoreError> {
    match order.and_then(|order| order.row.number_to_read(number)) {
        Some(id) => Ok(table.read(&id).await?.map(|it| it.row)),
        None => Ok(None),
    }
}
