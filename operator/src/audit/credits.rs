//! Credits: what an order's row, the rows of its payments and the rows of their numbers say about the same money.
//!
//! All that is said is sorted by order and number. An order counts all its credits and remembers the last ones, so its count and
//! its sum are those of its payments, and each credit that it remembers is one of them.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io;

use domain::{
    Amount, Credit, CreditedNumberId, CurrencyCode, CustomTransactionId, Deposit, DepositRow, Label, NormalisedNumber,
    Outcome, Payment, PaymentKey, PaymentState, Totals,
};
use serde::{Deserialize, Serialize};
use store::{AnyRow, Read, ReadAny, RowKey, StoreError};

use super::report::{Break, Rule};
use crate::external_sort::RUN;
use crate::failure::Failure;

/// What one row says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    order: CustomTransactionId,
    what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum What {
    /// The order's row.
    Order(OrderCredits),
    /// A number's row: the order was credited for this payment.
    Number(PaymentKey),
    /// A payment's row: it is credited to the order.
    Payment(CreditedPayment),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OrderCredits {
    label: Label,
    currency_code: CurrencyCode,
    totals: Totals,
    /// From the second credit on, each number has a row.
    has_numbers: bool,
    /// The last credits.
    remembered: Vec<Credit>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CreditedPayment {
    key: PaymentKey,
    label: Label,
    amount: Amount,
    currency_code: CurrencyCode,
    /// A person has stated that it is another payment than the one with the same number.
    is_stated_different: bool,
}

impl Said {
    /// What a row says about credits.
    pub(crate) fn of(row: &AnyRow) -> Option<Self> {
        let (order, what) = match row {
            AnyRow::Payment(it) => {
                let PaymentState::Credited { order, .. } = &it.row.state else { return None };
                (order.clone(), What::Payment(CreditedPayment::of(&it.row)?))
            }
            AnyRow::Deposit(it) => {
                let DepositRow::Registered(deposit) = &it.row else { return None };
                (deposit.order.custom_transaction_id.clone(), What::Order(OrderCredits::of(deposit)?))
            }
            AnyRow::CreditedNumber(it) => (it.row.order.clone(), What::Number(it.row.payment.clone())),
            AnyRow::Withdrawal(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::StoredList(_)
            | AnyRow::ListProgress(_)
            | AnyRow::Proposal(_)
            | AnyRow::TableIdentity(_) => return None,
        };
        Some(Self { order, what })
    }

    /// Its place among all that is said about the order: the order's row comes first, then by number the number's row and the
    /// payments.
    fn place(&self) -> Option<(NormalisedNumber, Option<&PaymentKey>)> {
        let number = |payment: &PaymentKey| NormalisedNumber::of(&payment.transaction_id);
        match &self.what {
            What::Order(_) => None,
            What::Number(payment) => Some((number(payment), None)),
            What::Payment(payment) => Some((number(&payment.key), Some(&payment.key))),
        }
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Said {}

impl PartialOrd for Said {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Said {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order).then_with(|| self.place().cmp(&other.place()))
    }
}

impl OrderCredits {
    fn of(deposit: &Deposit) -> Option<Self> {
        let totals = deposit.total_credits();
        (totals.count > 0).then(|| Self {
            label: deposit.order.label.clone(),
            currency_code: deposit.order.currency_code.clone(),
            totals,
            has_numbers: deposit.totals.is_some(),
            remembered: deposit.credited.clone(),
        })
    }

    /// Whether it had credits before those that it remembers.
    fn has_forgotten(&self) -> bool {
        u64::try_from(self.remembered.len()).is_ok_and(|remembered| self.totals.count > remembered)
    }

    fn of_number(&self, number: &NormalisedNumber) -> impl Iterator<Item = &Credit> {
        self.remembered.iter().filter(move |it| NormalisedNumber::of(&it.payment.transaction_id) == *number)
    }
}

impl CreditedPayment {
    fn of(row: &Payment) -> Option<Self> {
        let PaymentState::Credited { credited_label, facts, .. } = &row.state else { return None };
        let is_stated = |it: &domain::Resolution| it.outcome == Outcome::Credited && it.is_different_payment;
        Some(Self {
            key: row.key.clone(),
            label: credited_label.clone(),
            amount: facts.amount,
            currency_code: facts.currency_code.clone(),
            is_stated_different: row.resolutions.iter().any(is_stated),
        })
    }

    /// What is wrong with it, as its order's row has it.
    fn wrong(&self, order: &CustomTransactionId, credits: Option<&OrderCredits>) -> Option<String> {
        let Some(credits) = credits else { return Some(format!("it is credited to {order}, whose row has no credit")) };
        if (&credits.label, &credits.currency_code) != (&self.label, &self.currency_code) {
            return Some(format!("it is credited with another label or currency than {order} has"));
        }
        let own: Vec<_> = credits.remembered.iter().filter(|it| it.payment == self.key).collect();
        match own.as_slice() {
            [credit] if credit.amount == self.amount => None,
            [_] => Some(format!("it is credited with another amount than {order} has")),
            [] if credits.has_forgotten() => None,
            [] => Some(format!("it is credited to {order}, whose row has no such credit")),
            _ => Some(format!("it is credited more than once to {order}")),
        }
    }
}

/// All that is said about an order and a number.
#[derive(Debug)]
struct OfNumber {
    id: CreditedNumberId,
    /// The payment that the number's row names.
    row: Option<PaymentKey>,
    payments: Vec<CreditedPayment>,
}

impl OfNumber {
    fn new(order: &CustomTransactionId, number: NormalisedNumber) -> Self {
        let id = CreditedNumberId { order: order.clone(), number };
        Self { id, row: None, payments: Vec::new() }
    }

    fn has(&self, payment: &PaymentKey) -> bool {
        self.payments.iter().any(|it| it.key == *payment)
    }

    /// What is wrong with it: of which row, and what.
    fn wrong(&self, credits: Option<&OrderCredits>) -> Vec<(String, String)> {
        let Self { id, row, payments } = self;
        let mut found = Vec::new();
        for payment in payments {
            let other = row.as_ref().filter(|first| **first != payment.key && !payment.is_stated_different);
            let twice = || {
                let first = other.map(RowKey::key)?;
                Some(format!(
                    "{} was credited for this number by {first} too, and no person has stated that they differ",
                    id.order
                ))
            };
            let what = payment.wrong(&id.order, credits).or_else(twice);
            found.extend(what.map(|what| (payment.key.key(), what)));
        }
        for credit in credits.into_iter().flat_map(|it| it.of_number(&id.number)) {
            if !self.has(&credit.payment) {
                let what = format!("{} has its credit, and its own row has none", id.order);
                found.push((credit.payment.key(), what));
            }
        }
        let has_numbers = credits.is_some_and(|it| it.has_numbers);
        let what = match row {
            None if has_numbers && !payments.is_empty() => {
                Some("the order was credited for this number, and there is no such row".into())
            }
            Some(payment) if !self.has(payment) => {
                Some(format!("it names {}, which is not credited to the order", payment.key()))
            }
            Some(_) if !has_numbers => Some("the order's row does not say that there are such rows".into()),
            None | Some(_) => None,
        };
        found.extend(what.map(|what| (id.key(), what)));
        found
    }

    /// The same as the rows say it now, with the order's.
    async fn again(
        &self,
        table: &impl ReadAny,
        credits: Option<&OrderCredits>,
    ) -> Result<(Option<OrderCredits>, Self), StoreError> {
        let then = credits.into_iter().flat_map(|it| it.of_number(&self.id.number)).map(|it| it.payment.clone());
        let credits = read_order(table, &self.id.order).await?;
        let row = table.read(&self.id).await?.map(|it| it.row.payment);
        let now = credits.iter().flat_map(|it| it.of_number(&self.id.number)).map(|it| it.payment.clone());
        let known = self.payments.iter().map(|it| it.key.clone()).chain(self.row.clone());
        let keys: BTreeSet<_> = known.chain(then).chain(now).chain(row.clone()).collect();
        let mut payments = Vec::new();
        for key in keys {
            payments.extend(read_payment(table, &self.id.order, &key).await?);
        }
        Ok((credits, Self { id: self.id.clone(), row, payments }))
    }
}

async fn read_order(
    table: &impl Read<CustomTransactionId>,
    order: &CustomTransactionId,
) -> Result<Option<OrderCredits>, StoreError> {
    let row = table.read(order).await?;
    Ok(row.and_then(|it| OrderCredits::of(it.row.registered()?)))
}

/// The payment, if it is credited to the order.
async fn read_payment(
    table: &impl Read<PaymentKey>,
    order: &CustomTransactionId,
    key: &PaymentKey,
) -> Result<Option<CreditedPayment>, StoreError> {
    let row = table.read(key).await?;
    let is_own = |row: &Payment| matches!(&row.state, PaymentState::Credited { order: own, .. } if own == order);
    Ok(row.filter(|it| is_own(&it.row)).and_then(|it| CreditedPayment::of(&it.row)))
}

/// An order, while what is said about it comes.
#[derive(Debug)]
struct OfOrder {
    order: CustomTransactionId,
    credits: Option<OrderCredits>,
    number: Option<OfNumber>,
    /// What its payments' rows add up to.
    found: Totals,
    /// Its payments: the first [`RUN`] of them.
    payments: BTreeSet<PaymentKey>,
    /// The numbers that were checked, among those that it remembers.
    checked: BTreeSet<NormalisedNumber>,
}

impl OfOrder {
    fn new(order: CustomTransactionId) -> Self {
        Self {
            order,
            credits: None,
            number: None,
            found: Totals::default(),
            payments: BTreeSet::new(),
            checked: BTreeSet::new(),
        }
    }

    async fn add(&mut self, table: &impl ReadAny, what: What, report: &mut impl FnMut(Break)) {
        match what {
            What::Order(credits) => self.credits = Some(credits),
            What::Number(payment) => self.of_number(table, &payment, report).await.row = Some(payment.clone()),
            What::Payment(payment) => {
                self.found = self.found.plus(payment.amount);
                if self.payments.len() < RUN {
                    self.payments.insert(payment.key.clone());
                }
                self.of_number(table, &payment.key.clone(), report).await.payments.push(payment);
            }
        }
    }

    /// What is said about a payment's number. When the next number begins, the one before it is checked.
    async fn of_number(
        &mut self,
        table: &impl ReadAny,
        payment: &PaymentKey,
        report: &mut impl FnMut(Break),
    ) -> &mut OfNumber {
        let number = NormalisedNumber::of(&payment.transaction_id);
        if let Some(last) = self.number.take_if(|last| last.id.number != number) {
            self.check_number(table, &last, report).await;
        }
        let order = &self.order;
        self.number.get_or_insert_with(|| OfNumber::new(order, number))
    }

    /// Reports what is wrong about a number. Its rows are read again first, for they may have changed while the table was scanned.
    async fn check_number(&mut self, table: &impl ReadAny, said: &OfNumber, report: &mut impl FnMut(Break)) {
        let credits = self.credits.as_ref();
        if credits.is_some_and(|it| it.of_number(&said.id.number).next().is_some()) {
            self.checked.insert(said.id.number.clone());
        }
        let then = said.wrong(credits);
        if then.is_empty() {
            return;
        }
        let found = match said.again(table, credits).await {
            Ok((credits, now)) => now.wrong(credits.as_ref()),
            Err(error) => then.into_iter().map(|(id, what)| (id, unread(&what, &error))).collect(),
        };
        for (id, what) in found {
            report(Break::new(Rule::Credits, id, what));
        }
    }

    async fn end(mut self, table: &impl ReadAny, report: &mut impl FnMut(Break)) {
        if let Some(last) = self.number.take() {
            self.check_number(table, &last, report).await;
        }
        let remembered = self.credits.iter().flat_map(|it| &it.remembered);
        let numbers: BTreeSet<_> = remembered.map(|it| NormalisedNumber::of(&it.payment.transaction_id)).collect();
        for number in numbers.difference(&self.checked.clone()) {
            let unmet = OfNumber::new(&self.order, number.clone());
            self.check_number(table, &unmet, report).await;
        }
        // Before the second credit the row counts nothing, and each credit was compared with its payment.
        let Some(credits) = self.credits.as_ref().filter(|it| it.has_numbers && it.totals != self.found) else {
            return;
        };
        let what = match self.count_again(table).await {
            Ok(what) => what,
            Err(error) => Some(unread(&differ(Some(credits.totals), self.found), &error)),
        };
        if let Some(what) = what {
            report(Break::new(Rule::Credits, self.order.key(), what));
        }
    }

    /// Counts again with the credits that came during the scan. They are among those that the row remembered then or remembers
    /// now, if they are few.
    async fn count_again(&self, table: &impl ReadAny) -> Result<Option<String>, StoreError> {
        let now = read_order(table, &self.order).await?;
        let counted = now.as_ref().map(|it| it.totals);
        let has_changed = counted != self.credits.as_ref().map(|it| it.totals);
        let hint = if has_changed { "; it was credited meanwhile: audit again" } else { "" };
        if u64::try_from(self.payments.len()) != Ok(self.found.count) {
            return Ok(Some(format!("{}{hint}", differ(counted, self.found))));
        }
        let remembered = self.credits.iter().chain(&now).flat_map(|it| &it.remembered);
        let new: BTreeSet<_> = remembered.map(|it| &it.payment).filter(|it| !self.payments.contains(it)).collect();
        let mut found = self.found;
        for key in new {
            let payment = read_payment(table, &self.order, key).await?;
            found = payment.map_or(found, |payment| found.plus(payment.amount));
        }
        if counted == Some(found) || (counted.is_none() && found.count == 0) {
            return Ok(None);
        }
        Ok(Some(format!("{}{hint}", differ(counted, found))))
    }
}

fn differ(counted: Option<Totals>, found: Totals) -> String {
    let Totals { count, sum } = counted.unwrap_or_default();
    format!(
        "its row counts {count} credits of {sum} in all, and {} payments of {} are credited to it",
        found.count, found.sum
    )
}

fn unread(what: &str, error: &StoreError) -> String {
    format!("{what}; it cannot be read again: {error}")
}

/// Compares what is said about each order, and reports what is wrong. Whatever is said about one order comes in one piece.
pub(crate) async fn compare(
    table: &impl ReadAny,
    said: impl Iterator<Item = io::Result<Said>>,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut current: Option<OfOrder> = None;
    for next in said {
        let Said { order, what } = next?;
        if let Some(last) = current.take_if(|it| it.order != order) {
            last.end(table, &mut report).await;
        }
        current.get_or_insert_with(|| OfOrder::new(order)).add(table, what, &mut report).await;
    }
    if let Some(last) = current {
        last.end(table, &mut report).await;
    }
    Ok(())
}
