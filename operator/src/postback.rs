//! The postback that a row keeps: the signed list to the letter, and its element.

use std::collections::BTreeMap;

use domain::{Evidence, ListHash, ListPlace, Separator, SignedList, Timestamp, Unsigned};
use paykassma::{Element, Postback, PostbackBody, SignedElements, signed_elements};
use signing::{NotVerified, Verified, verify};
use store::{Read, StoreError, StoredListId};

use crate::deployment::Keys;
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

/// Writes a body around a signed list, without any unsigned field.
pub(crate) fn body(access_key: &str, list: &SignedList) -> Result<PostbackBody, Failure> {
    PostbackBody::around(&list.additional_data, &list.signature, access_key)
        .map_err(|error| Failure::Usage(format!("additional_data is not JSON: {error}")))
}

/// Why the evidence of a row proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproved {
    /// No key of today gives the signature: a key that was rotated away, or none of the provider's.
    #[error("what the row keeps cannot be verified with a key of today")]
    NoKey,
    /// It is no signed list with such an element, whatever the key.
    #[error("what the row keeps is no evidence: {0}")]
    NoEvidence(String),
}

impl Unproved {
    /// The list that a row refers to was not found.
    pub(crate) fn no_list() -> Self {
        Self::NoEvidence("its signed list has no row".into())
    }

    fn no_element() -> Self {
        Self::NoEvidence("the signed list has no such element".into())
    }
}

impl From<Unproved> for Failure {
    fn from(error: Unproved) -> Self {
        Self::NotAllowed(error.to_string())
    }
}

/// Verifies a signed list with the current keys.
pub(crate) fn verified<T>(
    keys: &Keys,
    list: &SignedList,
    then: impl FnOnce(&Verified<'_>) -> T,
) -> Result<T, Unproved> {
    let bare = body(&keys.access_key, list).map_err(|error| Unproved::NoEvidence(error.to_string()))?.to_string();
    let verified = verify(bare.as_bytes(), &keys.of_postbacks()).map_err(|cause| match cause {
        NotVerified::Signature => Unproved::NoKey,
        NotVerified::Malformed(_) | NotVerified::AccessKey => Unproved::NoEvidence(cause.to_string()),
    })?;
    Ok(then(&verified))
}

/// Verifies a signed list with the current keys, and reads one of its elements, from 0.
pub(crate) fn element(keys: &Keys, list: &SignedList, place: usize) -> Result<Element, Unproved> {
    let read = |verified: &Verified<'_>| {
        let elements = signed_elements(verified.additional_data());
        elements.texts.get(place).and_then(|text| read_element(text, elements.fault))
    };
    verified(keys, list, read)?.ok_or_else(Unproved::no_element)
}

/// Reads the text of an element. Its evidence is not the row's.
fn read_element(text: &str, fault: Option<&'static str>) -> Option<Element> {
    let postback = Postback { list: SignedElements { texts: vec![text], fault }, unsigned: Unsigned::default() };
    let nowhere = ListPlace::Stored { list: ListHash::from([0; 32]) };
    postback.elements(&nowhere, Timestamp(0), Separator::Dot).next()
}

/// A signed list of several elements that was verified once. Each element is read when it is asked for.
#[derive(Debug)]
pub(crate) struct VerifiedList {
    hash: ListHash,
    texts: Vec<Box<str>>,
    fault: Option<&'static str>,
}

impl VerifiedList {
    /// Verifies a list with the current keys.
    pub(crate) fn of(keys: &Keys, list: &SignedList) -> Result<Self, Unproved> {
        verified(keys, list, |verified| {
            let SignedElements { texts, fault } = signed_elements(verified.additional_data());
            let texts = texts.into_iter().map(Box::from).collect();
            Self { hash: verified.list_hash().into(), texts, fault }
        })
    }

    /// The hash that it has.
    pub(crate) fn hash(&self) -> &ListHash {
        &self.hash
    }

    /// How many elements it has.
    pub(crate) fn elements(&self) -> usize {
        self.texts.len()
    }

    /// One of its elements, from 0.
    pub(crate) fn element(&self, place: usize) -> Result<Element, Unproved> {
        let text = self.texts.get(place);
        text.and_then(|text| read_element(text, self.fault)).ok_or_else(Unproved::no_element)
    }
}
