//! The events of a change, derived from the row before and after it, so that a change and its events are
//! one write.

use std::mem::discriminant;

use serde::Serialize;

use crate::{
    Amount, Attempt, AttemptState, CurrencyCode, CustomTransactionId, Deposit, DepositRow, ForeignWithdrawal, Label,
    ListHash, Mismatch, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, TransactionId, WalletType,
    Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState,
};

/// What happened. Serializes as its data alone; [`Event::kind`] is its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// A payment was credited to the user of an order.
    DepositCredited(Credited),
    /// The provider refused a number that a user entered.
    DepositActivationFailed(FailedActivation),
    /// Verified money is held, because something differs.
    DepositQuarantined(HeldPayment),
    /// Verified money is held, because its order is not known.
    PaymentUnmatched(HeldPayment),
    /// Users of different labels entered the number of a payment.
    PaymentContested(ContestedPayment),
    /// A postback contradicts what was decided of a payment.
    PaymentConflict(HeldPayment),
    /// The provider has taken a withdrawal.
    WithdrawalSubmitted(WithdrawalChanged),
    /// The provider has paid.
    WithdrawalPaid(WithdrawalChanged),
    /// The withdrawal will not be made: its funds may be released.
    WithdrawalFailed(WithdrawalChanged),
    /// Nobody knows whether the provider has it: nothing may be released.
    WithdrawalUnknown(WithdrawalChanged),
    /// Something contradicts what was decided of a withdrawal.
    WithdrawalConflict(WithdrawalChanged),
    /// The attempts are used up: a person must decide.
    WithdrawalNeedsReview(WithdrawalChanged),
    /// The provider reports on a withdrawal that was never made here.
    WithdrawalForeign(ForeignReported),
    /// A verified element of a postback was not understood: a person must read it.
    PostbackUnreadable(UnreadableElement),
    /// A person has decided.
    TransactionResolved(Resolved),
}

/// A credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credited {
    /// The order.
    pub custom_transaction_id: CustomTransactionId,
    /// The user, as the order says.
    pub label: Label,
    /// The payment.
    #[serde(flatten)]
    pub payment: PaymentKey,
    /// The signed amount: what is credited.
    pub amount: Amount,
    /// The signed currency, which is the order's.
    pub currency_code: CurrencyCode,
    /// What the order asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_amount: Option<Amount>,
    /// Whether both amounts are one; absent where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_matches: Option<bool>,
    /// 1 for the order's first payment; more marks a further one, which is real money too.
    pub payment_number: u64,
}

/// A number that the provider refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedActivation {
    /// The order.
    pub custom_transaction_id: CustomTransactionId,
    /// The number that the user entered.
    pub key1: TransactionId,
    /// What the user said was paid.
    pub amount: Amount,
}

/// A payment that somebody must look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldPayment {
    /// The payment.
    #[serde(flatten)]
    pub payment: PaymentKey,
    /// The order that the provider names, verbatim.
    pub custom_transaction_id: String,
    /// The signed amount.
    pub amount: Amount,
    /// The signed currency.
    pub currency_code: CurrencyCode,
    /// What differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
}

/// A payment whose number users of different labels entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContestedPayment {
    /// The payment.
    #[serde(flatten)]
    pub payment: PaymentKey,
    /// The orders for which they entered it.
    pub custom_transaction_ids: Vec<CustomTransactionId>,
}

/// A withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WithdrawalChanged {
    /// Which.
    pub withdrawal_id: WithdrawalId,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency_code: CurrencyCode,
    /// By which payment system.
    pub payment_system: WalletType,
    /// The provider's message, or why a person is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
}

/// A withdrawal that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForeignReported {
    /// Which.
    pub withdrawal_id: WithdrawalId,
    /// 1 success, 5 fail.
    pub withdrawal_status: Option<i64>,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency_code: CurrencyCode,
    /// What a later postback contradicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<Mismatch>,
}

/// An element that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableElement {
    /// Its list's SHA-256, as in the row's key.
    pub list: ListHash,
    /// Its place in the list, from 0.
    pub element: usize,
    /// What was not understood.
    pub reason: String,
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// What was found out.
    pub outcome: Outcome,
    /// Who decided.
    pub by: Remark,
    /// Why.
    pub reason: Remark,
    /// Where the evidence is.
    pub evidence: Remark,
}

