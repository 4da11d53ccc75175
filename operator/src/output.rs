//! What is printed: tables for people, or one JSON object a line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command-line tool")]

use comfy_table::{Table, presets};
use serde::Serialize;

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
            table.add_row(cells(record));
        }
        println!("{table}");
    }

    /// Prints one thing: as JSON, or as this text.
    pub(crate) fn line<T: Serialize>(self, record: &T, text: impl FnOnce() -> String) {
        if self.json {
            match serde_json::to_string(record) {
                Ok(json) => println!("{json}"),
                Err(error) => complain(&format!("not to be printed as JSON: {error}")),
            }
        } else {
            println!("{}", text());
        }
    }

    /// Prints what only people need.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            println!("{text}");
        }
    }
}

/// Says what went wrong.
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}
