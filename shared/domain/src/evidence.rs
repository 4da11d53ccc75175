//! What a postback leaves behind: the signed text that decided, and why something was not done.

use serde::{Deserialize, Serialize};

use crate::{Amount, CurrencyCode, CustomTransactionId, Label, ListPlace, SignedList, Timestamp};

/// What proves the facts of a row: an element of a signed list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The list.
    #[serde(flatten)]
    pub place: ListPlace,
    /// Which element of the list this is about, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub element: usize,
    /// When we received it, by our own clock.
    pub received_at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_first(element: &usize) -> bool {
    *element == 0
}

impl Evidence {
    /// The list, if it is in the row itself.
    #[must_use]
    pub fn own_list(&self) -> Option<&SignedList> {
        match &self.place {
            ListPlace::Here(list) => Some(list),
            ListPlace::Stored { .. } => None,
        }
    }

    /// Whether both are the same element of the same list.
    fn is_same(&self, other: &Self) -> bool {
        let is_same_list = match (&self.place, &other.place) {
            (ListPlace::Here(own), ListPlace::Here(other)) => own.signature == other.signature,
            (ListPlace::Stored { list }, ListPlace::Stored { list: other }) => list == other,
            (ListPlace::Here(_), ListPlace::Stored { .. }) | (ListPlace::Stored { .. }, ListPlace::Here(_)) => false,
        };
        is_same_list && self.element == other.element
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
    /// What proves it.
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
    /// The order was credited already for this number, in another spelling or another wallet.
    SameNumber,
    /// The order's row cannot be read, or has no room: the payment is stored by itself.
    OrderUnwritable,
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

impl Mismatch {
    /// Whether it is about what is not signed: an altered copy can bring it about.
    #[must_use]
    pub fn is_unsigned(self) -> bool {
        match self {
            Self::Direction | Self::Amount | Self::CurrencyCode | Self::WalletType | Self::Label => true,
            Self::OrderCurrencyCode
            | Self::SameNumber
            | Self::OrderUnwritable
            | Self::OrderWalletType
            | Self::Contested
            | Self::TakenAway
            | Self::EarlierPostback
            | Self::WithdrawalAmount
            | Self::WithdrawalCurrencyCode
            | Self::WithdrawalPaymentSystem
            | Self::Status
            | Self::Outcome => false,
        }
    }
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
    const MAX_BYTES: usize = 16 * 1024;
    /// Most contradictions that a row stores, beside the first of each kind. Further ones only raise an alarm.
    const MAX: usize = 40;

    /// Adds it to those a row has. `false` when it is known already, or when the row has no room for more.
    #[must_use]
    pub fn record(mut self, known: &mut Vec<Self>) -> bool {
        let has_room = known.len() < Self::MAX || known.iter().all(|it| it.mismatch != self.mismatch);
        if !has_room || known.iter().any(|it| it.is_same(&self)) {
            return false;
        }
        let text = |it: &Self| {
            let list = it.facts.as_ref().and_then(|facts| facts.evidence.own_list());
            list.map_or(0, |list| list.additional_data.len())
        };
        let bytes = known.iter().map(text).fold(text(&self), usize::saturating_add);
        let place = self.facts.as_mut().map(|facts| &mut facts.evidence.place);
        if let Some(ListPlace::Here(list)) = place.filter(|_| bytes > Self::MAX_BYTES) {
            list.additional_data.clear();
        }
        known.push(self);
        true
    }

    fn is_same(&self, other: &Self) -> bool {
        let is_said_by_same = match (&self.facts, &other.facts) {
            (Some(own), Some(other)) => own.evidence.is_same(&other.evidence),
            (own, other) => own.is_none() && other.is_none(),
        };
        self.mismatch == other.mismatch && is_said_by_same
    }
}
