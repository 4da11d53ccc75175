//! Masks personal data in a text of the provider.

use std::collections::BTreeSet;
use std::iter::successors;

const MASK: &str = "***";

/// The most characters of a provider's text that we use.
const MAX_TEXT: usize = 500;

/// How many digits a number has without its country code or its leading zero.
const NATIONAL_DIGITS: usize = 10;

/// Replaces every occurrence of each personal text by `***`. It ignores case, and also finds a text that is percent-encoded or
/// escaped as in JSON, that has other white space, or whose digits are grouped. An empty personal text masks nothing. Of a longer
/// text it gives the first 500 characters.
///
/// # Examples
/// ```
/// use domain::mask;
///
/// assert_eq!(mask("The account 1234560079 is closed", &["1234560079"]), "The account *** is closed");
/// assert_eq!(mask("+91 12345-60079 of USER%201", &["01234560079", "user 1"]), "+91 *** of ***");
/// assert_eq!(mask("Insufficient balance", &["user 1", ""]), "Insufficient balance");
/// ```
#[must_use]
pub fn mask(text: &str, personal: &[&str]) -> String {
    let patterns = personal.iter().map(|it| pattern(it)).chain(personal.iter().filter_map(|it| national(it)));
    // A text of nothing but `*` is a mask already.
    let patterns: Vec<_> = patterns.filter(|it| it.iter().any(|part| part.char != '*')).collect();
    // A mask can complete another occurrence of a text that has a `*` in it.
    let masked = successors(Some(text.to_owned()), |text| mask_once(text, &patterns));
    masked.last().unwrap_or_default().chars().take(MAX_TEXT).collect()
}

/// One character of a personal text.
struct Part {
    char: char,
    /// Whether separators may stand before it.
    is_apart: bool,
}

/// White space may be respelled, and so may what groups digits. Every other character must be there.
fn pattern(personal: &str) -> Vec<Part> {
    let mut pattern: Vec<Part> = Vec::new();
    let mut is_apart = false;
    let mut chars = personal.trim().chars();
    while let Some(char) = chars.next() {
        let follows_digit = pattern.last().is_some_and(|part| part.char.is_ascii_digit());
        let mut next = std::iter::once(char).chain(chars.clone()).filter(|char| !is_separator(*char));
        let is_grouping = follows_digit && is_separator(char) && next.next().is_some_and(|it| it.is_ascii_digit());
        if char.is_whitespace() || is_grouping {
            is_apart = true;
        } else {
            pattern.push(Part { char, is_apart: is_apart || (follows_digit && char.is_ascii_digit()) });
            is_apart = false;
        }
    }
    pattern
}

/// The same number without `+91` or `0`.
fn national(personal: &str) -> Option<Vec<Part>> {
    let digits: String = personal.chars().filter(|char| !is_separator(*char)).collect();
    let mut national = ["91", "0"].into_iter().filter_map(|prefix| digits.strip_prefix(prefix));
    let is_number = |it: &&str| it.len() == NATIONAL_DIGITS && it.bytes().all(|byte| byte.is_ascii_digit());
    national.find(is_number).map(pattern)
}

fn is_separator(char: char) -> bool {
    char.is_whitespace() || matches!(char, '-' | '+' | '\u{2010}'..='\u{2015}')
}

/// The text with each occurrence masked; `None` if there is none. Occurrences that overlap or touch become one mask.
fn mask_once(text: &str, patterns: &[Vec<Part>]) -> Option<String> {
    let mut masked = String::new();
    let mut masked_to = None;
    for (start, char) in text.char_indices() {
        let rest = text.get(start..).unwrap_or_default();
        let ends = patterns.iter().filter_map(|pattern| after(rest, pattern));
        if let Some(end) = ends.map(|after| text.len().saturating_sub(after.len())).max() {
            if masked_to.is_none_or(|masked_to| start > masked_to) {
                masked.push_str(MASK);
            }
            masked_to = masked_to.max(Some(end));
        }
        if masked_to.is_none_or(|masked_to| start >= masked_to) {
            masked.push(char);
        }
    }
    masked_to.map(|_| masked)
}

/// What comes after the pattern in a text that begins with it. There may be several ways to read the text.
fn after<'a>(text: &'a str, pattern: &[Part]) -> Option<&'a str> {
    let mut rests = BTreeSet::from([text]);
    for part in pattern {
        if part.is_apart {
            rests = rests.into_iter().flat_map(|rest| successors(Some(rest), |rest| after_separator(rest))).collect();
        }
        let read = rests.into_iter().flat_map(readings).filter(|(char, _)| is_same(*char, part.char));
        rests = read.map(|(_, rest)| rest).collect();
        if rests.is_empty() {
            return None;
        }
    }
    rests.into_iter().min_by_key(|rest| rest.len())
}

fn after_separator(text: &str) -> Option<&str> {
    readings(text).find(|(char, _)| is_separator(*char)).map(|(_, rest)| rest)
}

fn is_same(char: char, other: char) -> bool {
    char.to_lowercase().eq(other.to_lowercase()) || char.to_uppercase().eq(other.to_uppercase())
}

/// The first character of a text, as it stands and as an encoding of another one, each with what comes after it.
fn readings(text: &str) -> impl Iterator<Item = (char, &str)> {
    let mut chars = text.chars();
    let plain = chars.next().map(|char| (char, chars.as_str()));
    [plain, percent_encoded(text), escaped(text), unicode_escaped(text)].into_iter().flatten()
}

