//! How many numbers the users of a label enter in a day.

use serde::{Deserialize, Serialize};

use crate::attempt_id::hash;
use crate::{Label, Timestamp};

/// Stands for a label in a row's key, without naming a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelHash(String);

impl LabelHash {
    /// Hashes a label: the first half of its SHA-256, in hex.
    #[must_use]
    pub fn of(label: &Label) -> Self {
        Self(hash(label.as_str(), 32))
    }

    /// Reads a hash; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many numbers a label entered on the last day on which it entered any. Days begin at midnight in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "counted")]
pub struct EntryCount {
    /// Whose.
    pub label_hash: LabelHash,
    /// Days since 1970.
    pub day: u64,
    /// How many.
    pub entered: u64,
}

impl EntryCount {
    /// The day of a moment.
    #[must_use]
    pub fn day_of(now: Timestamp) -> u64 {
        now.0 / 86_400_000
    }

    /// The count with one more number; `None` when the day's limit is reached. A day before the counted one counts as it.
    ///
    /// ```
    /// # use domain::*;
    /// let label = LabelHash::of(&Label::parse("user-1")?);
    /// let first = EntryCount::one_more(None, &label, 20_783, 1).unwrap();
    /// assert_eq!(EntryCount::one_more(Some(&first), &label, 20_783, 1), None);
    /// assert_eq!(EntryCount::one_more(Some(&first), &label, 20_784, 1).unwrap().entered, 1);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn one_more(current: Option<&Self>, label_hash: &LabelHash, day: u64, limit: u64) -> Option<Self> {
        let label_hash = label_hash.clone();
        match current.filter(|it| it.day >= day) {
            None => Some(Self { label_hash, day, entered: 1 }),
            Some(it) => {
                (it.entered < limit).then(|| Self { label_hash, day: it.day, entered: it.entered.saturating_add(1) })
            }
        }
    }
}
