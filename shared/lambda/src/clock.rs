//! Time and randomness come in through a port, so that tests decide them.

use std::future::Future;
use std::time::{Duration, SystemTime};

/// Where a handler gets time and randomness.
pub trait Clock: Sync {
    /// Milliseconds since 1970 in UTC.
    fn now_ms(&self) -> u64;

    /// A text that no other call returns.
    fn nonce(&self) -> String;

    /// A number below `bound`, for jitter.
    fn random_below(&self, bound: u64) -> u64;

    /// Waits.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The machine's own time and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn nonce(&self) -> String {
        format!("{:032x}", fastrand::u128(..))
    }

    fn random_below(&self, bound: u64) -> u64 {
        fastrand::u64(..bound.max(1))
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// Makes the calls that the first request would otherwise make: connections, secrets. During start-up Lambda gives a function a
/// whole processor, whatever its memory. Waits for one second at most; a call that fails is left to the request.
pub fn warm_up(calls: impl Future) -> impl Future<Output = ()> {
    // Boxed: what the SDK's calls keep between their awaits would else be a part of every `main`.
    let calls = Box::pin(calls);
    async {
        let _ = tokio::time::timeout(Duration::from_secs(1), calls).await;
    }
}
