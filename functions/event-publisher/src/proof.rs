//! Nothing is published as money that does not verify: whoever can write to the table cannot make the merchant credit or release
//! money.
//!
//! The events `deposit.credited`, `withdrawal.paid` and a signed `withdrawal.failed` are checked against the signed evidence that the
//! rows have, with the provider's keys. If a person has decided, the row must have the decision with its verified caller, and so must
//! `transaction.resolved`. All other events pass.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    Basis, Credited, DecidedBy, Event, Evidence, ListHash, ListPlace, PaymentKey, PaymentState, Separator, SignedFacts,
    SignedList, WithdrawalChanged,
};
use lambda::{AwsError, SecretStore};
use paykassma::{Element, EvidenceKeys, Unproved, VerifiedList};
use store::{Read, StoreError, StoredListId};

/// What proofs are made of.
#[derive(Debug)]
pub struct Proofs<S, K> {
    /// The table.
    pub table: S,
    /// The provider's keys.
    pub keys: K,
    /// How the ids of attempts are made.
    pub separator: Separator,
    /// The list that was verified last: most credits of a large list follow each other.
    pub last: Mutex<Option<Arc<VerifiedList>>>,
}

/// Why an event is not published.
#[derive(Debug, thiserror::Error)]
pub enum NotProved {
    /// It cannot be proved now. The change is tried again.
    #[error(transparent)]
    Table(#[from] StoreError),
    /// The keys cannot be read now. The change is tried again.
    #[error(transparent)]
    Keys(#[from] AwsError),
    /// What the rows say is not what is signed.
    #[error("{0}")]
    Forged(String),
}

impl NotProved {
    /// Whether it may be proved later, by this release.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Table(StoreError::Transient(_) | StoreError::NoAnswer(_) | StoreError::WrongTable)
            | Self::Keys(_) => true,
            // A row that this release cannot read proves nothing to it.
            Self::Table(StoreError::Permanent { .. } | StoreError::Newer { .. }) | Self::Forged(_) => false,
        }
    }
}

impl From<Unproved> for NotProved {
    fn from(cause: Unproved) -> Self {
        Self::Forged(cause.to_string())
    }
}

fn forged<T>(what: &str) -> Result<T, NotProved> {
    Err(NotProved::Forged(what.to_owned()))
}

