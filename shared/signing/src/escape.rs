//! Decodes the escapes of JSON strings.

/// Decodes one escape. The text starts after the backslash. Returns the character and the rest of the text.
///
/// Half a surrogate pair is not a character, so the result is `None`.
pub(crate) fn unescape(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let decoded = match chars.next()? {
        plain @ ('"' | '\\' | '/') => plain,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return code_point(chars.as_str()),
        _ => return None,
    };
    Some((decoded, chars.as_str()))
}

/// Decodes the content of a JSON string. The scanner has already accepted its escapes.
pub(crate) fn decoded(raw: &str) -> String {
    let mut whole = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((run, escape)) = rest.split_once('\\') {
        let Some((decoded, behind)) = unescape(escape) else {
            break;
        };
        whole.push_str(run);
        whole.push(decoded);
        rest = behind;
    }
    whole.push_str(rest);
    whole
}

fn code_point(text: &str) -> Option<(char, &str)> {
    let (first, rest) = code_unit(text)?;
    if let Some(whole) = char::from_u32(u32::from(first)) {
        return Some((whole, rest));
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u")?)?;
    let pair = char::decode_utf16([first, second]).next()?.ok()?;
    Some((pair, rest))
}

fn code_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    // `from_str_radix` alone would accept a sign.
    let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok()?;
    hex.then_some((unit, rest))
}
