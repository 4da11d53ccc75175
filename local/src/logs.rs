//! What the functions print: stored for the tests, shown on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::console::say;

/// How many lines of each function are stored.
const KEPT: usize = 10_000;

/// The last lines of every function.
pub(crate) struct Logs {
    verbose: bool,
    lines: Mutex<BTreeMap<&'static str, VecDeque<String>>>,
}

impl Logs {
    pub(crate) fn new(verbose: bool) -> Arc<Logs> {
        Arc::new(Logs { verbose, lines: Mutex::default() })
    }

    /// The function's last lines, oldest first.
    pub(crate) fn of(&self, function: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(function).into_iter().flatten().cloned().collect()
    }

    /// The lines that are metrics, of all functions and services.
    pub(crate) fn metrics(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.values().flatten().filter(|line| line.contains("\"_aws\"")).cloned().collect()
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
        let kept = lines.entry(function).or_default();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
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
