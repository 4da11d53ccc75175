//! What became of a withdrawal: written once, or kept for a reason.

use domain::{ForeignWithdrawal, Withdrawal, WithdrawalReport, WithdrawalRow, WithdrawalState};
use store::{Advanced, Change, MAX_RACES, Read, Row, StoreError, Stored, Written, advance};
use tracing::{error, info, warn};

use crate::Table;

/// Keeps a verified report of a withdrawal. The usual one is written without anything being read first.
pub(crate) async fn keep(table: &impl Table, report: &WithdrawalReport) -> Result<(), StoreError> {
    let id = &report.withdrawal_id;
    let current = if report.mismatch.is_some() || report.outcome().is_none() {
        Read::<WithdrawalRow>::read(table, id).await?
    } else {
        match table.end_withdrawal(report).await? {
            Written::Done => {
                settled(report);
                return Ok(());
            }
            Written::Conflict { current } => current,
        }
    };
    match current {
        Some(Stored { row: WithdrawalRow::Registered(row), version }) => {
            contradict_or_repeat(table, Stored { row: *row, version }, report).await
        }
        Some(Stored { row: WithdrawalRow::Foreign(row), version }) => {
            keep_unmatched(table, Some(Stored { row: *row, version }), report).await
        }
        None => keep_unmatched(table, None, report).await,
    }
}

async fn contradict_or_repeat(
    table: &impl Table,
    stored: Stored<Withdrawal>,
    report: &WithdrawalReport,
) -> Result<(), StoreError> {
    let now = report.facts.evidence.received_at;
    match advance(table, stored, now, Some(&report.facts), |row: &Withdrawal| row.reported(report)).await? {
        Advanced::Moved(_) => settled(report),
        Advanced::Repeated(_) => repeated(report),
        Advanced::Conflicted(_, mismatch) => {
            let reference = WithdrawalRow::key(&report.withdrawal_id);
            error!(event = "withdrawal.conflict", reference, ?mismatch);
        }
    }
    Ok(())
}

/// The row takes the id, so that no withdrawal is ever made under it; what is said later is kept too, where it is something else.
async fn keep_unmatched(
    table: &impl Table,
    mut current: Option<Stored<ForeignWithdrawal>>,
    report: &WithdrawalReport,
) -> Result<(), StoreError> {
    for _ in 0..MAX_RACES {
        let (row, expected_version) = match &current {
            None => (Some(ForeignWithdrawal::new(report)), 0),
            Some(stored) => (stored.row.reported(report), stored.version),
        };
        let Some(row) = row else {
            repeated(report);
            return Ok(());
        };
        match table.write(Change { row: WithdrawalRow::Foreign(Box::new(row)), expected_version }).await? {
            Written::Done => {
                unmatched(report);
                return Ok(());
            }
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Foreign(row), version }) } => {
                current = Some(Stored { row: *row, version });
            }
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Registered(row), version }) } => {
                return contradict_or_repeat(table, Stored { row: *row, version }, report).await;
            }
            Written::Conflict { current: None } => return Err(StoreError("a withdrawal's row came and went".into())),
        }
    }
    Err(StoreError::all_races_lost())
}

fn repeated(report: &WithdrawalReport) {
    info!(event = "postback.repeated", reference = WithdrawalRow::key(&report.withdrawal_id));
}

fn unmatched(report: &WithdrawalReport) {
    let reference = WithdrawalRow::key(&report.withdrawal_id);
    warn!(event = "withdrawal.foreign", reference, status = report.withdrawal_status);
}

fn settled(report: &WithdrawalReport) {
    let reference = WithdrawalRow::key(&report.withdrawal_id);
    if let Some(WithdrawalState::Paid { .. }) = report.outcome() {
        info!(event = "withdrawal.paid", reference);
    } else {
        info!(event = "withdrawal.failed", reference);
    }
}
