//! A merchant's order for a deposit, and the numbers that its user has tried.

use serde::{Deserialize, Serialize};

use crate::claim::MAX_CALLS;
use crate::{
    Amount, AttemptId, Call, CreditedNumber, CreditedNumberId, CurrencyCode, CustomTransactionId, Journal, Label, Lang,
    NormalisedNumber, Payment, PaymentKey, PaymentState, Sum, Timestamp, TransactionId, Waiting, WalletType, Window,
    mask,
};

/// Most numbers that an order's row remembers: the newest.
pub const MAX_ATTEMPTS: usize = 20;

/// Most credits that an order's row remembers: the newest. [`Totals`] counts all.
pub const MAX_CREDITS: usize = 20;

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
    /// What it adds to the link to the payment window.
    #[serde(default, skip_serializing_if = "Window::is_empty")]
    pub window: Window,
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
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let Self { custom_transaction_id: _, label, currency_code, wallet_type, amount, lang: _, window } = self;
        let fields = [
            ("label", *label != other.label),
            ("currency_code", *currency_code != other.currency_code),
            ("wallet_type", *wallet_type != other.wallet_type),
            ("amount", *amount != other.amount),
            ("lang", self.lang_or_default() != other.lang_or_default()),
        ];
        let fields = fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned());
        let parameters = window.parameters().into_iter().zip(other.window.parameters());
        let parameters = parameters.filter(|(one, other)| one != other).map(|((name, _), _)| format!("window.{name}"));
        fields.chain(parameters).collect()
    }
}

/// What the provider said of a number that a user entered. For the user's screen: it credits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Nobody knows what the provider made of it.
    Started,
    /// `ok`.
    Activated,
    /// `pending`.
    Pending,
    /// `possible_transaction_created`.
    Possible,
    /// Surely not sent: the number may be claimed again.
    NotSent,
    /// `fail`: the number may be claimed again.
    Failed,
}

/// One number that a user entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The number.
    pub transaction_id: TransactionId,
    /// Under which id it was sent. `None` in old rows: [`Deposit::attempt`] gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AttemptId>,
    /// How much the user says was paid.
    pub amount: Amount,
    /// What the provider said.
    pub outcome: AttemptState,
    /// When it was last asked.
    pub started_at: Timestamp,
    /// The provider's message, with the label masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How much the provider says was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit_amount: Option<Amount>,
    /// The calls that were surely not sent or failed, while others may have had an effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_calls: Vec<String>,
    /// The message of the last of those that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl Attempt {
    /// Whether the provider may still report the number under this attempt's id.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome == AttemptState::Started || self.may_have_arrived()
    }

    /// Whether the provider has taken the number.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        match self.outcome {
            AttemptState::Activated | AttemptState::Pending | AttemptState::Possible => true,
            AttemptState::Started | AttemptState::NotSent | AttemptState::Failed => false,
        }
    }

    fn said(&mut self, outcome: AttemptState, message: Option<String>, deposit_amount: Option<Amount>) {
        if self.outcome != AttemptState::Activated {
            self.outcome = outcome;
            self.message = message;
            self.deposit_amount = deposit_amount;
        }
    }

    /// Notes a call that had no effect.
    fn end_call(&mut self, nonce: &str, refusal: Option<String>) {
        if self.ended_calls.len() >= MAX_CALLS {
            self.ended_calls.remove(0);
        }
        self.ended_calls.push(nonce.to_owned());
        self.refusal = refusal.or(self.refusal.take());
    }

    /// Ends the attempt, if no call of it can have had an effect.
    fn end(&mut self, journal: &Journal) -> bool {
        self.ended_calls.retain(|nonce| journal.calls.iter().any(|call| call.nonce == *nonce));
        let is_ended = |call: &Call| self.ended_calls.contains(&call.nonce);
        if journal.may_have_arrived || self.may_have_arrived() || !journal.calls.iter().all(is_ended) {
            return false;
        }
        self.message = self.refusal.take();
        self.outcome = if self.message.is_some() { AttemptState::Failed } else { AttemptState::NotSent };
        self.ended_calls.clear();
        true
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// `ok`, with the amount that the provider found.
    Activated(Option<Amount>),
    /// `pending`, with the message.
    Pending(String),
    /// `possible_transaction_created`, with the message.
    Possible(String),
    /// `fail`, with the message.
    Failed(String),
    /// The provider surely did not process it.
    NotSent,
    /// Nobody knows.
    Unknown,
}

