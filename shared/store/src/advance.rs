//! Carries an event to a withdrawal against whoever else writes its row.

use domain::{Mismatch, SignedFacts, Timestamp, Transition, Withdrawal, WithdrawalRow};

use crate::{Change, MAX_RACES, Stored, Unavailable, Write, Written};

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
    pub fn stands(&self) -> &Withdrawal {
        match self {
            Self::Moved(stored) | Self::Repeated(stored) | Self::Conflicted(stored, _) => &stored.row,
        }
    }
}

/// Applies an event of this moment to a withdrawal, again and again until what it comes to is written or needs no writing.
/// A postback's facts is recorded with the contradiction if there is one.
///
/// # Errors
/// [`Unavailable`] when the table does not answer, the row is gone, or too many races are lost.
pub async fn advance<S: Write<WithdrawalRow>>(
    table: &S,
    mut stands: Stored<Withdrawal>,
    now: Timestamp,
    facts: Option<&SignedFacts>,
    event: impl Fn(&Withdrawal) -> Transition<Withdrawal> + Send + Sync,
) -> Result<Advanced, Unavailable> {
    for _ in 0..MAX_RACES {
        let (row, conflict) = match event(&stands.row) {
            Transition::Repeat => return Ok(Advanced::Repeated(stands)),
            Transition::Move(row) => (row, None),
            Transition::Conflict(mismatch) => match stands.row.contradicted(mismatch, facts.cloned()) {
                Some(row) => (row, Some(mismatch)),
                None => return Ok(Advanced::Conflicted(stands, mismatch)),
            },
        };
        let row = Withdrawal { changed_at: now, ..row };
        let change = Change { row: WithdrawalRow::Registered(Box::new(row.clone())), replaces: stands.version };
        let written = Stored { row, version: stands.version.saturating_add(1) };
        match table.write(change).await? {
            Written::Done => {
                return Ok(match conflict {
                    None => Advanced::Moved(written),
                    Some(mismatch) => Advanced::Conflicted(written, mismatch),
                });
            }
            Written::Stands(Some(Stored { row: WithdrawalRow::Registered(row), version })) => {
                stands = Stored { row: *row, version };
            }
            Written::Stands(_) => return Err(Unavailable("a withdrawal's row is gone".into())),
        }
    }
    Err(Unavailable::all_races_lost())
}
