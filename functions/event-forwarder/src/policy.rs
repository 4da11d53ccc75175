//! When an event is posted again, and when not.

use std::time::Duration;

use lambda::Clock;

/// The longest time that a receiver may ask for.
const LONGEST: Duration = Duration::from_hours(1);

/// When an event is posted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The wait after the first attempt. The later waits grow with it.
    pub first_retry: Duration,
    /// An event of this age is tried a last time, and then set aside.
    pub give_up_after: Duration,
}

impl Policy {
    /// Whether an event of this age is late: a person may have to look at the receiver.
    #[must_use]
    pub fn is_late(&self, age: Duration) -> bool {
        age.saturating_mul(2) >= self.give_up_after
    }

    /// The wait after an attempt that has failed: about 5 s, 30 s, 2 minutes, and then 5 to 15 minutes by chance, if the first is 5 s. The event's
    /// age says which, or how often it was received, if that says more: then a clock that is wrong cannot make the waits short. `asked` is
    /// what the receiver has asked for, and counts if it is longer.
    #[must_use]
    pub fn wait(&self, age: Duration, received: u32, asked: Option<Duration>, clock: &impl Clock) -> Duration {
        let seconds = self.first_retry.as_secs();
        let times = |factor: u64| seconds.saturating_mul(factor);
        let by_age = [1, 6, 24].into_iter().take_while(|factor| age.as_secs() >= times(*factor)).count();
        let by_receipts = usize::try_from(received.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = match by_age.max(by_receipts) {
            0 => times(1),
            1 => times(6),
            2 => times(24),
            _ => times(60).saturating_add(clock.random_below(times(120).saturating_add(1))),
        };
        Duration::from_secs(wait).max(asked.unwrap_or_default()).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance that always gives the same part of its bound.
    struct Chance(u64);

    impl Clock for Chance {
        fn now_ms(&self) -> u64 {
            0
        }

        fn nonce(&self) -> String {
            String::new()
        }

        fn random_below(&self, bound: u64) -> u64 {
            self.0.min(bound.saturating_sub(1))
        }

        async fn sleep(&self, _: Duration) {}
    }

    const POLICY: Policy = Policy { first_retry: Duration::from_secs(5), give_up_after: Duration::from_hours(1) };

    fn wait(age: u64, asked: Option<u64>, chance: u64) -> u64 {
        POLICY.wait(Duration::from_secs(age), 1, asked.map(Duration::from_secs), &Chance(chance)).as_secs()
    }

    #[test]
    fn a_clock_that_is_behind_does_not_shorten_the_waits() {
        let waits = [1, 2, 3, 4, 900].map(|received| POLICY.wait(Duration::ZERO, received, None, &Chance(0)).as_secs());
        assert_eq!(waits, [5, 30, 120, 300, 300]);
    }

    #[test]
    fn the_waits_grow_with_the_age() {
        for (age, expected) in [(0, 5), (4, 5), (5, 30), (29, 30), (35, 120), (119, 120), (155, 300), (3599, 300)] {
            assert_eq!(wait(age, None, 0), expected, "{age}");
        }
        assert_eq!((wait(155, None, 77), wait(155, None, u64::MAX)), (377, 900));
    }

    #[test]
    fn an_event_is_tried_often_in_an_hour_and_not_too_often() {
        for chance in [0, u64::MAX] {
            let (mut age, mut tries) = (0, 0);
            while age < 3600 {
                age += wait(age, None, chance);
                tries += 1;
            }
            assert!((6..=16).contains(&tries), "{tries}");
        }
    }

    #[test]
    fn the_receiver_can_ask_for_a_longer_wait_but_not_for_a_shorter_one() {
        assert_eq!((wait(0, Some(60), 0), wait(0, Some(1), 0), wait(0, Some(100_000), 0)), (60, 5, 3600));
    }
}
