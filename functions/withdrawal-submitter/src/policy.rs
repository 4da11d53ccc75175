//! When to try again.

use std::time::Duration;

use lambda::Clock;

/// When a submission is tried again, and when not.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How many times a message is received before it goes to the dead letters: the queue's `maxReceiveCount`.
    pub attempts: u32,
    /// The wait before the first retry; each further one is twice as long.
    pub first_retry_seconds: u64,
    /// The longest wait.
    pub retry_ceiling_seconds: u64,
    /// After this time without a recorded result, a sender counts as dead. Longer than any function may run.
    pub sender_lifetime_ms: u64,
    /// Whether an unknown attempt is sent again, with the same bytes. Off by default: the provider does not promise to pay
    /// one `withdrawal_id` once.
    pub resend_unknown: bool,
    /// Whether withdrawals are switched on. If not, nothing is sent and no row is touched.
    pub is_on: bool,
}

impl Policy {
    /// The wait while withdrawals are switched off: the longest one, so that few receives are used up.
    #[must_use]
    pub fn while_off(&self) -> Duration {
        Duration::from_secs(self.retry_ceiling_seconds)
    }

    /// The wait after the `received`-th time: at least half of what the doubling gives, the rest by chance.
    pub fn back_off(&self, received: u32, clock: &impl Clock) -> Duration {
        let doublings = received.saturating_sub(1).min(16);
        let full = self.first_retry_seconds.saturating_mul(1 << doublings).min(self.retry_ceiling_seconds);
        let half = full.div_ceil(2);
        Duration::from_secs(half.saturating_add(clock.random_below(full.saturating_sub(half).saturating_add(1))))
    }
}
