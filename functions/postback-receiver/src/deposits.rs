//! Payments: credited once, or held for a reason.

use std::collections::BTreeSet;

use domain::{CreditedNumber, Decision, DepositReport, DepositRow, Noted, Payment, PaymentState, Rows, decide};
use lambda::{Metric, Money, count, count_credited};
use store::{Change, RowKey, StoreError, Stored, Transacted, Transaction, Written, retry};

use crate::Table;

/// The rows that a report is about, as they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) payment: Option<Stored<Payment>>,
    pub(crate) order: Option<Stored<DepositRow>>,
    pub(crate) number: Option<CreditedNumber>,
    pub(crate) is_order_unwritable: bool,
}

impl Known {
    /// Reads them. An order that cannot be decoded is one to which nothing can be written.
    async fn read(table: &impl Table, report: &DepositReport) -> Result<Self, StoreError> {
        let payment = table.read(&report.payment).await?;
        let mut known = Self { payment, ..Self::default() };
        let Some(id) = report.facts.order() else { return Ok(known) };
        match table.read(&id).await {
            Ok(order) => known.order = order,
            Err(error) if error.is_permanent_of(&id) => known.is_order_unwritable = true,
            Err(error) => return Err(error),
        }
        let order = known.order.as_ref().and_then(|order| order.row.registered());
        if let Some(id) = order.and_then(|it| it.number_to_read(&report.payment.transaction_id)) {
            known.number = table.read(&id).await?.map(|it| it.row);
        }
        Ok(known)
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            payment: self.payment.as_ref().map(|it| &it.row),
            order: self.order.as_ref().map(|it| &it.row),
            number: self.number.as_ref(),
            is_order_unwritable: self.is_order_unwritable,
        }
    }
}

/// What is written: the order's row as it is then.
pub(crate) type NewOrder = Option<Stored<DepositRow>>;

/// Stores a verified report of a payment. The usual one is credited without anything being read first.
pub(crate) async fn store(table: &impl Table, report: &DepositReport) -> Result<(), StoreError> {
    let mut payment = None;
    if let Some(expected) = report.expected_credit() {
        match table.credit(&expected).await {
            Ok(Transacted::Done) => {
                count_credit(report);
                return Ok(());
            }
            Ok(Transacted::Conflict { payment: current }) => payment = current,
            // The order has no room for an update. The order as it is written whole may have.
            Err(error) if error.is_permanent_of(&expected.order) => {}
            Err(error) => return Err(error),
        }
    }
    // The usual repeat needs no reading either.
    if let Some(payment) = payment.filter(|it| matches!(it.row.state, PaymentState::Credited { .. })) {
        let known = Known { payment: Some(*payment), ..Known::default() };
        if write_decision(table, &known, report).await?.is_some() {
            return Ok(());
        }
    }
    read_and_store(table, report).await?;
    Ok(())
}

/// Stores a report on rows that were read a moment ago.
pub(crate) async fn store_known(
    table: &impl Table,
    report: &DepositReport,
    known: &Known,
) -> Result<NewOrder, StoreError> {
    match write_decision(table, known, report).await? {
        Some(order) => Ok(order),
        None => read_and_store(table, report).await,
    }
}

/// Stores a report on the current rows.
pub(crate) async fn read_and_store(table: &impl Table, report: &DepositReport) -> Result<NewOrder, StoreError> {
    retry(table, |_| async {
        let known = Known::read(table, report).await?;
        write_decision(table, &known, report).await
    })
    .await
}

/// Decides, and writes the decision. `None` when a row has changed meanwhile. What cannot be written to its order is held by
/// itself.
async fn write_decision(
    table: &impl Table,
    known: &Known,
    report: &DepositReport,
) -> Result<Option<NewOrder>, StoreError> {
    let write = async |known: &Known| {
        let written = write_decisions(table, known.order.clone(), &[(report, known)]).await?;
        Ok(written.map(|(_, order)| order))
    };
    match (write(known).await, report.facts.order()) {
        (Err(error), Some(order)) if StoreError::is_permanent_of(&error, &order) => {
            write(&Known { order: None, is_order_unwritable: true, ..known.clone() }).await
        }
        (written, _) => written,
    }
}

