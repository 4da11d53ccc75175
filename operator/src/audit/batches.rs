//! Lists are verified in batches that fit into a request.

use std::iter::from_fn;

use domain::SignedList;
use paykassma::{Unproved, VerifiedList};

use super::quote::Quote;
use super::report::Break;
use crate::failure::Failure;
use crate::verifier::Verifier;

/// Most lists of a batch.
const LISTS: usize = 500;
/// Most bytes of a batch, unless one list is larger. Lambda takes 6 MB.
const BYTES: usize = 2 * 1024 * 1024;

/// Verifies lists. Gives a verdict on each, in their order.
pub(crate) async fn verify_all(
    verifier: &impl Verifier,
    lists: &[SignedList],
) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
    let mut verdicts = Vec::with_capacity(lists.len());
    for batch in batches(lists) {
        verdicts.extend(verifier.verify(batch).await?);
    }
    Ok(verdicts)
}

/// Verifies the lists of single rows, and checks what is quoted of them.
pub(crate) async fn check_own(verifier: &impl Verifier, own: Vec<(SignedList, Quote)>) -> Result<Vec<Break>, Failure> {
    let (lists, quotes): (Vec<_>, Vec<_>) = own.into_iter().unzip();
    let verdicts = verify_all(verifier, &lists).await?;
    let checked =
        quotes.iter().zip(verdicts).filter_map(|(quote, list)| quote.check(list.as_ref().map_err(Clone::clone)));
    Ok(checked.collect())
}

fn batches(mut lists: &[SignedList]) -> impl Iterator<Item = &[SignedList]> {
    from_fn(move || {
        let mut bytes = 0_usize;
        let fits = |list: &&SignedList| {
            let is_first = bytes == 0;
            bytes = bytes.saturating_add(json_bytes(list));
            is_first || bytes <= BYTES
        };
        let count = lists.iter().take(LISTS).take_while(fits).count();
        let (batch, rest) = lists.split_at_checked(count)?;
        lists = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// At most how many bytes a list takes as JSON: a byte of a text may become an escape of six.
fn json_bytes(list: &SignedList) -> usize {
    let texts = [&list.additional_data, &list.signature, &list.access_key];
    let bytes = texts.into_iter().flat_map(|text| text.bytes()).map(|byte| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    });
    bytes.fold(100, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(texts: &[String]) -> Vec<usize> {
        let list =
            |text: &String| SignedList { additional_data: text.clone(), signature: "s".into(), access_key: "a".into() };
        let lists: Vec<_> = texts.iter().map(list).collect();
        let sizes: Vec<_> = batches(&lists).map(<[_]>::len).collect();
        for batch in batches(&lists) {
            let bytes = serde_json::to_string(batch).unwrap().len();
            assert!(batch.len() == 1 || bytes <= BYTES, "{bytes}");
        }
        sizes
    }

    #[test]
    fn a_batch_is_bounded_by_its_count_and_by_its_bytes_as_json() {
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&vec!["[]".into(); LISTS + 1]), [LISTS, 1]);
        let half = BYTES / 2 - 200;
        assert_eq!(sizes(&vec!["x".repeat(half); 3]), [2, 1]);
        assert_eq!(sizes(&vec!["\"".repeat(half); 3]), [1, 1, 1]);
        assert_eq!(sizes(&vec!["\u{1}".repeat(half / 6); 3]), [2, 1]);
        assert_eq!(sizes(&["x".repeat(2 * BYTES), "x".into(), "x".into()]), [1, 2], "a list that is larger goes alone");
    }
}
