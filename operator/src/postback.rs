//! A postback's body (PROTOCOL 2.3): the signed list to the letter, and the unsigned copies that travel with it.

use domain::{Amount, CurrencyCode, Evidence, Label, Timestamp, WalletType};
use paykassma::{Element, read_postback};
use serde::Serialize;
use serde_json::value::RawValue;
use signing::verify;

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

/// Reads the element that a row keeps, after verifying it with today's keys.
pub(crate) fn element(keys: &Keys, evidence: &Evidence) -> Result<Element, Failure> {
    let bare = body(&keys.access_key, &evidence.signature, &evidence.additional_data, None)?;
    let verified = verify(bare.as_bytes(), &keys.of_postbacks())
        .map_err(|cause| Failure::Refused(format!("what the row keeps cannot be verified today: {cause}")))?;
    let element = read_postback(&verified, Timestamp(0)).nth(evidence.element);
    element.ok_or_else(|| Failure::Refused("the signed list has no such element".into()))
}
