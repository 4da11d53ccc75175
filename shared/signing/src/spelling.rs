//! Writes JSON in the spellings of PHP's `json_encode`.

use crate::escape::unescape;

/// Which text of `additional_data` is hashed (docs/provider-protocol.md 2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// `JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE`, which still escapes U+2028 and U+2029.
    Flagged,
    /// No flags: `\/`, and `\uxxxx` for everything outside ASCII.
    Default,
    /// The text of the body unchanged, with its whitespace.
    Raw,
}

impl Spelling {
    /// All spellings, the most likely first.
    pub(crate) const ALL: [Self; 3] = [Self::Flagged, Self::Default, Self::Raw];

    /// Whether this spelling leaves a character unescaped. Quotes, backslashes and control characters are always escaped.
    fn keeps(self, char: char) -> bool {
        match self {
            Self::Flagged => !matches!(char, '\u{2028}' | '\u{2029}'),
            Self::Default => char.is_ascii() && char != '/',
            Self::Raw => true,
        }
    }
}

/// Spells a JSON text that the scanner has accepted, and gives the result to `feed` in pieces that are as long as possible.
pub(crate) fn respell(json: &str, spelling: Spelling, mut feed: impl FnMut(&str)) {
    if spelling == Spelling::Raw {
        return feed(json);
    }
    let mut unfed = json;
    let mut chars = json.chars();
    let mut in_string = false;
    loop {
        let here = chars.as_str();
        let replaced = match chars.next() {
            None => break,
            Some('"') => {
                in_string = !in_string;
                continue;
            }
            Some(' ' | '\n' | '\r' | '\t') if !in_string => None,
            Some('\\') => unescape(chars.as_str()).map(|(decoded, behind)| {
                chars = behind.chars();
                decoded
            }),
            Some(char) if spelling.keeps(char) => continue,
            Some(char) => Some(char),
        };
        feed(until(unfed, here));
        unfed = chars.as_str();
        if let Some(char) = replaced {
            spell(char, spelling, &mut feed);
        }
    }
    feed(unfed);
}

/// `text` without its end `tail`.
fn until<'a>(text: &'a str, tail: &str) -> &'a str {
    let len = text.len().saturating_sub(tail.len());
    text.get(..len).unwrap_or_default()
}

fn spell(char: char, spelling: Spelling, feed: &mut impl FnMut(&str)) {
    match char {
        '"' => feed("\\\""),
        '\\' => feed("\\\\"),
        '/' if !spelling.keeps('/') => feed("\\/"),
        '\u{8}' => feed("\\b"),
        '\u{c}' => feed("\\f"),
        '\n' => feed("\\n"),
        '\r' => feed("\\r"),
        '\t' => feed("\\t"),
        _ if char >= ' ' && spelling.keeps(char) => feed(char.encode_utf8(&mut [0; 4])),
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                feed("\\u");
                feed_hex(*unit, feed);
            }
        }
    }
}

fn feed_hex(unit: u16, feed: &mut impl FnMut(&str)) {
    for shift in [12, 8, 4, 0] {
        let digit = usize::from(unit >> shift & 0xf);
        feed("0123456789abcdef".get(digit..=digit).unwrap_or_default());
    }
}
