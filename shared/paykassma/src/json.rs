//! Reads JSON tokens as they are spelled, because amounts must not pass through `f64`.

use std::borrow::Cow;

use domain::Amount;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Reads an object. Serde alone would also read a list, by position.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

/// The content of a string, or the spelling of a number.
pub(crate) fn text(token: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Content<'a>(#[serde(borrow)] Cow<'a, str>);

    match token.get().as_bytes() {
        [b'"', ..] => serde_json::from_str(token.get()).ok().map(|Content(text)| text),
        [b'-' | b'0'..=b'9', ..] => Some(Cow::Borrowed(token.get())),
        _ => None,
    }
}

/// The content of a string, or the digits of an integer. Any other number has several spellings (`4.775e22`, `47750.0`) and is
/// no id.
pub(crate) fn id(token: &RawValue) -> Option<Cow<'_, str>> {
    let token_text = token.get();
    let is_odd_number = !token_text.starts_with('"') && !token_text.bytes().all(|byte| byte.is_ascii_digit());
    if is_odd_number { None } else { text(token) }
}

/// Reads an amount from a number or a string that is a plain decimal. An exponent gives `None`, because nobody writes money like that.
pub(crate) fn amount(token: &RawValue) -> Option<Amount> {
    Amount::parse(&text(token)?).ok()
}
