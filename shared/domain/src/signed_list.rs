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

    /// Whether a list of so many elements is stored in the row of its only element, and not in a row of its own.
    #[must_use]
    pub fn fits_row(&self, elements: usize) -> bool {
        elements == 1 && self.additional_data.len() <= Self::MAX_BYTES_OF_ROW
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

/// Whether all elements of a stored list are done, as each copy of it says. A postback that was not finished is found by this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProgress {
    /// Which list.
    pub hash: ListHash,
    /// How far it is: done once each copy is.
    pub state: ListState,
    /// How many elements it has.
    pub elements: usize,
    /// The copies that differ in what is not signed, in the order in which they came.
    pub copies: Vec<ListCopy>,
}

/// A copy of a signed list: one postback, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCopy {
    /// Its unsigned fields.
    pub unsigned: Unsigned,
    /// When it was received first, by our own clock.
    pub received_at: Timestamp,
    /// Whether every element is durable, as this copy has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_done: bool,
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
    /// Most copies that a row remembers. Further ones are altered, and end or do not end unnoticed.
    pub const MAX_COPIES: usize = 4;

    /// Notes a copy of which some element may not be stored; `None` when it is known already, or when there is no room.
    #[must_use]
    pub fn begin(
        current: Option<&Self>,
        (hash, elements): (&ListHash, usize),
        unsigned: &Unsigned,
        received_at: Timestamp,
    ) -> Option<Self> {
        let mut copies = current.map_or_else(Vec::new, |it| it.copies.clone());
        if copies.len() >= Self::MAX_COPIES || copies.iter().any(|copy| copy.unsigned == *unsigned) {
            return None;
        }
        copies.push(ListCopy { unsigned: unsigned.clone(), received_at, is_done: false });
        Some(Self { hash: hash.clone(), state: ListState::Unfinished, elements, copies })
    }

    /// Notes that all elements are stored, as a copy has them; `None` when that is known already.
    #[must_use]
    pub fn end(&self, unsigned: &Unsigned) -> Option<Self> {
        let mut row = self.clone();
        row.copies.iter_mut().find(|copy| copy.unsigned == *unsigned && !copy.is_done)?.is_done = true;
        row.state = if row.unfinished().next().is_none() { ListState::Done } else { ListState::Unfinished };
        Some(row)
    }

    /// The copies of which some element may not be stored.
    pub fn unfinished(&self) -> impl Iterator<Item = &ListCopy> {
        self.copies.iter().filter(|copy| !copy.is_done)
    }

    /// Whether somebody must look at it.
    #[must_use]
    pub fn attention(&self) -> Option<Attention> {
        let at = self.unfinished().map(|copy| copy.received_at).min()?;
        Some(Attention { kind: AttentionKind::Unfinished, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;

    #[test]
    fn a_list_is_done_once_each_copy_is_however_they_come() {
        let hash = ListHash::from([7; 32]);
        let copy = |label: &str| Unsigned { label: Label::parse(label).ok(), ..Unsigned::default() };
        let begin = |row: Option<&ListProgress>, label: &str, at| {
            ListProgress::begin(row, (&hash, 3), &copy(label), Timestamp(at))
        };
        let genuine = begin(None, "user", 5).unwrap();
        assert_eq!(begin(Some(&genuine), "user", 6), None, "it is known");
        let both = begin(Some(&genuine), "thief", 7).unwrap();
        let attention = |row: &ListProgress| row.attention().map(|it| it.at.0);
        assert_eq!((attention(&both), both.state), (Some(5), ListState::Unfinished));
        let altered_is_done = both.end(&copy("thief")).unwrap();
        assert_eq!((attention(&altered_is_done), altered_is_done.state), (Some(5), ListState::Unfinished));
        assert_eq!(altered_is_done.end(&copy("thief")), None);
        let done = altered_is_done.end(&copy("user")).unwrap();
        assert_eq!((attention(&done), done.state), (None, ListState::Done));
        let third = begin(Some(&done), "another", 9).unwrap();
        assert_eq!((attention(&third), third.state), (Some(9), ListState::Unfinished));
        let fourth = begin(Some(&third), "one more", 9).unwrap();
        assert_eq!(begin(Some(&fourth), "too many", 9), None);
        assert_eq!(fourth.end(&copy("too many")), None);
    }
}
