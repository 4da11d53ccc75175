//! A postback's body (docs/provider-protocol.md 2.3): the signed list to the letter, and the unsigned copies that travel with it.

use domain::{Amount, CurrencyCode, Evidence, Label, WalletType};
use paykassma::{Element, read_postback};
use serde::Serialize;
use serde_json::value::RawValue;
use signing::{NotVerified, verify};

use crate::deployment::Keys;
use crate::failure::Failure;

/// The unsigned copies of what the signed element says.
pub(crate) struct Copies {
    pub(crate) wallet_type: WalletType,
    pub(crate) amount: Amount,
    pub(crate) currency_code: CurrencyCode,
    pub(crate) label: Option<Label>,
    pub(crate) direction: &'static str,
}

#[derive(Serialize)]
struct Body<'a> {
    signature: &'a str,
    access_key: &'a str,
    additional_data: &'a RawValue,
    #[serde(flatten)]
    copies: Option<Unsigned<'a>>,
}

#[derive(Serialize)]
struct Unsigned<'a> {
    wallet_type: &'a WalletType,
    amount: Box<RawValue>,
    currency_code: &'a CurrencyCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a Label>,
    direction: &'static str,
}

/// Writes a body around a signed list.
pub(crate) fn body(access_key: &str, signature: &str, list: &str, copies: Option<&Copies>) -> Result<String, Failure> {
    let unfit = |error: serde_json::Error| Failure::Usage(format!("additional_data is not JSON: {error}"));
    let copies = match copies {
        Some(Copies { wallet_type, amount, currency_code, label, direction }) => Some(Unsigned {
            wallet_type,
            amount: RawValue::from_string(amount.to_string()).map_err(unfit)?,
            currency_code,
            label: label.as_ref(),
            direction,
        }),
        None => None,
    };
    let additional_data = serde_json::from_str(list).map_err(unfit)?;
    serde_json::to_string(&Body { signature, access_key, additional_data, copies }).map_err(unfit)
}

/// Why the evidence of a row proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unproved {
    /// No key of today gives the signature: a key that was rotated away, or none of the provider's.
    #[error("what the row keeps cannot be verified with a key of today")]
    NoKey,
    /// It is no signed list with such an element, whatever the key.
    #[error("what the row keeps is no evidence: {0}")]
    Broken(String),
}

impl From<Unproved> for Failure {
    fn from(error: Unproved) -> Self {
        Self::NotAllowed(error.to_string())
    }
}

/// Verifies the evidence of a row with the current keys, and reads its element. `None` if the signed list has no such element.
pub(crate) fn kept(keys: &Keys, evidence: &Evidence) -> Result<Option<Element>, Unproved> {
    let bare = body(&keys.access_key, &evidence.signature, &evidence.additional_data, None);
    let bare = bare.map_err(|error| Unproved::Broken(error.to_string()))?;
    let verified = verify(bare.as_bytes(), &keys.of_postbacks()).map_err(|cause| match cause {
        NotVerified::Signature => Unproved::NoKey,
        NotVerified::Malformed(_) | NotVerified::AccessKey => Unproved::Broken(cause.to_string()),
    })?;
    Ok(read_postback(&verified, evidence.received_at).nth(evidence.element))
}

/// Verifies the evidence of a row with the current keys, and reads its element.
pub(crate) fn element(keys: &Keys, evidence: &Evidence) -> Result<Element, Unproved> {
    kept(keys, evidence)?.ok_or_else(|| Unproved::Broken("the signed list has no such element".into()))
}
