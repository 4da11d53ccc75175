//! What is printed: tables for people, or one JSON object a line. Nothing else writes to stdout or stderr.
//!
//! The first write that fails ends the output, and not the command: what it has begun is done to the end. [`finish`] says then
//! whether anybody misses what was not printed.

use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::escape;
use crate::failure::Failure;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints records: as JSON, or as rows under these heads.
    pub(crate) fn records<T: Serialize, const N: usize>(
        self,
        records: &[T],
        heads: [&str; N],
        cells: impl Fn(&T) -> [String; N],
    ) {
        if self.json {
            for record in records {
                self.line(record, String::new);
            }
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(heads);
        for record in records {
            table.add_row(cells(record).map(|cell| escape::one_line(&cell)));
        }
        print(&table.to_string());
    }

    /// Prints one thing: as JSON, or as this text.
    pub(crate) fn line<T: Serialize>(self, record: &T, text: impl FnOnce() -> String) {
        if self.json {
            match serde_json::to_string(record) {
                Ok(json) => print(&escape::json(&json)),
                Err(error) => complain(&format!("not to be printed as JSON: {error}")),
            }
        } else {
            print(&text());
        }
    }

    /// Prints what only people need.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            print(text);
        }
    }
}

/// Why stdout takes no more.
static LOST: OnceLock<io::Error> = OnceLock::new();

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        LOST.get_or_init(|| error);
    }
}

/// Prints a text to the last of its lines.
pub(crate) fn print(text: &str) {
    if LOST.get().is_none() {
        note(writeln!(io::stdout(), "{}", escape::lines(text)));
    }
}

/// Says what went wrong. If stderr is closed or full, there is nobody to tell that to.
pub(crate) fn complain(text: &str) {
    writeln!(io::stderr(), "{}", escape::lines(text)).unwrap_or_default();
}

/// Ends the output. A reader who has read enough and closed the pipe misses nothing.
pub(crate) fn finish() -> Result<(), Failure> {
    note(io::stdout().flush());
    match LOST.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::NotPrinted(error.to_string())),
        Some(_) | None => Ok(()),
    }
}
