//! Some days in a row, as people count them: at one offset from UTC.

use domain::{Day, Timestamp};

use crate::failure::Failure;
use crate::time::time;

const DAY_MS: u64 = 86_400_000;

/// Most days.
const MOST: u64 = 366;

/// The days from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Days {
    /// When the first begins.
    since: Timestamp,
    /// The same, as if the days were in UTC.
    in_utc: Timestamp,
    count: u64,
}

/// When a day begins at an offset, such as `+08:00`; without one, in UTC.
pub(crate) fn begin(day: &str, offset: &str) -> Result<Timestamp, Failure> {
    let offset = if offset.trim().is_empty() { "Z" } else { offset.trim() };
    time(&format!("{}T00:00:00{offset}", day.trim()))
        .map_err(|_| Failure::Usage("a day must be such as 2026-01-31, and its offset from UTC such as +08:00".into()))
}

/// When a day ends at an offset: the next one begins then.
pub(crate) fn end(day: &str, offset: &str) -> Result<Timestamp, Failure> {
    begin(day, offset).map(|begin| Timestamp(begin.0.saturating_add(DAY_MS)))
}

impl Days {
    /// From the first to the last, which is a part of them.
    pub(crate) fn of(first: &str, last: &str, offset: &str) -> Result<Self, Failure> {
        let (since, in_utc, until) = (begin(first, offset)?, begin(first, "")?, end(last, offset)?);
        let count = until.0.saturating_sub(since.0).div_euclid(DAY_MS);
        if !(1..=MOST).contains(&count) {
            return Err(Failure::Usage(format!("from the first day to the last must be 1 to {MOST} days")));
        }
        Ok(Self { since, in_utc, count })
    }

    /// The last so many days, with the one of this moment.
    pub(crate) fn last(count: u64, now: Timestamp) -> Self {
        let today = now.0.div_euclid(DAY_MS).saturating_mul(DAY_MS);
        let since = Timestamp(today.saturating_sub(count.saturating_sub(1).saturating_mul(DAY_MS)));
        Self { since, in_utc: since, count }
    }

    /// How many.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.count).unwrap_or_default()
    }

    /// Which of them a moment is in, from 0.
    pub(crate) fn place(self, at: Timestamp) -> Option<usize> {
        let place = at.0.checked_sub(self.since.0)?.div_euclid(DAY_MS);
        usize::try_from(place).ok().filter(|place| *place < self.count())
    }

    /// Each of them.
    pub(crate) fn each(self) -> impl DoubleEndedIterator<Item = Day> {
        (0..self.count).map(move |place| Day::of(Timestamp(self.in_utc.0.saturating_add(place.saturating_mul(DAY_MS)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(days: Days) -> Vec<String> {
        days.each().map(|day| day.to_string()).collect()
    }

    #[test]
    fn a_moment_is_in_the_day_of_the_offset() {
        let days = Days::of("2026-02-28", "2026-03-01", "+08:00").unwrap();
        assert_eq!(names(days), ["2026-02-28", "2026-03-01"]);
        for (at, place) in [
            ("2026-02-27T15:59:59Z", None),
            ("2026-02-27T16:00:00Z", Some(0)),
            ("2026-02-28T15:59:59Z", Some(0)),
            ("2026-02-28T16:00:00Z", Some(1)),
            ("2026-03-01T16:00:00Z", None),
        ] {
            assert_eq!(days.place(time(at).unwrap()), place, "{at}");
        }
    }

    #[test]
    fn the_last_days_end_with_today() {
        let now = time("2026-03-01T23:59:59Z").unwrap();
        assert_eq!(Days::last(2, now), Days::of("2026-02-28", "2026-03-01", "").unwrap());
    }

    #[test]
    fn days_that_are_none_or_too_many_are_refused() {
        for (first, last, offset) in [
            ("2026-03-02", "2026-03-01", ""),
            ("2025-01-01", "2026-01-02", ""),
            ("2026-03-01", "2026-02-30", ""),
            ("2026-03-01", "2026-03-01", "8"),
            ("2026-03-01T00:00", "2026-03-01", ""),
        ] {
            assert!(Days::of(first, last, offset).is_err(), "{first} {last} {offset}");
        }
        assert_eq!(Days::of("2025-01-01", "2026-01-01", "Z").unwrap().count(), 366);
    }
}
