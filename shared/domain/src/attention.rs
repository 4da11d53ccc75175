//! Which rows somebody must look at, and since when.

use serde::{Deserialize, Serialize};

use crate::resolution::has_open;
use crate::{Contradiction, Payment, PaymentState, SignedFacts, Timestamp, WithdrawalRow, WithdrawalState};

/// Why somebody must look at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// Verified, but about an order or a withdrawal that we do not know.
    Unmatched,
    /// Verified money that is not credited, because something differs.
    Quarantined,
    /// A withdrawal that the provider may or may not have.
    Unknown,
    /// A withdrawal whose attempts are used up: a person must decide.
    NeedsReview,
    /// Something contradicts what was decided.
    Conflict,
    /// A verified element that could not be understood.
    Unreadable,
    /// A postback of which some element may not be stored.
    Unfinished,
}

impl AttentionKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Unmatched,
        Self::Quarantined,
        Self::Unknown,
        Self::NeedsReview,
        Self::Conflict,
        Self::Unreadable,
        Self::Unfinished,
    ];

    /// Its name in the table and in the merchant's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Quarantined => "quarantined",
            Self::Unknown => "unknown",
            Self::NeedsReview => "needs_review",
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

/// That somebody must look at a row. An open item takes precedence over a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Why.
    pub kind: AttentionKind,
    /// When the row last changed in a way that matters for it.
    pub at: Timestamp,
}

impl Payment {
    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let (kind, facts) = match &self.state {
            PaymentState::Unmatched { facts, .. } => (AttentionKind::Unmatched, Some(facts)),
            PaymentState::Quarantined { facts, .. } => (AttentionKind::Quarantined, Some(facts)),
            PaymentState::Claimed { .. }
            | PaymentState::Released { .. }
            | PaymentState::Credited { .. }
            | PaymentState::Rejected { .. } => {
                if !has_open(&self.contradictions, &self.resolutions) {
                    return None;
                }
                (AttentionKind::Conflict, None)
            }
        };
        Some(Attention { kind, at: latest(facts, &self.contradictions) })
    }
}

fn latest(facts: Option<&SignedFacts>, contradictions: &[Contradiction]) -> Timestamp {
    let against = contradictions.iter().filter_map(|it| it.facts.as_ref());
    facts.into_iter().chain(against).map(|it| it.evidence.received_at).max().unwrap_or_default()
}

impl WithdrawalRow {
    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let row = match self {
            Self::Registered(row) => row,
            Self::Reserved(_) => return None,
            Self::Foreign(row) => {
                let at = latest(Some(&row.facts), &row.contradictions);
                return row.is_open().then_some(Attention { kind: AttentionKind::Unmatched, at });
            }
        };
        let kind = if row.needs_review.is_some() {
            AttentionKind::NeedsReview
        } else if row.state == WithdrawalState::Unknown {
            AttentionKind::Unknown
        } else if has_open(&row.contradictions, &row.resolutions) {
            AttentionKind::Conflict
        } else {
            return None;
        };
        Some(Attention { kind, at: row.changed_at })
    }
}
