//! Large amounts take two people.

use domain::{Amount, Caller, Proposal, ProposalId};
use store::{Read, StoreError, Write, update};

/// For which amounts a second person must ask for the same decision, in whatever currency the row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondPerson {
    /// For none.
    Never,
    /// For all.
    Always,
    /// For those above this one.
    Above(Amount),
}

impl SecondPerson {
    /// Reads the setting: an amount, `0` or `none`.
    ///
    /// # Errors
    /// The rule, if it is none of them.
    ///
    /// # Examples
    /// ```
    /// use decision_recorder::SecondPerson;
    /// use domain::Amount;
    ///
    /// let second_person = SecondPerson::parse("5000")?;
    /// assert!(second_person.is_needed(Amount::parse("5000.01").ok()));
    /// assert!(!second_person.is_needed(Amount::parse("5000").ok()));
    /// assert!(!SecondPerson::parse("none")?.is_needed(Amount::parse("1000000").ok()));
    /// assert!(SecondPerson::parse("0")?.is_needed(Amount::parse("0.01").ok()));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "none" => Ok(Self::Never),
            "0" => Ok(Self::Always),
            text => Amount::parse(text).map(Self::Above).map_err(|_| "must be an amount such as 50000, 0 or none"),
        }
    }

    /// Whether a decision about this amount takes two people. One that is about no money takes one.
    #[must_use]
    pub fn is_needed(self, amount: Option<Amount>) -> bool {
        match (self, amount) {
            (Self::Never, _) | (_, None) => false,
            (Self::Always, Some(_)) => true,
            (Self::Above(limit), Some(amount)) => amount > limit,
        }
    }
}

/// Records the proposal, unless another person has made the same one. Gives that person.
pub(crate) async fn propose(
    table: &(impl Read<ProposalId> + Write<Proposal>),
    proposal: Proposal,
) -> Result<Option<Caller>, StoreError> {
    let decide = |current: Option<&Proposal>| {
        let proposed_by = proposal.proposed_by(current).cloned();
        let is_known = current.is_some_and(|it| it.is_same_as(&proposal));
        ((!is_known).then(|| proposal.clone()), proposed_by)
    };
    Ok(update(table, &proposal.id(), decide).await?.outcome)
}
