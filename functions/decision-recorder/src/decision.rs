//! A person's decision: made on the current rows, shown, and written as one conditional change.

use domain::{
    CreditedNumber, CreditedRows, CustomTransactionId, Decided, Deposit, DepositRow, NormalisedNumber, NotResolved,
    Outcome, Payment, PaymentKey, ReservedId, Resolution, SignedFacts, Timestamp, TransactionId, Unreadable,
    Withdrawal, WithdrawalRow, WithdrawalState,
};
use store::{
    AnyRow, Change, Read, ReadAny, Row, RowKey, StoreError, Stored, Transact, Transacted, Transaction, Write, Written,
};

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
    /// Only a withdrawal that was on its way is doubted.
    #[error("the withdrawal was not on its way")]
    NotOnItsWay,
    /// Only an id that the table does not have is reserved.
    #[error("the table has this id")]
    IdKnown,
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
    rows: Vec<ChangedRow>,
    change: RowChange,
}

/// A row that a decision changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRow {
    /// As it is; `None` if there is none.
    pub before: Option<AnyRow>,
    /// As it will be.
    pub after: AnyRow,
}

impl ChangedRow {
    fn of<R: Row>(before: Option<&Stored<R>>, change: &Change<R>) -> Self {
        Self { before: before.cloned().map(R::into_any), after: R::into_any(change.clone().written()) }
    }
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
    /// use decision_recorder::{Decision, Stated};
    /// use store::{AnyRow, Change, Memory, Stored, Write};
    ///
    /// let table = Memory::default();
    /// let list = SignedList { additional_data: "[5]".into(), signature: "538e..".into(), access_key: "key".into() };
    /// let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(0) };
    /// let row = Unreadable::new(ListHash::from([0; 32]), evidence, "it is no object", None);
    /// table.write(Change::new(row.clone())).await.unwrap();
    /// let remark = |text: &str| Remark::parse(text).unwrap();
    /// let (by, reason, evidence) = (remark("alice"), remark("asked the provider"), remark("ticket 7"));
    /// let resolution = Resolution::new(Outcome::Rejected, by, reason, evidence, Timestamp(1));
    /// let row = AnyRow::Unreadable(Stored { row, version: 1 });
    /// let decision = Decision::make(&table, row, &Stated::default(), resolution).await.unwrap();
    /// assert_eq!((decision.before().map(AnyRow::version), decision.after().version()), (Some(1), 2));
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
        match &row {
            AnyRow::Deposit(_) => Err(NotDecided::IsOrder),
            AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => Err(NotDecided::NothingToDecide),
            AnyRow::Withdrawal(stored) => {
                let row = match &stored.row {
                    WithdrawalRow::Registered(row) => WithdrawalRow::Registered(Box::new(row.resolve(resolution)?)),
                    WithdrawalRow::Foreign(row) => WithdrawalRow::Foreign(Box::new(row.resolve(resolution)?)),
                    WithdrawalRow::Reserved(_) => return Err(NotDecided::NothingToDecide),
                };
                Ok(Self::of_withdrawal(Some(stored), row))
            }
            AnyRow::Unreadable(unreadable) if credits_odd => credit_odd(table, unreadable, stated, resolution).await,
            AnyRow::Unreadable(unreadable) => {
                let change = unreadable.becomes(unreadable.row.resolve(resolution)?);
                let rows = vec![ChangedRow::of(Some(unreadable), &change)];
                Ok(Self { rows, change: RowChange::Unreadable(Box::new(change)) })
            }
            AnyRow::Payment(payment) => decide_payment(table, payment, stated, resolution).await,
        }
    }

    /// Doubts a withdrawal that was on its way when its table was restored. A sender counts as dead after so many milliseconds: what it
    /// sends is not doubted before.
    ///
    /// # Errors
    /// [`NotDecided`] when it was not on its way, or is being sent.
    pub fn doubt(row: &AnyRow, now: Timestamp, sender_lifetime_ms: u64) -> Result<Self, NotDecided> {
        let AnyRow::Withdrawal(stored) = row else { return Err(NotDecided::NotOnItsWay) };
        let is_being_sent =
            |row: &Withdrawal| row.state == WithdrawalState::Sending && !row.is_sender_dead(now, sender_lifetime_ms);
        if stored.row.registered().is_some_and(is_being_sent) {
            return Err(NotResolved::OnItsWay.into());
        }
        let doubted = stored.row.registered().and_then(|row| row.after(row.restored(), None, now).0);
        let doubted = doubted.ok_or(NotDecided::NotOnItsWay)?;
        Ok(Self::of_withdrawal(Some(stored), WithdrawalRow::Registered(Box::new(doubted))))
    }

    /// Reserves an id that was used before its table was restored.
    ///
    /// # Errors
    /// [`NotDecided`] when the table has the id.
    pub fn reserve(current: Option<&AnyRow>, reserved: ReservedId) -> Result<Self, NotDecided> {
        if current.is_some() {
            return Err(NotDecided::IdKnown);
        }
        let row = WithdrawalRow::reserved(None, reserved).ok_or(NotDecided::IdKnown)?;
        Ok(Self::of_withdrawal(None, row))
    }

    fn of_withdrawal(before: Option<&Stored<WithdrawalRow>>, row: WithdrawalRow) -> Self {
        let change = Change::of(row, before);
        Self { rows: vec![ChangedRow::of(before, &change)], change: RowChange::Withdrawal(change) }
    }

    /// The rows that it changes; the one that was decided on is the first.
    #[must_use]
    pub fn rows(&self) -> &[ChangedRow] {
        &self.rows
    }

    /// The row on which it was decided; `None` if there is none.
    #[must_use]
    pub fn before(&self) -> Option<&AnyRow> {
        self.rows.first()?.before.as_ref()
    }

    /// The row as it will be.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "every decision changes a row")]
    pub fn after(&self) -> &AnyRow {
        &self.rows[0].after
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
    pub async fn write(
        self,
        table: &(impl Write<Payment> + Write<WithdrawalRow> + Write<Unreadable> + Transact),
    ) -> Result<bool, StoreError> {
        Ok(match self.change {
            RowChange::Withdrawal(change) => table.write(change).await? == Written::Done,
            RowChange::Unreadable(change) => table.write(*change).await? == Written::Done,
            RowChange::Payment(change) => table.write(*change).await? == Written::Done,
            RowChange::Credit(transaction) => table.transact(*transaction).await? == Transacted::Done,
        })
    }
}

