//! Payments: credited once, or held for a reason.

use domain::{Decision, DepositReport, DepositRow, Payment, PaymentState, decide};
use lambda::{Metric, count};
use store::{Change, RowKey, StoreError, Stored, Transacted, Written, retry};

use crate::Table;

/// Stores a verified report of a payment. The usual one is credited without anything being read first.
pub(crate) async fn store(table: &impl Table, report: &DepositReport) -> Result<(), StoreError> {
    let mut known = None;
    if let Some(expected) = report.expected_credit() {
        match table.credit(&expected).await? {
            Transacted::Done => {
                count_credit(report);
                return Ok(());
            }
            Transacted::Conflict { payment } => known = payment,
        }
    }
    // The usual repeat needs no reading either.
    if let Some(credited) = known.filter(|it| matches!(it.row.state, PaymentState::Credited { .. }))
        && write_decision(table, Some(&credited), None, report).await?
    {
        return Ok(());
    }
    retry(table, |_| async {
        let payment = table.read(&report.payment).await?;
        let order = match report.facts.order() {
            Some(id) => table.read(&id).await?,
            None => None,
        };
        let is_written = write_decision(table, payment.as_ref(), order.as_ref(), report).await?;
        Ok::<_, StoreError>(is_written.then_some(()))
    })
    .await
}

/// Decides on the current rows, and writes the decision. `false` when a row has changed meanwhile.
async fn write_decision(
    table: &impl Table,
    payment: Option<&Stored<Payment>>,
    order: Option<&Stored<DepositRow>>,
    report: &DepositReport,
) -> Result<bool, StoreError> {
    let decision = decide(payment.map(|it| &it.row), order.map(|it| &it.row), report);
    let is_written = match &decision {
        Decision::Repeat | Decision::Conflict(None, _) => true,
        Decision::Credit(row, deposit) => {
            let deposit = Change::of(DepositRow::Registered((**deposit).clone()), order);
            table.transact(deposit, vec![Change::of(row.clone(), payment)]).await? == Transacted::Done
        }
        Decision::Unmatched(row, Some(place)) => {
            let place = Change::of(DepositRow::Unregistered(place.clone()), order);
            table.transact(place, vec![Change::of(row.clone(), payment)]).await? == Transacted::Done
        }
        Decision::Unmatched(row, None) | Decision::Quarantine(row, _) | Decision::Conflict(Some(row), _) => {
            table.write(Change::of(row.clone(), payment)).await? == Written::Done
        }
    };
    if is_written {
        count_decision(&decision, report);
    }
    Ok(is_written)
}

fn count_credit(report: &DepositReport) {
    count!(info, Metric::DepositCredited, reference(report), payment = report.payment.key());
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
