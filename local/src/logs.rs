//! What the functions print: stored for the tests, shown on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use simulator::Newest;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::console::say;

/// How many lines of each function are stored, and how many bytes of them.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// The last lines of every function.
pub(crate) struct Logs {
    verbose: bool,
    lines: Mutex<BTreeMap<&'static str, Newest<String>>>,
}

impl Logs {
    pub(crate) fn new(verbose: bool) -> Arc<Logs> {
        Arc::new(Logs { verbose, lines: Mutex::default() })
    }

    /// The function's last lines, oldest first.
    pub(crate) fn of(&self, function: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(function).into_iter().flat_map(Newest::iter).map(|(_, line)| line.clone()).collect()
    }

    /// The lines that are metrics, of all functions and services.
    pub(crate) fn metrics(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.values().flat_map(Newest::iter).map(|(_, line)| line);
        lines.filter(|line| line.contains("\"_aws\"")).cloned().collect()
    }

    /// Stores a line, and shows it when asked to.
    pub(crate) fn add(&self, function: &'static str, line: String) {
        if self.verbose {
            say(&format!("[{function}] {line}"));
        }
        self.store(function, line);
    }

    pub(crate) fn store(&self, function: &'static str, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = line.len();
        lines.entry(function).or_insert_with(|| Newest::new(KEPT, KEPT_BYTES)).add(line, bytes);
    }

    /// Keeps every line of a process's output, until it ends.
    pub(crate) async fn follow(self: Arc<Self>, function: &'static str, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while let Ok(1..) = output.read_until(b'\n', &mut line).await {
            self.add(function, String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_stores_the_last_ones_of_each_function() {
        let logs = Logs::new(false);
        logs.add("quiet", "only".into());
        for line in 0..=KEPT {
            logs.add("loud", line.to_string());
        }
        assert_eq!((logs.of("loud").len(), logs.of("loud").first()), (KEPT, Some(&"1".to_owned())));
        let long = "x".repeat(KEPT_BYTES);
        logs.add("loud", long.clone());
        assert_eq!((logs.of("loud"), logs.of("quiet")), (vec![long], vec!["only".to_owned()]));
    }
}
