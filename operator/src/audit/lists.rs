//! Signed lists that have rows of their own. Rows are sorted by the list that they are about, so that each list is read and
//! verified once, however many elements it has.

use std::io;

use domain::{ListHash, Separator};
use paykassma::{Unproved, VerifiedList};
use serde::{Deserialize, Serialize};
use store::{AnyRow, ListProgressId, Read, RowKey, StoredListId};

use super::quote::Quote;
use super::{Break, Rule};
use crate::deployment::Keys;
use crate::failure::Failure;

/// What a row says about a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct OfList {
    list: ListHash,
    said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Said {
    /// There is a row with the list.
    Stored,
    /// It has so many elements.
    Elements(usize),
    /// An element says so.
    Quote(Quote),
}

impl OfList {
    /// What the rows of the list itself say.
    pub(crate) fn of(row: &AnyRow) -> Option<Self> {
        match row {
            AnyRow::StoredList(it) => Some(Self { list: it.row.hash.clone(), said: Said::Stored }),
            AnyRow::ListProgress(it) => Some(Self { list: it.row.hash.clone(), said: Said::Elements(it.row.elements) }),
            AnyRow::Deposit(_)
            | AnyRow::Payment(_)
            | AnyRow::Withdrawal(_)
            | AnyRow::Unreadable(_)
            | AnyRow::EntryCount(_)
            | AnyRow::ReservedSums(_)
            | AnyRow::CreditedNumber(_)
            | AnyRow::WaitingPage(_)
            | AnyRow::TableIdentity(_) => None,
        }
    }

    /// What another row quotes of the list.
    pub(crate) fn quote(list: ListHash, quote: Quote) -> Self {
        Self { list, said: Said::Quote(quote) }
    }
}

/// Checks what is said about each list. All that is said about one list follows each other.
pub(crate) async fn check(
    table: &impl Read<StoredListId>,
    keys: &Keys,
    said: impl Iterator<Item = io::Result<OfList>>,
    mut report: impl FnMut(Break),
) -> Result<(), Failure> {
    let mut current: Option<(ListHash, Result<VerifiedList, Unproved>)> = None;
    for next in said {
        let OfList { list: hash, said } = next?;
        let list = match current.take().filter(|(known, _)| *known == hash) {
            Some((_, list)) => list,
            None => read(table, keys, &hash).await,
        };
        for found in said.check(&hash, &list) {
            report(found);
        }
        current = Some((hash, list));
    }
    Ok(())
}

async fn read(table: &impl Read<StoredListId>, keys: &Keys, hash: &ListHash) -> Result<VerifiedList, Unproved> {
    match table.read(&StoredListId(hash.clone())).await {
        Ok(Some(stored)) => VerifiedList::of(&keys.of_postbacks, &stored.row.list),
        Ok(None) => Err(Unproved::no_list()),
        Err(error) => Err(Unproved::NoEvidence(error.to_string())),
    }
}

impl Said {
    fn check(&self, hash: &ListHash, list: &Result<VerifiedList, Unproved>) -> Vec<Break> {
        let list = list.as_ref();
        let evidence = || StoredListId(hash.clone()).key();
        let progress = || ListProgressId(hash.clone()).key();
        let found = match (self, list) {
            (Self::Quote(quote), list) => {
                return quote.check(
                    list.map_err(Clone::clone)
                        .and_then(|it| it.element(quote.element, quote.received_at, Separator::Dot)),
                );
            }
            (Self::Stored, Ok(list)) if list.hash() != hash => {
                Some((Rule::Evidence, evidence(), "the list has another hash".into()))
            }
            (Self::Stored, Err(error @ Unproved::NoKey)) => Some((Rule::Unverifiable, evidence(), error.to_string())),
            (Self::Stored, Err(error)) => Some((Rule::Evidence, evidence(), error.to_string())),
            (Self::Elements(elements), Ok(list)) if list.elements() != *elements => {
                let what = format!("it says {elements} elements, and the list has {}", list.elements());
                Some((Rule::State, progress(), what))
            }
            (Self::Elements(_), Err(error @ Unproved::NoEvidence(_))) => {
                Some((Rule::Evidence, progress(), error.to_string()))
            }
            (Self::Stored | Self::Elements(_), Ok(_)) | (Self::Elements(_), Err(Unproved::NoKey)) => None,
        };
        found.map(|(rule, id, what)| Break { rule, id, what }).into_iter().collect()
    }
}