impl Event {
    /// The events of the decisions that `old` did not have.
    pub fn resolved<'a>(new: &'a [Resolution], old: Option<&[Resolution]>) -> impl Iterator<Item = Self> + use<'a> {
        let decided = new.iter().skip(old.map_or(0, <[_]>::len));
        decided.map(
            |Resolution { outcome, by, reason, evidence, at: _, closes: _, taken_from: _, is_different_payment: _ }| {
                let (by, reason, evidence) = (by.clone(), reason.clone(), evidence.clone());
                Self::TransactionResolved(Resolved { outcome: *outcome, by, reason, evidence })
            },
        )
    }

    /// Its name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DepositCredited(_) => "deposit.credited",
            Self::DepositActivationFailed(_) => "deposit.activation_failed",
            Self::DepositQuarantined(_) => "deposit.quarantined",
            Self::PaymentUnmatched(_) => "payment.unmatched",
            Self::PaymentContested(_) => "payment.contested",
            Self::PaymentConflict(_) => "payment.conflict",
            Self::WithdrawalSubmitted(_) => "withdrawal.submitted",
            Self::WithdrawalPaid(_) => "withdrawal.paid",
            Self::WithdrawalFailed(_) => "withdrawal.failed",
            Self::WithdrawalUnknown(_) => "withdrawal.unknown",
            Self::WithdrawalConflict(_) => "withdrawal.conflict",
            Self::WithdrawalNeedsReview(_) => "withdrawal.needs_review",
            Self::WithdrawalForeign(_) => "withdrawal.foreign",
            Self::PostbackUnreadable(_) => "postback.unreadable",
            Self::TransactionResolved(_) => "transaction.resolved",
        }
    }
}

impl DepositRow {
    /// The events of this row, which has replaced `old`.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let Self::Registered(deposit) = self else { return Vec::new() };
        let old = old.and_then(|row| match row {
            Self::Registered(deposit) => Some(deposit),
            Self::Unregistered(_) => None,
        });
        deposit.failures(old).chain(deposit.credits(old)).collect()
    }
}

impl Deposit {
    fn credits(&self, old: Option<&Self>) -> impl Iterator<Item = Event> {
        let (known, count) = (old.map_or(0, |old| old.total_credits().count), self.total_credits().count);
        let new = usize::try_from(count.saturating_sub(known)).unwrap_or(usize::MAX);
        let credits = self.credited.iter().skip(self.credited.len().saturating_sub(new));
        credits.zip(known.saturating_add(1)..).map(|(credit, payment_number)| {
            Event::DepositCredited(Credited {
                custom_transaction_id: self.order.custom_transaction_id.clone(),
                label: self.order.label.clone(),
                payment: credit.payment.clone(),
                amount: credit.amount,
                currency_code: self.order.currency_code.clone(),
                requested_amount: self.order.amount,
                amount_matches: self.order.amount.map(|requested| requested == credit.amount),
                payment_number,
            })
        })
    }

    fn failures(&self, old: Option<&Self>) -> impl Iterator<Item = Event> {
        let is_known = move |new: &Attempt| {
            old.is_some_and(|old| {
                let is_same = |it: &Attempt| it.id.is_none() || it.id == new.id;
                let known = old.attempts.iter().find(|it| it.transaction_id == new.transaction_id);
                known.is_some_and(|it| it.outcome == AttemptState::Failed && is_same(it))
            })
        };
        let failed = self.attempts.iter().filter(|it| it.outcome == AttemptState::Failed);
        failed.filter(move |attempt| !is_known(attempt)).map(|attempt| {
            Event::DepositActivationFailed(FailedActivation {
                custom_transaction_id: self.order.custom_transaction_id.clone(),
                key1: attempt.transaction_id.clone(),
                amount: attempt.amount,
            })
        })
    }
}

