//! What became of a withdrawal: written once, or kept for a reason.

use domain::{UnknownWithdrawal, Withdrawal, WithdrawalReport, WithdrawalRow, WithdrawalState};
use store::{Advanced, Change, MAX_RACES, Read, Row, Stored, Unavailable, Written, advance};
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
    let stored = match stored {
        Stored { row: WithdrawalRow::Registered(row), version } => Stored { row: *row, version },
        Stored { row: WithdrawalRow::Unmatched(row), version } => {
            return keep_further(table, Stored { row: *row, version }, report).await;
        }
    };
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
    let unknown = UnknownWithdrawal::new(report);
    match table.write(Change::new(WithdrawalRow::Unmatched(Box::new(unknown)))).await? {
        Written::Done => unmatched(report),
        Written::Stands(Some(stored)) => return contradict_or_repeat(table, stored, report).await,
        Written::Stands(None) => return Err(Unavailable("a withdrawal's row came and went".into())),
    }
    Ok(())
}

/// What is said later of a payout that is not ours is kept too, where it is something else.
async fn keep_further(
    table: &impl Table,
    mut stands: Stored<UnknownWithdrawal>,
    report: &WithdrawalReport,
) -> Result<(), Unavailable> {
    for _ in 0..MAX_RACES {
        let Some(row) = stands.row.reported(report) else {
            info!(event = "postback.repeated", reference = WithdrawalRow::key(&report.withdrawal_id));
            return Ok(());
        };
        let change = Change { row: WithdrawalRow::Unmatched(Box::new(row)), replaces: stands.version };
        match table.write(change).await? {
            Written::Done => {
                unmatched(report);
                return Ok(());
            }
            Written::Stands(Some(Stored { row: WithdrawalRow::Unmatched(row), version })) => {
                stands = Stored { row: *row, version };
            }
            Written::Stands(_) => return Err(Unavailable("an unmatched withdrawal's row is gone".into())),
        }
    }
    Err(Unavailable::all_races_lost())
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
