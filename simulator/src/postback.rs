//! The provider's postbacks: what each reports, and what can be wrong with it on purpose.

use std::fmt::Write;

use domain::Direction;
use paykassma::{
    JsonObject, JsonToken, PostbackBody, UnsignedFields, WrittenMoney, deposit_element, withdrawal_element, write_list,
};
use secrecy::SecretString;
use signing::{Malformed, Spelling};

use crate::deposits::Credit;
use crate::settings::WireSpelling;
use crate::withdrawals::WithdrawalEnd;

/// Why a postback could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// A value is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The list cannot be signed.
    #[error("not a list that can be signed: {0}")]
    List(#[from] Malformed),
    /// There is no digit to change.
    #[error("the list has no digit")]
    NoDigit,
}

/// The keys that sign postbacks.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) private_key: SecretString,
}

/// What is done to a postback against the rules; by default nothing.
#[derive(Debug)]
pub(crate) struct Tampering {
    /// Whether the list is signed. A postback that is not signed carries an empty signature.
    pub(crate) sign: bool,
    /// The digit of the list that is changed after signing: counted from 0, and from the start again after the last.
    pub(crate) signed_byte: Option<usize>,
    /// Top-level fields that are replaced after signing.
    pub(crate) fields: JsonObject,
}

impl Default for Tampering {
    fn default() -> Self {
        Self { sign: true, signed_byte: None, fields: JsonObject::default() }
    }
}

/// A postback before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Postback {
    pub(crate) unsigned: UnsignedFields,
    pub(crate) elements: Vec<JsonObject>,
}

impl Postback {
    /// Reports a credited payment.
    pub(crate) fn of_credit(credit: &Credit) -> Self {
        let Credit { payment, claim } = credit;
        let money = WrittenMoney {
            amount: &payment.amount,
            currency_code: &payment.currency_code,
            wallet_type: &payment.wallet_type,
        };
        let element = deposit_element(&payment.transaction_id, &claim.custom_transaction_id, money);
        Self { unsigned: unsigned(Direction::Ingoing, &claim.label, &element), elements: vec![element] }
    }

    /// Reports the end of a withdrawal.
    pub(crate) fn of_withdrawal(end: &WithdrawalEnd) -> Self {
        let WithdrawalEnd { withdrawal_id, accepted, amount, status } = end;
        let money = WrittenMoney { amount, currency_code: &accepted.currency_code, wallet_type: &accepted.wallet_type };
        let element =
            withdrawal_element(withdrawal_id, *status, money).with("account_number", accepted.account_number.as_str());
        Self { unsigned: unsigned(Direction::Outgoing, &accepted.label, &element), elements: vec![element] }
    }

    /// What it reports, in a few words.
    pub(crate) fn about(&self) -> String {
        let [element] = self.elements.as_slice() else { return format!("{} elements", self.elements.len()) };
        let id = |field: &str| element.read::<String>(field).filter(|id| !id.is_empty());
        match (id("withdrawal_id"), id("transaction_id")) {
            (Some(withdrawal), _) => format!("withdrawal {withdrawal}"),
            (None, Some(number)) => format!("payment {number}"),
            (None, None) => "1 element".to_owned(),
        }
    }

    /// Writes the body as it goes over the wire.
    pub(crate) fn write(
        &self,
        keys: &Keys,
        wire_spelling: WireSpelling,
        tampering: &Tampering,
    ) -> Result<String, NotWritten> {
        let list = write_list(&self.elements);
        let mut body = PostbackBody::sign(&list, Spelling::Flagged, &keys.access_key, &keys.private_key)?
            .with_unsigned(&self.unsigned);
        if !tampering.sign {
            body.set("signature", "");
        }
        if let Some(place) = tampering.signed_byte {
            change_signed_digit(&mut body, place)?;
        }
        for (field, value) in tampering.fields.iter() {
            body.set(field, value.clone());
        }
        Ok(respell(&body.to_string(), wire_spelling))
    }
}

/// All fields that the provider prints beside the list.
pub(crate) fn unsigned(direction: Direction, label: &str, element: &JsonObject) -> UnsignedFields {
    const CONVERTED: &str = r#"{"USD":4.61,"INR":380,"EUR":4.2,"BTC":0.00015943,"MRO":0}"#;
    UnsignedFields {
        label: Some(label.to_owned()),
        converted_amount: JsonToken::parse(CONVERTED).ok(),
        direction: Some(direction),
        created_datetime: Some("2023-08-25 10:47:40".to_owned()),
        ..UnsignedFields::copied_from(element)
    }
}

/// Changes one digit of the signed list, counted from 0, and from the start again after the last. Says whether the list
/// has a digit at all.
///
/// The digit becomes its neighbour. A 9 becomes an 8, so no number gets a leading zero and the list stays JSON.
///
/// # Errors
/// The changed list is not JSON, for instance because a character's escape was broken.
pub fn change_signed_digit(body: &mut PostbackBody, place: usize) -> serde_json::Result<bool> {
    let mut bytes = body.additional_data().as_bytes().to_vec();
    let digits: Vec<&mut u8> = bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).collect();
    let chosen = place.checked_rem(digits.len()).and_then(|place| digits.into_iter().nth(place));
    let Some(digit) = chosen else { return Ok(false) };
    *digit = if *digit == b'9' { b'8' } else { digit.saturating_add(1) };
    body.set("additional_data", JsonToken::parse(&String::from_utf8_lossy(&bytes))?);
    Ok(true)
}

/// Spells a body as PHP would. Escapes in it are kept, and what the spelling escapes is escaped.
fn respell(body: &str, wire_spelling: WireSpelling) -> String {
    let mut out = String::with_capacity(body.len());
    let mut escaped = false;
    for char in body.chars() {
        match char {
            '/' if wire_spelling == WireSpelling::Default && !escaped => out.push_str("\\/"),
            '\u{2028}' | '\u{2029}' => push_escape(&mut out, char),
            _ if wire_spelling == WireSpelling::Default && !char.is_ascii() => push_escape(&mut out, char),
            _ => out.push(char),
        }
        escaped = char == '\\' && !escaped;
    }
    out
}

fn push_escape(out: &mut String, char: char) {
    for unit in char.encode_utf16(&mut [0; 2]) {
        // writing to a string cannot fail
        let _ = write!(out, "\\u{unit:04x}");
    }
}
