//! A record of a CSV file, line by line, by the letter of RFC 4180: a quote opens only at the beginning of a field, and closes only before a
//! delimiter or the end of a line.

use super::lines::divided;

/// One record.
#[derive(Debug)]
pub(super) struct Record {
    /// Its first line.
    pub(super) line: u64,
    /// How many lines it has.
    pub(super) lines: usize,
    text: String,
    /// Where each field ends in the text.
    ends: Vec<usize>,
}

/// A record that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRecord {
    /// The line on which the quote opens, if a quote is the cause; else its first line.
    pub(super) line: u64,
    /// The field, from 0, if it is only one.
    pub(super) place: Option<usize>,
    pub(super) reason: String,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; empty if the record has fewer.
    pub(super) fn field(&self, place: usize) -> &str {
        let begin = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = begin.zip(self.ends.get(place).copied());
        range.and_then(|(begin, end)| self.text.get(begin..end)).unwrap_or_default()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|place| self.field(place))
    }
}

impl BadRecord {
    /// Says where the record begins, if that is another line.
    pub(super) fn of_record(mut self, first: u64) -> Self {
        if self.line != first {
            self.reason = format!("{}; the record begins on line {first}", self.reason);
        }
        self
    }
}

/// How many fields a line has by itself, with a quote that is not at the beginning of a field as text. A quote that is not closed on the
/// line is counted in both ways: as one that goes on, and as text.
pub(super) fn fields_alone(line: &str, delimiter: u8) -> [usize; 2] {
    let (mut fields, mut inside, mut stage) = (1_usize, 0_usize, Stage::Begin);
    for byte in divided(line).0.bytes() {
        stage = match (stage, byte) {
            (Stage::Begin, b'"') => {
                inside = 0;
                Stage::Quoted
            }
            (Stage::Quoted, b'"') => Stage::Closed,
            (Stage::Closed, b'"') => Stage::Quoted,
            (Stage::Quoted, _) => {
                inside = inside.saturating_add(usize::from(byte == delimiter));
                Stage::Quoted
            }
            (Stage::Begin | Stage::Plain | Stage::Closed, _) if byte == delimiter => {
                fields = fields.saturating_add(1);
                Stage::Begin
            }
            (Stage::Begin | Stage::Plain | Stage::Closed, _) => Stage::Plain,
        };
    }
    let as_text = if stage == Stage::Quoted { inside } else { 0 };
    [fields, fields.saturating_add(as_text)]
}

/// Where in a field the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Plain,
    Quoted,
    /// Behind a quote that closes the field, or is the first of two that stand for one.
    Closed,
}

/// What a line gives to its record.
pub(super) struct Part {
    /// Its delimiters that are not inside of a quote.
    pub(super) delimiters: usize,
    /// The line of the quote that is open where this one begins; of the first line, itself.
    pub(super) quote: u64,
}

pub(super) struct Parser {
    delimiter: u8,
    stage: Stage,
    /// The line of the last quote that was opened.
    quote: u64,
    text: String,
    ends: Vec<usize>,
    pub(super) lines: Vec<Part>,
}

impl Parser {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, stage: Stage::Begin, quote: 0, text: String::new(), ends: Vec::new(), lines: Vec::new() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Quoted
    }

    pub(super) fn feed(&mut self, number: u64, line: &str) -> Result<(), BadRecord> {
        let (content, end) = divided(line);
        let before = self.ends.len();
        let quote = if self.is_open() { self.quote } else { number };
        let delimiter = char::from(self.delimiter);
        for character in content.chars() {
            self.stage = match (self.stage, character) {
                (Stage::Begin, '"') => {
                    self.quote = number;
                    Stage::Quoted
                }
                (Stage::Quoted, '"') => Stage::Closed,
                (Stage::Closed, '"') | (Stage::Quoted, _) => self.push(character, Stage::Quoted),
                (Stage::Begin | Stage::Plain | Stage::Closed, _) if character == delimiter => {
                    self.ends.push(self.text.len());
                    Stage::Begin
                }
                (Stage::Plain, '"') => return Err(self.bad(number, "a quote in a field that does not begin with one")),
                (Stage::Closed, _) => {
                    return Err(
                        self.bad(self.quote, "a quote is closed, and neither a delimiter nor the line's end follows")
                    );
                }
                (Stage::Begin | Stage::Plain, _) => self.push(character, Stage::Plain),
            };
        }
        self.lines.push(Part { delimiters: self.ends.len().saturating_sub(before), quote });
        if self.is_open() {
            self.text.push_str(end);
        } else {
            self.ends.push(self.text.len());
        }
        Ok(())
    }

    /// The record that is complete now.
    pub(super) fn record(&mut self, line: u64) -> Record {
        let (text, ends) = (std::mem::take(&mut self.text), std::mem::take(&mut self.ends));
        Record { line, lines: self.lines.len(), text, ends }
    }

    fn push(&mut self, character: char, stage: Stage) -> Stage {
        self.text.push(character);
        stage
    }

    fn bad(&self, line: u64, reason: &str) -> BadRecord {
        BadRecord { line, place: Some(self.ends.len()), reason: reason.into() }
    }

    pub(super) fn unclosed(&self, first: u64, reason: &str) -> BadRecord {
        self.bad(self.quote, reason).of_record(first)
    }
}
