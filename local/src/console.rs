//! The one place that prints.

use std::io::Write;

/// Prints a line. A reader who has gone away (`cargo run | head`) is no reason to stop.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what went wrong.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
