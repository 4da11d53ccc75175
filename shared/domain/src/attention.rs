//! Which rows somebody must look at, and since when.

use serde::{Deserialize, Serialize};

use crate::resolution::first_open;
use crate::{Contradiction, Payment, PaymentState, Resolution, Timestamp, Withdrawal, WithdrawalRow, WithdrawalState};

/// Why a row is in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// Verified, but about an order or a withdrawal that we do not know.
    Unmatched,
    /// Verified money that is not credited, because something differs.
    Quarantined,
    /// A withdrawal that has not ended, from its first write on, whatever else is recorded about it.
    Open,
    /// Something contradicts what was decided.
    Conflict,
    /// A verified element that could not be understood.
    Unreadable,
    /// A postback of which some element may not be stored.
    Unfinished,
}

impl AttentionKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Unmatched, Self::Quarantined, Self::Open, Self::Conflict, Self::Unreadable, Self::Unfinished];

    /// Its name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Quarantined => "quarantined",
            Self::Open => "open",
            Self::Conflict => "conflict",
            Self::Unreadable => "unreadable",
            Self::Unfinished => "unfinished",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// That a row is in the index. A payment that is held takes precedence over what contradicts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Why.
    pub kind: AttentionKind,
    /// Since when: of an open withdrawal, when it was created; of all others, when the first fact came that needs a person.
    pub at: Timestamp,
}

/// What a list shows: all rows that are in the index for one reason, or those about which a person must do one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionFilter {
    /// Verified, but about an order or a withdrawal that we do not know.
    Unmatched,
    /// Verified money that is not credited, because something differs.
    Quarantined,
    /// All withdrawals that have not ended.
    Open,
    /// Open withdrawals that the provider may or may not have.
    Unknown,
    /// Open withdrawals whose attempts are used up.
    NeedsReview,
    /// What something contradicts, also if it is an open withdrawal.
    Conflict,
    /// Verified elements that could not be understood.
    Unreadable,
    /// Postbacks of which some element may not be stored.
    Unfinished,
}

impl AttentionFilter {
    /// All filters.
    pub const ALL: [Self; 8] = [
        Self::Unmatched,
        Self::Quarantined,
        Self::Open,
        Self::Unknown,
        Self::NeedsReview,
        Self::Conflict,
        Self::Unreadable,
        Self::Unfinished,
    ];

    /// Its name in the merchant's API and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Quarantined => "quarantined",
            Self::Open => "open",
            Self::Unknown => "unknown",
            Self::NeedsReview => "needs_review",
            Self::Conflict => "conflict",
            Self::Unreadable => "unreadable",
            Self::Unfinished => "unfinished",
        }
    }

    /// The filter of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.as_str() == name)
    }

    /// The parts of the index in which its rows are, one after the other.
    #[must_use]
    pub fn kinds(self) -> &'static [AttentionKind] {
        match self {
            Self::Unmatched => &[AttentionKind::Unmatched],
            Self::Quarantined => &[AttentionKind::Quarantined],
            Self::Open | Self::Unknown | Self::NeedsReview => &[AttentionKind::Open],
            Self::Conflict => &[AttentionKind::Conflict, AttentionKind::Open],
            Self::Unreadable => &[AttentionKind::Unreadable],
            Self::Unfinished => &[AttentionKind::Unfinished],
        }
    }

    /// Whether it shows a row that is in the index for this reason. `withdrawal` is the row if it is a withdrawal of ours.
    #[must_use]
    pub fn has(self, kind: AttentionKind, withdrawal: Option<&Withdrawal>) -> bool {
        if !self.kinds().contains(&kind) {
            return false;
        }
        let Some(row) = withdrawal.filter(|_| kind == AttentionKind::Open) else { return true };
        match self {
            Self::Unknown => row.state == WithdrawalState::Unknown,
            Self::NeedsReview => row.needs_review.is_some(),
            Self::Conflict => row.conflict_since().is_some(),
            Self::Unmatched | Self::Quarantined | Self::Open | Self::Unreadable | Self::Unfinished => true,
        }
    }
}

impl Payment {
    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let held = match &self.state {
            PaymentState::Unmatched { facts, .. } => Some((AttentionKind::Unmatched, facts)),
            PaymentState::Quarantined { facts, .. } => Some((AttentionKind::Quarantined, facts)),
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Rejected { .. } => None,
        };
        if let Some((kind, facts)) = held {
            return Some(Attention { kind, at: facts.evidence.received_at });
        }
        let at = conflict_since(&self.contradictions, &self.resolutions, Timestamp::default())?;
        Some(Attention { kind: AttentionKind::Conflict, at })
    }
}

/// Since when something contradicts a decision that no person has looked at yet. A row does not say when something came that was no
/// postback: then it is `otherwise`.
fn conflict_since(
    contradictions: &[Contradiction],
    resolutions: &[Resolution],
    otherwise: Timestamp,
) -> Option<Timestamp> {
    let first = first_open(contradictions, resolutions)?;
    Some(first.facts.as_ref().map_or(otherwise, |it| it.evidence.received_at))
}

impl Withdrawal {
    /// Since when something contradicts it that no person has looked at yet. An answer of the provider that contradicts an end comes
    /// after the end, so it is at most as old.
    #[must_use]
    pub fn conflict_since(&self) -> Option<Timestamp> {
        conflict_since(&self.contradictions, &self.resolutions, self.state_since)
    }

    /// Why it is in the index, from the first write to the end with the same key.
    fn attention(&self) -> Option<Attention> {
        if self.stage().is_some() {
            return Some(Attention { kind: AttentionKind::Open, at: self.created_at });
        }
        self.conflict_since().map(|at| Attention { kind: AttentionKind::Conflict, at })
    }
}

impl WithdrawalRow {
    /// Why it is in the index.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let row = match self {
            Self::Registered(row) => return row.attention(),
            Self::Reserved(_) => return None,
            Self::Foreign(row) => row,
        };
        let at = if row.resolutions.is_empty() {
            row.facts.evidence.received_at
        } else {
            conflict_since(&row.contradictions, &row.resolutions, row.facts.evidence.received_at)?
        };
        Some(Attention { kind: AttentionKind::Unmatched, at })
    }
}
