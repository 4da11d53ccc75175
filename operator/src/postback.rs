//! The postback that a row keeps: the signed list to the letter, and its element.

use std::collections::BTreeMap;

use domain::{Evidence, ListHash, ListPlace, SignedList, UnreadableId};
use paykassma::{Element, PostbackBody, Unproved};
use store::{Read, RowKey, StoreError, StoredListId};

use crate::failure::Failure;

/// The signed lists that have rows of their own.
#[derive(Debug, Default)]
pub(crate) struct Lists(BTreeMap<ListHash, SignedList>);

impl Lists {
    /// Reads the lists of all evidence that does not have its list with it. A list that cannot be read is left out.
    pub(crate) async fn read(
        table: &impl Read<StoredListId>,
        evidence: impl IntoIterator<Item = &Evidence>,
    ) -> Result<Self, StoreError> {
        let mut lists = BTreeMap::new();
        for evidence in evidence {
            let ListPlace::Stored { list: hash } = &evidence.place else { continue };
            if lists.contains_key(hash) {
                continue;
            }
            match table.read(&StoredListId(hash.clone())).await {
                Ok(stored) => lists.extend(stored.map(|it| (hash.clone(), it.row.list))),
                Err(error) => drop(error.unreadable_row()?),
            }
        }
        Ok(Self(lists))
    }

    /// The list of a row's evidence. `None` if it has a row of its own and that was not found or cannot be read.
    pub(crate) fn of<'a>(&'a self, evidence: &'a Evidence) -> Option<&'a SignedList> {
        match &evidence.place {
            ListPlace::Here(list) => Some(list),
            ListPlace::Stored { list } => self.0.get(list),
        }
    }
}

/// The key of the row that an element is about. `list` is the list that it is in.
pub(crate) fn row_of(list: &ListHash, element: &Element) -> String {
    match element {
        Element::Deposit(it) => it.payment.key(),
        Element::Withdrawal(it) => it.withdrawal_id.key(),
        Element::Unreadable { evidence, .. } => UnreadableId { list: list.clone(), element: evidence.element }.key(),
    }
}

/// Writes a body around a signed list, without any unsigned field.
pub(crate) fn body(access_key: &str, list: &SignedList) -> Result<PostbackBody, Failure> {
    PostbackBody::around(&list.additional_data, &list.signature, access_key)
        .map_err(|error| Failure::Usage(format!("additional_data is not JSON: {error}")))
}

impl From<Unproved> for Failure {
    fn from(error: Unproved) -> Self {
        Self::NotAllowed(error.to_string())
    }
}
