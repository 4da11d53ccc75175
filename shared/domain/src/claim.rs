//! Who entered a payment's number, and the journal of the calls by which an order asks the provider for it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Amount, Attempt, AttemptId, AttemptState, CustomTransactionId, Label, Order, Payment, PaymentKey, PaymentState,
    Separator, Timestamp,
};

/// For so long a claim without money keeps the number from other orders.
pub const CLAIM_BLOCKS_MS: u64 = 24 * 60 * 60 * 1_000;

/// After so long a call without a result has none coming: its sender must be dead.
const SENDER_LIFETIME_MS: u64 = 30_000;

/// Most calls of an attempt that wait for their results at a time. More of them count as unknown.
pub(crate) const MAX_CALLS: usize = 20;

/// Most labels that a payment names. Of further ones it only records that there are any.
pub const MAX_LABELS: usize = 8;

/// Most orders and amounts of one label. The newest stay.
const MAX_ENTERED: usize = 8;

/// That users of this label entered the number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose orders.
    pub label: Label,
    /// For which orders, with which amounts.
    pub entered: Vec<Entered>,
}

/// That a user entered the number for this order, with this amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// The order.
    pub order: CustomTransactionId,
    /// How much the user says was paid.
    pub amount: Amount,
    /// Whether the order has asked the provider and then lost its claim: what it asked may still have an effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_asked: bool,
    /// The id of the order's last attempt that failed: it is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_id: Option<AttemptId>,
}

/// One call, journalled before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Names the call.
    pub nonce: String,
    /// When it was journalled.
    pub at: Timestamp,
}

/// The calls of one attempt: they ask for one number under one id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// What the provider gets as `custom_transaction_id`.
    pub id: AttemptId,
    /// Since when the order claims the number.
    pub claimed_at: Timestamp,
    /// The calls that had no result when the last of them was journalled.
    pub calls: Vec<Call>,
    /// Whether an earlier call may have had an effect. Then no `fail` ends the attempt: the effect may be its cause.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_arrived: bool,
}

impl Journal {
    /// Adds a call, and leaves out those whose results are known.
    fn with(mut self, call: Call, known: Option<&Attempt>) -> Self {
        let known = known.filter(|attempt| attempt.id.as_ref() == Some(&self.id));
        let is_lost = |it: &Call| call.at.0.abs_diff(it.at.0) >= SENDER_LIFETIME_MS;
        self.may_have_arrived |= known.is_some_and(Attempt::may_have_arrived);
        self.calls.retain(|it| known.is_none_or(|attempt| !attempt.ended_calls.contains(&it.nonce)));
        self.may_have_arrived |= self.calls.iter().any(is_lost) || self.calls.len() >= MAX_CALLS;
        self.calls.retain(|it| !is_lost(it));
        // Our own write, whose answer was lost, may have journalled it.
        self.calls.retain(|it| it.nonce != call.nonce);
        self.calls.truncate(MAX_CALLS.saturating_sub(1));
        self.calls.push(call);
        self
    }
}

/// A number that a user enters for an order.
#[derive(Clone, Copy, Debug)]
pub struct Entering<'a> {
    /// The payment that has the number.
    pub payment: &'a PaymentKey,
    /// The order.
    pub order: &'a Order,
    /// How much the user says was paid.
    pub amount: Amount,
    /// What the order's row says about the number.
    pub known: Option<&'a Attempt>,
    /// The call that will ask the provider.
    pub call: &'a Call,
    /// How its id is made.
    pub separator: Separator,
}

/// The answer to a number that a user enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The order claims the number, and the call is journalled: the provider may be asked under this id.
    Ask(AttemptId),
    /// The money has come, and is held: there is nothing to ask.
    Held,
    /// The money is credited to the order.
    Credited(Amount),
    /// It is another order's.
    InUse,
}

impl Entering<'_> {
    /// The journal of an order that does not claim the number now, but may have claimed it before.
    fn journal(&self, current: Option<&Payment>) -> Journal {
        let (order, number) = (&self.order.custom_transaction_id, &self.payment.transaction_id);
        let before = current.and_then(|it| it.entered().map(|(_, it)| it).find(|it| it.order == *order));
        let failed_id = before.and_then(|it| it.failed_id.as_ref());
        let has_failed = self.known.is_some_and(|attempt| attempt.outcome == AttemptState::Failed);
        let known_id = self.known.and_then(|attempt| attempt.id.as_ref()).filter(|_| !has_failed);
        let id = match known_id {
            Some(id) if failed_id != Some(id) => id.clone(),
            None if failed_id.is_none() && !has_failed => AttemptId::new(order, number, self.separator),
            _ => AttemptId::fresh(order, number, self.separator, &self.call.nonce),
        };
        let has_asked = match before {
            Some(before) => before.has_asked,
            None => current.is_some_and(|it| it.is_full(&self.order.label)),
        };
        let may_have_arrived = has_asked || self.known.is_some_and(Attempt::is_open);
        Journal { id, claimed_at: self.call.at, calls: vec![self.call.clone()], may_have_arrived }
    }
}

