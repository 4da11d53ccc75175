//! A person's decision, for when the provider's word does not suffice. It ends what is open and closes what contradicts an
//! end. It never turns one end into another.

use serde::{Deserialize, Serialize};

use crate::{
    Caller, Contradiction, CreditedNumber, CreditedRows, CustomTransactionId, Deposit, ForeignWithdrawal, Payment,
    PaymentState, Remark, SignedFacts, Timestamp, Withdrawal, WithdrawalState,
};

/// Most decisions that a row stores, beside the one that ends it.
pub const MAX_RESOLUTIONS: usize = 20;

/// What a person found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider has paid a withdrawal.
    Paid,
    /// The provider has not paid a withdrawal, and will not.
    Failed,
    /// A payment is its order's.
    Credited,
    /// A payment is nobody's here; of a number that is only claimed: any order may claim it again.
    Rejected,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Paid, Self::Failed, Self::Credited, Self::Rejected];

    /// Its name in the table, in events and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Credited => "credited",
            Self::Rejected => "rejected",
        }
    }

    /// The outcome of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// An audited decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// What was found out.
    pub outcome: Outcome,
    /// Who decided.
    pub by: Remark,
    /// Why.
    pub reason: Remark,
    /// Where the evidence is: a ticket, a line of a statement.
    pub evidence: Remark,
    /// When.
    pub at: Timestamp,
    /// How many of the row's contradictions it closes: the first so many.
    #[serde(default)]
    pub closes: usize,
    /// The order from which it takes a number that was only claimed: no credit to this order goes without a person now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<CustomTransactionId>,
    /// The order that it credited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credited_to: Option<CustomTransactionId>,
    /// The person states that it is a different payment than the one which the order was credited for with the same number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_different_payment: bool,
    /// Who called, as API Gateway verified it. Absent in rows of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// Who asked for the same decision first, where it takes two people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Caller>,
    /// What it was decided on. Absent in rows of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_on: Option<DecidedOn>,
}

/// The row that a person saw when they decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedOn {
    /// Its version.
    pub version: u64,
    /// The name of its state.
    pub state: String,
}

impl Resolution {
    /// A decision before a row has taken it.
    #[must_use]
    pub fn new(outcome: Outcome, by: Remark, reason: Remark, evidence: Remark, at: Timestamp) -> Self {
        Self {
            outcome,
            by,
            reason,
            evidence,
            at,
            closes: 0,
            taken_from: None,
            credited_to: None,
            is_different_payment: false,
            caller: None,
            proposed_by: None,
            decided_on: None,
        }
    }
}

/// Why a person's decision is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResolved {
    /// The outcome is one of the other direction.
    #[error("a withdrawal is paid or failed, a payment is credited or rejected")]
    OutcomeOfAnotherKind,
    /// An attempt is being sent.
    #[error("an attempt is being sent: it counts as unknown once its sender must be dead, and can be resolved then")]
    OnItsWay,
    /// Nothing is open, and nothing contradicts what was decided.
    #[error("nothing is open: it has ended, and nothing contradicts the end")]
    NothingOpen,
    /// A number is claimed, or given free: the provider has not said that there is money.
    #[error("no postback has proved a payment with this number: there is nothing to credit")]
    NotProved,
    /// A credit needs the order.
    #[error("a payment is credited to a registered order, and there is none")]
    NoOrder,
    /// The signed order id names another order.
    #[error("the provider has signed that the payment is another order's")]
    OrderOfAnother,
    /// The order has another currency.
    #[error("the signed currency is not the order's")]
    CurrencyOfAnother,
    /// The order was credited for the number.
    #[error("the order was credited for this number already: if it is a different payment, that must be stated")]
    SameNumber,
    /// The number of an element that was not understood is missing, or is not a number that the element may have.
    #[error("{0}")]
    Number(&'static str),
    /// A row has no room for further decisions.
    #[error("the row has {MAX_RESOLUTIONS} decisions, and this one ends nothing")]
    TooMany,
}

