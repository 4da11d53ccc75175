//! A verified element of a postback that could not be understood: stored whole, for a person.

use serde::{Deserialize, Serialize};

use crate::{
    Amount, Attention, AttentionKind, CreditedNumber, CurrencyCode, Decided, Deposit, Event, Evidence, Label, ListHash,
    NotResolved, Payment, PaymentKey, PaymentState, Resolution, SignedFacts, TransactionId, UnreadableElement,
    WalletType,
};

/// Names an unreadable element. A repeated postback finds the same row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableId {
    /// The list.
    pub list: ListHash,
    /// The element's place in the list, from 0.
    pub element: usize,
}

/// A payment of which all is readable but its number or its order id: JSON has many spellings of one number, and some texts look
/// alike. A person may credit it under the number that they state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OddPayment {
    /// The wallet.
    pub wallet_type: WalletType,
    /// The number, if that is readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<TransactionId>,
    /// The signed `plugin_custom_order_id`; empty if it is not readable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub custom_transaction_id: String,
    /// The signed amount.
    pub amount: Amount,
    /// The signed currency.
    pub currency_code: CurrencyCode,
    /// The unsigned label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

impl OddPayment {
    /// What is signed of it.
    #[must_use]
    pub fn facts(&self, evidence: &Evidence) -> SignedFacts {
        SignedFacts {
            custom_transaction_id: self.custom_transaction_id.clone(),
            order_before_hyphen: None,
            amount: self.amount,
            currency_code: self.currency_code.clone(),
            label: self.label.clone(),
            evidence: evidence.clone(),
        }
    }

    /// The payment under the number that a person states.
    ///
    /// # Errors
    /// [`NotResolved::Number`] if the number is missing, has characters that no wallet's number has, or is not the signed one.
    pub fn key(&self, stated: Option<&TransactionId>) -> Result<PaymentKey, NotResolved> {
        let number = match (&self.transaction_id, stated) {
            (None, None) => return Err(NotResolved::Number("state the payment's number")),
            (Some(signed), Some(stated)) if signed != stated => {
                return Err(NotResolved::Number("the signed number is another one"));
            }
            (Some(number), _) | (None, Some(number)) => number,
        };
        if !number.is_visible_ascii() {
            return Err(NotResolved::Number("a payment's number has only visible ASCII characters"));
        }
        Ok(PaymentKey { wallet_type: self.wallet_type.clone(), transaction_id: number.clone() })
    }
}

/// A verified element that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unreadable")]
pub struct Unreadable {
    /// The list.
    pub hash: ListHash,
    /// What proves it.
    pub evidence: Evidence,
    /// What could not be understood.
    pub reason: String,
    /// The payment, if that is what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<OddPayment>,
    /// What people decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolutions: Vec<Resolution>,
}

impl Unreadable {
    /// An element that nobody has looked at.
    #[must_use]
    pub fn new(hash: ListHash, evidence: Evidence, reason: impl Into<String>, payment: Option<OddPayment>) -> Self {
        Self { hash, evidence, reason: reason.into(), payment, resolutions: Vec::new() }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> UnreadableId {
        UnreadableId { list: self.hash.clone(), element: self.evidence.element }
    }

    /// Records what a person found out. Any outcome will do: no money depends on this row.
    ///
    /// # Errors
    /// [`NotResolved`] when that was recorded already.
    pub fn resolve(&self, resolution: Resolution) -> Result<Self, NotResolved> {
        if self.resolutions.is_empty() {
            Ok(Self { resolutions: vec![resolution], ..self.clone() })
        } else {
            Err(NotResolved::NothingOpen)
        }
    }

    /// Credits an odd payment to an order, under the number that a person states. `current` is the row of that payment, and
    /// `number` the one that [`Deposit::number_to_read`] names. Gives this row too: all of them change together.
    ///
    /// # Errors
    /// [`NotResolved`] if it is no payment, if there is money under that number already, or if the signed order id, which
    /// `is_order_known` says is registered, or the currency does not allow it.
    pub fn credit(
        &self,
        stated: Option<&TransactionId>,
        current: Option<&Payment>,
        (order, is_order_known): (&Deposit, bool),
        number: Option<&CreditedNumber>,
        resolution: Resolution,
    ) -> Result<(Self, Decided), NotResolved> {
        let odd = self.payment.as_ref().ok_or(NotResolved::Number("the element is not about a payment"))?;
        let (key, facts) = (odd.key(stated)?, odd.facts(&self.evidence));
        if current.is_some_and(|it| it.facts().is_some()) {
            return Err(NotResolved::Number("a payment with this number has come: resolve that one"));
        }
        let claimed = || PaymentState::Released { order: order.order.custom_transaction_id.clone() };
        let payment = current.cloned().unwrap_or_else(|| Payment::new(key, claimed()));
        let id = &order.order.custom_transaction_id;
        let is_named = facts.names(id) || !is_order_known || payment.was_entered_for(id);
        let resolved = self.resolve(resolution.clone())?;
        let decided = payment.credited_by_person(order, &facts, number, is_named, resolution)?;
        Ok((resolved, decided))
    }

    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let attention = Attention { kind: AttentionKind::Unreadable, at: self.evidence.received_at };
        self.resolutions.is_empty().then_some(attention)
    }

    /// The events of this row, which has replaced `old`.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let first = old.is_none().then(|| {
            let UnreadableId { list, element } = self.id();
            Event::PostbackUnreadable(UnreadableElement { list, element, reason: self.reason.clone() })
        });
        let resolved = Event::resolved(&self.resolutions, old.map(|old| old.resolutions.as_slice()));
        first.into_iter().chain(resolved).collect()
    }
}
