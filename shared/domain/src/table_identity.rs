//! Which table this is. A restored or copied table has the row of the table that it was made from, and so names another stream.

use serde::{Deserialize, Serialize};

/// The row by which a table is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename = "in_service")]
pub struct TableIdentity {
    /// The ARN of the stream that the stack reads.
    pub stream: String,
    /// How many histories the table has had: 1, and one more with each adoption. Events carry it.
    pub generation: u64,
}

impl TableIdentity {
    /// The row of a new table.
    #[must_use]
    pub fn new(stream: &str) -> Self {
        Self { stream: stream.to_owned(), generation: 1 }
    }

    /// The row after the table was put into service with this stream, `None` if it is so already.
    ///
    /// ```
    /// # use domain::TableIdentity;
    /// let original = TableIdentity::new("arn:original");
    /// let restored = TableIdentity::adopted(Some(&original), "arn:restored").unwrap();
    /// assert_eq!(restored.generation, 2);
    /// assert_eq!(TableIdentity::adopted(Some(&restored), "arn:restored"), None);
    /// ```
    #[must_use]
    pub fn adopted(current: Option<&Self>, stream: &str) -> Option<Self> {
        match current {
            None => Some(Self::new(stream)),
            Some(current) if current.stream == stream => None,
            Some(current) => Some(Self { stream: stream.to_owned(), generation: current.generation.saturating_add(1) }),
        }
    }
}
