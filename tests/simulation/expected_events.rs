//! What each change must be published as, by a reading of the rows that is no part of the code under test.

use std::collections::BTreeSet;
use std::mem::discriminant;

use domain::{
    Attempt, AttemptState, DepositRow, Outcome, Payment, PaymentState, Resolution, Unreadable, WithdrawalRow,
    WithdrawalState,
};
use serde_json::Value;

/// An event's kind, and the part of it that must be right.
pub(super) type ExpectedEvent = (String, String);

/// What an event says.
pub(super) fn said(event: &Value) -> ExpectedEvent {
    let kind = event["type"].as_str().unwrap();
    let text = |name: &str| event["data"][name].as_str().unwrap_or_default();
    let what = match kind {
        "deposit.credited" => format!("{} {}", text("transaction_id"), text("amount")),
        "deposit.activation_failed" => text("key1").to_owned(),
        "transaction.resolved" => text("outcome").to_owned(),
        _ => String::new(),
    };
    (kind.to_owned(), what)
}

fn plain(kind: &str) -> ExpectedEvent {
    (kind.to_owned(), String::new())
}

fn several(kind: &str, new: usize, old: Option<usize>) -> impl Iterator<Item = ExpectedEvent> {
    std::iter::repeat_n(plain(kind), new - old.unwrap_or(0).min(new))
}

fn resolved(new: &[Resolution], old: Option<&[Resolution]>) -> impl Iterator<Item = ExpectedEvent> {
    let outcome = |outcome| match outcome {
        Outcome::Paid => "paid",
        Outcome::Failed => "failed",
        Outcome::Credited => "credited",
        Outcome::Rejected => "rejected",
    };
    let news = new.iter().skip(old.map_or(0, <[_]>::len));
    news.map(move |it| ("transaction.resolved".into(), outcome(it.outcome).into()))
}

pub(super) fn deposit(old: Option<&DepositRow>, new: &DepositRow) -> Vec<ExpectedEvent> {
    let DepositRow::Registered(new) = new else { return Vec::new() };
    let old = if let Some(DepositRow::Registered(old)) = old { Some(old) } else { None };
    let credits = new.credited.iter().filter(|it| old.is_none_or(|old| !old.credited.contains(it)));
    let credits =
        credits.map(|it| ("deposit.credited".to_owned(), format!("{} {}", it.payment.transaction_id, it.amount)));
    let has_failed = |row: &domain::Deposit, attempt: &Attempt| {
        row.attempts.iter().any(|it| it.id == attempt.id && it.outcome == AttemptState::Failed)
    };
    let failures = new.attempts.iter().filter(|it| has_failed(new, it) && !old.is_some_and(|old| has_failed(old, it)));
    let failures = failures.map(|it| ("deposit.activation_failed".to_owned(), it.transaction_id.to_string()));
    credits.chain(failures).collect()
}

pub(super) fn payment(old: Option<&Payment>, new: &Payment) -> Vec<ExpectedEvent> {
    let held = |row: &Payment| match &row.state {
        PaymentState::Unmatched { .. } => Some(("payment.unmatched", None)),
        PaymentState::Quarantined { mismatch, .. } => Some(("deposit.quarantined", Some(*mismatch))),
        _ => None,
    };
    let state = held(new).filter(|it| old.and_then(held).as_ref() != Some(it)).map(|(kind, _)| plain(kind));
    let conflicts = several("payment.conflict", new.contradictions.len(), old.map(|it| it.contradictions.len()));
    let labels = |row: &Payment| row.entries.iter().map(|it| it.label.as_str().to_owned()).collect::<BTreeSet<_>>();
    let is_end = matches!(new.state, PaymentState::Credited { .. } | PaymentState::Rejected { .. });
    let is_contested = labels(new).len() > 1 && old.map(labels) != Some(labels(new)) && !is_end;
    let state = state.into_iter().chain(is_contested.then(|| plain("payment.contested")));
    state.into_iter().chain(conflicts).chain(resolved(&new.resolutions, old.map(|it| &it.resolutions[..]))).collect()
}

pub(super) fn unreadable(old: Option<&Unreadable>, new: &Unreadable) -> Vec<ExpectedEvent> {
    match old {
        None => vec![plain("postback.unreadable")],
        Some(old) => resolved(&new.resolutions, Some(&old.resolutions)).collect(),
    }
}

pub(super) fn withdrawal(old: Option<&WithdrawalRow>, new: &WithdrawalRow) -> Vec<ExpectedEvent> {
    let (old, new) = match (old, new) {
        (None | Some(WithdrawalRow::Reserved(_)), WithdrawalRow::Foreign(_)) => {
            return vec![plain("withdrawal.foreign")];
        }
        (Some(WithdrawalRow::Foreign(old)), WithdrawalRow::Foreign(new)) => {
            let words = several("withdrawal.foreign", new.contradictions.len(), Some(old.contradictions.len()));
            return words.chain(resolved(&new.resolutions, Some(&old.resolutions))).collect();
        }
        (_, WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_)) => return Vec::new(),
        (Some(WithdrawalRow::Registered(old)), WithdrawalRow::Registered(new)) => (Some(old), new),
        (_, WithdrawalRow::Registered(new)) => (None, new),
    };
    let kind = match new.state {
        WithdrawalState::Sending | WithdrawalState::Waiting => None,
        WithdrawalState::Unknown => Some("withdrawal.unknown"),
        WithdrawalState::Submitted => Some("withdrawal.submitted"),
        WithdrawalState::Paid { .. } => Some("withdrawal.paid"),
        WithdrawalState::Failed { .. } | WithdrawalState::Rejected { .. } => Some("withdrawal.failed"),
    };
    let is_same = old.is_some_and(|old| discriminant(&old.state) == discriminant(&new.state));
    let state = kind.filter(|_| !is_same).map(plain);
    let conflicts = several("withdrawal.conflict", new.contradictions.len(), old.map(|it| it.contradictions.len()));
    let is_asked = new.needs_review.is_some() && old.is_none_or(|old| old.needs_review.is_none());
    let review = is_asked.then(|| plain("withdrawal.needs_review"));
    let resolved = resolved(&new.resolutions, old.map(|it| &it.resolutions[..]));
    state.into_iter().chain(conflicts).chain(review).chain(resolved).collect()
}
