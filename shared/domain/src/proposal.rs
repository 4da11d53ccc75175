//! A decision that waits for a second person.

use serde::{Deserialize, Serialize};

use crate::{Caller, CustomTransactionId, Resolution, TransactionId};

/// Names the proposal about a row. A row has one at most: a later one takes its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProposalId(pub String);

/// What the first of two people has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "proposed")]
pub struct Proposal {
    /// The key of the row that it is about.
    pub about: String,
    /// The decision, with the caller and with what it was decided on.
    pub resolution: Resolution,
    /// The order to credit, as the person has stated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<CustomTransactionId>,
    /// The payment's number, as the person has stated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TransactionId>,
}

impl Proposal {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> ProposalId {
        ProposalId(self.about.clone())
    }

    /// Whether both ask for the same: words and time may differ, and so may the person.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let asked = |it: &Self| {
            let Resolution { outcome, is_different_payment, decided_on, .. } = &it.resolution;
            (it.about.clone(), *outcome, *is_different_payment, decided_on.clone(), it.order.clone(), it.number.clone())
        };
        asked(self) == asked(other)
    }

    /// Who proposed what another person now asks for: the same, on the same version of the row. `None` if nobody did, or the same
    /// person, which is whoever has the same name, in whatever role.
    ///
    /// # Examples
    /// ```
    /// use domain::{Caller, DecidedOn, Outcome, Proposal, Remark, Resolution, Timestamp};
    ///
    /// let remark = || Remark::parse("ticket 7").unwrap();
    /// let proposal = |person: &str| {
    ///     let resolution = Resolution::new(Outcome::Paid, remark(), remark(), remark(), Timestamp(0));
    ///     let caller = Caller::parse(format!("arn:aws:iam::123456789012:user/{person}")).ok();
    ///     let decided_on = Some(DecidedOn { version: 3, state: "unknown".into() });
    ///     let resolution = Resolution { caller, decided_on, ..resolution };
    ///     Proposal { about: "withdrawal#w1".into(), resolution, order: None, number: None }
    /// };
    /// let first = proposal("alice");
    /// assert_eq!(proposal("bob").proposed_by(Some(&first)), first.resolution.caller.as_ref());
    /// assert_eq!(proposal("alice").proposed_by(Some(&first)), None);
    /// assert_eq!(proposal("admins/alice").proposed_by(Some(&first)), None, "the same person in another role");
    /// ```
    #[must_use]
    pub fn proposed_by<'a>(&self, first: Option<&'a Self>) -> Option<&'a Caller> {
        let first = first.filter(|first| first.is_same_as(self))?;
        let name = |proposal: &Self| proposal.resolution.caller.as_ref().map(|caller| caller.name().to_owned());
        first.resolution.caller.as_ref().filter(|_| name(first) != name(self))
    }
}