impl Withdrawal {
    /// Ends an open withdrawal, or closes what contradicts its end.
    ///
    /// # Errors
    /// [`NotResolved`] when the state does not allow it.
    pub fn resolve(&self, resolution: Resolution) -> Result<Self, NotResolved> {
        let end = match resolution.outcome {
            Outcome::Paid => WithdrawalState::Paid { facts: None },
            Outcome::Failed => WithdrawalState::Failed { facts: None },
            Outcome::Credited | Outcome::Rejected => return Err(NotResolved::OutcomeOfAnotherKind),
        };
        let mut row = match self.state {
            WithdrawalState::Sending => return Err(NotResolved::OnItsWay),
            WithdrawalState::Waiting | WithdrawalState::Unknown | WithdrawalState::Submitted => self.with(end),
            WithdrawalState::Rejected { .. } | WithdrawalState::Paid { .. } | WithdrawalState::Failed { .. } => {
                if !has_open(&self.contradictions, &self.resolutions) {
                    return Err(NotResolved::NothingOpen);
                }
                has_room(&self.resolutions)?;
                self.clone()
            }
        };
        row = row.changed_from(self, resolution.at);
        row.resolutions.push(Resolution { closes: self.contradictions.len(), ..resolution });
        Ok(row)
    }
}

impl ForeignWithdrawal {
    /// Notes what was found out about a withdrawal that is not ours.
    ///
    /// # Errors
    /// [`NotResolved`] when that was done already, and nothing else was said since.
    pub fn resolve(&self, resolution: Resolution) -> Result<Self, NotResolved> {
        match resolution.outcome {
            Outcome::Credited | Outcome::Rejected => Err(NotResolved::OutcomeOfAnotherKind),
            Outcome::Paid | Outcome::Failed if !self.is_open() => Err(NotResolved::NothingOpen),
            Outcome::Paid | Outcome::Failed => {
                has_room(&self.resolutions)?;
                let mut row = self.clone();
                row.resolutions.push(Resolution { closes: self.contradictions.len(), ..resolution });
                Ok(row)
            }
        }
    }

    /// Whether something was said that no person has looked at yet.
    pub(crate) fn is_open(&self) -> bool {
        self.resolutions.is_empty() || has_open(&self.contradictions, &self.resolutions)
    }
}

impl Payment {
    /// Credits a held payment to an order or rejects it, takes a number from an order that only claims it, or closes what
    /// contradicts an end. `number` is the row that [`Deposit::number_to_read`] names, if there is one.
    ///
    /// # Errors
    /// [`NotResolved`] when the state, the signed order id or the signed currency does not allow it.
    ///
    /// # Examples
    /// ```
    /// # use domain::*;
    /// # let order = Order {
    /// #     custom_transaction_id: CustomTransactionId::parse("order-1")?,
    /// #     label: Label::parse("user-1")?,
    /// #     currency_code: CurrencyCode::parse("INR")?,
    /// #     wallet_type: WalletType::parse("paytm")?,
    /// #     amount: None,
    /// #     lang: None,
    /// #     window: Window::default(),
    /// # };
    /// # let key = PaymentKey { wallet_type: order.wallet_type.clone(), transaction_id: TransactionId::parse("47752123519")? };
    /// # let place = ListPlace::Stored { list: ListHash::from([0; 32]) };
    /// # let evidence = Evidence { place, element: 0, received_at: Timestamp(0) };
    /// # let facts = SignedFacts {
    /// #     custom_transaction_id: "order-1".into(),
    /// #     order_before_hyphen: None,
    /// #     amount: Amount::parse("700")?,
    /// #     currency_code: order.currency_code.clone(),
    /// #     label: Some(order.label.clone()),
    /// #     evidence,
    /// # };
    /// # let remark = Remark::parse("ticket 7")?;
    /// # let decision = |outcome| {
    /// #     let (by, reason, evidence) = (remark.clone(), remark.clone(), remark.clone());
    /// #     Resolution::new(outcome, by, reason, evidence, Timestamp(0))
    /// # };
    /// let order = Deposit::new(order, "{}".into(), Timestamp(0));
    /// let held = Payment::new(key, PaymentState::Quarantined { facts, mismatch: Mismatch::Amount });
    ///
    /// let Decided::Credited(rows) = held.resolve(Some(&order), None, decision(Outcome::Credited)).unwrap() else { panic!() };
    /// assert_eq!(rows.deposit.state, DepositState::Credited);
    ///
    /// // Nobody can take the credit back.
    /// assert_eq!(rows.payment.resolve(None, None, decision(Outcome::Rejected)), Err(NotResolved::NothingOpen));
    /// # Ok::<(), InvalidValue>(())
    /// ```
    pub fn resolve(
        &self,
        order: Option<&Deposit>,
        number: Option<&CreditedNumber>,
        resolution: Resolution,
    ) -> Result<Decided, NotResolved> {
        if matches!(resolution.outcome, Outcome::Paid | Outcome::Failed) {
            return Err(NotResolved::OutcomeOfAnotherKind);
        }
        let mut taken_from = None;
        let mut row = match &self.state {
            PaymentState::Unmatched { facts, .. } | PaymentState::Quarantined { facts, .. } => {
                if resolution.outcome == Outcome::Credited {
                    let order = order.ok_or(NotResolved::NoOrder)?;
                    let is_named = self.is_named_by_person(order, facts);
                    return self.credited_by_person(order, facts, number, is_named, resolution);
                }
                self.with(PaymentState::Rejected { facts: facts.clone() })
            }
            PaymentState::Claimed { order, .. } if resolution.outcome == Outcome::Rejected => {
                has_room(&self.resolutions)?;
                let mut row = self.clone();
                row.lose_claim();
                taken_from = Some(order.clone());
                row.with(PaymentState::Released { order: order.clone() })
            }
            PaymentState::Claimed { .. } | PaymentState::Released { .. } => return Err(NotResolved::NotProved),
            PaymentState::Credited { .. } | PaymentState::Rejected { .. } => {
                if !has_open(&self.contradictions, &self.resolutions) {
                    return Err(NotResolved::NothingOpen);
                }
                has_room(&self.resolutions)?;
                self.clone()
            }
        };
        row.resolutions.push(Resolution { closes: self.contradictions.len(), taken_from, ..resolution });
        Ok(Decided::Payment(Box::new(row)))
    }

