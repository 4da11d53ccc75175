//! Scans strict JSON (RFC 8259) in one pass. It finds where values begin and end, and builds none.

#![expect(
    clippy::inline_always,
    reason = "the compiler does not inline these by itself, and the calls take a fifth of the time"
)]

use std::borrow::Cow;

use crate::escape::{decoded, unescape};

/// How deep lists and objects may nest.
const MAX_DEPTH: u32 = 64;

/// A postback has about 30 keys in the objects that are checked, so one allocation holds them.
const USUAL_KEYS: usize = 32;

/// Why a text is not the JSON of a postback. The text says where, and never quotes the content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// JSON or the shape of a postback requires something else here than this byte or the end.
    #[error("unexpected byte or end at offset {at}")]
    Unexpected {
        /// Offset in bytes.
        at: usize,
    },
    /// Lists and objects are nested deeper than in any postback.
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// A key appears twice in one object, possibly in two spellings.
    #[error("a key appears twice in one object")]
    DuplicateKey,
    /// A field that the signature check needs is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

/// The rest of the text after what was scanned. `None` means that the scan failed and the scanner has stored why. Unlike a
/// `Result` that contains the error, it fits into registers.
pub(crate) type Rest<'a> = Option<&'a [u8]>;

/// The lists and objects that are open, one bit for each. The bit is set for an object.
#[derive(Clone, Copy, Default)]
pub(crate) struct Nest {
    depth: u32,
    objects: u64,
}

impl Nest {
    /// Inside the outer object of a postback.
    pub(crate) const BODY: Self = Self { depth: 1, objects: 1 };

    fn open(self, bracket: u8) -> Option<Self> {
        let depth = self.depth.saturating_add(1);
        let objects = self.objects << 1 | u64::from(bracket == b'{');
        (depth <= MAX_DEPTH).then_some(Self { depth, objects })
    }

    fn close(self) -> Self {
        Self { depth: self.depth.saturating_sub(1), objects: self.objects >> 1 }
    }

    fn in_object(self) -> bool {
        self.objects & 1 == 1
    }

    fn closing_bracket(self) -> u8 {
        if self.in_object() { b'}' } else { b']' }
    }
}

/// Whether the objects of a value are checked for keys that appear twice.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Keys {
    Unique,
    Any,
}