/// Decides about reports of one order, one after the other, and writes all of it at once. Gives how many are done, and the order's
/// row then; `None` where a row has changed meanwhile, or where they must be stored one by one: several payments are written in one
/// transaction, and that is one with their order.
pub(crate) async fn write_decisions(
    table: &impl Table,
    order: NewOrder,
    reports: &[(&DepositReport, &Known)],
) -> Result<Option<(usize, NewOrder)>, StoreError> {
    let mut row = order.as_ref().map(|it| it.row.clone());
    let (mut payments, mut numbers, mut page, mut is_changed) = (Vec::new(), Vec::new(), None, false);
    let (mut decisions, mut seen) = (Vec::new(), BTreeSet::new());
    for (report, known) in reports {
        // A transaction has each row once.
        if page.is_some() || !seen.insert(&report.payment) {
            break;
        }
        let decision = decide(&Rows { order: row.as_ref(), ..known.rows() }, report);
        let payment = |row: &Payment| Change::of(row.clone(), known.payment.as_ref());
        match &decision {
            Decision::Repeat | Decision::Conflict(None, _) => {}
            Decision::Credit(credited) => {
                payments.push(payment(&credited.payment));
                numbers.extend(credited.numbers.iter().cloned());
                row = Some(DepositRow::Registered(credited.deposit.clone()));
                is_changed = true;
            }
            Decision::Unmatched(waits, Some(Noted { place, page: full })) => {
                payments.push(payment(waits));
                page.clone_from(full);
                row = Some(DepositRow::Unregistered(place.clone()));
                is_changed = true;
            }
            Decision::Unmatched(row, None) | Decision::Quarantine(row, _) | Decision::Conflict(Some(row), _) => {
                payments.push(payment(row));
            }
        }
        decisions.push((decision, report));
    }
    let change = row.filter(|_| is_changed).map(|row| Change::of(row, order.as_ref()));
    let written = change.clone().map(Change::written).or(order);
    let is_written = match (change, payments.as_slice()) {
        (Some(change), _) => {
            let transaction = Transaction { numbers, page, ..Transaction::new(change, payments) };
            table.transact(transaction).await? == Transacted::Done
        }
        (None, []) => true,
        (None, [payment]) => table.write(payment.clone()).await? == Written::Done,
        (None, _) => false,
    };
    if !is_written {
        return Ok(None);
    }
    for (decision, report) in &decisions {
        count_decision(decision, report);
    }
    Ok(Some((decisions.len(), written)))
}

fn count_credit(report: &DepositReport) {
    let DepositReport { payment, facts, .. } = report;
    let (amount, currency_code, wallet_type) = (&facts.amount, &facts.currency_code, &payment.wallet_type);
    count_credited(Money { amount, currency_code, wallet_type }, &reference(report), &payment.key(), None);
}

fn count_decision(decision: &Decision, report: &DepositReport) {
    let (reference, payment) = (reference(report), report.payment.key());
    match decision {
        Decision::Credit(..) => count_credit(report),
        Decision::Repeat => count!(info, Metric::PostbackRepeated, reference, payment),
        Decision::Unmatched(..) => count!(warn, Metric::PaymentUnmatched, reference, payment),
        Decision::Quarantine(_, mismatch) => count!(error, Metric::DepositQuarantined, reference, payment, ?mismatch),
        Decision::Conflict(_, mismatch) => count!(error, Metric::PaymentConflict, reference, payment, ?mismatch),
    }
}

/// The order's key, whichever attempt the provider names.
fn reference(report: &DepositReport) -> String {
    let order = report.facts.order();
    order.map_or_else(|| format!("deposit#{}", report.facts.custom_transaction_id), |order| order.key())
}
