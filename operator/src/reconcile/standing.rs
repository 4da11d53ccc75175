//! What a row says about its money.

use domain::{
    Contradiction, Outcome, Payment, PaymentState, Resolution, SignedFacts, Timestamp, Withdrawal, WithdrawalRow,
    WithdrawalState,
};
use serde::{Deserialize, Serialize};

/// Whether the money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It has moved: credited, paid.
    Success,
    /// It has not, and will not.
    Fail,
    /// Not ended, or not known.
    Other,
}

/// What a row says, and the person's finding that counts beside its state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belief<'a> {
    pub(super) standing: Standing,
    pub(super) finding: Option<&'a Resolution>,
    /// Whether the export must have it, although no money moved.
    pub(super) is_expected: bool,
}

impl<'a> Belief<'a> {
    /// A credit cannot be taken back, a rejected payment is credited to nobody, and one that is held waits for a decision, whatever was
    /// decided about claims on its number or about what contradicts the end.
    pub(super) fn of_payment(row: &'a Payment) -> Self {
        let finding = finding(&row.resolutions, &row.contradictions, row.facts());
        let (standing, is_expected) = match &row.state {
            PaymentState::Credited { .. } => (Standing::Success, true),
            PaymentState::Rejected { .. } => (Standing::Fail, false),
            PaymentState::Quarantined { .. }
            | PaymentState::Unmatched { .. }
            | PaymentState::Claimed { .. }
            | PaymentState::Released { .. } => (Standing::Other, true),
        };
        Self { standing, finding, is_expected }
    }

    /// What the provider refused at once need not be in its export; what it has or may have, must. What it surely does not have yet
    /// is open, and a person must know of it. `None` for an id that is only reserved.
    pub(super) fn of_withdrawal(row: &'a WithdrawalRow) -> Option<Self> {
        match row {
            WithdrawalRow::Registered(row) => Some(Self::of_registered(row)),
            WithdrawalRow::Foreign(row) => {
                let finding = finding(&row.resolutions, &row.contradictions, Some(&row.facts));
                Some(Self { standing: found(finding).unwrap_or(Standing::Other), finding, is_expected: true })
            }
            WithdrawalRow::Reserved(_) => None,
        }
    }

    /// A finding goes before the end, which it does not change.
    fn of_registered(row: &'a Withdrawal) -> Self {
        let (end, facts, is_expected) = match &row.state {
            WithdrawalState::Paid { facts } => (Standing::Success, facts.as_ref(), true),
            WithdrawalState::Failed { facts } => (Standing::Fail, facts.as_ref(), facts.is_some()),
            WithdrawalState::Rejected { .. } => (Standing::Fail, None, false),
            WithdrawalState::Sending
            | WithdrawalState::Waiting
            | WithdrawalState::Unknown
            | WithdrawalState::Submitted => (Standing::Other, None, true),
        };
        let finding = finding(&row.resolutions, &row.contradictions, facts);
        Self { standing: found(finding).unwrap_or(end), finding, is_expected }
    }
}

/// The last decision of a person, if it says whether the money moved: it is not about a claim on the number, and it is later than the
/// facts that the provider has signed for the row's state. A decision is as late as its own time and as the last contradiction that it
/// closes, because the clocks of people and functions differ.
fn finding<'a>(
    resolutions: &'a [Resolution],
    contradictions: &[Contradiction],
    facts: Option<&SignedFacts>,
) -> Option<&'a Resolution> {
    let last = resolutions.last().filter(|it| it.taken_from.is_none())?;
    let received_at = |facts: &SignedFacts| facts.evidence.received_at;
    let closed = contradictions.iter().take(last.closes).filter_map(|it| it.facts.as_ref().map(received_at)).max();
    let decided_at: Timestamp = closed.map_or(last.at, |closed| closed.max(last.at));
    facts.is_none_or(|facts| received_at(facts) <= decided_at).then_some(last)
}

fn found(finding: Option<&Resolution>) -> Option<Standing> {
    Some(match finding?.outcome {
        Outcome::Paid | Outcome::Credited => Standing::Success,
        Outcome::Failed | Outcome::Rejected => Standing::Fail,
    })
}

#[cfg(test)]
mod tests;