/// Scans a text. Each method takes the rest of the text and returns what is left. The caller skips whitespace before a value.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// The keys of the open objects that are checked, each with its depth.
    keys: Vec<(u32, Cow<'a, str>)>,
    fault: Malformed,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, keys: Vec::with_capacity(USUAL_KEYS), fault: Malformed::TooDeep }
    }

    /// Scans the whole text: one value, which `top` scans, and whitespace around it.
    pub(crate) fn whole(&mut self, top: impl FnOnce(&mut Self, &'a [u8]) -> Rest<'a>) -> Result<(), Malformed> {
        let scanned = top(self, space(self.text.as_bytes())).map(space);
        let whole = scanned.and_then(|rest| if rest.is_empty() { Some(()) } else { self.unexpected(rest) });
        whole.ok_or(self.fault)
    }

    /// Scans the outer object of a postback. `member` gets each key and must scan its value.
    pub(crate) fn body(
        &mut self,
        rest: &'a [u8],
        mut member: impl FnMut(&mut Self, &str, &'a [u8]) -> Rest<'a>,
    ) -> Rest<'a> {
        let mut rest = self.expect(b'{', rest)?;
        loop {
            let (key, value) = self.key(space(rest))?;
            rest = space(member(self, &key, value)?);
            self.keys.push((Nest::BODY.depth, key));
            if let [b',', behind @ ..] = rest {
                rest = behind;
            } else {
                self.unique_keys(Nest::BODY)?;
                return self.expect(b'}', rest);
            }
        }
    }

    /// Scans the signed list. PHP writes a filtered list as an object, so an object is accepted as well.
    pub(crate) fn signed_list(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let [b'[' | b'{', ..] = rest else {
            return self.unexpected(rest);
        };
        self.value(rest, Nest::BODY, Keys::Unique)
    }

    /// Scans one value and everything in it, without recursion.
    pub(crate) fn value(&mut self, rest: &'a [u8], outer: Nest, keys: Keys) -> Rest<'a> {
        let (mut rest, mut nest) = (rest, outer);
        loop {
            if let [bracket @ (b'{' | b'['), inner @ ..] = rest {
                nest = nest.open(*bracket).or_else(|| self.refuse(Malformed::TooDeep))?;
                rest = space(inner);
                if rest.first() != Some(&nest.closing_bracket()) {
                    rest = self.item(rest, nest, keys)?;
                    continue;
                }
            } else {
                rest = self.scalar(rest)?;
            }
            loop {
                if nest.depth == outer.depth {
                    return Some(rest);
                }
                rest = space(rest);
                if let [b',', behind @ ..] = rest {
                    rest = self.item(space(behind), nest, keys)?;
                    break;
                }
                rest = self.expect(nest.closing_bracket(), rest)?;
                if keys == Keys::Unique && nest.in_object() {
                    self.unique_keys(nest)?;
                }
                nest = nest.close();
            }
        }
    }

    /// Scans up to the next value of a list or an object.
    #[inline(always)]
    fn item(&mut self, rest: &'a [u8], nest: Nest, keys: Keys) -> Rest<'a> {
        match (nest.in_object(), keys) {
            (false, _) => Some(rest),
            (true, Keys::Any) => {
                let rest = space(self.string(rest)?.behind);
                Some(space(self.expect(b':', rest)?))
            }
            (true, Keys::Unique) => {
                let (key, value) = self.key(rest)?;
                self.keys.push((nest.depth, key));
                Some(value)
            }
        }
    }

    fn key(&mut self, rest: &'a [u8]) -> Option<(Cow<'a, str>, &'a [u8])> {
        let string = self.string(rest)?;
        let key = self.content(rest, &string);
        let rest = self.expect(b':', space(string.behind))?;
        Some((key, space(rest)))
    }

    #[inline(always)]
    fn scalar(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let behind = match rest {
            [b'"', ..] => return Some(self.string(rest)?.behind),
            [b't', ..] => rest.strip_prefix(b"true"),
            [b'f', ..] => rest.strip_prefix(b"false"),
            [b'n', ..] => rest.strip_prefix(b"null"),
            _ => number(rest),
        };
        behind.or_else(|| self.unexpected(rest))
    }

    #[inline(always)]
    pub(crate) fn string(&mut self, rest: &'a [u8]) -> Option<Quoted<'a>> {
        let mut behind = self.expect(b'"', rest)?;
        let mut escaped = false;
        loop {
            match behind {
                [first, rest @ ..] if is_plain(*first) => behind = rest,
                [b'"', behind @ ..] => return Some(Quoted { behind, escaped }),
                [b'\\', ..] => {
                    escaped = true;
                    behind = self.escape(behind)?;
                }
                _ => return self.unexpected(behind),
            }
        }
    }

    /// The decoded content of a string that was scanned from `start`.
    pub(crate) fn content(&self, start: &[u8], string: &Quoted<'_>) -> Cow<'a, str> {
        let quoted = self.between(start, string.behind);
        let raw = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if string.escaped {
            return Cow::Owned(decoded(raw));
        }
        Cow::Borrowed(raw)
    }

    /// The text between two positions.
    pub(crate) fn between(&self, start: &[u8], end: &[u8]) -> &'a str {
        let span = self.at(start)..self.at(end);
        self.text.get(span).unwrap_or_default()
    }

    fn escape(&mut self, rest: &'a [u8]) -> Rest<'a> {
        let text = self.text.get(self.at(rest)..).unwrap_or_default();
        let decoded = text.strip_prefix('\\').and_then(unescape);
        let behind = decoded.map(|(_, behind)| behind.as_bytes());
        behind.or_else(|| self.unexpected(rest))
    }

    /// Sorts the keys, so that many keys cost little. It sorts by length first, so that it rarely compares texts.
    fn unique_keys(&mut self, nest: Nest) -> Option<()> {
        let inner = self.keys.iter().rev();
        let count = inner.take_while(|(depth, _)| *depth == nest.depth).count();
        let outer = self.keys.len().saturating_sub(count);
        let keys = self.keys.get_mut(outer..).unwrap_or_default();
        keys.sort_unstable_by(|(_, one), (_, other)| {
            let by_length = one.len().cmp(&other.len());
            by_length.then_with(|| one.cmp(other))
        });
        let twice = keys.windows(2).any(|pair| pair.first() == pair.last());
        self.keys.truncate(outer);
        if twice { self.refuse(Malformed::DuplicateKey) } else { Some(()) }
    }

    #[inline(always)]
    fn expect(&mut self, wanted: u8, rest: &'a [u8]) -> Rest<'a> {
        eat(wanted, rest).or_else(|| self.unexpected(rest))
    }

    fn at(&self, rest: &[u8]) -> usize {
        self.text.len().saturating_sub(rest.len())
    }

    #[cold]
    fn unexpected<T>(&mut self, rest: &[u8]) -> Option<T> {
        self.refuse(Malformed::Unexpected { at: self.at(rest) })
    }

    #[cold]
    fn refuse<T>(&mut self, fault: Malformed) -> Option<T> {
        self.fault = fault;
        None
    }
}

/// A string that was scanned: the rest of the text after its closing quote, and whether it has escapes.
pub(crate) struct Quoted<'a> {
    pub(crate) behind: &'a [u8],
    escaped: bool,
}

/// Whether a byte needs no decoding in a string.
#[inline(always)]
fn is_plain(byte: u8) -> bool {
    !matches!(byte, ..b' ' | b'"' | b'\\')
}

#[inline(always)]
fn eat(wanted: u8, rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [first, behind @ ..] if *first == wanted => Some(behind),
        _ => None,
    }
}

#[inline(always)]
fn space(rest: &[u8]) -> &[u8] {
    match rest {
        [first, ..] if *first > b' ' => rest,
        [b' ', behind @ ..] if behind.first() > Some(&b' ') => behind,
        _ => much_space(rest),
    }
}

#[cold]
fn much_space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\r' | b'\t', behind @ ..] = rest {
        rest = behind;
    }
    rest
}

#[inline(always)]
fn number(rest: &[u8]) -> Option<&[u8]> {
    let rest = eat(b'-', rest).unwrap_or(rest);
    let mut rest = match eat(b'0', rest) {
        Some(behind) => behind,
        None => digits(rest)?,
    };
    if let Some(fraction) = eat(b'.', rest) {
        rest = digits(fraction)?;
    }
    if let [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] = rest {
        rest = digits(exponent)?;
    }
    Some(rest)
}

#[inline(always)]
fn digits(rest: &[u8]) -> Option<&[u8]> {
    let [b'0'..=b'9', rest @ ..] = rest else {
        return None;
    };
    let mut rest = rest;
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    Some(rest)
}
