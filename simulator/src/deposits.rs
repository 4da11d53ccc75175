//! The payments that users have made, and the activations that claim them.

use std::collections::HashMap;
use std::time::SystemTime;

use indexmap::IndexMap;
use paykassma::WrittenAmount;

use crate::clock::now;

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

/// A payment that was made, and the claim that it was credited to.
pub(crate) struct MadePayment {
    pub(crate) payment: Payment,
    pub(crate) owner: Option<Claim>,
    pub(crate) made_at: SystemTime,
}

/// An activation whose payment was not made yet.
pub(crate) struct WaitingClaim {
    pub(crate) claim: Claim,
    pub(crate) since: SystemTime,
}

/// Whether an order's id may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Never.
    Never,
    /// With the number and the label of the first time.
    SameNumber,
    /// With any number: in the payment window, which makes no ids of its own.
    AnyNumber,
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

/// A wallet, and the number of a payment in it.
pub(crate) type Number = (String, String);

/// Every payment and every activation, in their order.
#[derive(Default)]
pub(crate) struct Deposits {
    payments: IndexMap<Number, MadePayment>,
    activations: HashMap<String, (Number, Claim)>,
    waiting: IndexMap<Number, WaitingClaim>,
}

impl Deposits {
    /// Claims a payment for an order. The first number and label of an order's id are remembered for `reuse`.
    pub(crate) fn activate(&mut self, number: &Number, claim: &Claim, reuse: Reuse) -> Activated {
        if self.activations.get(&claim.custom_transaction_id).is_some_and(|(known_number, known_claim)| match reuse {
            Reuse::Never => true,
            Reuse::SameNumber => (known_number, known_claim) != (number, claim),
            Reuse::AnyNumber => false,
        }) {
            return Activated::Rejected("The custom_transaction_id has already been used");
        }
        let activated = match self.payments.get_mut(number) {
            None => {
                let waiting = || WaitingClaim { claim: claim.clone(), since: now() };
                self.waiting.entry(number.clone()).or_insert_with(waiting);
                Activated::Waiting
            }
            Some(MadePayment { payment, owner: Some(owner), .. }) if owner == claim => {
                Activated::Repeated(payment.clone())
            }
            Some(MadePayment { owner: Some(_), .. }) => {
                return Activated::Rejected("The transaction has already been activated");
            }
            Some(MadePayment { payment, owner, .. }) => {
                *owner = Some(claim.clone());
                Activated::Credited(Credit { payment: payment.clone(), claim: claim.clone() })
            }
        };
        self.activations.insert(claim.custom_transaction_id.clone(), (number.clone(), claim.clone()));
        activated
    }

    /// Registers a payment, once. It goes to `claim` (the payment window) or to the first order that waits for it.
    pub(crate) fn register(&mut self, payment: Payment, claim: Option<Claim>) -> Result<Option<Credit>, &'static str> {
        let number = (payment.wallet_type.clone(), payment.transaction_id.clone());
        if self.payments.contains_key(&number) {
            return Err("this payment is registered already");
        }
        let waiting = self.waiting.swap_remove(&number).map(|waiting| waiting.claim);
        let owner = claim.or(waiting);
        let made = MadePayment { payment: payment.clone(), owner: owner.clone(), made_at: now() };
        self.payments.insert(number, made);
        Ok(owner.map(|claim| Credit { payment, claim }))
    }

    /// Finds a payment by its number.
    pub(crate) fn payment(&self, number: &Number) -> Option<&MadePayment> {
        self.payments.get(number)
    }

    /// Gives the payments, the newest first.
    pub(crate) fn payments(&self) -> impl ExactSizeIterator<Item = &MadePayment> + DoubleEndedIterator {
        self.payments.values().rev()
    }

    /// Gives the numbers that were entered before a payment was made with them.
    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = (&Number, &WaitingClaim)> + DoubleEndedIterator {
        self.waiting.iter().rev()
    }
}
