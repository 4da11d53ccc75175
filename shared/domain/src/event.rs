//! The events of a change, derived from the row before and after it, so that a change and its events are
//! one write.
//!
//! An event's id is made of the fact that it tells of, and of nothing that depends on the history of the table: after a restore the
//! same fact has the same id, and another fact has another one.

use std::mem::discriminant;

use serde::Serialize;

use crate::hash::hash;
use crate::{
    Amount, Attempt, AttemptId, AttemptState, Contradiction, Credit, CurrencyCode, CustomTransactionId, Deposit,
    DepositRow, Evidence, ForeignWithdrawal, Label, ListHash, ListPlace, Mismatch, Outcome, Payment, PaymentKey,
    PaymentState, Remark, Resolution, SignedFacts, SignedList, Timestamp, TransactionId, WalletType, Withdrawal,
    WithdrawalId, WithdrawalRow, WithdrawalState,
};

/// Characters of an event's id: 128 bits.
const ID_LENGTH: usize = 32;

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

/// Who has decided, where it was not the provider's signed word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A person.
    Person,
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
    /// 1 for the order's first payment; more marks a further one, which is real money too. A replay does not know it of a payment
    /// that the order's row has forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_number: Option<u64>,
    /// Who has decided, if it was a person. The order's row does not say it, but the payment's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
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
    /// The id under which it was sent: of this attempt alone.
    #[serde(skip)]
    pub attempt: AttemptId,
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
    /// What proves it.
    #[serde(skip)]
    pub evidence: Evidence,
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

/// On what a withdrawal's event rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The answers to our calls, which nobody signs.
    Calls,
    /// A postback of this status.
    Postback {
        /// 1 or 5, if the postback has ended the withdrawal.
        status: Option<i64>,
        /// What it signed.
        facts: Box<SignedFacts>,
    },
    /// A person's decision, which the row has with the caller that was verified.
    Person,
    /// Nothing that the row has: neither signed facts nor such a decision.
    Nothing,
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
    /// Who has decided, if it was a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// On what this rests.
    #[serde(skip)]
    pub basis: Basis,
    /// How many times it was sent.
    #[serde(skip)]
    pub calls: usize,
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
    /// What proves it.
    #[serde(skip)]
    pub evidence: Evidence,
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
    /// Its place among the row's decisions, from 0.
    #[serde(skip)]
    pub position: usize,
    /// When it was made.
    #[serde(skip)]
    pub at: Timestamp,
    /// Whether its caller was verified.
    #[serde(skip)]
    pub is_verified: bool,
}