impl<S, K> Proofs<S, K>
where
    S: Read<PaymentKey> + Read<StoredListId>,
    K: SecretStore<EvidenceKeys>,
{
    /// Gives the event as it may be published.
    ///
    /// # Errors
    /// [`NotProved`] when it may not, or not now.
    pub async fn prove(&self, event: Event) -> Result<Event, NotProved> {
        match event {
            Event::DepositCredited(credited) => Ok(Event::DepositCredited(self.credited(credited).await?)),
            Event::WithdrawalPaid(changed) => {
                self.ended(&changed).await?;
                Ok(Event::WithdrawalPaid(changed))
            }
            Event::WithdrawalFailed(changed) => {
                self.ended(&changed).await?;
                Ok(Event::WithdrawalFailed(changed))
            }
            Event::TransactionResolved(resolved) if !resolved.is_verified => forged("nobody has verified who decided"),
            Event::DepositActivationFailed(_)
            | Event::DepositQuarantined(_)
            | Event::PaymentUnmatched(_)
            | Event::PaymentContested(_)
            | Event::PaymentConflict(_)
            | Event::WithdrawalSubmitted(_)
            | Event::WithdrawalUnknown(_)
            | Event::WithdrawalConflict(_)
            | Event::WithdrawalNeedsReview(_)
            | Event::WithdrawalForeign(_)
            | Event::PostbackUnreadable(_)
            | Event::TransactionResolved(_) => Ok(event),
        }
    }

    /// A credit is what the payment's row says, and that is what is signed.
    async fn credited(&self, event: Credited) -> Result<Credited, NotProved> {
        let Some(stored) = self.table.read(&event.payment).await? else { return forged("the payment has no row") };
        let PaymentState::Credited { order, facts, .. } = &stored.row.state else {
            return forged("the payment's row is not credited");
        };
        let is_same = *order == event.custom_transaction_id
            && (facts.amount, &facts.currency_code) == (event.amount, &event.currency_code);
        if !is_same {
            return forged("the payment's row has another order, amount or currency");
        }
        let is_by_person =
            stored.row.resolutions.iter().any(|it| it.credited_to.as_ref() == Some(order) && it.caller.is_some());
        let list = self.list(&facts.evidence).await?;
        let names = |separator| is_payment(&list.element_of(&facts.evidence, separator)?, &event, facts);
        // An id that was made before the separator was changed names its order too.
        let is_named = names(self.separator)? || names(other(self.separator))?;
        if !is_named && !is_by_person {
            return forged("the signed order or number is another one, and no person has decided");
        }
        Ok(Credited { decided_by: is_by_person.then_some(DecidedBy::Person), ..event })
    }

    /// A withdrawal has ended by what is signed, or by a person.
    async fn ended(&self, event: &WithdrawalChanged) -> Result<(), NotProved> {
        let (status, facts) = match &event.basis {
            Basis::Postback { status, facts } => (status, facts),
            Basis::Calls | Basis::Person => return Ok(()),
            Basis::Nothing => return forged("nothing is signed, and no person has decided"),
        };
        let list = self.list(&facts.evidence).await?;
        let Element::Withdrawal(signed) = list.element_of(&facts.evidence, self.separator)? else {
            return forged("what is signed is no withdrawal");
        };
        let is_same = signed.withdrawal_id == event.withdrawal_id
            && signed.withdrawal_status == *status
            && signed.wallet_type == event.payment_system
            && (signed.facts.amount, &signed.facts.currency_code) == (event.amount, &event.currency_code);
        if is_same { Ok(()) } else { forged("what is signed is another withdrawal, amount or status") }
    }

    /// The list of an evidence, verified once.
    async fn list(&self, evidence: &Evidence) -> Result<Arc<VerifiedList>, NotProved> {
        match &evidence.place {
            ListPlace::Here(list) => Ok(Arc::new(self.verified(list).await?)),
            ListPlace::Stored { list: hash } => self.stored_list(hash).await,
        }
    }

    async fn stored_list(&self, hash: &ListHash) -> Result<Arc<VerifiedList>, NotProved> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = last.filter(|list| list.hash() == hash) {
            return Ok(known);
        }
        let stored = self.table.read(&StoredListId(hash.clone())).await?;
        let verified = Arc::new(self.verified(&stored.ok_or_else(Unproved::no_list)?.row.list).await?);
        if verified.hash() != hash {
            return forged("the list has another hash");
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&verified));
        Ok(verified)
    }

    /// The keys may have been rotated since they were read: they are read again before a list is refused.
    async fn verified(&self, list: &SignedList) -> Result<VerifiedList, NotProved> {
        match VerifiedList::of(&*self.keys.current().await?, list) {
            Err(Unproved::NoKey) => {
                let Some(keys) = self.keys.renewed().await? else { return Err(Unproved::NoKey.into()) };
                Ok(VerifiedList::of(&keys, list)?)
            }
            known => Ok(known?),
        }
    }
}

/// Whether the signed element names the order and the number of the credit itself. Fails if it is other money.
fn is_payment(signed: &Element, event: &Credited, facts: &SignedFacts) -> Result<bool, NotProved> {
    let money = (event.amount, &event.currency_code);
    match signed {
        Element::Deposit(signed) => {
            let is_same = signed.payment == event.payment
                && signed.facts.custom_transaction_id == facts.custom_transaction_id
                && (signed.facts.amount, &signed.facts.currency_code) == money;
            if is_same {
                Ok(signed.facts.names(&event.custom_transaction_id))
            } else {
                forged("what is signed is another payment, amount or order")
            }
        }
        // A person has stated the number.
        Element::Unreadable { payment: Some(odd), .. } => {
            let is_same = odd.wallet_type == event.payment.wallet_type
                && odd.transaction_id.as_ref().is_none_or(|number| *number == event.payment.transaction_id)
                && (odd.amount, &odd.currency_code) == money;
            if is_same { Ok(false) } else { forged("what is signed is another payment or amount") }
        }
        Element::Withdrawal(_) | Element::Unreadable { payment: None, .. } => forged("what is signed is no payment"),
    }
}

fn other(separator: Separator) -> Separator {
    match separator {
        Separator::Dot => Separator::Hyphen,
        Separator::Hyphen => Separator::Dot,
    }
}
