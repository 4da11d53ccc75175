//! The signed list of a postback, and where it is stored.

use serde::{Deserialize, Serialize};

use crate::hash::is_hash;
use crate::{Attention, AttentionKind, Timestamp, Unsigned};

/// Names a signed list: the SHA-256 of its flagged spelling, in hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListHash(String);

impl ListHash {
    /// Reads a hash; `None` for any other text.
    #[must_use]
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        is_hash(&text, 64).then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<[u8; 32]> for ListHash {
    fn from(hash: [u8; 32]) -> Self {
        Self(hex::encode(hash))
    }
}

/// A signed list as it stood on the wire, with what verifies it again at any time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedList {
    /// The whole list; empty for a contradiction that its row has no room for. Personal: names and accounts are in it.
    pub additional_data: String,
    /// The signature over it.
    pub signature: String,
    /// The access key of the pair of keys that verified it.
    pub access_key: String,
}

impl SignedList {
    /// The largest list that is stored in the row of its element, in bytes. It keeps a payment's row small: several payments are
    /// written in one transaction.
    const MAX_BYTES_OF_ROW: usize = 4 * 1024;

    /// Where a list of so many elements is stored: with its only element, or in a row of its own.
    #[must_use]
    pub fn place(self, elements: usize, hash: impl FnOnce() -> ListHash) -> ListPlace {
        if elements == 1 && self.additional_data.len() <= Self::MAX_BYTES_OF_ROW {
            ListPlace::Here(self)
        } else {
            ListPlace::Stored { list: hash() }
        }
    }
}

impl std::fmt::Debug for SignedList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedList").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// Where the signed list of a row is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ListPlace {
    /// In a row of its own, because several rows are about its elements or because it is large.
    Stored {
        /// Which.
        list: ListHash,
    },
    /// In the row itself.
    Here(SignedList),
}

/// A signed list that several rows are about, or that is too large for one: stored once, under its hash, and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "stored")]
pub struct StoredList {
    /// Which.
    pub hash: ListHash,
    /// The list.
    #[serde(flatten)]
    pub list: SignedList,
}

/// Whether all elements of a stored list are done. A postback that was not finished is found by this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProgress {
    /// Which list.
    pub hash: ListHash,
    /// How far it is.
    pub state: ListState,
    /// How many elements it has.
    pub elements: usize,
    /// When its first copy was received, by our own clock.
    pub received_at: Timestamp,
    /// The unsigned fields of its first copy.
    pub unsigned: Unsigned,
}

/// How far the elements of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListState {
    /// Some element may not be stored yet.
    Unfinished,
    /// Every element is durable.
    Done,
}

impl ListState {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Done => "done",
        }
    }
}

impl ListProgress {
    /// A list of which no element is stored yet.
    #[must_use]
    pub fn new(hash: ListHash, elements: usize, received_at: Timestamp, unsigned: Unsigned) -> Self {
        Self { hash, state: ListState::Unfinished, elements, received_at, unsigned }
    }

    /// The list once all its elements are stored.
    #[must_use]
    pub fn done(&self) -> Self {
        Self { state: ListState::Done, ..self.clone() }
    }

    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let attention = Attention { kind: AttentionKind::Unfinished, at: self.received_at };
        (self.state == ListState::Unfinished).then_some(attention)
    }
}