impl Payment {
    /// Records that a user enters the number, and decides whether the provider may be asked. The row is `None` when there is
    /// nothing to write.
    ///
    /// # Examples
    /// ```
    /// # use domain::*;
    /// # let order = |id: &str, label: &str| Order {
    /// #     custom_transaction_id: CustomTransactionId::parse(id).unwrap(),
    /// #     label: Label::parse(label).unwrap(),
    /// #     currency_code: CurrencyCode::parse("INR").unwrap(),
    /// #     wallet_type: WalletType::parse("paytm").unwrap(),
    /// #     amount: None,
    /// #     lang: None,
    /// #     window: Window::default(),
    /// # };
    /// # let (mine, theirs) = (order("order-1", "user-1"), order("order-2", "user-2"));
    /// # let payment = PaymentKey { wallet_type: mine.wallet_type.clone(), transaction_id: TransactionId::parse("47752123519")? };
    /// # let (amount, call) = (Amount::parse("700")?, Call { nonce: "call-1".into(), at: Timestamp(0) });
    /// let entering = |order| Entering {
    ///     payment: &payment, order, amount, known: None, call: &call, separator: Separator::Dot,
    /// };
    /// let (row, Claim::Ask(id)) = Payment::claim(None, &entering(&mine)) else { panic!() };
    /// assert_eq!(id.as_str(), "order-1.47752123519");
    ///
    /// // Another user enters the same number: it is refused, and recorded.
    /// let (contested, claim) = Payment::claim(row.as_ref(), &entering(&theirs));
    /// assert_eq!(claim, Claim::InUse);
    /// assert_eq!(contested.unwrap().entries.len(), 2);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn claim(current: Option<&Self>, entering: &Entering<'_>) -> (Option<Self>, Claim) {
        let id = &entering.order.custom_transaction_id;
        let asks = |mut row: Self, journal: Journal| {
            let claim = Claim::Ask(journal.id.clone());
            row.state = PaymentState::Claimed { order: id.clone(), journal: Some(journal) };
            (Some(row), claim)
        };
        let Some(payment) = current else {
            let state = PaymentState::Released { order: id.clone() };
            let mut row = Self::new(entering.payment.clone(), state);
            row.enter(entering);
            return asks(row, entering.journal(None));
        };
        let mut row = payment.clone();
        let answer = match &payment.state {
            PaymentState::Claimed { order, journal: Some(journal) } if order == id => {
                Ok(journal.clone().with(entering.call.clone(), entering.known))
            }
            PaymentState::Claimed { order, journal } if order == id || !blocks(journal.as_ref(), entering.call.at) => {
                row.lose_claim();
                Ok(entering.journal(Some(&row)))
            }
            PaymentState::Released { .. } => Ok(entering.journal(Some(payment))),
            PaymentState::Credited { order, facts, .. } if order == id => Err(Claim::Credited(facts.amount)),
            PaymentState::Unmatched { facts, .. } | PaymentState::Quarantined { facts, .. } if facts.names(id) => {
                Err(Claim::Held)
            }
            PaymentState::Claimed { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Quarantined { .. }
            | PaymentState::Rejected { .. } => Err(Claim::InUse),
        };
        let is_new = row.enter(entering);
        match answer {
            Ok(journal) => asks(row, journal),
            Err(claim) => (is_new.then_some(row), claim),
        }
    }

    /// Records who enters the number. `false` when that is recorded already.
    fn enter(&mut self, Entering { order, amount, .. }: &Entering<'_>) -> bool {
        let id = &order.custom_transaction_id;
        let entered = Entered { order: id.clone(), amount: *amount, has_asked: false, failed_id: None };
        let holder = self.holder().cloned();
        if let Some(Entry { entered: known, .. }) = self.entries.iter_mut().find(|entry| entry.label == order.label) {
            if known.iter().any(|it| it.order == entered.order && it.amount == entered.amount) {
                return false;
            }
            if known.len() >= MAX_ENTERED {
                known.remove(place_to_give(known, holder.as_ref()));
            }
            known.push(entered);
        } else if self.entries.len() < MAX_LABELS {
            self.entries.push(Entry { label: order.label.clone(), entered: vec![entered] });
        } else if self.has_more_entries {
            return false;
        } else {
            self.has_more_entries = true;
        }
        true
    }

