//! Text of others on a person's screen. What would act on the terminal, change the order of other characters or be invisible is
//! written as an escape.

use std::borrow::Cow;
use std::fmt::Write;

use domain::is_invisible;

/// Such characters as `\u{202e}`; line ends stay.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}

/// Such characters as `\u{202e}`, and line ends as `\n`.
pub(crate) fn one_line(text: &str) -> String {
    replace(text, |char, out| out.extend(char.escape_default()))
}

/// JSON in another spelling of the same: such characters are in its strings, and become `\u202e`. Line ends between tokens stay.
pub(crate) fn json(json: &str) -> String {
    let escaped = |line: &str| {
        replace(line, |char, out| {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").unwrap_or_default();
            }
        })
    };
    json.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// A cell of a CSV file that no spreadsheet takes for a formula: ids and reasons are texts of others.
pub(crate) fn cell(text: &str) -> Cow<'_, [u8]> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { Cow::Owned(format!("'{text}").into_bytes()) } else { Cow::Borrowed(text.as_bytes()) }
}

fn replace(text: &str, mut escape: impl FnMut(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_escaped(char) {
            escape(char, &mut out);
        } else {
            out.push(char);
        }
    }
    out
}

/// The joiners stay: the words of many scripts need them.
fn is_escaped(char: char) -> bool {
    let is_joiner = matches!(char, '\u{200c}' | '\u{200d}');
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') || (is_invisible(char) && !is_joiner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_hides_is_escaped_and_what_people_write_is_not() {
        let bad = "\u{1b}[31m \u{7}\u{9b}2J\u{7f}\u{85} \u{202e}\u{2066}\u{61c}\u{200f} \u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}\r\t";
        let safe = r"\u{1b}[31m \u{7}\u{9b}2J\u{7f}\u{85} \u{202e}\u{2066}\u{61c}\u{200f} \u{200b}\u{feff}\u{ad}\u{2028}\u{e0041}\r\t";
        assert_eq!(lines(bad), safe);
        assert_eq!((lines("a\nb"), one_line("a\nb")), ("a\nb".to_owned(), r"a\nb".to_owned()));
        for good in ["Zoë d'Été", "क्\u{200d}ष", "用户 5", "مستخدم", r"C:\u{1b}"] {
            assert_eq!(one_line(good), good);
        }
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for (text, safe) in [("=1+1", "'=1+1"), ("-7", "'-7"), ("payment#paytm#1", "payment#paytm#1"), ("", "")] {
            assert_eq!(&*cell(text), safe.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn escaped_json_says_the_same_in_visible_characters(text in any::<String>(), pretty in any::<bool>()) {
            let value = json!({&text: [&text, 1]});
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            let escaped = super::json(&json);
            prop_assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), value);
            prop_assert!(!escaped.chars().any(|char| char != '\n' && is_escaped(char)));
        }
    }
}