impl CallResult {
    /// Whether the call surely had no effect: then the attempt may end.
    #[must_use]
    pub fn may_end(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::NotSent)
    }
}

/// A call's result, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The attempt after it.
    pub attempt: Attempt,
    /// The order's row.
    pub deposit: Deposit,
    /// The payment's row, where the attempt ends: both rows are written together then.
    pub released: Option<Payment>,
}

/// A call whose result is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The number.
    pub number: &'a TransactionId,
    /// The id under which it was sent.
    pub id: &'a AttemptId,
    /// The call.
    pub call: &'a Call,
    /// How much the user says was paid.
    pub amount: Amount,
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

/// All credits of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// How many.
    pub count: u64,
    /// The sum of their amounts.
    pub sum: Sum,
}

impl Totals {
    /// With one more of this amount.
    #[must_use]
    pub fn plus(self, amount: Amount) -> Self {
        Self { count: self.count.saturating_add(1), sum: self.sum.plus(amount) }
    }
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
    /// The last numbers that the user entered.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// The last payments credited. More than one is possible, and each is real money.
    #[serde(default)]
    pub credited: Vec<Credit>,
    /// Written from the second credit of an order on, together with the first rows of its credited numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// The payments that came before the order and are not matched with it yet.
    #[serde(default, skip_serializing_if = "Waiting::is_empty")]
    pub waiting: Waiting,
}

impl Deposit {
    /// An order as it is when it is registered.
    #[must_use]
    pub fn new(order: Order, params: String, created_at: Timestamp) -> Self {
        let state = DepositState::Created;
        Self {
            order,
            state,
            params,
            created_at,
            attempts: Vec::new(),
            credited: Vec::new(),
            totals: None,
            waiting: Waiting::default(),
        }
    }

    /// How many payments are credited, and their sum.
    #[must_use]
    pub fn total_credits(&self) -> Totals {
        let of_row = || Totals {
            count: u64::try_from(self.credited.len()).unwrap_or(u64::MAX),
            sum: self.credited.iter().map(|credit| credit.amount).collect(),
        };
        self.totals.unwrap_or_else(of_row)
    }

    /// The row that exists if the order was credited for a number, in any spelling and wallet. `None` if it was credited at
    /// most once: such an order has no rows of this kind.
    #[must_use]
    pub fn number_to_read(&self, number: &TransactionId) -> Option<CreditedNumberId> {
        let order = self.order.custom_transaction_id.clone();
        self.totals.map(|_| CreditedNumberId { order, number: NormalisedNumber::of(number) })
    }

    /// Whether one of the credits that the row remembers is another payment of the same number.
    pub(crate) fn has_number_of_another(&self, payment: &PaymentKey) -> bool {
        let number = NormalisedNumber::of(&payment.transaction_id);
        let mut others = self.credited.iter().map(|credit| &credit.payment).filter(|other| *other != payment);
        others.any(|other| NormalisedNumber::of(&other.transaction_id) == number)
    }

    /// What is known about a number that the user entered.
    #[must_use]
    pub fn attempt(&self, number: &TransactionId) -> Option<Attempt> {
        let position = self.attempts.iter().position(|attempt| attempt.transaction_id == *number)?;
        let attempt = self.attempts.get(position)?.clone();
        Some(Attempt { id: Some(self.id_of(position, &attempt)), ..attempt })
    }

    pub(crate) fn id_of(&self, position: usize, attempt: &Attempt) -> AttemptId {
        let counted = || AttemptId::counted(&self.order.custom_transaction_id, position.saturating_add(1));
        attempt.id.clone().unwrap_or_else(counted)
    }

