//! The body of a postback, in the shape and the order that the provider prints (PROTOCOL 2.3), signed over its list.

use std::fmt::Write;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use signing::{Malformed, Spelling, sign_postback};

use crate::amount::Amount;
use crate::deposits::Credit;
use crate::object::Object;
use crate::settings::WireSpelling;
use crate::withdrawals::Settlement;

const BODY: &str = concat!(
    r#"{"signature":"","wallet_type":"","amount":0,"currency_code":"","label":"","#,
    r#""converted_amount":{"USD":4.61,"INR":380,"EUR":4.2,"BTC":0.00015943,"MRO":0},"#,
    r#""direction":"","created_datetime":"2023-08-25 10:47:40","access_key":"","additional_data":[]}"#
);

const DEPOSIT: &str = concat!(
    r#"{"activated_datetime":"2023-08-25 13:47:40","exchanger_identifier":"99xxxx6690","comment":"","amount":"0","#,
    r#""currency_code":"INR","wallet_type":"paytm","stockpiling_id":1430926,"transaction_id":"","transaction_type":0,"#,
    r#""plugin_custom_order_id":"","withdrawal_id":null,"withdrawal_status":null,"account_number":"","#,
    r#""account_name":"","account_email":"","bank_details":{"bank_code":"","branch_code":""}}"#
);

const WITHDRAWAL: &str = concat!(
    r#"{"activated_datetime":"","exchanger_identifier":"","comment":"","amount":"0","#,
    r#""currency_code":"INR","wallet_type":"paytm","stockpiling_id":null,"transaction_id":"","transaction_type":null,"#,
    r#""plugin_custom_order_id":"","withdrawal_id":"","withdrawal_status":1,"account_number":"","#,
    r#""account_name":"","account_email":"","bank_details":{"bank_code":null,"branch_code":null}}"#
);

/// Why no body could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotComposed {
    /// A value is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The list cannot be signed.
    #[error("not a list that can be signed: {0}")]
    List(#[from] Malformed),
}

/// Which way the money goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// A deposit.
    #[default]
    Ingoing,
    /// A withdrawal.
    Outgoing,
}

impl Direction {
    /// Gives an element of this direction as the provider prints it, with nobody's ids and no money.
    pub(crate) fn element(self) -> serde_json::Result<Object> {
        Object::parse(match self {
            Self::Ingoing => DEPOSIT,
            Self::Outgoing => WITHDRAWAL,
        })
    }
}

/// The keys that postbacks are signed with.
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) private_key: SecretString,
}

/// What is done to a postback against the rules; by default nothing.
#[derive(Debug)]
pub(crate) struct Tampering {
    /// Whether the list is signed at all; an unsigned postback carries an empty signature.
    pub(crate) sign: bool,
    /// The digit of the list that is changed after signing, counted from 0 and round again.
    pub(crate) signed_byte: Option<usize>,
    /// Top-level fields that are replaced after signing.
    pub(crate) fields: Object,
}

impl Default for Tampering {
    fn default() -> Self {
        Self { sign: true, signed_byte: None, fields: Object::default() }
    }
}

/// A postback before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) direction: Direction,
    pub(crate) wallet_type: String,
    pub(crate) currency_code: String,
    pub(crate) amount: Amount,
    pub(crate) label: String,
    pub(crate) elements: Vec<Object>,
}

impl Draft {
    /// Describes a credited payment.
    pub(crate) fn deposit(credit: Credit) -> Result<Self, NotComposed> {
        let Credit { payment, claim } = credit;
        let mut element = Direction::Ingoing.element()?;
        element.set("amount", payment.amount.text())?;
        element.set("currency_code", &payment.currency_code)?;
        element.set("wallet_type", &payment.wallet_type)?;
        element.set("transaction_id", &payment.transaction_id)?;
        element.set("plugin_custom_order_id", &claim.custom_transaction_id)?;
        Ok(Self {
            direction: Direction::Ingoing,
            wallet_type: payment.wallet_type,
            currency_code: payment.currency_code,
            amount: payment.amount,
            label: claim.label,
            elements: vec![element],
        })
    }

    /// Describes a settled withdrawal.
    pub(crate) fn withdrawal(settlement: Settlement) -> Result<Self, NotComposed> {
        let Settlement { withdrawal_id, accepted, amount, status } = settlement;
        let mut element = Direction::Outgoing.element()?;
        element.set("amount", amount.text())?;
        element.set("currency_code", &accepted.currency_code)?;
        element.set("wallet_type", &accepted.wallet_type)?;
        element.set("withdrawal_id", &withdrawal_id)?;
        element.set("withdrawal_status", &status)?;
        element.set("account_number", &accepted.account_number)?;
        Ok(Self {
            direction: Direction::Outgoing,
            wallet_type: accepted.wallet_type,
            currency_code: accepted.currency_code,
            amount,
            label: accepted.label,
            elements: vec![element],
        })
    }

    /// Writes the body as it goes over the wire.
    pub(crate) fn compose(
        &self,
        keys: &Keys,
        wire: WireSpelling,
        tampering: &Tampering,
    ) -> Result<String, NotComposed> {
        let list = serde_json::to_string(&self.elements)?;
        let mut body = Object::parse(BODY)?;
        if tampering.sign {
            let signature = sign_postback(&list, Spelling::Flagged, &keys.access_key, &keys.private_key)?;
            body.set("signature", &signature)?;
        }
        body.set("wallet_type", &self.wallet_type)?;
        body.set("amount", &self.amount)?;
        body.set("currency_code", &self.currency_code)?;
        body.set("label", &self.label)?;
        body.set("direction", &self.direction)?;
        body.set("access_key", &keys.access_key)?;
        let list = tampering.signed_byte.map_or_else(|| list.clone(), |place| altered(&list, place));
        body.put("additional_data", RawValue::from_string(list)?);
        body.overlay(&tampering.fields);
        Ok(spelled(&serde_json::to_string(&body)?, wire))
    }
}

/// Replaces one digit by its neighbour; 9 goes down, so that no number gets a leading zero and the JSON stays JSON.
fn altered(list: &str, place: usize) -> String {
    let mut bytes = list.as_bytes().to_vec();
    let digits: Vec<&mut u8> = bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).collect();
    let chosen = place.checked_rem(digits.len()).and_then(|place| digits.into_iter().nth(place));
    if let Some(digit) = chosen {
        *digit = if *digit == b'9' { b'8' } else { digit.saturating_add(1) };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes a body as PHP would: escapes that are there stay, and what the spelling escapes is escaped.
fn spelled(body: &str, wire: WireSpelling) -> String {
    let mut out = String::with_capacity(body.len());
    let mut escaped = false;
    for char in body.chars() {
        match char {
            '/' if wire == WireSpelling::Default && !escaped => out.push_str("\\/"),
            '\u{2028}' | '\u{2029}' => push_escape(&mut out, char),
            _ if wire == WireSpelling::Default && !char.is_ascii() => push_escape(&mut out, char),
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
