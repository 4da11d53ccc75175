//! The records of a CSV file.
//!
//! A quote that somebody has forgotten would make one field of all that follows. So each physical line is either in a record or behind a
//! bad one, from which reading goes on with the next line.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::lines::{Line, Lines, MAX_BYTES};
use super::record::{BadRecord, Parser, Part, Record, fields_alone};

/// The most lines that a record may have.
const MAX_LINES: usize = 1_000;

/// The records of a file.
pub(super) struct Records<R> {
    lines: Lines<R>,
    delimiter: u8,
    /// How many fields a record has. `None` until the header is read.
    pub(super) columns: Option<usize>,
    /// Lines that are read already. The first `used` of them are the last record.
    ahead: VecDeque<Line>,
    used: usize,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        Self { lines: Lines::new(input), delimiter, columns: None, ahead: VecDeque::new(), used: 0 }
    }

    /// Passes over a physical line, whatever it has. `false` after the last.
    pub(super) fn skip_line(&mut self) -> io::Result<bool> {
        Ok(self.lines.next()?.is_some())
    }

    /// The next record; `None` after the last.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Record, BadRecord>>> {
        self.ahead.drain(..self.used.min(self.ahead.len()));
        self.used = 1;
        if !self.has_line(0)? {
            return Ok(None);
        }
        let read = self.read()?;
        self.used = read.as_ref().map_or(1, |record| record.lines);
        Ok(Some(read))
    }

    /// Leaves only the first line to the last record. The others are read again, each as the beginning of a record.
    pub(super) fn go_back(&mut self) {
        self.used = 1;
    }

    fn has_line(&mut self, place: usize) -> io::Result<bool> {
        if self.ahead.len() <= place {
            self.ahead.extend(self.lines.next()?);
        }
        Ok(place < self.ahead.len())
    }

    fn read(&mut self) -> io::Result<Result<Record, BadRecord>> {
        let mut parser = Parser::new(self.delimiter);
        let (mut first, mut bytes) = (0, 0_usize);
        for place in 0..MAX_LINES {
            if !self.has_line(place)? {
                return Ok(Err(parser.unclosed(first, "a quote is never closed")));
            }
            let Some(Line { number, text }) = self.ahead.get(place) else { break };
            first = if place == 0 { *number } else { first };
            let text = match text {
                Ok(text) => text,
                Err(reason) if place == 0 => {
                    return Ok(Err(BadRecord { line: first, place: None, reason: (*reason).into() }));
                }
                Err(_) => {
                    return Ok(Err(parser.unclosed(first, "a quote is not closed before a line that cannot be read")));
                }
            };
            bytes = bytes.saturating_add(text.len());
            if bytes > MAX_BYTES {
                break;
            }
            if let Err(bad) = parser.feed(*number, text) {
                return Ok(Err(bad.of_record(first)));
            }
            if !parser.is_open() {
                let record = parser.record(first);
                return Ok(match self.swallowed(&record, &parser.lines) {
                    Some(bad) => Err(bad.of_record(first)),
                    None => Ok(record),
                });
            }
        }
        Ok(Err(parser.unclosed(first, "a quote is not closed within 1,000 lines and 1 MiB")))
    }

    /// A quote of a record of several lines that has made a part of a field of what is a record by itself: a further line that has as
    /// many fields as a record, and not because it has all delimiters of this one.
    fn swallowed(&self, record: &Record, parts: &[Part]) -> Option<BadRecord> {
        let columns = self.columns.unwrap_or(record.len());
        let is_record = |text: &str, part: &Part| {
            let is_all = part.delimiters.saturating_add(1) == columns;
            !is_all && fields_alone(text, self.delimiter).contains(&columns)
        };
        let mut lines = self.ahead.iter().zip(parts).skip(1);
        let (_, part) = lines.find(|(line, part)| line.text.as_ref().is_ok_and(|text| is_record(text, part)))?;
        Some(BadRecord {
            line: part.quote,
            place: None,
            reason: "a quote is not closed where its field ends: there is another record inside of it".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use proptest::prelude::*;

    use super::*;

    /// A record's first line and fields, or the line and reason of a bad one.
    type Read = Result<(u64, Vec<String>), (u64, String)>;

    fn read(text: &str, columns: usize) -> Vec<Read> {
        let mut records = Records::new(text.as_bytes(), b',');
        records.columns = Some(columns);
        let read = std::iter::from_fn(|| records.next().unwrap());
        let fields = |it: Record| (it.line, it.fields().map(str::to_owned).collect());
        read.map(|it| it.map(fields).map_err(|bad| (bad.line, bad.reason))).collect()
    }

    fn good(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
        (line, fields.iter().map(|it| (*it).to_owned()).collect())
    }

    /// The lines of the good records, and those of the bad ones.
    fn lines(text: &str, columns: usize) -> (Vec<u64>, Vec<u64>) {
        let (good, bad): (Vec<_>, Vec<_>) = read(text, columns).into_iter().partition(Result::is_ok);
        (good.into_iter().map(|it| it.unwrap().0).collect(), bad.into_iter().map(|it| it.unwrap_err().0).collect())
    }

    #[test]
    fn fields_are_read_with_their_quotes_and_line_breaks() {
        let text = "a,,\r\n\"b, \"\"c\"\"\",\"d\r\ne, f\",\"\"\n\ng,h,i";
        let expected = [
            good(1, &["a", "", ""]),
            good(2, &["b, \"c\"", "d\r\ne, f", ""]),
            good(4, &[""]),
            good(5, &["g", "h", "i"]),
        ];
        assert_eq!(read(text, 9), expected.map(Ok));
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_its_own_line_only() {
        for end in ["", "\n", "\nlast,line,\"of it"] {
            let (good, bad) = lines(&format!("a,b,c\na,b,\"c\n1,2,3\n4,5,6{end}"), 3);
            assert_eq!((good, bad.first()), (vec![1, 3, 4], Some(&2)), "{end}");
        }
    }

    #[test]
    fn a_line_that_is_a_record_by_itself_is_not_a_part_of_a_field() {
        for swallowed in ["1,2,3\"", "1,2,3\nx\"", "1,\"\",3\nx\"", "x\n1,2,\"\"\nx\"", "1,2,\"\n\""] {
            let (good, bad) = lines(&format!("a,b,\"c\n{swallowed}\n7,8,9"), 3);
            assert_eq!((bad.first(), good.last().is_some_and(|line| *line > 2)), (Some(&1), true), "{swallowed}");
        }
        // Here the field begins in one record and ends in the other.
        assert_eq!(lines("a,\"b,c\n1,b\",3", 3).1.first(), Some(&1));
    }

    #[test]
    fn a_comment_of_several_lines_with_commas_is_a_field() {
        let comments = [
            "a,b,c,\"first\nsecond, line\"",
            "a,\"first, 1\nsecond\",c,d",
            "\"first\nsecond\",b,c,d",
            "a,\"\n\n\",\"\n\",d",
        ];
        for comment in comments {
            assert_eq!(read(&format!("{comment}\n6,7,8,9"), 4).iter().filter(|it| it.is_ok()).count(), 2, "{comment}");
        }
    }

    #[test]
    fn a_bad_record_names_the_line_of_its_quote_and_where_it_begins() {
        for (text, line, reason) in [
            ("a\"b,c", 1, "a quote in a field that does not begin with one"),
            ("=\"1\",c", 1, "a quote in a field that does not begin with one"),
            ("\"a\"b,c", 1, "a quote is closed, and neither a delimiter nor the line's end follows"),
            ("a,\"\nb\"c", 1, "a quote is closed, and neither a delimiter nor the line's end follows"),
            ("\"a\nb\",\"c", 2, "a quote is never closed; the record begins on line 1"),
        ] {
            assert_eq!(read(text, 9).first(), Some(&Err((line, reason.to_owned()))), "{text}");
        }
    }

    #[test]
    fn an_open_quote_is_given_up_after_so_many_lines_or_bytes() {
        let long = format!("{}\n", "x".repeat(1_000));
        for (behind, count) in [("\n".repeat(5_000), 5_000), (long.repeat(5_000), 5_000)] {
            let mut records = Records::new(std::io::Cursor::new(format!("a,\"b\n{behind}a,\"")), b',');
            records.columns = Some(2);
            let mut seen = 0;
            while let Some(record) = records.next().unwrap() {
                assert_eq!(record.is_err(), seen == 0 || seen > count);
                assert!(records.ahead.len() <= MAX_LINES + 1);
                seen += 1;
            }
            assert_eq!(seen, count + 2);
        }
    }

    proptest! {
        #[test]
        fn what_a_correct_writer_wrote_is_read_back(
            rows in proptest::collection::vec(proptest::collection::vec("[ab,\"\r\n\u{a0}]{0,6}", 9), 1..6),
            quotes_all: bool,
            ends_with_crlf: bool,
        ) {
            let style = if quotes_all { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let end = if ends_with_crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let mut line = 1;
            let mut expected = Vec::new();
            for row in rows {
                let breaks: usize = row.iter().map(|it| it.replace("\r\n", "\n").matches(['\r', '\n']).count()).sum();
                expected.push(Ok((line, row)));
                line += 1 + u64::try_from(breaks).unwrap();
            }
            // No line has as many fields as a record, so none is taken for one.
            prop_assert_eq!(read(&text, 100), expected);
        }

        #[test]
        fn each_line_is_in_one_record_or_behind_a_bad_one(text in "[ab,\"\r\n]{0,60}", columns in 1_usize..4) {
            let mut records = Records::new(text.as_bytes(), b',');
            records.columns = Some(columns);
            let mut next = 1;
            while let Some(read) = records.next().unwrap() {
                match read {
                    Ok(record) => {
                        prop_assert_eq!(record.line, next);
                        next += u64::try_from(record.lines).unwrap();
                    }
                    Err(bad) => {
                        let begin = format!("begins on line {next}");
                        prop_assert!(bad.line == next || bad.reason.ends_with(&begin));
                        next += 1;
                    }
                }
            }
            let mut lines = Lines::new(text.as_bytes());
            prop_assert_eq!(next, 1 + u64::try_from(std::iter::from_fn(|| lines.next().unwrap()).count()).unwrap());
        }
    }
}