    /// Records what came of a call. `payment` is the current row; it is needed only where the call had no effect.
    ///
    /// A `fail` or a call that was not sent ends the attempt only if no other call of it can have had an effect: our own
    /// first call may be the reason of the second one's `fail`.
    #[must_use]
    pub fn called(&self, called: &Called<'_>, result: &CallResult, payment: Option<&Payment>) -> Recorded {
        let id = &self.order.custom_transaction_id;
        let journal = payment.filter(|_| result.may_end()).and_then(|it| it.journal(id, &called.call.nonce));
        let is_ended = |it: &Attempt| it.id.as_ref() == Some(called.id) && !it.is_open();
        if let Some(attempt) =
            self.attempt(called.number).filter(|it| result.may_end() && journal.is_none() && is_ended(it))
        {
            // Our own write, whose answer was lost.
            return Recorded { attempt, deposit: self.clone(), released: None };
        }
        let mut deposit = self.clone();
        deposit.attempts =
            (0..).zip(&self.attempts).map(|(i, it)| Attempt { id: Some(self.id_of(i, it)), ..it.clone() }).collect();
        let mut attempt = self.begin(called);
        let masked = |message: &str| mask(message, &[self.order.label.as_str()]);
        match result {
            CallResult::Activated(amount) => attempt.said(AttemptState::Activated, None, *amount),
            CallResult::Pending(message) => attempt.said(AttemptState::Pending, Some(masked(message)), None),
            CallResult::Possible(message) => attempt.said(AttemptState::Possible, Some(masked(message)), None),
            CallResult::Failed(message) => attempt.end_call(&called.call.nonce, Some(masked(message))),
            CallResult::NotSent => attempt.end_call(&called.call.nonce, None),
            CallResult::Unknown => {}
        }
        let is_released = journal.is_some_and(|journal| journal.id == *called.id && attempt.end(journal));
        let released = payment.filter(|_| is_released).map(|payment| {
            let mut row = payment.clone();
            if attempt.outcome == AttemptState::Failed {
                row.fail_claim(called.id);
            }
            row.with(PaymentState::Released { order: id.clone() })
        });
        deposit.remember(attempt.clone());
        Recorded { attempt, deposit, released }
    }

    /// The attempt of a call: the one that is known, if it was made under the same id and goes on.
    fn begin(&self, Called { number, id, call, amount }: &Called<'_>) -> Attempt {
        let goes_on = |attempt: &Attempt| attempt.id.as_ref() == Some(*id) && attempt.is_open();
        match self.attempt(number).filter(goes_on) {
            Some(known) => Attempt { amount: *amount, started_at: known.started_at.max(call.at), ..known },
            None => Attempt {
                transaction_id: (*number).clone(),
                id: Some((*id).clone()),
                amount: *amount,
                outcome: AttemptState::Started,
                started_at: call.at,
                message: None,
                deposit_amount: None,
                ended_calls: Vec::new(),
                refusal: None,
            },
        }
    }

    /// Puts the attempt in its number's place. Where there is no room, the oldest one that is not activated is forgotten.
    fn remember(&mut self, attempt: Attempt) {
        if let Some(known) = self.attempts.iter_mut().find(|it| it.transaction_id == attempt.transaction_id) {
            *known = attempt;
            return;
        }
        if self.attempts.len() >= MAX_ATTEMPTS {
            let oldest = self.attempts.iter().position(|it| it.outcome != AttemptState::Activated);
            self.attempts.remove(oldest.unwrap_or_default());
        }
        self.attempts.push(attempt);
    }

    /// Adds a payment's money, and gives the rows of credited numbers that must be written with it: none with the first
    /// credit; with the second the first one's too. The payment's own row decides that this happens once.
    #[must_use]
    pub fn credit(mut self, credit: Credit) -> (Self, Vec<CreditedNumber>) {
        let mut numbers = Vec::new();
        if !self.credited.is_empty() {
            let totals = self.total_credits();
            let order = &self.order.custom_transaction_id;
            let known = self.credited.iter().take(if self.totals.is_none() { MAX_CREDITS } else { 0 });
            for credit in known.chain([&credit]) {
                let number = CreditedNumber { order: order.clone(), payment: credit.payment.clone() };
                // A person may have stated that it is a different payment with the same number: the first one has the row.
                if numbers.iter().all(|it: &CreditedNumber| it.id() != number.id()) {
                    numbers.push(number);
                }
            }
            self.totals = Some(totals.plus(credit.amount));
        }
        self.state = DepositState::Credited;
        self.credited.push(credit);
        let forgotten = self.credited.len().saturating_sub(MAX_CREDITS);
        self.credited.drain(..forgotten);
        (self, numbers)
    }
}

/// The place of an order that we do not know yet, though verified payments name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unregistered")]
pub struct Unregistered {
    /// The order.
    pub custom_transaction_id: CustomTransactionId,
    /// The payments that wait for it.
    #[serde(flatten)]
    pub waiting: Waiting,
}

/// The row of an order's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "nearly all rows are orders")]
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
