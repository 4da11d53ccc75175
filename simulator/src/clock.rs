//! The time at which something happened, for the pages.

use std::time::{Duration, SystemTime};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the simulated provider is a world of its own: nobody gives it a time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Writes a time of day in UTC, with the day in front of it: `2026-11-28 10:47:40`.
pub(crate) fn written(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.trim_end_matches('Z').replace('T', " ")
}

/// Writes a duration as the pages show it, such as `2s` or `200ms`.
pub(crate) fn written_ms(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}