    /// All that was entered, with its label.
    pub(crate) fn entered(&self) -> impl Iterator<Item = (&Label, &Entered)> {
        self.entries.iter().flat_map(|entry| entry.entered.iter().map(|it| (&entry.label, it)))
    }

    /// Whether a user entered the number for this order.
    #[must_use]
    pub fn was_entered_for(&self, order: &CustomTransactionId) -> bool {
        self.entered().any(|(_, it)| it.order == *order)
    }

    /// Whether a user of this label entered the number.
    #[must_use]
    pub fn was_entered_by(&self, label: &Label) -> bool {
        self.entries.iter().any(|entry| entry.label == *label)
    }

    /// Whether a user of another label entered the number with this amount. Beyond [`MAX_LABELS`] it counts as entered.
    #[must_use]
    pub fn is_contested(&self, label: &Label, amount: Amount) -> bool {
        self.has_more_entries || self.entered().any(|(other, it)| other != label && it.amount == amount)
    }

    /// Whether a person took the number away from this order.
    #[must_use]
    pub fn was_taken_from(&self, order: &CustomTransactionId) -> bool {
        self.resolutions.iter().any(|it| it.taken_from.as_ref() == Some(order))
    }

    /// Whether nobody but users of this label has entered the number, and no person has decided.
    pub(crate) fn is_undisputed(&self, label: &Label) -> bool {
        self.resolutions.is_empty() && !self.has_more_entries && self.entries.iter().all(|entry| entry.label == *label)
    }

    /// Whether orders of this label may have entered the number without being named: then nobody knows what they have done.
    fn is_full(&self, label: &Label) -> bool {
        match self.entries.iter().find(|entry| entry.label == *label) {
            Some(entry) => entry.entered.len() >= MAX_ENTERED,
            None => self.has_more_entries,
        }
    }

    /// The order that claims the number.
    fn holder(&self) -> Option<&CustomTransactionId> {
        if let PaymentState::Claimed { order, .. } = &self.state { Some(order) } else { None }
    }

    /// Notes that the order which claims the number has asked the provider: it is about to lose its claim.
    pub(crate) fn lose_claim(&mut self) {
        let holder = self.holder().cloned();
        self.note(holder.as_ref(), |entered| entered.has_asked = true);
    }

    /// Notes that the attempt of the order which claims the number has failed.
    pub(crate) fn fail_claim(&mut self, id: &AttemptId) {
        let holder = self.holder().cloned();
        self.note(holder.as_ref(), |entered| entered.failed_id = Some(id.clone()));
    }

    fn note(&mut self, order: Option<&CustomTransactionId>, note: impl FnMut(&mut Entered)) {
        let entered = self.entries.iter_mut().flat_map(|entry| &mut entry.entered);
        entered.filter(|it| Some(&it.order) == order).for_each(note);
    }

    /// The claim of the order, if it has one with this call in its journal.
    pub(crate) fn journal(&self, order: &CustomTransactionId, nonce: &str) -> Option<&Journal> {
        match &self.state {
            PaymentState::Claimed { order: holder, journal: Some(journal) } if holder == order => {
                Some(journal).filter(|journal| journal.calls.iter().any(|call| call.nonce == nonce))
            }
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Quarantined { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Rejected { .. } => None,
        }
    }
}

/// Which entry of a label makes room: the oldest further amount of an order; else that of the oldest order which has asked
/// nothing; else the oldest.
fn place_to_give(known: &[Entered], holder: Option<&CustomTransactionId>) -> usize {
    let mut orders = BTreeSet::new();
    let further = known.iter().position(|it| !orders.insert(&it.order));
    let has_asked = |it: &Entered| it.has_asked || it.failed_id.is_some() || Some(&it.order) == holder;
    further.or_else(|| known.iter().position(|it| !has_asked(it))).unwrap_or_default()
}

fn blocks(journal: Option<&Journal>, now: Timestamp) -> bool {
    journal.is_some_and(|journal| now.0.saturating_sub(journal.claimed_at.0) < CLAIM_BLOCKS_MS)
}
