//! On a schedule: reports how long the oldest row of each kind has been waiting for a person, so that what nobody looks at
//! has an alarm for as long as it waits.

use domain::{AttentionKind, Timestamp};
use lambda::{BadSetting, Clock, Right, report_oldest_seconds, serve_events};
use serde::de::IgnoredAny;
use store::FindAttention;
use tracing::error;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[Right::FindAttention];

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, A> {
    /// The table.
    pub table: S,
    /// Time.
    pub clock: A,
}

/// Nothing is reported: the missing report is an alarm, as the function's error is.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("what needs attention could not be found")]
pub struct NotReported;

impl<S: FindAttention, A: Clock> Deps<S, A> {
    /// Reports the age of the oldest row of each kind; 0 where there is none.
    ///
    /// # Errors
    /// [`NotReported`] when the table does not answer.
    pub async fn report(&self) -> Result<(), NotReported> {
        for kind in AttentionKind::ALL {
            let seconds = self.oldest_seconds(kind).await?;
            report_oldest_seconds(kind.as_str(), seconds);
        }
        Ok(())
    }

    async fn oldest_seconds(&self, kind: AttentionKind) -> Result<u64, NotReported> {
        let page = self.table.find_attention(kind, Timestamp(0), None).await.map_err(|cause| {
            error!(%cause, "the table failed");
            NotReported
        })?;
        Ok(page.first_at.map_or(0, |at| self.clock.now_ms().saturating_sub(at.0) / 1_000))
    }
}

/// Reports whenever it is asked to, for as long as the function lives. With a bad setting, nothing is reported.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve<S: FindAttention, A: Clock>(
    set_up: Result<Deps<S, A>, BadSetting>,
) -> Result<(), lambda_runtime::Error> {
    serve_events(set_up, async |deps: Option<&Deps<S, A>>, _: IgnoredAny| Ok(deps.ok_or(NotReported)?.report().await?))
        .await
}
