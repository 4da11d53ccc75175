//! A merchant's order for a deposit, and the numbers that its user has tried.

use serde::{Deserialize, Serialize};

use crate::{
    Amount, AttemptId, CurrencyCode, CustomTransactionId, Label, Lang, PaymentKey, Timestamp, TransactionId, WalletType,
};

/// Most numbers that a user may try for one order.
pub const MAX_ATTEMPTS: usize = 20;

/// What the merchant asked for. One id always names one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The merchant's id.
    pub custom_transaction_id: CustomTransactionId,
    /// Who will be credited.
    pub label: Label,
    /// In which currency.
    pub currency_code: CurrencyCode,
    /// By which payment system.
    pub wallet_type: WalletType,
    /// How much the user means to pay; what is credited is what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// The language of the payment window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Lang>,
}

impl Order {
    /// The language of the payment window for an order that names none.
    const DEFAULT_LANG: &str = "en";

    /// The language of the payment window. No language and the default one are the same order.
    #[must_use]
    pub fn lang_or_default(&self) -> &str {
        self.lang.as_ref().map_or(Self::DEFAULT_LANG, Lang::as_str)
    }

    /// The names of the fields in which another order with this id differs.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let Self { custom_transaction_id: _, label, currency_code, wallet_type, amount, lang: _ } = self;
        [
            ("label", *label != other.label),
            ("currency_code", *currency_code != other.currency_code),
            ("wallet_type", *wallet_type != other.wallet_type),
            ("amount", *amount != other.amount),
            ("lang", self.lang_or_default() != other.lang_or_default()),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

/// What the provider said of a number that a user entered. For the user's screen: it credits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Being asked, or the answer was lost.
    Started,
    /// `ok`.
    Activated,
    /// `pending`.
    Pending,
    /// `possible_transaction_created`.
    Possible,
    /// `fail`: the number may be claimed again.
    Failed,
}

/// One number that a user entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number.
    pub transaction_id: TransactionId,
    /// How much the user says was paid.
    pub amount: Amount,
    /// What the provider said.
    pub outcome: AttemptState,
    /// When it was last asked.
    pub started_at: Timestamp,
}

/// Whether money has come in for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DepositState {
    /// Not yet.
    Created,
    /// At least one payment is credited.
    Credited,
}

impl DepositState {
    /// Its name in the table and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Credited => "credited",
        }
    }
}

/// Money that a signed postback brought to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    /// The payment, whose own row holds the evidence.
    pub payment: PaymentKey,
    /// The signed amount, in the order's currency.
    pub amount: Amount,
}

/// A registered order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// What the merchant asked for.
    #[serde(flatten)]
    pub order: Order,
    /// Whether money has come in.
    pub state: DepositState,
    /// The provider's `params`, as JSON text: what the user must be shown.
    pub params: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The numbers tried, in order: the n-th is the provider's `{order}.{n}`.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The payments credited. More than one is possible, and each is real money.
    #[serde(default)]
    pub credited: Vec<Credit>,
}

impl Deposit {
    /// An order as it is when it is registered.
    #[must_use]
    pub fn new(order: Order, params: String, created_at: Timestamp) -> Self {
        let state = DepositState::Created;
        Self { order, state, params, created_at, attempts: Vec::new(), credited: Vec::new() }
    }

    /// Notes that the user entered this number: the same number is the same attempt. `None` when too many were tried.
    #[must_use]
    pub fn attempt(mut self, number: &TransactionId, amount: Amount, now: Timestamp) -> Option<(Self, AttemptId)> {
        let entered =
            Attempt { transaction_id: number.clone(), amount, outcome: AttemptState::Started, started_at: now };
        let known = self.attempts.iter().position(|attempt| attempt.transaction_id == *number);
        let index = known.unwrap_or(self.attempts.len());
        match self.attempts.get_mut(index) {
            Some(attempt) => *attempt = entered,
            None if index < MAX_ATTEMPTS => self.attempts.push(entered),
            None => return None,
        }
        let attempt = index.saturating_add(1);
        let id = AttemptId { order: self.order.custom_transaction_id.clone(), attempt };
        Some((self, id))
    }

    /// Notes what the provider said of a number.
    #[must_use]
    pub fn answered(mut self, number: &TransactionId, outcome: AttemptState) -> Self {
        for attempt in self.attempts.iter_mut().filter(|it| it.transaction_id == *number) {
            attempt.outcome = outcome;
        }
        self
    }

    /// Adds a payment's money. The payment's own row decides that this happens once.
    #[must_use]
    pub fn credit(mut self, credit: Credit) -> Self {
        self.state = DepositState::Credited;
        self.credited.push(credit);
        self
    }
}

/// The place of an order that we do not know yet, though verified payments name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unregistered")]
pub struct Unregistered {
    /// The order.
    pub custom_transaction_id: CustomTransactionId,
    /// The payments that wait for it.
    pub unmatched: Vec<PaymentKey>,
}

impl Unregistered {
    /// Most payments that one row lists. Further ones stay unmatched and wait for a person.
    pub const MAX: usize = 40;
}

/// The row of an order's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DepositRow {
    /// The order.
    Registered(Deposit),
    /// Only payments that name it.
    Unregistered(Unregistered),
}

impl DepositRow {
    /// The order's id.
    #[must_use]
    pub fn id(&self) -> &CustomTransactionId {
        match self {
            Self::Registered(deposit) => &deposit.order.custom_transaction_id,
            Self::Unregistered(unregistered) => &unregistered.custom_transaction_id,
        }
    }

    /// The name of its state in the table.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self {
            Self::Registered(deposit) => deposit.state.name(),
            Self::Unregistered(_) => "unregistered",
        }
    }

    /// The order, if it is registered.
    #[must_use]
    pub fn registered(&self) -> Option<&Deposit> {
        match self {
            Self::Registered(deposit) => Some(deposit),
            Self::Unregistered(_) => None,
        }
    }
}
