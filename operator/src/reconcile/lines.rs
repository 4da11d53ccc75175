//! The physical lines of a text, in constant memory.

use std::io::{self, BufRead};

/// The longest line, and the longest record of several lines, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// A line with its end, which is LF, CRLF or CR.
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// The text, or why it cannot be read.
    pub(super) text: Result<String, &'static str>,
}

/// The lines of a text.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line; `None` after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let mut is_too_long = false;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = end.and_then(|end| buffer.get(..=end)).unwrap_or(buffer);
            let (length, is_cr) = (part.len(), part.ends_with(b"\r"));
            is_too_long |= bytes.len().saturating_add(length) > MAX_BYTES;
            if !is_too_long {
                bytes.extend_from_slice(part);
            }
            self.input.consume(length);
            if is_cr && self.input.fill_buf()?.first() == Some(&b'\n') {
                self.input.consume(1);
                bytes.push(b'\n');
            }
            if end.is_some() {
                break;
            }
        }
        if bytes.is_empty() && !is_too_long {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let text = match String::from_utf8(bytes) {
            _ if is_too_long => Err("must be at most 1 MiB long"),
            Ok(text) if text.contains('\0') => Err("must not have NUL characters"),
            Ok(text) => Ok(text),
            Err(_) => Err("must be UTF-8, or UTF-16 with a byte-order mark"),
        };
        Ok(Some(Line { number: self.number, text }))
    }
}

/// Divides a line into its content and its end.
pub(super) fn divided(line: &str) -> (&str, &str) {
    let content = line.trim_end_matches(['\r', '\n']);
    (content, line.strip_prefix(content).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// The lines, however the input is cut into pieces.
    fn lines(bytes: &[u8], piece: usize) -> Vec<Result<String, &'static str>> {
        let mut lines = Lines::new(BufReader::with_capacity(piece, bytes));
        std::iter::from_fn(|| lines.next().unwrap()).map(|it| it.text).collect()
    }

    #[test]
    fn lf_crlf_and_cr_each_end_one_line() {
        for piece in 1..9 {
            let expected = ["a\r\n", "\n", "b\r", "\r\n", "c\n", "d"].map(|it| Ok(it.to_owned()));
            assert_eq!(lines(b"a\r\n\nb\r\r\nc\nd", piece), expected, "{piece}");
        }
        assert!(lines(b"", 9).is_empty());
    }

    #[test]
    fn a_line_that_is_no_text_or_too_long_does_not_hide_the_next_one() {
        let long = "x".repeat(MAX_BYTES);
        let bytes = [b"\xff\na\0b\r", long.as_bytes(), b"\r\nlast"].concat();
        let read = lines(&bytes, 4096);
        let is_read: Vec<_> = read.iter().map(Result::is_ok).collect();
        assert_eq!(is_read, [false, false, false, true]);
        assert_eq!(lines(&long.as_bytes()[..MAX_BYTES - 1], 4096).len(), 1);
    }

    proptest! {
        #[test]
        fn no_byte_of_a_text_is_lost(text in "[ab\"\r\n]{0,40}", piece in 1_usize..9) {
            let read: Vec<_> = lines(text.as_bytes(), piece).into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(read.concat(), text);
            for line in read {
                let (content, end) = divided(&line);
                prop_assert!(!content.contains(['\r', '\n']) && matches!(end, "\r" | "\n" | "\r\n" | ""));
            }
        }
    }
}
