//! Which rows a merchant asks for.

use domain::{AttentionFilter, AttentionKind, Timestamp};
use lambda::{BadRequest, Request};
use store::IndexEntry;

/// Most bytes of a row's key.
const MAX_KEY: usize = 2048;

/// Rows that a filter shows, from a time on, from a place on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) filter: AttentionFilter,
    pub(crate) since: Timestamp,
    pub(crate) from: Place,
}

/// A place in the index, of which a filter may show several parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: AttentionKind,
    /// The last entry that was looked at. `None` at the beginning of the part.
    pub(crate) after: Option<IndexEntry>,
}

impl Place {
    /// The beginning of the part that follows this one, if the filter shows another.
    pub(crate) fn next_part(&self, filter: AttentionFilter) -> Option<Self> {
        let mut parts = filter.kinds().iter().skip_while(|kind| **kind != self.kind).skip(1);
        parts.next().map(|kind| Self { kind: *kind, after: None })
    }
}

impl Search {
    pub(crate) fn read(request: Request<'_>) -> Result<Self, BadRequest> {
        let [state, updated_since, cursor] = request.query_parameters(["state", "updated_since", "cursor"])?;
        let Some(filter) = state.and_then(AttentionFilter::named) else {
            let known = AttentionFilter::ALL.map(AttentionFilter::as_str).join(", ");
            return Err(BadRequest::field("state", format!("must be one of {known}")));
        };
        let since = match updated_since {
            None => Timestamp(0),
            Some(digits) => time(digits)
                .ok_or_else(|| BadRequest::field("updated_since", "must be a time in milliseconds since 1970"))?,
        };
        let from = match cursor {
            None => filter.kinds().first().map(|kind| Place { kind: *kind, after: None }),
            Some(text) => decode(text).filter(|place| {
                let is_later = place.after.as_ref().is_none_or(|after| after.at >= since);
                is_later && filter.kinds().contains(&place.kind)
            }),
        };
        let from =
            from.ok_or_else(|| BadRequest::field("cursor", "must be the cursor of an answer to this request"))?;
        Ok(Self { filter, since, from })
    }
}

/// A time of at most 15 digits, which a JSON number holds exactly. No sign, no space.
fn time(digits: &str) -> Option<Timestamp> {
    if digits.len() > 15 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(Timestamp)
}

/// Spells a place so that nobody reads anything into it.
pub(crate) fn encode(place: &Place) -> String {
    let kind = place.kind.as_str();
    hex::encode(match &place.after {
        Some(after) => format!("{kind} {} {}", after.at.0, after.key),
        None => kind.to_owned(),
    })
}

fn decode(text: &str) -> Option<Place> {
    let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
    let Some((kind, after)) = text.split_once(' ') else {
        return Some(Place { kind: AttentionKind::named(&text)?, after: None });
    };
    let (at, key) = after.split_once(' ')?;
    let key = Some(key).filter(|key| (1..=MAX_KEY).contains(&key.len()))?;
    let after = IndexEntry { at: time(at)?, key: key.to_owned() };
    Some(Place { kind: AttentionKind::named(kind)?, after: Some(after) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Search, String> {
        Search::read(Request { query, ..Request::default() }).map_err(|bad| bad.to_string())
    }

    fn place(kind: AttentionKind, at: u64, key: &str) -> Place {
        Place { kind, after: Some(IndexEntry { at: Timestamp(at), key: key.into() }) }
    }

    #[test]
    fn a_cursor_survives_in_each_part_that_the_filter_shows() {
        let filter = AttentionFilter::Conflict;
        let first = place(AttentionKind::Conflict, 5, "payment#paytm#4 7#é");
        let second = first.next_part(filter).unwrap();
        assert_eq!(second, Place { kind: AttentionKind::Open, after: None });
        assert_eq!(second.next_part(filter), None);
        for from in [first, second, place(AttentionKind::Open, 6, "withdrawal#w1")] {
            let query = [("state", "conflict"), ("cursor", &encode(&from)), ("updated_since", "5")];
            assert_eq!(read(&query).unwrap(), Search { filter, since: Timestamp(5), from });
        }
    }

    #[test]
    fn what_is_no_search_is_an_error_that_names_the_field() {
        let early = encode(&place(AttentionKind::Open, 4, "x"));
        let other = encode(&place(AttentionKind::Conflict, 6, "x"));
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
            (vec![state, ("cursor", other.as_str())], "cursor"),
            (vec![state, ("limit", "5")], "limit"),
        ] {
            let error = read(&query).unwrap_err();
            assert!(error.starts_with(field), "{query:?}: {error}");
        }
    }
}