impl Event {
    /// The events of the decisions that `old` did not have.
    pub fn resolved<'a>(new: &'a [Resolution], old: Option<&[Resolution]>) -> impl Iterator<Item = Self> + use<'a> {
        let decided = new.iter().enumerate().skip(old.map_or(0, <[_]>::len));
        decided.map(|(position, decision)| {
            Self::TransactionResolved(Resolved {
                outcome: decision.outcome,
                by: decision.by.clone(),
                reason: decision.reason.clone(),
                evidence: decision.evidence.clone(),
                position,
                at: decision.at,
                is_verified: decision.caller.is_some(),
            })
        })
    }

    /// The event's id: 32 hex digits of a hash of its kind, the key of its row, and the fact. One fact has one id, whatever else has
    /// happened to the row. `list_hash` gives the hash of a signed list that a row has with it.
    #[must_use]
    pub fn id(&self, row_key: &str, list_hash: impl Fn(&SignedList) -> String) -> String {
        let element = |evidence: &Evidence, mismatch: Option<Mismatch>| {
            let list = match &evidence.place {
                ListPlace::Here(list) => list_hash(list),
                ListPlace::Stored { list } => list.as_str().to_owned(),
            };
            format!("{list} {} {mismatch:?}", evidence.element)
        };
        let fact = match self {
            Self::DepositCredited(it) => it.payment.row_key(),
            Self::DepositActivationFailed(it) => it.attempt.to_string(),
            Self::DepositQuarantined(it) | Self::PaymentUnmatched(it) | Self::PaymentConflict(it) => {
                element(&it.evidence, it.mismatch)
            }
            // The last order is the one by which the number became contested.
            Self::PaymentContested(it) => it.custom_transaction_ids.last().map(ToString::to_string).unwrap_or_default(),
            Self::WithdrawalConflict(it) => match &it.basis {
                Basis::Postback { facts, .. } => element(&facts.evidence, it.mismatch),
                Basis::Calls | Basis::Person | Basis::Nothing => format!("{} {:?}", it.calls, it.mismatch),
            },
            Self::WithdrawalNeedsReview(it) => it.calls.to_string(),
            Self::WithdrawalForeign(it) => element(&it.evidence, it.mismatch),
            Self::TransactionResolved(it) => format!("{} {}", it.position, it.at.0),
            // A row is in such a state once.
            Self::WithdrawalSubmitted(_)
            | Self::WithdrawalPaid(_)
            | Self::WithdrawalFailed(_)
            | Self::WithdrawalUnknown(_)
            | Self::PostbackUnreadable(_) => String::new(),
        };
        hash(&format!("{}\n{row_key}\n{fact}", self.kind()), ID_LENGTH)
    }

    /// When it happened, if the event says it.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::DepositQuarantined(it) | Self::PaymentUnmatched(it) | Self::PaymentConflict(it) => {
                Some(it.evidence.received_at)
            }
            Self::WithdrawalForeign(it) => Some(it.evidence.received_at),
            Self::TransactionResolved(it) => Some(it.at),
            Self::WithdrawalConflict(WithdrawalChanged { basis: Basis::Postback { facts, .. }, .. }) => {
                Some(facts.evidence.received_at)
            }
            Self::DepositCredited(_)
            | Self::DepositActivationFailed(_)
            | Self::PaymentContested(_)
            | Self::WithdrawalSubmitted(_)
            | Self::WithdrawalPaid(_)
            | Self::WithdrawalFailed(_)
            | Self::WithdrawalUnknown(_)
            | Self::WithdrawalConflict(_)
            | Self::WithdrawalNeedsReview(_)
            | Self::PostbackUnreadable(_) => None,
        }
    }

    /// Whether it says that a withdrawal has come into its state.
    pub(crate) fn is_state(&self) -> bool {
        matches!(
            self,
            Self::WithdrawalSubmitted(_)
                | Self::WithdrawalPaid(_)
                | Self::WithdrawalFailed(_)
                | Self::WithdrawalUnknown(_)
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
        deposit.failures(old).map(Event::DepositActivationFailed).chain(deposit.credits(old)).collect()
    }
}

impl Deposit {
    fn credits(&self, old: Option<&Self>) -> impl Iterator<Item = Event> {
        let known = old.map_or(0, |old| old.total_credits().count);
        let numbered = self.numbered_credits().filter(move |(number, _)| *number > known);
        numbered.map(|(number, credit)| Event::DepositCredited(self.credited_event(credit.clone(), Some(number))))
    }

    /// The credits that the row remembers, each with its number among all of the order.
    pub(crate) fn numbered_credits(&self) -> impl Iterator<Item = (u64, &Credit)> {
        let remembered = u64::try_from(self.credited.len()).unwrap_or(u64::MAX);
        let forgotten = self.total_credits().count.saturating_sub(remembered);
        (forgotten.saturating_add(1)..).zip(&self.credited)
    }

    pub(crate) fn credited_event(&self, credit: Credit, payment_number: Option<u64>) -> Credited {
        Credited {
            custom_transaction_id: self.order.custom_transaction_id.clone(),
            label: self.order.label.clone(),
            payment: credit.payment,
            amount: credit.amount,
            currency_code: self.order.currency_code.clone(),
            requested_amount: self.order.amount,
            amount_matches: self.order.amount.map(|requested| requested == credit.amount),
            payment_number,
            decided_by: None,
        }
    }

    /// The numbers that the provider refused, and had not in `old`.
    pub(crate) fn failures(&self, old: Option<&Self>) -> impl Iterator<Item = FailedActivation> {
        let is_known = move |new: &Attempt| {
            old.is_some_and(|old| {
                let is_same = |it: &Attempt| it.id.is_none() || it.id == new.id;
                let known = old.attempts.iter().find(|it| it.transaction_id == new.transaction_id);
                known.is_some_and(|it| it.outcome == AttemptState::Failed && is_same(it))
            })
        };
        let failed = self.attempts.iter().enumerate().filter(|(_, it)| it.outcome == AttemptState::Failed);
        failed.filter(move |(_, attempt)| !is_known(attempt)).map(|(position, attempt)| FailedActivation {
            custom_transaction_id: self.order.custom_transaction_id.clone(),
            key1: attempt.transaction_id.clone(),
            amount: attempt.amount,
            attempt: self.id_of(position, attempt),
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
        let conflicts = new.filter_map(|it| {
            let against = it.facts.as_ref();
            let held = self.held(Some(it.mismatch))?;
            let evidence = against.map_or(held.evidence, |facts| facts.evidence.clone());
            Some(Event::PaymentConflict(HeldPayment { evidence, ..held }))
        });
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
            evidence: facts.evidence.clone(),
        })
    }
}

