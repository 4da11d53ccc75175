//! Logs: one JSON object a line, on standard output.

use tracing_subscriber::filter::LevelFilter;

use crate::Environment;

/// Starts the log at the level of the setting `LOG_LEVEL`: `info`, which is also the default, or less. Never more: at
/// `debug` and below, the crates that we use print bodies, tokens and whole rows.
pub fn start(environment: &Environment) {
    let level = environment
        .optional("LOG_LEVEL")
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
        .min(LevelFilter::INFO);
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_max_level(level).init();
}
