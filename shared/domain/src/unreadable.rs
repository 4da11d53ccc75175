//! A verified element of a postback that could not be understood: stored whole, for a person.

use serde::{Deserialize, Serialize};

use crate::{Attention, AttentionKind, Event, Evidence, NotResolved, Resolution, UnreadableElement};

/// Names an unreadable element. Its list's signature is unique, so that a repeated postback finds the same row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadableId {
    /// The signature over the list.
    pub signature: String,
    /// The element's place in the list, from 0.
    pub element: usize,
}

/// A verified element that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "unreadable")]
pub struct Unreadable {
    /// The signed text.
    pub evidence: Evidence,
    /// What could not be understood.
    pub reason: String,
    /// What people decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolutions: Vec<Resolution>,
}

impl Unreadable {
    /// An element that nobody has looked at.
    #[must_use]
    pub fn new(evidence: Evidence, reason: impl Into<String>) -> Self {
        Self { evidence, reason: reason.into(), resolutions: Vec::new() }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> UnreadableId {
        UnreadableId { signature: self.evidence.signature.clone(), element: self.evidence.element }
    }

    /// Records what a person found out. Any outcome will do: no money depends on this row.
    ///
    /// # Errors
    /// [`NotResolved`] when that was recorded already.
    pub fn resolve(&self, resolution: Resolution) -> Result<Self, NotResolved> {
        if self.resolutions.is_empty() {
            Ok(Self { resolutions: vec![resolution], ..self.clone() })
        } else {
            Err(NotResolved::NothingOpen)
        }
    }

    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let attention = Attention { kind: AttentionKind::Unreadable, at: self.evidence.received_at };
        self.resolutions.is_empty().then_some(attention)
    }

    /// The events of this row, which has replaced `old`.
    #[must_use]
    pub fn events(&self, old: Option<&Self>) -> Vec<Event> {
        let Some(old) = old else {
            let UnreadableId { signature, element } = self.id();
            let reason = self.reason.clone();
            return vec![Event::PostbackUnreadable(UnreadableElement { signature, element, reason })];
        };
        Event::resolved(&self.resolutions, Some(&old.resolutions)).collect()
    }
}
