//! What became of a withdrawal: written once, or kept for a reason.

use domain::{UnknownWithdrawal, Withdrawal, WithdrawalReport, WithdrawalRow, WithdrawalState};
use store::{Advanced, Change, Read, Row, Stored, Unavailable, Written, advance};
use tracing::{error, info, warn};

use crate::Table;

/// Keeps a verified report of a withdrawal. The usual one is written without anything being read first.
pub(crate) async fn keep(table: &impl Table, report: &WithdrawalReport) -> Result<(), Unavailable> {
    let id = &report.withdrawal_id;
    let stands = if report.disagreement.is_some() || report.outcome().is_none() {
        Read::<WithdrawalRow>::read(table, id).await?
    } else {
        match table.settle(report).await? {
            Written::Done => {
                settled(report);
                return Ok(());
            }
            Written::Stands(stands) => stands,
        }
    };
    match stands {
        Some(stored) => contradict_or_repeat(table, stored, report).await,
        None => keep_unmatched(table, report).await,
    }
}

async fn contradict_or_repeat(
    table: &impl Table,
    stored: Stored<WithdrawalRow>,
    report: &WithdrawalReport,
) -> Result<(), Unavailable> {
    let Stored { row: WithdrawalRow::Registered(row), version } = stored else {
        unmatched(report);
        return Ok(());
    };
    let stored = Stored { row: *row, version };
    let now = report.receipt.evidence.received_at;
    match advance(table, stored, now, Some(&report.receipt), |row: &Withdrawal| row.reported(report)).await? {
        Advanced::Moved(_) => settled(report),
        Advanced::Repeated(_) => {
            info!(event = "postback.repeated", reference = WithdrawalRow::key(&report.withdrawal_id));
        }
        Advanced::Conflicted(_, disagreement) => {
            let reference = WithdrawalRow::key(&report.withdrawal_id);
            error!(event = "withdrawal.conflict", reference, ?disagreement);
        }
    }
    Ok(())
}

/// The row takes the id, so that no payout is ever made under it.
async fn keep_unmatched(table: &impl Table, report: &WithdrawalReport) -> Result<(), Unavailable> {
    let unknown = UnknownWithdrawal {
        withdrawal_id: report.withdrawal_id.clone(),
        withdrawal_status: report.withdrawal_status,
        unmatched: report.receipt.clone(),
        resolutions: Vec::new(),
    };
    match table.write(Change::new(WithdrawalRow::Unmatched(Box::new(unknown)))).await? {
        Written::Done => unmatched(report),
        Written::Stands(Some(stored)) => return contradict_or_repeat(table, stored, report).await,
        Written::Stands(None) => return Err(Unavailable("a withdrawal's row came and went".into())),
    }
    Ok(())
}

fn unmatched(report: &WithdrawalReport) {
    let reference = WithdrawalRow::key(&report.withdrawal_id);
    warn!(event = "withdrawal.unmatched", reference, status = report.withdrawal_status);
}

fn settled(report: &WithdrawalReport) {
    let reference = WithdrawalRow::key(&report.withdrawal_id);
    if let Some(WithdrawalState::Paid { .. }) = report.outcome() {
        info!(event = "withdrawal.paid", reference);
    } else {
        info!(event = "withdrawal.failed", reference);
    }
}
