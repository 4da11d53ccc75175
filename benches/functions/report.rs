//! The one place that prints, in columns.

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A row of a table: its name, and its cells to the right of it.
pub(crate) fn line(name: &str, cells: &[impl Display]) -> String {
    let cells = cells.iter().map(|cell| format!(" {cell:>15}"));
    cells.fold(format!("{name:<26}"), |line, cell| line + &cell)
}

/// The median and the 99th percentile, in microseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        let rank = times.len().saturating_sub(1).saturating_mul(percent).div_ceil(100);
        times.get(rank).copied().unwrap_or_default().as_micros()
    };
    format!("{}/{}", at(50), at(99))
}

/// A number in thousands, with one decimal.
pub(crate) fn thousands(count: u64) -> String {
    let tenths = count.saturating_add(50).checked_div(100).unwrap_or_default();
    format!("{}.{}", tenths.checked_div(10).unwrap_or_default(), tenths.checked_rem(10).unwrap_or_default())
}

/// A program's bytes, and those of it zipped. What runs in an interpreter has no such size.
pub(crate) fn size(program: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let [binary] = program else { return Ok("-".into()) };
    let zipped = Command::new("gzip").arg("-9c").arg(binary).output()?.stdout.len();
    Ok(format!("{}/{zipped}", fs::metadata(binary)?.len()))
}
