//! Finds the three fields that the signature check needs in a postback's body.

use std::borrow::Cow;

use crate::scan::{Keys, Malformed, Nest, Rest, Scanner};

/// A postback that is scanned to its last byte but not verified yet.
pub(crate) struct Envelope<'a> {
    pub(crate) access_key: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) additional_data: &'a str,
}

impl<'a> Envelope<'a> {
    pub(crate) fn open(body: &'a str) -> Result<Self, Malformed> {
        let (mut access_key, mut signature, mut additional_data) = (None, None, None);
        Scanner::new(body).whole(|scanner, rest| {
            scanner.body(rest, |scanner, key, rest| match key {
                "access_key" => text(scanner, rest, &mut access_key),
                "signature" => text(scanner, rest, &mut signature),
                "additional_data" => {
                    let behind = scanner.signed_list(rest)?;
                    additional_data = Some(scanner.between(rest, behind));
                    Some(behind)
                }
                _ => scanner.value(rest, Nest::BODY, Keys::Any),
            })
        })?;
        Ok(Self {
            access_key: access_key.ok_or(Malformed::Missing("access_key"))?,
            signature: signature.ok_or(Malformed::Missing("signature"))?,
            additional_data: additional_data.ok_or(Malformed::Missing("additional_data"))?,
        })
    }
}

fn text<'a>(scanner: &mut Scanner<'a>, rest: &'a [u8], found: &mut Option<Cow<'a, str>>) -> Rest<'a> {
    let string = scanner.string(rest)?;
    *found = Some(scanner.content(rest, &string));
    Some(string.behind)
}

/// Returns the list, or the object in its place, if the text holds nothing else. The rules are those for the list in a postback.
pub(crate) fn signed_list(text: &str) -> Result<&str, Malformed> {
    let mut list = "";
    Scanner::new(text).whole(|scanner, rest| {
        let behind = scanner.signed_list(rest)?;
        list = scanner.between(rest, behind);
        Some(behind)
    })?;
    Ok(list)
}
