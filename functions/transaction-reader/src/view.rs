//! What a merchant sees of a row: never signed bytes, evidence, people or accounts.

use std::collections::BTreeMap;

use domain::{
    Amount, AttemptState, Contradiction, CurrencyCode, CustomTransactionId, Deposit, DepositState, ForeignWithdrawal,
    ListHash, ListProgress, Mismatch, OddPayment, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution,
    Submission, SubmissionAttempt, Sum, Timestamp, TransactionId, Unreadable, WalletType, Withdrawal, WithdrawalId,
    WithdrawalState,
};
use serde::Serialize;
use store::{Stored, UnreadableRow};

#[derive(Serialize)]
pub(crate) struct DepositView<'a> {
    custom_transaction_id: &'a CustomTransactionId,
    state: DepositState,
    currency_code: &'a CurrencyCode,
    wallet_type: &'a WalletType,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    created_at_ms: Timestamp,
    attempts: Vec<AttemptView<'a>>,
    /// How many payments are credited.
    credited_count: u64,
    /// Their sum.
    credited_sum: Sum,
    /// The last of them.
    credited: Vec<CreditView<'a>>,
    version: u64,
}

#[derive(Serialize)]
struct AttemptView<'a> {
    key1: &'a TransactionId,
    amount: Amount,
    outcome: AttemptState,
    started_at_ms: Timestamp,
    /// What the user was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit_amount: Option<Amount>,
    /// What became of the money, if it has come and is not credited to this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<MoneyView<'a>>,
}

/// What became of the money of a number.
#[derive(Serialize)]
struct MoneyView<'a> {
    state: &'static str,
    /// Why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<Mismatch>,
    /// The order to which it is credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_transaction_id: Option<&'a CustomTransactionId>,
}

/// The payments of an order's attempts, by their keys.
pub(crate) type Payments = BTreeMap<PaymentKey, Result<Stored<Payment>, UnreadableRow>>;

impl<'a> MoneyView<'a> {
    fn of(row: &'a Result<Stored<Payment>, UnreadableRow>) -> Option<Self> {
        let Ok(Stored { row, .. }) = row else {
            return Some(Self { state: "unreadable", mismatch: None, custom_transaction_id: None });
        };
        let (mismatch, custom_transaction_id) = match &row.state {
            PaymentState::Claimed { .. } | PaymentState::Released { .. } => return None,
            PaymentState::Unmatched { .. } | PaymentState::Rejected { .. } => (None, None),
            PaymentState::Quarantined { mismatch, .. } => (Some(*mismatch), None),
            PaymentState::Credited { order, .. } => (None, Some(order)),
        };
        Some(Self { state: row.state.name(), mismatch, custom_transaction_id })
    }
}

/// The payments of the numbers that an order's users entered and that are not known to be credited to it.
pub(crate) fn open_payments(row: &Deposit) -> Vec<PaymentKey> {
    let key = |transaction_id: &TransactionId| PaymentKey {
        wallet_type: row.order.wallet_type.clone(),
        transaction_id: transaction_id.clone(),
    };
    let keys = row.attempts.iter().map(|attempt| key(&attempt.transaction_id));
    keys.filter(|key| row.credited.iter().all(|credit| credit.payment != *key)).collect()
}

#[derive(Serialize)]
struct CreditView<'a> {
    #[serde(flatten)]
    payment: &'a PaymentKey,
    amount: Amount,
}

