//! The postback that a row keeps: the signed list to the letter, and its element.

use domain::{Evidence, Separator};
use paykassma::{Element, PostbackBody, read_postback};
use signing::{NotVerified, verify};

use crate::deployment::Keys;
use crate::failure::Failure;

/// Writes a body around the list that a row keeps, without any unsigned field.
pub(crate) fn body(access_key: &str, evidence: &Evidence) -> Result<PostbackBody, Failure> {
    PostbackBody::around(&evidence.additional_data, &evidence.signature, access_key)
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
pub(crate) fn kept(keys: &Keys, evidence: &Evidence) -> Result<Option<Element>, Unproved> {
    let bare = body(&keys.access_key, evidence).map_err(|error| Unproved::NoEvidence(error.to_string()))?.to_string();
    let verified = verify(bare.as_bytes(), &keys.of_postbacks()).map_err(|cause| match cause {
        NotVerified::Signature => Unproved::NoKey,
        NotVerified::Malformed(_) | NotVerified::AccessKey => Unproved::NoEvidence(cause.to_string()),
    })?;
    Ok(read_postback(&verified, evidence.received_at, Separator::Dot).nth(evidence.element))
}

/// Verifies the evidence of a row with the current keys, and reads its element.
pub(crate) fn element(keys: &Keys, evidence: &Evidence) -> Result<Element, Unproved> {
    kept(keys, evidence)?.ok_or_else(|| Unproved::NoEvidence("the signed list has no such element".into()))
}
