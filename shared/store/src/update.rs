//! The one loop of optimistic writes: read, decide, write, and try again where somebody else was faster.

use std::future::Future;

use crate::{Change, Read, Row, RowKey, StoreError, Stored, Write, Written};

/// Races that one change may lose before the table counts as failed.
pub const MAX_TRIES: u32 = 8;

/// How a store waits between two tries, so that those who race do not meet again.
pub trait BackOff: Sync {
    /// Waits a random time of at most [`longest_wait_ms`] after so many lost races.
    fn back_off(&self, lost_races: u32) -> impl Future<Output = ()> + Send;
}

/// The longest wait in milliseconds after so many lost races: it doubles from 20 ms.
#[must_use]
pub fn longest_wait_ms(lost_races: u32) -> u64 {
    20_u64.saturating_mul(1 << lost_races.min(6))
}

/// A row after an update, and what the decision said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated<R, T> {
    /// The current row; `None` when there is none.
    pub current: Option<Stored<R>>,
    /// What the last decision said.
    pub outcome: T,
}

/// Reads a row and writes what `decide` makes of it, until a write succeeds or there is nothing to write.
///
/// # Errors
/// [`StoreError`] when the table fails or [`MAX_TRIES`] races are lost.
pub async fn update<S, I, T>(
    table: &S,
    id: &I,
    decide: impl Fn(Option<&I::Row>) -> (Option<I::Row>, T) + Send + Sync,
) -> Result<Updated<I::Row, T>, StoreError>
where
    S: Read<I> + Write<I::Row>,
    I: RowKey,
    T: Send,
{
    let current = table.read(id).await?;
    update_from(table, current, decide).await
}

/// Does as [`update`], but begins with a row that was read or written a moment ago.
///
/// # Errors
/// As of [`update`].
pub async fn update_from<S, R, T>(
    table: &S,
    mut current: Option<Stored<R>>,
    decide: impl Fn(Option<&R>) -> (Option<R>, T) + Send + Sync,
) -> Result<Updated<R, T>, StoreError>
where
    S: Write<R>,
    R: Row,
    T: Send,
{
    for race in 0..MAX_TRIES {
        let (row, outcome) = decide(current.as_ref().map(|it| &it.row));
        let Some(row) = row else { return Ok(Updated { current, outcome }) };
        let change = Change::of(row, current.as_ref());
        match table.write(change.clone()).await? {
            Written::Done => return Ok(Updated { current: Some(change.written()), outcome }),
            Written::Conflict { current: newer } => current = newer,
        }
        table.back_off(race).await;
    }
    Err(all_races_lost())
}

/// Repeats an attempt that gives `None` when it has lost a race. The attempt gets the number of races lost so far.
///
/// # Errors
/// The attempt's own; [`StoreError`] when [`MAX_TRIES`] races are lost.
pub async fn retry<S, T, E, F>(table: &S, attempt: impl Fn(u32) -> F + Send + Sync) -> Result<T, E>
where
    S: BackOff,
    T: Send,
    E: From<StoreError> + Send,
    F: Future<Output = Result<Option<T>, E>> + Send,
{
    for race in 0..MAX_TRIES {
        if let Some(done) = attempt(race).await? {
            return Ok(done);
        }
        table.back_off(race).await;
    }
    Err(all_races_lost().into())
}

fn all_races_lost() -> StoreError {
    StoreError::Transient(format!("{MAX_TRIES} races were lost"))
}
