//! The provider's reports about withdrawals: written once, or recorded for a reason.

use domain::{Effect, WithdrawalReport, WithdrawalRow, WithdrawalState};
use lambda::{Metric, Money, count, count_paid};
use store::{RowKey, StoreError, Stored, Updated, Written, update_from};

use crate::Table;

/// Stores a report on a row that was read a moment ago. One that changes nothing is not written.
pub(crate) async fn store_known(
    table: &impl Table,
    report: &WithdrawalReport,
    known: Option<&Stored<WithdrawalRow>>,
) -> Result<(), StoreError> {
    if let Some(known) = known
        && let (None, outcome) = WithdrawalRow::reported(Some(&known.row), report)
    {
        count_update(report, &Updated { current: Some(known.clone()), outcome });
        return Ok(());
    }
    store(table, report).await
}

/// Stores a verified report of a withdrawal. The usual one is written without anything being read first.
pub(crate) async fn store(table: &impl Table, report: &WithdrawalReport) -> Result<(), StoreError> {
    let Written::Conflict { current } = table.end_withdrawal(report).await? else {
        count_end(report);
        return Ok(());
    };
    let decide = |current: Option<&WithdrawalRow>| WithdrawalRow::reported(current, report);
    count_update(report, &update_from(table, current, decide).await?);
    Ok(())
}

fn count_update(report: &WithdrawalReport, updated: &Updated<WithdrawalRow, Effect>) {
    let is_foreign = updated.current.as_ref().is_some_and(|it| it.row.registered().is_none());
    let reference = report.withdrawal_id.key();
    match updated.outcome {
        Effect::Repeated => count!(info, Metric::PostbackRepeated, reference),
        Effect::Moved if is_foreign => {
            count!(warn, Metric::WithdrawalForeign, reference, status = report.withdrawal_status);
        }
        Effect::Moved => count_end(report),
        Effect::Conflicted(mismatch) => count!(error, Metric::WithdrawalConflict, reference, ?mismatch),
    }
}

fn count_end(report: &WithdrawalReport) {
    let is_paid = matches!(report.outcome(), Some(WithdrawalState::Paid { .. }));
    let reference = report.withdrawal_id.key();
    if is_paid {
        let WithdrawalReport { wallet_type, facts, .. } = report;
        count_paid(Money { amount: &facts.amount, currency_code: &facts.currency_code, wallet_type }, &reference);
    } else {
        count!(info, Metric::WithdrawalFailed, reference);
    }
}
