//! Money that came in: credited once, or kept for a reason.

use std::time::Duration;

use domain::{AttemptId, Decision, DepositReport, DepositRow, Payment, PaymentState, decide};
use lambda::Clock;
use store::{Change, MAX_RACES, Read, Row, StoreError, Stored, Transacted, Written};
use tracing::{error, info, warn};

use crate::Table;

/// Keeps a verified report of a payment. The usual one is credited without anything being read first.
pub(crate) async fn keep(table: &impl Table, clock: &impl Clock, report: &DepositReport) -> Result<(), StoreError> {
    let mut known = None;
    if let Some(expected) = report.expected_credit() {
        match table.credit(&expected).await? {
            Transacted::Done => {
                credited(report);
                return Ok(());
            }
            Transacted::Conflict { payment } => known = payment,
        }
    }
    if let Some(stored) = known.filter(|it| matches!(it.row.state, PaymentState::Credited { .. }))
        && end_withdrawal(table, Some(&stored), None, report).await?
    {
        return Ok(());
    }
    for race in 0..MAX_RACES {
        let payment = Read::<Payment>::read(table, &report.payment).await?;
        let order = match AttemptId::parse(&report.facts.custom_transaction_id) {
            Some(id) => Read::<DepositRow>::read(table, &id.order).await?,
            None => None,
        };
        if end_withdrawal(table, payment.as_ref(), order.as_ref(), report).await? {
            return Ok(());
        }
        let most_ms = 20_u64.saturating_mul(1 << race.min(6));
        clock.sleep(Duration::from_millis(clock.random_below(most_ms))).await;
    }
    Err(StoreError::all_races_lost())
}

/// Decides on the rows that stand, and writes what was decided. `false` when a row has changed meanwhile.
async fn end_withdrawal(
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
        log(&decision, report);
    }
    Ok(is_written)
}

fn credited(report: &DepositReport) {
    let (reference, payment) = (reference(report), Payment::key(&report.payment));
    info!(event = "deposit.credited", reference, payment);
}

/// The order's key, whichever attempt the provider names.
fn reference(report: &DepositReport) -> String {
    let said = &report.facts.custom_transaction_id;
    AttemptId::parse(said).map_or_else(|| format!("deposit#{said}"), |attempt| DepositRow::key(&attempt.order))
}

fn log(decision: &Decision, report: &DepositReport) {
    let (reference, payment) = (reference(report), Payment::key(&report.payment));
    match decision {
        Decision::Credit(..) => credited(report),
        Decision::Repeat => info!(event = "postback.repeated", reference, payment),
        Decision::Unmatched(..) => warn!(event = "payment.unmatched", reference, payment),
        Decision::Quarantine(_, mismatch) => {
            error!(event = "deposit.quarantined", reference, payment, ?mismatch);
        }
        Decision::Conflict(_, mismatch) => error!(event = "payment.conflict", reference, payment, ?mismatch),
    }
}