/// Decides about a payment.
async fn decide_payment(
    table: &impl ReadAny,
    payment: &Stored<Payment>,
    stated: &Stated,
    resolution: Resolution,
) -> Result<Decision, NotDecided> {
    let signed = payment.row.facts().and_then(SignedFacts::order);
    let order = read_order(table, stated.order.as_ref().or(signed.as_ref())).await?;
    let number = read_number(table, order.as_ref(), &payment.row.key.transaction_id).await?;
    let deposit = order.as_ref().map(|it| &it.row);
    let decided = payment.row.resolve(deposit, number.as_ref(), resolution);
    match decided.map_err(|error| named(error, deposit, number.as_ref(), &payment.row.key))? {
        Decided::Payment(row) => {
            let change = payment.becomes(*row);
            let rows = vec![ChangedRow::of(Some(payment), &change)];
            Ok(Decision { rows, change: RowChange::Payment(Box::new(change)) })
        }
        Decided::Credited(rows) => Ok(credit(*rows, &order.ok_or(NotDecided::NoOrder)?, Some(payment), None)),
    }
}

/// Credits an element whose number or order id is odd, under the number that a person states.
async fn credit_odd(
    table: &impl ReadAny,
    unreadable: &Stored<Unreadable>,
    stated: &Stated,
    resolution: Resolution,
) -> Result<Decision, NotDecided> {
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
    Ok(credit(*rows, &order, payment.as_ref(), Some((unreadable, row))))
}

/// The rows of a credit in place of the current ones.
fn credit(
    rows: CreditedRows,
    order: &Stored<Deposit>,
    payment: Option<&Stored<Payment>>,
    unreadable: Option<(&Stored<Unreadable>, Unreadable)>,
) -> Decision {
    let order = order.clone().map(DepositRow::Registered);
    let deposit = order.becomes(DepositRow::Registered(rows.deposit));
    let credited = Change::of(rows.payment, payment);
    let odd = unreadable.map(|(before, row)| (before, before.becomes(row)));
    let mut changed: Vec<_> = odd.iter().map(|(before, change)| ChangedRow::of(Some(*before), change)).collect();
    changed.push(ChangedRow::of(payment, &credited));
    changed.push(ChangedRow::of(Some(&order), &deposit));
    let transaction = Transaction::new(deposit, vec![credited]);
    let unreadable = odd.map(|(_, change)| change);
    let transaction = Transaction { numbers: rows.numbers, unreadable, ..transaction };
    Decision { rows: changed, change: RowChange::Credit(Box::new(transaction)) }
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
