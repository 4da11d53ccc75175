//! What a row quotes of a signed element, and whether the element says so.

use domain::{
    Amount, CurrencyCode, OddPayment, PaymentKey, Separator, SignedFacts, Timestamp, TransactionId, WalletType,
    WithdrawalId,
};
use paykassma::{Element, Unproved, VerifiedList};
use serde::{Deserialize, Serialize};

use super::report::{Break, Decided, Decision, Rule};

/// What a row says that an element of a signed list says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Quote {
    /// The element's place in the list, from 0.
    pub(crate) element: usize,
    /// When it came.
    pub(crate) received_at: Timestamp,
    /// The key of the row.
    pub(crate) id: String,
    pub(crate) quoted: Quoted,
    /// What was decided on it.
    pub(crate) decides: Option<Decision>,
}

/// What the element says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Quoted {
    /// A payment.
    Payment {
        key: PaymentKey,
        money: Money,
        /// A person has credited it.
        is_by_person: bool,
    },
    /// A withdrawal.
    Withdrawal { id: WithdrawalId, money: Money, status: Status },
    /// It was not understood. It may be a payment all the same.
    Unreadable(Option<Odd>),
}

/// What is signed about money.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Money {
    custom_transaction_id: String,
    amount: Amount,
    currency_code: CurrencyCode,
}

/// Which status a withdrawal's element must have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Any: it is only recorded.
    Any,
    /// The one that ended the withdrawal, of its payment system.
    Ending(i64, WalletType),
    /// The one that the row of a foreign withdrawal has.
    Recorded(Option<i64>),
}

/// What was readable of an odd payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Odd {
    wallet_type: WalletType,
    transaction_id: Option<TransactionId>,
    money: Money,
}

impl From<&SignedFacts> for Money {
    fn from(facts: &SignedFacts) -> Self {
        Self {
            custom_transaction_id: facts.custom_transaction_id.clone(),
            amount: facts.amount,
            currency_code: facts.currency_code.clone(),
        }
    }
}

impl From<&OddPayment> for Odd {
    fn from(odd: &OddPayment) -> Self {
        Self {
            wallet_type: odd.wallet_type.clone(),
            transaction_id: odd.transaction_id.clone(),
            money: Money {
                custom_transaction_id: odd.custom_transaction_id.clone(),
                amount: odd.amount,
                currency_code: odd.currency_code.clone(),
            },
        }
    }
}

impl Odd {
    /// Whether it can be this payment: the number or the order id that was not readable may be any.
    fn may_be(&self, key: &PaymentKey, money: &Money) -> bool {
        let has_order = !self.money.custom_transaction_id.is_empty();
        let is_same_order = self.money.custom_transaction_id == money.custom_transaction_id;
        self.wallet_type == key.wallet_type
            && self.transaction_id.as_ref().is_none_or(|number| *number == key.transaction_id)
            && (is_same_order || !has_order)
            && (self.money.amount, &self.money.currency_code) == (money.amount, &money.currency_code)
    }

    /// Whether a person can have credited it as this payment. The row has the order id as far as it was readable.
    fn is_of(&self, key: &PaymentKey, money: &Money) -> bool {
        self.may_be(key, money) && self.money == *money
    }
}

impl Quote {
    /// Gives what is wrong with it. `list` is the list that the element is of, or why it proves nothing.
    pub(crate) fn check(&self, list: Result<&VerifiedList, Unproved>) -> Option<Break> {
        let read = list.and_then(|list| list.element(self.element, self.received_at, Separator::Dot));
        let (rule, what) = match read {
            Ok(read) => self.quoted.wrong(&read).map(|(rule, what)| (rule, what.to_owned()))?,
            Err(error @ Unproved::NoKey) => match self.decides {
                None => (Rule::Unverifiable, error.to_string()),
                Some(Decision::Credit) => (Rule::Unproved, format!("it is credited, and {error}")),
                Some(Decision::End) => (Rule::Unproved, format!("it has ended, and {error}")),
            },
            Err(error @ Unproved::NoEvidence(_)) => (Rule::Evidence, error.to_string()),
        };
        Some(Break { unproved: self.decided(), ..Break::new(rule, &self.id, what) })
    }

    /// The money that was decided about on it.
    fn decided(&self) -> Option<Decided> {
        let (Quoted::Payment { money, .. } | Quoted::Withdrawal { money, .. }) = &self.quoted else { return None };
        let Money { amount, currency_code, .. } = money.clone();
        Some(Decided { decided: self.decides?, amount, currency_code })
    }
}

impl Quoted {
    fn wrong(&self, read: &Element) -> Option<(Rule, &'static str)> {
        match self {
            Self::Payment { key, money, is_by_person } => match read {
                Element::Deposit(it) if it.payment == *key && Money::from(&it.facts) == *money => None,
                Element::Unreadable { payment: Some(odd), .. } if Odd::from(odd).is_of(key, money) => (!is_by_person)
                    .then_some((Rule::Decision, "the signed number or order id is odd, and no person has decided")),
                Element::Deposit(_) | Element::Withdrawal(_) | Element::Unreadable { .. } => {
                    Some((Rule::Evidence, "what is signed is another payment, amount or order"))
                }
            },
            Self::Withdrawal { id, money, status } => match read {
                Element::Withdrawal(it) if it.withdrawal_id == *id && Money::from(&it.facts) == *money => {
                    status.wrong(it.withdrawal_status, &it.wallet_type)
                }
                Element::Deposit(_) | Element::Withdrawal(_) | Element::Unreadable { .. } => {
                    Some((Rule::Evidence, "what is signed is another withdrawal or amount"))
                }
            },
            Self::Unreadable(None) => None,
            Self::Unreadable(Some(odd)) => {
                let is_so = match read {
                    Element::Unreadable { payment: Some(read), .. } => Odd::from(read) == *odd,
                    // The reader of today understands it.
                    Element::Deposit(it) => odd.may_be(&it.payment, &Money::from(&it.facts)),
                    Element::Withdrawal(_) | Element::Unreadable { payment: None, .. } => false,
                };
                (!is_so).then_some((Rule::Evidence, "what is signed is another payment or amount"))
            }
        }
    }
}

impl Status {
    fn wrong(&self, status: Option<i64>, wallet_type: &WalletType) -> Option<(Rule, &'static str)> {
        match self {
            Self::Any => None,
            Self::Ending(ending, system) => (status != Some(*ending) || wallet_type != system)
                .then_some((Rule::Decision, "the evidence of its end is of another status or wallet")),
            Self::Recorded(recorded) => {
                (status != *recorded).then_some((Rule::Evidence, "what is signed is another status"))
            }
        }
    }
}