impl WithdrawalRow {
    /// The events of this row, which has replaced `old`.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        match (self, old) {
            (Self::Foreign(row), None | Some(Self::Reserved(_))) => row.events(None),
            (Self::Registered(row), Some(Self::Registered(old))) => row.events(Some(old)),
            (Self::Registered(row), None | Some(Self::Foreign(_) | Self::Reserved(_))) => row.events(None),
            (Self::Foreign(row), Some(Self::Foreign(old))) => row.events(Some(old)),
            (Self::Foreign(_), Some(Self::Registered(_))) | (Self::Reserved(_), _) => Vec::new(),
        }
    }
}

impl Withdrawal {
    fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let is_new = old.is_none_or(|old| discriminant(&old.state) != discriminant(&self.state));
        let state = if is_new { self.reached() } else { None };
        let known = old.map_or(0, |old| old.contradictions.len());
        let against = self.contradictions.iter().skip(known).map(|Contradiction { mismatch, facts }| {
            let basis = facts.as_ref().map_or(Basis::Calls, |facts| Basis::of(None, facts));
            Event::WithdrawalConflict(WithdrawalChanged { mismatch: Some(*mismatch), basis, ..self.changed() })
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
            WithdrawalState::Paid { facts } => {
                Some(Event::WithdrawalPaid(self.ended((1, Outcome::Paid), facts.as_ref())))
            }
            WithdrawalState::Failed { facts } => {
                Some(Event::WithdrawalFailed(self.ended((5, Outcome::Failed), facts.as_ref())))
            }
            WithdrawalState::Rejected { message } => {
                Some(Event::WithdrawalFailed(WithdrawalChanged { message: Some(message.clone()), ..self.changed() }))
            }
        }
    }

    /// The end by a postback of this status, or by a person who found this outcome.
    fn ended(&self, (status, outcome): (i64, Outcome), facts: Option<&SignedFacts>) -> WithdrawalChanged {
        let mut found = self.resolutions.iter().filter(|it| it.outcome == outcome).peekable();
        let decided_by = found.peek().map(|_| DecidedBy::Person);
        let (basis, decided_by) = match facts {
            Some(facts) => (Basis::of(Some(status), facts), None),
            None if found.any(|it| it.caller.is_some()) => (Basis::Person, decided_by),
            None => (Basis::Nothing, decided_by),
        };
        WithdrawalChanged { decided_by, basis, ..self.changed() }
    }

    fn changed(&self) -> WithdrawalChanged {
        WithdrawalChanged {
            withdrawal_id: self.request.withdrawal_id.clone(),
            amount: self.request.amount,
            currency_code: self.request.currency_code.clone(),
            payment_system: self.request.payment_system.clone(),
            message: None,
            mismatch: None,
            decided_by: None,
            basis: Basis::Calls,
            calls: self.attempts.len(),
        }
    }
}

impl Basis {
    fn of(status: Option<i64>, facts: &SignedFacts) -> Self {
        Self::Postback { status, facts: Box::new(facts.clone()) }
    }
}

impl ForeignWithdrawal {
    fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let first = old.is_none().then(|| self.reported_event(None, &self.facts));
        let known = old.map_or(0, |old| old.contradictions.len());
        let against = self.contradictions.iter().skip(known);
        let against =
            against.map(|it| self.reported_event(Some(it.mismatch), it.facts.as_ref().unwrap_or(&self.facts)));
        let resolved = Event::resolved(&self.resolutions, old.map(|old| old.resolutions.as_slice()));
        first.into_iter().chain(against).map(Event::WithdrawalForeign).chain(resolved).collect()
    }

    fn reported_event(&self, mismatch: Option<Mismatch>, facts: &SignedFacts) -> ForeignReported {
        ForeignReported {
            withdrawal_id: self.withdrawal_id.clone(),
            withdrawal_status: self.withdrawal_status,
            amount: self.facts.amount,
            currency_code: self.facts.currency_code.clone(),
            mismatch,
            evidence: facts.evidence.clone(),
        }
    }
}
