//! The loop around a handler that is not called over HTTP.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::BadSetting;

/// Hands each event to `answer` for as long as the function lives. With a bad setting there is no handler, and `answer` says
/// what that means.
///
/// # Errors
/// When the runtime's own API fails.
pub async fn serve_events<H, E, A>(
    set_up: Result<H, BadSetting>,
    answer: impl AsyncFn(Option<&H>, E) -> Result<A, Error>,
) -> Result<(), Error>
where
    E: DeserializeOwned,
    A: Serialize,
{
    let handler = set_up.inspect_err(|error| error!("not set up: {error}")).ok();
    let (handler, answer) = (handler.as_ref(), &answer);
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| answer(handler, event.payload))).await
}
