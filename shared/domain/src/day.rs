//! Days and hours in UTC.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{InvalidValue, Timestamp};

const HOUR_MS: u64 = 3_600_000;
const HOURS: u64 = 24;
/// The days until the end of the year 9999. A later moment counts as the last of them.
const LAST: u64 = 2_932_896;

/// A day in UTC, written as `2026-11-27`.
///
/// ```
/// use domain::{Day, Timestamp};
///
/// assert_eq!(Day::of(Timestamp(1_795_737_599_999)).to_string(), "2026-11-26");
/// assert_eq!(Day::of(Timestamp(1_795_737_600_000)).to_string(), "2026-11-27");
/// assert_eq!(Day::parse("2026-11-27")?, Day::of(Timestamp(1_795_737_600_000)));
/// # Ok::<(), domain::InvalidValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day {
    year: u64,
    month: u64,
    of_month: u64,
}

impl Day {
    /// The day of a moment.
    #[must_use]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the number of days is bounded, and each difference is of a part"
    )]
    pub fn of(now: Timestamp) -> Self {
        // Years begin in March here, so that a leap day is the last of its year. 400 years have 146,097 days.
        let days = (now.0 / (HOUR_MS * HOURS)).min(LAST) + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Self { year: era * 400 + year_of_era + u64::from(month <= 2), month, of_month }
    }

    /// Reads a day as it is written.
    ///
    /// # Errors
    /// [`InvalidValue`] with the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let part = |part: &str, length| {
            let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { part.parse().ok() } else { None }
        };
        let read = || {
            let (year, rest) = text.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let read = Self { year: part(year, 4)?, month: part(month, 2)?, of_month: part(day, 2)? };
            ((1..=12).contains(&read.month) && (1..=31).contains(&read.of_month)).then_some(read)
        };
        read().ok_or(InvalidValue("must be a day such as 2026-11-27".into()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, of_month } = self;
        write!(f, "{year:04}-{month:02}-{of_month:02}")
    }
}

impl TryFrom<String> for Day {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::parse(&text)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

/// An hour of a day in UTC, from 0 to 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(u64);

impl Hour {
    /// The hour of a moment.
    #[must_use]
    pub fn of(now: Timestamp) -> Self {
        Self((now.0 / HOUR_MS) % HOURS)
    }

    /// The attribute of a row that has this hour's sum: `hour_00` to `hour_23`.
    #[must_use]
    pub fn attribute(self) -> String {
        format!("hour_{:02}", self.0)
    }

    /// The hour that an attribute is about. `None` if it is about no hour.
    #[must_use]
    pub fn of_attribute(name: &str) -> Option<Self> {
        let hour = Self(name.strip_prefix("hour_")?.parse().ok()?);
        (hour.0 < HOURS && hour.attribute() == name).then_some(hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(ms: u64) -> String {
        Day::of(Timestamp(ms)).to_string()
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        let days = [
            (0, "1970-01-01"),
            (951_782_399_999, "2000-02-28"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_767_225_599_999, "2025-12-31"),
            (1_767_225_600_000, "2026-01-01"),
            (4_107_542_399_999, "2100-02-28"),
            (4_107_542_400_000, "2100-03-01"),
            (u64::MAX, "9999-12-31"),
        ];
        for (ms, expected) in days {
            assert_eq!(day(ms), expected, "{ms}");
        }
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut last = Day::of(Timestamp(0));
        for number in 1..=200_000 {
            let next = Day::of(Timestamp(number * 86_400_000));
            let is_next_day = next.of_month == last.of_month + 1 && (next.year, next.month) == (last.year, last.month);
            let is_first = next.of_month == 1 && last.of_month >= 28 && next.month == last.month % 12 + 1;
            assert!(is_next_day || is_first, "{last} {next}");
            assert_eq!(Day::parse(&next.to_string()), Ok(next));
            last = next;
        }
        assert_eq!(last.to_string(), "2517-08-01");
    }

    #[test]
    fn only_a_day_is_read_as_a_day() {
        for bad in
            ["", "2026", "2026-11", "2026-1-27", "2026-13-01", "2026-00-01", "2026-01-32", "26-11-27", "+026-11-27"]
        {
            assert!(Day::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_hour_has_its_attribute() {
        let hour = |ms| Hour::of(Timestamp(ms));
        assert_eq!((hour(3_599_999), hour(3_600_000), hour(86_399_999)), (Hour(0), Hour(1), Hour(23)));
        assert_eq!(hour(86_400_000), Hour(0));
        for number in 0..HOURS {
            assert_eq!(Hour::of_attribute(&Hour(number).attribute()), Some(Hour(number)));
        }
        for other in ["hour_24", "hour_7", "hour_007", "hour_+7", "hour_", "hour", "reserved"] {
            assert_eq!(Hour::of_attribute(other), None, "{other}");
        }
    }
}