impl<'a> DepositView<'a> {
    pub(crate) fn of(row: &'a Deposit, version: u64, payments: &'a Payments) -> Self {
        let payment = |number: &TransactionId| payments.iter().find(|(key, _)| key.transaction_id == *number);
        let attempts = row.attempts.iter().map(|it| AttemptView {
            key1: &it.transaction_id,
            amount: it.amount,
            outcome: it.outcome,
            started_at_ms: it.started_at,
            message: it.message.as_deref(),
            deposit_amount: it.deposit_amount,
            payment: payment(&it.transaction_id).and_then(|(_, row)| MoneyView::of(row)),
        });
        let total = row.total_credits();
        Self {
            credited_count: total.count,
            credited_sum: total.sum,
            custom_transaction_id: &row.order.custom_transaction_id,
            state: row.state,
            currency_code: &row.order.currency_code,
            wallet_type: &row.order.wallet_type,
            amount: row.order.amount,
            created_at_ms: row.created_at,
            attempts: attempts.collect(),
            credited: row.credited.iter().map(|it| CreditView { payment: &it.payment, amount: it.amount }).collect(),
            version,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ContradictionView {
    mismatch: Mismatch,
}

fn contradictions(all: &[Contradiction]) -> Vec<ContradictionView> {
    all.iter().map(|it| ContradictionView { mismatch: it.mismatch }).collect()
}

#[derive(Serialize)]
struct ResolutionView<'a> {
    outcome: Outcome,
    by: &'a Remark,
    reason: &'a Remark,
    evidence: &'a Remark,
    at_ms: Timestamp,
}

fn resolutions(all: &[Resolution]) -> Vec<ResolutionView<'_>> {
    all.iter()
        .map(
            |Resolution {
                 outcome,
                 by,
                 reason,
                 evidence,
                 at,
                 closes: _,
                 taken_from: _,
                 credited_to: _,
                 is_different_payment: _,
                 caller: _,
                 proposed_by: _,
                 decided_on: _,
             }| { ResolutionView { outcome: *outcome, by, reason, evidence, at_ms: *at } },
        )
        .collect()
}

/// One submission of a withdrawal.
#[derive(Serialize)]
struct SubmissionView<'a> {
    started_at_ms: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<Timestamp>,
    outcome: &'static str,
    /// The provider's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> SubmissionView<'a> {
    fn of(attempt: &'a SubmissionAttempt) -> Self {
        let submission = attempt.ended.as_ref().map(|it| &it.submission);
        let outcome = submission.map_or("started", Submission::name);
        let message = match submission {
            Some(Submission::Rejected(message)) => Some(message.as_str()),
            Some(Submission::Accepted | Submission::NotSent(_) | Submission::Unknown(_)) | None => None,
        };
        let ended_at_ms = attempt.ended.as_ref().map(|it| it.at);
        Self { started_at_ms: attempt.started_at, ended_at_ms, outcome, message }
    }
}

#[derive(Serialize)]
pub(crate) struct WithdrawalView<'a> {
    withdrawal_id: &'a WithdrawalId,
    state: &'static str,
    amount: Amount,
    currency_code: &'a CurrencyCode,
    payment_system: &'a WalletType,
    is_test: bool,
    attempts: Vec<SubmissionView<'a>>,
    created_at_ms: Timestamp,
    changed_at_ms: Timestamp,
    /// Since when it has been in its state.
    state_since_ms: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_review: Option<&'a str>,
    contradictions: Vec<ContradictionView>,
    resolutions: Vec<ResolutionView<'a>>,
    version: u64,
}

impl<'a> WithdrawalView<'a> {
    pub(crate) fn of(row: &'a Withdrawal, version: u64) -> Self {
        let message = match &row.state {
            WithdrawalState::Rejected { message } => Some(message.as_str()),
            WithdrawalState::Sending
            | WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => None,
        };
        Self {
            withdrawal_id: &row.request.withdrawal_id,
            state: row.state.name(),
            amount: row.request.amount,
            currency_code: &row.request.currency_code,
            payment_system: &row.request.payment_system,
            is_test: row.request.is_test,
            attempts: row.attempts.iter().map(SubmissionView::of).collect(),
            created_at_ms: row.created_at,
            changed_at_ms: row.changed_at,
            state_since_ms: row.state_since,
            message,
            needs_review: row.needs_review.as_deref(),
            contradictions: contradictions(&row.contradictions),
            resolutions: resolutions(&row.resolutions),
            version,
        }
    }
}

