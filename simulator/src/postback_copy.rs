//! A postback that was sent before, changed on purpose.

use paykassma::{JsonObject, JsonToken, PostbackBody, write_list};
use signing::Spelling;

use crate::postback::{Keys, NotWritten, change_signed_digit};

/// Changes one digit of the signed list, counted from 0. The signature stays, and is wrong.
///
/// # Errors
/// The body is not a postback, or its list has no digit.
pub(crate) fn with_changed_digit(body: &str, place: usize) -> Result<String, NotWritten> {
    let mut body = PostbackBody::parse(body)?;
    if change_signed_digit(&mut body, place)? { Ok(body.to_string()) } else { Err(NotWritten::NoDigit) }
}

/// Changes a field beside the list. A value that is JSON is taken as it is spelled; any other value is a string.
///
/// # Errors
/// The body is not a postback.
pub(crate) fn with_field(body: &str, field: &str, value: &str) -> Result<String, NotWritten> {
    let mut body = PostbackBody::parse(body)?;
    body.set(field, JsonToken::parse(value).unwrap_or_else(|_| JsonToken::from(value)));
    Ok(body.to_string())
}

/// Puts the list's elements into a random order, and signs them again.
///
/// # Errors
/// The body is not a postback, or its list is not a list of objects.
pub(crate) fn shuffled(body: &str, keys: &Keys) -> Result<String, NotWritten> {
    let body = PostbackBody::parse(body)?;
    let mut elements: Vec<JsonObject> = serde_json::from_str(body.additional_data())?;
    fastrand::shuffle(&mut elements);
    let list = write_list(&elements);
    Ok(body.with_signed(&list, Spelling::Flagged, &keys.access_key, &keys.private_key)?.to_string())
}
