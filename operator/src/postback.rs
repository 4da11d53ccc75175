//! The postback that a row keeps: the signed list to the letter, and its element.

use std::collections::BTreeMap;

use domain::{Evidence, ListHash, ListPlace, Separator, SignedList};
use paykassma::{Element, PostbackBody, read_postback};
use signing::{NotVerified, verify};
use store::{Read, StoreError, StoredListId};

use crate::deployment::Keys;
use crate::failure::Failure;

/// The signed lists that have rows of their own.
#[derive(Debug, Default)]
pub(crate) struct Lists(BTreeMap<ListHash, SignedList>);

impl Lists {
    /// Reads the lists of all evidence that does not have its list with it.
    pub(crate) async fn read(
        table: &impl Read<StoredListId>,
        evidence: impl IntoIterator<Item = &Evidence>,
    ) -> Result<Self, StoreError> {
        let mut lists = BTreeMap::new();
        for evidence in evidence {
            let ListPlace::Stored { list: hash } = &evidence.place else { continue };
            if !lists.contains_key(hash)
                && let Some(stored) = table.read(&StoredListId(hash.clone())).await?
            {
                lists.insert(hash.clone(), stored.row.list);
            }
        }
        Ok(Self(lists))
    }

    /// The list of a row's evidence. `None` if it has a row of its own and that was not found.
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

impl From<Unproved> for Failure {
    fn from(error: Unproved) -> Self {
        Self::NotAllowed(error.to_string())
    }
}

/// Verifies the evidence of a row with the current keys, and reads its element. `None` if the signed list has no such element.
pub(crate) fn kept(keys: &Keys, lists: &Lists, evidence: &Evidence) -> Result<Option<Element>, Unproved> {
    let list = lists.of(evidence).ok_or_else(|| Unproved::NoEvidence("its signed list has no row".into()))?;
    let bare = body(&keys.access_key, list).map_err(|error| Unproved::NoEvidence(error.to_string()))?.to_string();
    let verified = verify(bare.as_bytes(), &keys.of_postbacks()).map_err(|cause| match cause {
        NotVerified::Signature => Unproved::NoKey,
        NotVerified::Malformed(_) | NotVerified::AccessKey => Unproved::NoEvidence(cause.to_string()),
    })?;
    let postback = read_postback(&verified);
    Ok(postback.elements(&evidence.place, evidence.received_at, Separator::Dot).nth(evidence.element))
}

/// Verifies the evidence of a row with the current keys, and reads its element.
pub(crate) fn element(keys: &Keys, lists: &Lists, evidence: &Evidence) -> Result<Element, Unproved> {
    kept(keys, lists, evidence)?.ok_or_else(|| Unproved::NoEvidence("the signed list has no such element".into()))
}