/// A row that somebody must look at.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Open<'a> {
    Payment(PaymentView<'a>),
    Withdrawal(WithdrawalView<'a>),
    ForeignWithdrawal(ForeignWithdrawalView<'a>),
    Unreadable(UnreadableView<'a>),
    List(ListView<'a>),
    UnreadableRow(UnreadableRowView<'a>),
}

/// A row that this release cannot read, as the index names it.
#[derive(Serialize)]
pub(crate) struct UnreadableRowView<'a> {
    key: &'a str,
    state: &'static str,
}

impl<'a> UnreadableRowView<'a> {
    pub(crate) fn of(key: &'a str) -> Self {
        Self { key, state: "unreadable" }
    }
}

#[derive(Serialize)]
pub(crate) struct PaymentView<'a> {
    #[serde(flatten)]
    payment: &'a PaymentKey,
    state: &'static str,
    /// The order that the provider names, exactly as it signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_transaction_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency_code: Option<&'a CurrencyCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<Mismatch>,
    contradictions: Vec<ContradictionView>,
    resolutions: Vec<ResolutionView<'a>>,
    version: u64,
}

impl<'a> PaymentView<'a> {
    pub(crate) fn of(Stored { row, version }: &'a Stored<Payment>) -> Self {
        let mismatch = match &row.state {
            PaymentState::Quarantined { mismatch, .. } => Some(*mismatch),
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Rejected { .. } => None,
        };
        let facts = row.facts();
        Self {
            payment: &row.key,
            state: row.state.name(),
            custom_transaction_id: facts.map(|it| it.custom_transaction_id.as_str()),
            amount: facts.map(|it| it.amount),
            currency_code: facts.map(|it| &it.currency_code),
            mismatch,
            contradictions: contradictions(&row.contradictions),
            resolutions: resolutions(&row.resolutions),
            version: *version,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ForeignWithdrawalView<'a> {
    withdrawal_id: &'a WithdrawalId,
    withdrawal_status: Option<i64>,
    amount: Amount,
    currency_code: &'a CurrencyCode,
    contradictions: Vec<ContradictionView>,
    resolutions: Vec<ResolutionView<'a>>,
    version: u64,
}

impl<'a> ForeignWithdrawalView<'a> {
    pub(crate) fn of(row: &'a ForeignWithdrawal, version: u64) -> Self {
        Self {
            withdrawal_id: &row.withdrawal_id,
            withdrawal_status: row.withdrawal_status,
            amount: row.facts.amount,
            currency_code: &row.facts.currency_code,
            contradictions: contradictions(&row.contradictions),
            resolutions: resolutions(&row.resolutions),
            version,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct UnreadableView<'a> {
    list: &'a ListHash,
    element: usize,
    reason: &'a str,
    received_at_ms: Timestamp,
    /// What is readable of a payment whose number or order id is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<OddPaymentView<'a>>,
    version: u64,
}

#[derive(Serialize)]
struct OddPaymentView<'a> {
    wallet_type: &'a WalletType,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a TransactionId>,
    #[serde(skip_serializing_if = "str::is_empty")]
    custom_transaction_id: &'a str,
    amount: Amount,
    currency_code: &'a CurrencyCode,
}

impl<'a> OddPaymentView<'a> {
    fn of(payment: &'a OddPayment) -> Self {
        Self {
            wallet_type: &payment.wallet_type,
            transaction_id: payment.transaction_id.as_ref(),
            custom_transaction_id: &payment.custom_transaction_id,
            amount: payment.amount,
            currency_code: &payment.currency_code,
        }
    }
}

/// A postback that is not finished.
#[derive(Serialize)]
pub(crate) struct ListView<'a> {
    list: &'a ListHash,
    state: &'static str,
    elements: usize,
    /// When the oldest copy that is not finished was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at_ms: Option<Timestamp>,
    version: u64,
}

impl<'a> ListView<'a> {
    pub(crate) fn of(Stored { row, version }: &'a Stored<ListProgress>) -> Self {
        Self {
            list: &row.hash,
            state: row.state.name(),
            elements: row.elements,
            received_at_ms: row.attention().map(|it| it.at),
            version: *version,
        }
    }
}

impl<'a> UnreadableView<'a> {
    pub(crate) fn of(Stored { row, version }: &'a Stored<Unreadable>) -> Self {
        Self {
            list: &row.hash,
            element: row.evidence.element,
            reason: &row.reason,
            payment: row.payment.as_ref().map(OddPaymentView::of),
            received_at_ms: row.evidence.received_at,
            version: *version,
        }
    }
}
