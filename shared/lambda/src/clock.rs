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
        format!("{:032x}", u128::from_ne_bytes(random()))
    }

    fn random_below(&self, bound: u64) -> u64 {
        u64::from_ne_bytes(random()).checked_rem(bound).unwrap_or_default()
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(time)
    }
}

/// Bytes of the system's randomness. It tells two senders apart, so a guess in its place would be worse than none.
#[expect(
    clippy::expect_used,
    reason = "Linux has randomness from its start on; without it, the invocation ends as an error"
)]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has no randomness");
    bytes
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat_and_jitter_stays_below_its_bound() {
        let nonces: BTreeSet<_> = (0..10_000).map(|_| System.nonce()).collect();
        assert_eq!(nonces.len(), 10_000);
        assert!(nonces.iter().all(|nonce| nonce.len() == 32));
        let below: BTreeSet<_> = (0..1_000).map(|_| System.random_below(3)).collect();
        assert_eq!(below, BTreeSet::from([0, 1, 2]));
        assert_eq!((System.random_below(1), System.random_below(0)), (0, 0));
    }
}
