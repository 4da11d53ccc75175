//! Carries an event to a withdrawal against whoever else writes its row.

use domain::{Mismatch, SignedFacts, Timestamp, Transition, Withdrawal, WithdrawalRow};

use crate::{Change, MAX_RACES, StoreError, Stored, Write, Written};

/// What an event came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advanced {
    /// The row changed to this.
    Moved(Stored<Withdrawal>),
    /// It was so already.
    Repeated(Stored<Withdrawal>),
    /// The event contradicts what was decided; that is recorded in the row, as far as it has room.
    Conflicted(Stored<Withdrawal>, Mismatch),
}

impl Advanced {
    /// The row as it stands.
    #[must_use]
    pub fn current(&self) -> &Withdrawal {
        match self {
            Self::Moved(stored) | Self::Repeated(stored) | Self::Conflicted(stored, _) => &stored.row,
        }
    }
}

/// Applies an event of this moment to a withdrawal, again and again until what it comes to is written or needs no writing.
/// A postback's facts is recorded with the contradiction if there is one.
///
/// # Errors
/// [`StoreError`] when the table does not answer, the row is gone, or too many races are lost.
pub async fn advance<S: Write<WithdrawalRow>>(
    table: &S,
    mut current: Stored<Withdrawal>,
    now: Timestamp,
    facts: Option<&SignedFacts>,
    event: impl Fn(&Withdrawal) -> Transition<Withdrawal> + Send + Sync,
) -> Result<Advanced, StoreError> {
    for _ in 0..MAX_RACES {
        let (row, conflict) = match event(&current.row) {
            Transition::Repeat => return Ok(Advanced::Repeated(current)),
            Transition::Move(row) => (row, None),
            Transition::Conflict(mismatch) => match current.row.contradicted(mismatch, facts.cloned()) {
                Some(row) => (row, Some(mismatch)),
                None => return Ok(Advanced::Conflicted(current, mismatch)),
            },
        };
        let row = Withdrawal { changed_at: now, ..row };
        let change =
            Change { row: WithdrawalRow::Registered(Box::new(row.clone())), expected_version: current.version };
        let written = Stored { row, version: current.version.saturating_add(1) };
        match table.write(change).await? {
            Written::Done => {
                return Ok(match conflict {
                    None => Advanced::Moved(written),
                    Some(mismatch) => Advanced::Conflicted(written, mismatch),
                });
            }
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Registered(row), version }) } => {
                current = Stored { row: *row, version };
            }
            Written::Conflict { .. } => return Err(StoreError("a withdrawal's row is gone".into())),
        }
    }
    Err(StoreError::all_races_lost())
}
