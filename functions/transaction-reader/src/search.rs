//! Which rows a merchant asks for.

use domain::{AttentionKind, Timestamp};
use lambda::{BadRequest, Request};
use store::Cursor;

/// Most bytes of a row's key.
const MAX_KEY: usize = 2048;

/// Rows of one kind, from a time on, from a place on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) kind: AttentionKind,
    pub(crate) since: Timestamp,
    pub(crate) after: Option<Cursor>,
}

impl Search {
    pub(crate) fn read(request: Request<'_>) -> Result<Self, BadRequest> {
        let [state, updated_since, cursor] = request.query_parameters(["state", "updated_since", "cursor"])?;
        let Some(kind) = state.and_then(AttentionKind::named) else {
            let known = AttentionKind::ALL.map(AttentionKind::as_str).join(", ");
            return Err(BadRequest::field("state", format!("must be one of {known}")));
        };
        let since = match updated_since {
            None => Timestamp(0),
            Some(digits) => time(digits)
                .ok_or_else(|| BadRequest::field("updated_since", "must be a time in milliseconds since 1970"))?,
        };
        let after = match cursor {
            None => None,
            Some(text) => {
                let cursor = decode(text).filter(|cursor| cursor.at >= since);
                let rule = "must be the cursor of an answer to this request";
                Some(cursor.ok_or_else(|| BadRequest::field("cursor", rule))?)
            }
        };
        Ok(Self { kind, since, after })
    }
}

/// A time of at most 15 digits, which a JSON number holds exactly. No sign, no space.
fn time(digits: &str) -> Option<Timestamp> {
    if digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Timestamp)
}

/// Spells a cursor so that nobody reads anything into it.
pub(crate) fn encode(cursor: &Cursor) -> String {
    hex::encode(format!("{} {}", cursor.at.0, cursor.key))
}

fn decode(text: &str) -> Option<Cursor> {
    let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
    let (at, key) = text.split_once(' ')?;
    let key = Some(key).filter(|key| (1..=MAX_KEY).contains(&key.len()))?;
    Some(Cursor { at: time(at)?, key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Search, String> {
        Search::read(Request { query, ..Request::default() }).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_cursor_survives() {
        let cursor = Cursor { at: Timestamp(5), key: "payment#paytm#4 7#é".into() };
        let found = read(&[("state", "conflict"), ("cursor", &encode(&cursor)), ("updated_since", "5")]).unwrap();
        assert_eq!(found, Search { kind: AttentionKind::Conflict, since: Timestamp(5), after: Some(cursor) });
    }

    #[test]
    fn what_is_no_search_is_an_error_that_names_the_field() {
        let early = encode(&Cursor { at: Timestamp(4), key: "x".into() });
        let state = ("state", "unknown");
        for (query, field) in [
            (vec![], "state"),
            (vec![("state", "paid")], "state"),
            (vec![state, ("updated_since", "yesterday")], "updated_since"),
            (vec![state, ("updated_since", "-1")], "updated_since"),
            (vec![state, ("updated_since", "9999999999999999")], "updated_since"),
            (vec![state, ("cursor", "")], "cursor"),
            (vec![state, ("cursor", "zz")], "cursor"),
            (vec![state, ("cursor", "3520")], "cursor"),
            (vec![state, ("cursor", early.as_str()), ("updated_since", "5")], "cursor"),
            (vec![state, ("limit", "5")], "limit"),
        ] {
            let error = read(&query).unwrap_err();
            assert!(error.starts_with(field), "{query:?}: {error}");
        }
    }
}
