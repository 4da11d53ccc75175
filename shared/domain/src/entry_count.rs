//! How many numbers the users of a label enter in a day.

use serde::{Deserialize, Serialize};

use crate::hash::{hash, is_hash};
use crate::{Label, Timestamp};

/// Stands for a label in a row's key, without naming a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelHash(String);

impl LabelHash {
    const LENGTH: usize = 32;

    /// Hashes a label: the first half of its SHA-256, in hex.
    #[must_use]
    pub fn of(label: &Label) -> Self {
        Self(hash(label.as_str(), Self::LENGTH))
    }

    /// Reads a hash; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_hash(text, Self::LENGTH).then(|| Self(text.to_owned()))
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
    /// The call that counted last: two that count at once write different rows, so that neither takes the other's write for
    /// its own.
    pub nonce: String,
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
    /// let first = EntryCount::one_more(None, &label, 20_783, 1, "call-1").unwrap();
    /// assert_eq!(EntryCount::one_more(Some(&first), &label, 20_783, 1, "call-2"), None);
    /// assert_eq!(EntryCount::one_more(Some(&first), &label, 20_784, 1, "call-3").unwrap().entered, 1);
    /// # Ok::<(), InvalidValue>(())
    /// ```
    #[must_use]
    pub fn one_more(current: Option<&Self>, label_hash: &LabelHash, day: u64, limit: u64, nonce: &str) -> Option<Self> {
        let (day, known) = current.filter(|it| it.day >= day).map_or((day, 0), |it| (it.day, it.entered));
        (known < limit).then(|| Self {
            label_hash: label_hash.clone(),
            day,
            entered: known.saturating_add(1),
            nonce: nonce.to_owned(),
        })
    }
}
