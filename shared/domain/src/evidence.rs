//! What a postback leaves behind: the signed text that decided, and why something was not done.

use serde::{Deserialize, Serialize};

use crate::{Amount, CurrencyCode, CustomTransactionId, Label, Timestamp};

/// The signed text. It is stored so that the signature can be checked again at any time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The whole signed list, as it stood on the wire; empty for a contradiction that its row has no room for. Personal: names
    /// and accounts are in it.
    pub additional_data: String,
    /// Which element of the list this is about, from 0.
    pub element: usize,
    /// The signature over the list.
    pub signature: String,
    /// When we received it, by our own clock.
    pub received_at: Timestamp,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evidence")
            .field("element", &self.element)
            .field("signature", &self.signature)
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

/// What a verified postback said about one transaction. All but the label is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedFacts {
    /// The signed `plugin_custom_order_id`, verbatim; absent for a withdrawal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub custom_transaction_id: String,
    /// The order of an id that was made with [`Separator::Hyphen`](crate::Separator::Hyphen): only the reader can tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_before_hyphen: Option<CustomTransactionId>,
    /// The signed amount.
    pub amount: Amount,
    /// The signed currency.
    pub currency_code: CurrencyCode,
    /// The unsigned label, only ever compared with the stored one. `None` when it was unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The signed text.
    pub evidence: Evidence,
}

impl SignedFacts {
    /// The order that the signed id names. `None` when no order of ours can have it.
    #[must_use]
    pub fn order(&self) -> Option<CustomTransactionId> {
        CustomTransactionId::parse(self.order_text()).ok()
    }

    /// Whether the signed id names this order.
    #[must_use]
    pub fn names(&self, order: &CustomTransactionId) -> bool {
        self.order_text() == order.as_str()
    }

    /// No merchant's id has a `.`, so the text before it is the order.
    fn order_text(&self) -> &str {
        let signed = &self.custom_transaction_id;
        let before_dot = || signed.split_once('.').map_or(signed.as_str(), |(order, _)| order);
        self.order_before_hyphen.as_ref().map_or_else(before_dot, CustomTransactionId::as_str)
    }

    /// Whether both say the same in everything that is signed and that money depends on.
    #[must_use]
    pub fn agree_with(&self, other: &Self) -> bool {
        self.custom_transaction_id == other.custom_transaction_id
            && self.amount == other.amount
            && self.currency_code == other.currency_code
    }
}

/// Which two facts differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// `direction` is not the element's.
    Direction,
    /// The unsigned amount is not the only element's.
    Amount,
    /// The unsigned currency is not the element's.
    CurrencyCode,
    /// The unsigned wallet is not the element's.
    WalletType,
    /// The unsigned label is not the one that we stored.
    Label,
    /// The signed currency is not the order's.
    OrderCurrencyCode,
    /// The signed wallet is not the order's.
    OrderWalletType,
    /// A user of another label entered the payment's number with the signed amount.
    Contested,
    /// A person took the payment's number away from the signed order.
    TakenAway,
    /// The signed facts are not those of an earlier postback for the same payment.
    EarlierPostback,
    /// The signed amount is not the withdrawal's.
    WithdrawalAmount,
    /// The signed currency is not the withdrawal's.
    WithdrawalCurrencyCode,
    /// The signed wallet is not the withdrawal's payment system.
    WithdrawalPaymentSystem,
    /// The withdrawal's status has no known meaning.
    Status,
    /// The outcome is the opposite of the one that was decided.
    Outcome,
}

/// A postback that contradicts what was decided: stored for a person, never applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// What differs.
    pub mismatch: Mismatch,
    /// What the postback said; absent when the contradiction is the provider's answer to a submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<SignedFacts>,
}

impl Contradiction {
    /// Most bytes of signed text that a row stores with its contradictions. Further ones are stored without it.
    const MAX_BYTES: usize = 64 * 1024;
    /// Most contradictions that a row stores, beside the first of each kind. Further ones only raise an alarm.
    const MAX: usize = 100;

    /// Adds it to those a row has. `false` when it is known already, or when the row has no room for more.
    #[must_use]
    pub fn record(mut self, known: &mut Vec<Self>) -> bool {
        let has_room = known.len() < Self::MAX || known.iter().all(|it| it.mismatch != self.mismatch);
        if !has_room || known.iter().any(|it| it.is_same(&self)) {
            return false;
        }
        let text = |it: &Self| it.facts.as_ref().map_or(0, |facts| facts.evidence.additional_data.len());
        let bytes = known.iter().map(text).fold(text(&self), usize::saturating_add);
        if let Some(facts) = self.facts.as_mut().filter(|_| bytes > Self::MAX_BYTES) {
            facts.evidence.additional_data.clear();
        }
        known.push(self);
        true
    }

    fn is_same(&self, other: &Self) -> bool {
        let said = |it: &Self| {
            let facts = it.facts.as_ref()?;
            Some((facts.evidence.signature.clone(), facts.evidence.element))
        };
        self.mismatch == other.mismatch && said(self) == said(other)
    }
}