fn percent_encoded(text: &str) -> Option<(char, &str)> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while bytes.len() < char::MAX.len_utf8() {
        let (digits, after) = rest.strip_prefix('%')?.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
        if let Ok(decoded) = str::from_utf8(&bytes) {
            return decoded.chars().next().map(|char| (char, rest));
        }
    }
    None
}

fn escaped(text: &str) -> Option<(char, &str)> {
    let mut chars = text.strip_prefix('\\')?.chars();
    let char = chars.next().filter(|char| matches!(char, '"' | '/' | '\\'))?;
    Some((char, chars.as_str()))
}

fn unicode_escaped(text: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(text)?;
    if let Some(Ok(char)) = char::decode_utf16([first]).next() {
        return Some((char, rest));
    }
    let (second, rest) = code_unit(rest)?;
    let char = char::decode_utf16([first, second]).next()?.ok()?;
    Some((char, rest))
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.strip_prefix('\\')?.trim_start_matches('\\').strip_prefix('u')?.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACCOUNT: &str = "9876501234";

    #[test]
    fn a_number_is_found_in_every_spelling() {
        for spelled in [
            "9876501234",
            "98765 01234",
            "98765-01234",
            "9876 5012 34",
            "98765\u{2011}01234",
            "98765+01234",
            "98765%2001234",
            "%39876501234",
            r"\u0039876501234",
            r"\\u0039876501234",
        ] {
            assert_eq!(mask(&format!("account {spelled}, closed"), &[ACCOUNT]), "account ***, closed", "{spelled}");
            assert_eq!(mask(&format!("x{spelled}y"), &[ACCOUNT]), "x***y", "{spelled}");
        }
        for prefixed in ["+91", "+91 ", "0"] {
            assert_eq!(mask(&format!("{prefixed}{ACCOUNT}"), &[ACCOUNT]), format!("{prefixed}***"));
            assert_eq!(mask("98765 01234", &[&format!("{prefixed}{ACCOUNT}")]), "***");
        }
        for grouped in ["98765-01234", "98765 01234"] {
            assert_eq!(mask("account 9876501234", &[grouped]), "account ***");
        }
    }

    #[test]
    fn a_text_is_found_in_every_spelling() {
        let personal = "  José  \"O/1\" ";
        for spelled in [
            "José  \"O/1\"",
            "JOSÉ \"o/1\"",
            "José\t\"O/1\"",
            "José\"O/1\"",
            "Jos%C3%A9%20%22O%2F1%22",
            "jos%c3%a9+%22O/1%22",
            r#"Jos\u00e9 \"O\/1\""#,
            r"\u004aos\u00E9 \u0022O/1\u0022",
        ] {
            assert_eq!(mask(&format!("of {spelled}: no"), &[personal]), "of ***: no", "{spelled}");
        }
        assert_eq!(mask(r"to \ud83d\ude00", &["😀"]), "to ***");
    }

    #[test]
    fn what_overlaps_or_contains_another_text_is_masked_whole() {
        assert_eq!(mask("user-1 and user", &["user", "user-1"]), "*** and ***");
        assert_eq!(mask("abcde", &["abc", "cde"]), "***");
        assert_eq!(mask("aa*b", &["a*"]), "*****b", "a mask may complete a text");
    }

    #[test]
    fn what_is_another_text_or_empty_masks_nothing() {
        for (text, personal) in [
            ("9876501235", ACCOUNT),
            ("user1", "user-1"),
            ("use r1", "user 1"),
            ("%zz%c3 \\u12 \\ud83d", "é"),
            ("a b", ""),
            ("a b", "  "),
            ("a ***", "**"),
        ] {
            assert_eq!(mask(text, &[personal]), text);
        }
    }

    fn spelled() -> impl Strategy<Value = String> {
        r#"[aAb01 *%2u\\"é+-]{0,8}"#
    }

    #[test]
    fn a_long_text_is_masked_before_it_is_cut() {
        assert_eq!(mask(&format!("{}{ACCOUNT}", "é".repeat(495)), &[ACCOUNT]), format!("{}***", "é".repeat(495)));
        assert_eq!(mask(&format!("{}{ACCOUNT}", "é".repeat(499)), &[ACCOUNT]), format!("{}*", "é".repeat(499)));
    }

    proptest! {
        #[test]
        fn the_masked_text_never_contains_the_personal_text(
            around in prop::collection::vec(prop_oneof![spelled(), ".{0,5}"], 3),
            personal in prop::collection::vec(prop_oneof![spelled(), ".{0,5}"], 3),
        ) {
            let [before, between, behind] = around.as_slice() else { unreachable!() };
            let [first, second, third] = personal.as_slice() else { unreachable!() };
            let text = format!("{before}{first}{between}{}{behind}{third}", second.to_ascii_uppercase());
            let masked = mask(&text, &[first, second, third]);
            for personal in &personal {
                let is_mask = personal.trim().chars().all(|char| char == '*');
                let personal = personal.to_ascii_lowercase();
                prop_assert!(is_mask || !masked.to_ascii_lowercase().contains(&personal), "{masked:?}");
            }
            prop_assert_eq!(mask(&masked, &[first, second, third]), masked);
        }

        #[test]
        fn a_text_without_it_is_unchanged(text in "[abAB01 :-]{0,30}", personal in "[ab01]{2,5}") {
            let joined: String = text.chars().filter(|char| !is_separator(*char)).collect();
            prop_assume!(!joined.to_ascii_lowercase().contains(&personal));
            prop_assert_eq!(mask(&text, &[&personal]), text);
        }
    }
}