impl Payment {
    /// The events of this row, which has replaced `old`. A credit is published by its order's row.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let (known_conflicts, known_resolutions) =
            old.map_or((0, &[][..]), |old| (old.contradictions.len(), old.resolutions.as_slice()));
        let held = self.held_event().filter(|event| old.and_then(Self::held_event).as_ref() != Some(event));
        let new = self.contradictions.iter().skip(known_conflicts);
        let conflicts = new.filter_map(|it| self.held(Some(it.mismatch)).map(Event::PaymentConflict));
        let resolved = Event::resolved(&self.resolutions, Some(known_resolutions));
        let contested = self.is_newly_contested(old).then(|| self.contested_event());
        held.into_iter().chain(contested).chain(conflicts).chain(resolved).collect()
    }

    /// Whether users of one label more than before have entered the number. After the end that is only recorded.
    #[must_use]
    pub fn is_newly_contested(&self, old: Option<&Self>) -> bool {
        self.entries.len() > old.map_or(0, |old| old.entries.len()).max(1) && !self.is_final()
    }

    fn contested_event(&self) -> Event {
        let mut custom_transaction_ids: Vec<_> = self.entered().map(|(_, it)| it.order.clone()).collect();
        custom_transaction_ids.dedup();
        Event::PaymentContested(ContestedPayment { payment: self.key.clone(), custom_transaction_ids })
    }

    /// The event of a payment that is held.
    fn held_event(&self) -> Option<Event> {
        match &self.state {
            PaymentState::Unmatched { .. } => self.held(None).map(Event::PaymentUnmatched),
            PaymentState::Quarantined { mismatch, .. } => self.held(Some(*mismatch)).map(Event::DepositQuarantined),
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Rejected { .. } => None,
        }
    }

    fn held(&self, mismatch: Option<Mismatch>) -> Option<HeldPayment> {
        let facts = self.facts()?;
        Some(HeldPayment {
            payment: self.key.clone(),
            custom_transaction_id: facts.custom_transaction_id.clone(),
            amount: facts.amount,
            currency_code: facts.currency_code.clone(),
            mismatch,
        })
    }
}

impl WithdrawalRow {
    /// The events of this row, which has replaced `old`.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        match (self, old) {
            (Self::Foreign(row), None) => row.events(None),
            (Self::Registered(row), Some(Self::Registered(old))) => row.events(Some(old)),
            (Self::Registered(row), None | Some(Self::Foreign(_))) => row.events(None),
            (Self::Foreign(row), Some(Self::Foreign(old))) => row.events(Some(old)),
            (Self::Foreign(_), Some(Self::Registered(_))) => Vec::new(),
        }
    }
}

impl Withdrawal {
    fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let is_new = old.is_none_or(|old| discriminant(&old.state) != discriminant(&self.state));
        let state = if is_new { self.reached() } else { None };
        let known = old.map_or(0, |old| old.contradictions.len());
        let against =
            self.contradictions.iter().skip(known).map(|it| {
                Event::WithdrawalConflict(WithdrawalChanged { mismatch: Some(it.mismatch), ..self.changed() })
            });
        let asked = old.is_none_or(|old| old.needs_review.is_none());
        let review = self.needs_review.as_ref().filter(|_| asked).map(|reason| {
            Event::WithdrawalNeedsReview(WithdrawalChanged { message: Some(reason.clone()), ..self.changed() })
        });
        let resolved = Event::resolved(&self.resolutions, old.map(|old| old.resolutions.as_slice()));
        state.into_iter().chain(against).chain(review).chain(resolved).collect()
    }

    fn reached(&self) -> Option<Event> {
        match &self.state {
            WithdrawalState::Sending | WithdrawalState::Waiting => None,
            WithdrawalState::Unknown => Some(Event::WithdrawalUnknown(self.changed())),
            WithdrawalState::Submitted => Some(Event::WithdrawalSubmitted(self.changed())),
            WithdrawalState::Paid { .. } => Some(Event::WithdrawalPaid(self.changed())),
            WithdrawalState::Failed { .. } => Some(Event::WithdrawalFailed(self.changed())),
            WithdrawalState::Rejected { message } => {
                Some(Event::WithdrawalFailed(WithdrawalChanged { message: Some(message.clone()), ..self.changed() }))
            }
        }
    }

    fn changed(&self) -> WithdrawalChanged {
        WithdrawalChanged {
            withdrawal_id: self.request.withdrawal_id.clone(),
            amount: self.request.amount,
            currency_code: self.request.currency_code.clone(),
            payment_system: self.request.payment_system.clone(),
            message: None,
            mismatch: None,
        }
    }
}

impl ForeignWithdrawal {
    fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let first = old.is_none().then(|| self.reported_event(None));
        let known = old.map_or(0, |old| old.contradictions.len());
        let against = self.contradictions.iter().skip(known).map(|it| self.reported_event(Some(it.mismatch)));
        let resolved = Event::resolved(&self.resolutions, old.map(|old| old.resolutions.as_slice()));
        first.into_iter().chain(against).map(Event::WithdrawalForeign).chain(resolved).collect()
    }

    fn reported_event(&self, mismatch: Option<Mismatch>) -> ForeignReported {
        ForeignReported {
            withdrawal_id: self.withdrawal_id.clone(),
            withdrawal_status: self.withdrawal_status,
            amount: self.facts.amount,
            currency_code: self.facts.currency_code.clone(),
            mismatch,
        }
    }
}
