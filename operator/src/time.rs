//! A time on the command line.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Iso8601;
use domain::Timestamp;

/// Reads a time with its offset. Without one it is in UTC, and a day is its beginning.
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim().replacen(' ', "T", 1);
    let spellings = [text.clone(), format!("{text}Z"), format!("{text}T00:00:00Z")];
    let time = spellings.iter().find_map(|text| OffsetDateTime::parse(text, &Iso8601::PARSING).ok());
    let milliseconds = time.and_then(|it| u64::try_from(it.unix_timestamp_nanos().checked_div(1_000_000)?).ok());
    milliseconds
        .map(Timestamp)
        .ok_or_else(|| "must be a time since 1970, such as 2026-01-31 or 2026-01-31T00:00:00+08:00".into())
}

/// Reads a time, or how long ago it was, such as `90min`.
pub(crate) fn time_or_age(text: &str, now_ms: u64) -> Result<Timestamp, String> {
    match humantime::parse_duration(text) {
        Ok(age) => Ok(Timestamp(now_ms.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))),
        Err(_) => time(text).map_err(|rule| format!("{rule}, or an age, such as 90min or 2h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_an_age() {
        const NOW: u64 = 1_769_824_800_000;
        assert_eq!(time_or_age("2h", NOW), time("2026-01-31"));
        assert_eq!(time_or_age("2026-01-31", NOW), time("2026-01-31"));
        assert!(time_or_age("2 moons", NOW).is_err_and(|rule| rule.ends_with("such as 90min or 2h")));
    }

    #[test]
    fn a_time_has_the_offset_that_is_given_and_else_none() {
        const BEGIN: u64 = 1_769_817_600_000;
        for (text, hours) in [
            ("2026-01-31", 0),
            ("2026-01-31T00:00:00Z", 0),
            ("2026-01-31 00:00:00", 0),
            ("2026-01-31T00:00", 0),
            ("2026-01-31T08:00:00+08:00", 0),
            ("2026-01-31T08:00+08:00", 0),
            ("2026-01-31T00:00:00-05:00", 5),
            ("2026-01-31T06:30:00.000+05:30", 1),
        ] {
            assert_eq!(time(text), Ok(Timestamp(BEGIN + hours * 3_600_000)), "{text}");
        }
        let bad = [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-01-31T25:00:00Z",
            "2026-01-31T00:00:00+99:00",
            "2026-01-31+08:00",
            "1969-12-31",
        ];
        for text in bad {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
