//! On a schedule: reports how long the oldest row of each kind has been waiting for a person, so that what nobody looks at
//! stays loud after its event.

use domain::{AttentionKind, Timestamp};
use lambda::{BadSetting, Clock};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::de::IgnoredAny;
use store::FindAttention;
use tracing::{error, info};

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
            info!(attention = kind.as_str(), OldestAttentionSeconds = seconds);
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
    let deps = set_up.inspect_err(|error| error!("not set up: {error}")).ok();
    let deps = deps.as_ref();
    let report = |_: LambdaEvent<IgnoredAny>| async move {
        deps.ok_or(NotReported)?.report().await?;
        Ok::<_, lambda_runtime::Error>(())
    };
    lambda_runtime::run(service_fn(report)).await
}
