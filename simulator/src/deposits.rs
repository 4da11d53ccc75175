//! The payments that users have made, and the activations that claim them.

use std::collections::HashMap;

use paykassma::WrittenAmount;

/// A user's payment.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) wallet_type: String,
    pub(crate) transaction_id: String,
    pub(crate) amount: WrittenAmount,
    pub(crate) currency_code: String,
}

/// A claim on a payment: the merchant's order and its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) custom_transaction_id: String,
    pub(crate) label: String,
}

/// A payment that has found its order: what a postback reports.
#[derive(Clone, Debug)]
pub(crate) struct Credit {
    pub(crate) payment: Payment,
    pub(crate) claim: Claim,
}

/// The result of an activation.
#[derive(Debug)]
pub(crate) enum Activated {
    /// Credited now.
    Credited(Credit),
    /// Credited by this same order before.
    Repeated(Payment),
    /// The payment has not been made yet.
    Waiting,
    /// Rejected, with the reason.
    Rejected(&'static str),
}

type Number = (String, String);

/// Every payment and every activation.
#[derive(Default)]
pub(crate) struct Deposits {
    payments: HashMap<Number, (Payment, Option<Claim>)>,
    activations: HashMap<String, (Number, Claim)>,
    waiting: HashMap<Number, Claim>,
}

impl Deposits {
    /// Claims the payment `key1` for an order. An order's id belongs to its first number and label for ever. With `unique_ids`
    /// it is accepted only once.
    pub(crate) fn activate(&mut self, wallet_type: &str, key1: &str, claim: &Claim, unique_ids: bool) -> Activated {
        let number = (wallet_type.to_owned(), key1.to_owned());
        let this = (number.clone(), claim.clone());
        if self.activations.get(&claim.custom_transaction_id).is_some_and(|known| unique_ids || *known != this) {
            return Activated::Rejected("The custom_transaction_id has already been used");
        }
        let activated = match self.payments.get_mut(&number) {
            None => {
                self.waiting.entry(number).or_insert_with(|| claim.clone());
                Activated::Waiting
            }
            Some((payment, Some(owner))) if owner == claim => Activated::Repeated(payment.clone()),
            Some((_, Some(_))) => return Activated::Rejected("The transaction has already been activated"),
            Some((payment, owner)) => {
                *owner = Some(claim.clone());
                Activated::Credited(Credit { payment: payment.clone(), claim: claim.clone() })
            }
        };
        self.activations.insert(claim.custom_transaction_id.clone(), this);
        activated
    }

    /// Registers a payment, once. It goes to `claim` (the payment window) or to the first order that waits for it.
    pub(crate) fn register(&mut self, payment: Payment, claim: Option<Claim>) -> Result<Option<Credit>, &'static str> {
        let number = (payment.wallet_type.clone(), payment.transaction_id.clone());
        if self.payments.contains_key(&number) {
            return Err("this payment is registered already");
        }
        let owner = claim.or_else(|| self.waiting.remove(&number));
        self.payments.insert(number, (payment.clone(), owner.clone()));
        Ok(owner.map(|claim| Credit { payment, claim }))
    }
}