    /// The signed order id decides, where there is such an order. A payment is credited to another order that the person names
    /// only if a user entered its number for that order, which the row does not say of every order where it has no room for all
    /// labels, or if the signed order is not known or cannot be ours.
    fn is_named_by_person(&self, order: &Deposit, facts: &SignedFacts) -> bool {
        let id = &order.order.custom_transaction_id;
        facts.names(id)
            || self.was_entered_for(id)
            || self.has_more_entries
            || matches!(self.state, PaymentState::Unmatched { .. })
            || facts.order().is_none()
    }

    /// A credit by a person. `number` is the row that says that the order was credited for the number.
    pub(crate) fn credited_by_person(
        &self,
        order: &Deposit,
        facts: &SignedFacts,
        number: Option<&CreditedNumber>,
        is_named: bool,
        resolution: Resolution,
    ) -> Result<Decided, NotResolved> {
        if !is_named {
            return Err(NotResolved::OrderOfAnother);
        }
        if order.order.currency_code != facts.currency_code {
            return Err(NotResolved::CurrencyOfAnother);
        }
        let is_of_another = number.is_some_and(|it| it.payment != self.key) || order.has_number_of_another(&self.key);
        if is_of_another && !resolution.is_different_payment {
            return Err(NotResolved::SameNumber);
        }
        let mut rows = self.credited_to(order, facts);
        rows.numbers.retain(|it| number.is_none_or(|known| known.id() != it.id()));
        let credited_to = Some(order.order.custom_transaction_id.clone());
        let decision = Resolution { closes: self.contradictions.len(), credited_to, ..resolution };
        rows.payment.resolutions.push(decision);
        Ok(Decided::Credited(Box::new(rows)))
    }
}

/// What changes with a person's decision about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The payment alone.
    Payment(Box<Payment>),
    /// The payment is credited.
    Credited(Box<CreditedRows>),
}

fn has_room(resolutions: &[Resolution]) -> Result<(), NotResolved> {
    if resolutions.len() < MAX_RESOLUTIONS { Ok(()) } else { Err(NotResolved::TooMany) }
}

/// Whether something contradicts a decision that no person has looked at yet.
pub(crate) fn has_open(contradictions: &[Contradiction], resolutions: &[Resolution]) -> bool {
    first_open(contradictions, resolutions).is_some()
}

/// The first contradiction that no decision has closed.
pub(crate) fn first_open<'a>(
    contradictions: &'a [Contradiction],
    resolutions: &[Resolution],
) -> Option<&'a Contradiction> {
    contradictions.get(resolutions.last().map_or(0, |it| it.closes))
}
