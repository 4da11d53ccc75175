//! Postbacks as the provider writes them (docs/provider-protocol.md 2.3): for the simulated provider, for `operator replay` and for tests.
//!
//! The list is signed and written to the letter. Every field that the signature does not cover can be left out, or can
//! differ from the signed element.

use std::fmt;

use domain::{Direction, Unsigned};
use secrecy::SecretString;
use serde::de::Error;
use signing::{Malformed, Spelling, sign_postback};

use crate::json_object::{JsonObject, JsonToken};
use crate::written_amount::WrittenAmount;

/// An element of a deposit, with the values of the page's sample that are not about the money or the order.
const DEPOSIT: [(&str, &str); 16] = [
    ("activated_datetime", r#""2023-08-25 13:47:40""#),
    ("exchanger_identifier", r#""99xxxx6690""#),
    ("comment", r#""""#),
    ("amount", r#""0""#),
    ("currency_code", r#""INR""#),
    ("wallet_type", r#""paytm""#),
    ("stockpiling_id", "1430926"),
    ("transaction_id", r#""""#),
    ("transaction_type", "0"),
    ("plugin_custom_order_id", r#""""#),
    ("withdrawal_id", "null"),
    ("withdrawal_status", "null"),
    ("account_number", r#""""#),
    ("account_name", r#""""#),
    ("account_email", r#""""#),
    ("bank_details", r#"{"bank_code":"","branch_code":""}"#),
];

/// What an element of a withdrawal has in place of a deposit's values.
const WITHDRAWAL: [(&str, &str); 7] = [
    ("activated_datetime", r#""""#),
    ("exchanger_identifier", r#""""#),
    ("stockpiling_id", "null"),
    ("transaction_type", "null"),
    ("withdrawal_id", r#""""#),
    ("withdrawal_status", "1"),
    ("bank_details", r#"{"bank_code":null,"branch_code":null}"#),
];

/// The money that an element reports.
#[derive(Clone, Copy, Debug)]
pub struct WrittenMoney<'a> {
    /// The amount, which an element has as a string.
    pub amount: &'a WrittenAmount,
    /// The currency, such as `INR`.
    pub currency_code: &'a str,
    /// The payment system, such as `paytm`.
    pub wallet_type: &'a str,
}

/// An element with all fields of the page in their order, without ids and with the amount 0.
#[must_use]
pub fn blank_element(direction: Direction) -> JsonObject {
    let of_withdrawal: &[_] = match direction {
        Direction::Ingoing => &[],
        Direction::Outgoing => &WITHDRAWAL,
    };
    let mut element = JsonObject::default();
    for (key, spelling) in DEPOSIT.iter().chain(of_withdrawal) {
        element.set(key, JsonToken::checked(spelling));
    }
    element
}

/// The element of a payment: its number, and the order that the provider names.
#[must_use]
pub fn deposit_element(transaction_id: &str, custom_transaction_id: &str, money: WrittenMoney<'_>) -> JsonObject {
    money
        .set_in(blank_element(Direction::Ingoing))
        .with("transaction_id", transaction_id)
        .with("plugin_custom_order_id", custom_transaction_id)
}

/// The element of a withdrawal and its status: 1 for success, 5 for fail.
#[must_use]
pub fn withdrawal_element(withdrawal_id: &str, status: i64, money: WrittenMoney<'_>) -> JsonObject {
    money
        .set_in(blank_element(Direction::Outgoing))
        .with("withdrawal_id", withdrawal_id)
        .with("withdrawal_status", status)
}

/// Writes `additional_data`, the list that is signed.
#[must_use]
pub fn write_list(elements: &[JsonObject]) -> String {
    let elements: Vec<_> = elements.iter().map(JsonObject::to_string).collect();
    format!("[{}]", elements.join(","))
}

impl WrittenMoney<'_> {
    fn set_in(self, element: JsonObject) -> JsonObject {
        element
            .with("amount", self.amount.text())
            .with("currency_code", self.currency_code)
            .with("wallet_type", self.wallet_type)
    }
}

/// The fields beside the list, which the signature does not cover (docs/provider-protocol.md 2.2). `None` leaves a field out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsignedFields {
    /// The payment system.
    pub wallet_type: Option<String>,
    /// The amount, written as a number.
    pub amount: Option<WrittenAmount>,
    /// The currency.
    pub currency_code: Option<String>,
    /// The user.
    pub label: Option<String>,
    /// The amount in other currencies, as a JSON object.
    pub converted_amount: Option<JsonToken>,
    /// Which way the money goes.
    pub direction: Option<Direction>,
    /// The time of sending, without a time zone.
    pub created_datetime: Option<String>,
}

impl From<Unsigned> for UnsignedFields {
    /// Writes what was read.
    fn from(Unsigned { wallet_type, amount, currency_code, label, direction }: Unsigned) -> Self {
        Self {
            wallet_type: wallet_type.map(String::from),
            amount: amount.map(Into::into),
            currency_code: currency_code.map(String::from),
            label: label.map(String::from),
            direction,
            ..Self::default()
        }
    }
}

impl UnsignedFields {
    /// Repeats what a signed element says: wallet, amount, currency and direction. The element does not name the user.
    #[must_use]
    pub fn copied_from(element: &JsonObject) -> Self {
        let amount = element.read::<&str>("amount").and_then(WrittenAmount::parse);
        let is_withdrawal = element.read::<String>("withdrawal_id").is_some_and(|id| !id.is_empty());
        Self {
            wallet_type: element.read("wallet_type"),
            amount,
            currency_code: element.read("currency_code"),
            direction: Some(if is_withdrawal { Direction::Outgoing } else { Direction::Ingoing }),
            ..Self::default()
        }
    }

    fn tokens(&self) -> [(&'static str, Option<JsonToken>); 7] {
        let text = |field: &Option<String>| field.as_deref().map(JsonToken::from);
        [
            ("wallet_type", text(&self.wallet_type)),
            ("amount", self.amount.as_ref().map(JsonToken::from)),
            ("currency_code", text(&self.currency_code)),
            ("label", text(&self.label)),
            ("converted_amount", self.converted_amount.clone()),
            ("direction", self.direction.map(|direction| JsonToken::from(direction_name(direction)))),
            ("created_datetime", text(&self.created_datetime)),
        ]
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingoing => "ingoing",
        Direction::Outgoing => "outgoing",
    }
}

/// A postback's body. `Display` writes it, with the fields in the provider's order.
///
/// ```
/// use paykassma::{PostbackBody, UnsignedFields, WrittenAmount, WrittenMoney, deposit_element, write_list};
/// use secrecy::SecretString;
/// use signing::{PostbackKeys, Spelling, verify};
///
/// // A user has paid 700.10 for the order `order-1`.
/// let amount = WrittenAmount::parse("700.10").ok_or("not an amount")?;
/// let money = WrittenMoney { amount: &amount, currency_code: "INR", wallet_type: "paytm" };
/// let element = deposit_element("47752123519", "order-1", money);
///
/// // Sign the list, and repeat what the element says beside it.
/// let private_key = SecretString::from("test_private_key");
/// let unsigned = UnsignedFields { label: Some("user-1".into()), ..UnsignedFields::copied_from(&element) };
/// let body = PostbackBody::sign(&write_list(&[element]), Spelling::Flagged, "access key", &private_key)?;
/// let body = body.with_unsigned(&unsigned);
///
/// let keys = PostbackKeys::new("access key", &private_key);
/// let text = body.to_string();
/// assert_eq!(verify(text.as_bytes(), &keys)?.additional_data(), body.additional_data());
/// assert!(text.contains(r#""amount":700.10,"#));
///
/// // The signature does not cover the label: whoever has seen the postback can write another one.
/// let mut stolen = body.clone();
/// stolen.set("label", "thief");
/// assert!(verify(stolen.to_string().as_bytes(), &keys).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PostbackBody {
    signature: JsonToken,
    unsigned: JsonObject,
    access_key: JsonToken,
    additional_data: JsonToken,
}

impl PostbackBody {
    /// Signs a list as the provider does, hashed in `spelling`, and puts a body around it.
    ///
    /// # Errors
    /// [`Malformed`] when the text is no list or object that [`signing::verify`] would accept in a postback.
    pub fn sign(
        list: &str,
        spelling: Spelling,
        access_key: &str,
        private_key: &SecretString,
    ) -> Result<Self, Malformed> {
        let list = list.trim_ascii();
        let signature = sign_postback(list, spelling, access_key, private_key)?;
        Ok(Self {
            signature: signature.as_str().into(),
            unsigned: JsonObject::default(),
            access_key: access_key.into(),
            additional_data: JsonToken::checked(list),
        })
    }

    /// Puts a body around a list that was signed before. Neither the list nor its signature is verified.
    ///
    /// # Errors
    /// The list is not JSON.
    pub fn around(list: &str, signature: &str, access_key: &str) -> serde_json::Result<Self> {
        Ok(Self {
            signature: signature.into(),
            unsigned: JsonObject::default(),
            access_key: access_key.into(),
            additional_data: JsonToken::parse(list)?,
        })
    }

    /// Takes a written body apart, to change it or to sign it again. Nothing is verified.
    ///
    /// # Errors
    /// The text is not a JSON object, or has no `additional_data`.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        let mut fields: JsonObject = serde_json::from_str(text)?;
        let additional_data = fields.take("additional_data");
        let additional_data = additional_data.ok_or_else(|| serde_json::Error::custom("additional_data is missing"))?;
        let mut text = |name| fields.take(name).unwrap_or_else(|| JsonToken::from(""));
        Ok(Self { signature: text("signature"), access_key: text("access_key"), additional_data, unsigned: fields })
    }

    /// Signs a list, and puts it in the place of this body's list. All other fields stay as they are.
    ///
    /// # Errors
    /// As for [`Self::sign`].
    pub fn with_signed(
        self,
        list: &str,
        spelling: Spelling,
        access_key: &str,
        private_key: &SecretString,
    ) -> Result<Self, Malformed> {
        Ok(Self { unsigned: self.unsigned, ..Self::sign(list, spelling, access_key, private_key)? })
    }

    /// Sets the unsigned fields that are given.
    #[must_use]
    pub fn with_unsigned(mut self, fields: &UnsignedFields) -> Self {
        for (name, token) in fields.tokens() {
            if let Some(token) = token {
                self.unsigned.set(name, token);
            }
        }
        self
    }

    /// Sets any field of the body. Nothing is signed again.
    pub fn set(&mut self, field: &str, value: impl Into<JsonToken>) {
        match field {
            "signature" => self.signature = value.into(),
            "access_key" => self.access_key = value.into(),
            "additional_data" => self.additional_data = value.into(),
            _ => self.unsigned.set(field, value),
        }
    }

    /// The signed list, as it is spelled.
    #[must_use]
    pub fn additional_data(&self) -> &str {
        self.additional_data.as_str()
    }

    /// The signature, without its quotes.
    #[must_use]
    pub fn signature(&self) -> &str {
        self.signature.as_str().trim_matches('"')
    }
}

impl fmt::Display for PostbackBody {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut body = JsonObject::default().with("signature", self.signature.clone());
        body.overlay(&self.unsigned);
        body.set("access_key", self.access_key.clone());
        body.set("additional_data", self.additional_data.clone());
        body.fmt(out)
    }
}

impl fmt::Debug for PostbackBody {
    /// Shows nothing of the body: it names people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PostbackBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Element, read_postback};
    use domain::{ListHash, ListPlace, Mismatch, Timestamp};
    use signing::{PostbackKeys, verify};

    fn key() -> SecretString {
        SecretString::from("test_private_key")
    }

    fn sign(list: &str) -> PostbackBody {
        PostbackBody::sign(list, Spelling::Flagged, "key", &key()).unwrap()
    }

    fn read(body: &PostbackBody) -> Element {
        let private_key = key();
        let keys = PostbackKeys::new("key", &private_key);
        let body = body.to_string();
        let verified = verify(body.as_bytes(), &keys).unwrap();
        let place = ListPlace::Stored { list: ListHash::from([0; 32]) };
        read_postback(&verified).elements(&place, Timestamp(7), domain::Separator::Dot).next().unwrap()
    }

    fn element(direction: Direction) -> JsonObject {
        let amount = WrittenAmount::parse("700.10").unwrap();
        let money = WrittenMoney { amount: &amount, currency_code: "INR", wallet_type: "paytm" };
        match direction {
            Direction::Ingoing => deposit_element("47752123519", "order-1", money),
            Direction::Outgoing => withdrawal_element("w-1", 5, money),
        }
    }

    #[test]
    fn the_reader_reads_what_the_writer_writes() {
        for direction in [Direction::Ingoing, Direction::Outgoing] {
            let element = element(direction);
            let unsigned = UnsignedFields { label: Some("user/1 é".into()), ..UnsignedFields::copied_from(&element) };
            assert_eq!(unsigned.direction, Some(direction));
            let (facts, mismatch) = match read(&sign(&write_list(&[element])).with_unsigned(&unsigned)) {
                Element::Deposit(report) => (report.facts, report.mismatch),
                Element::Withdrawal(report) => (report.facts, report.mismatch),
                Element::Unreadable { reason, .. } => panic!("{reason}"),
            };
            assert_eq!((facts.amount.to_string().as_str(), mismatch), ("700.10", None));
            assert_eq!(facts.label.unwrap().as_str(), "user/1 é");
        }
    }

    #[test]
    fn each_unsigned_field_can_differ_or_be_left_out() {
        let element = element(Direction::Ingoing);
        let list = write_list(std::slice::from_ref(&element));
        let unsigned = UnsignedFields { label: Some("user-1".into()), ..UnsignedFields::copied_from(&element) };
        let all = sign(&list).with_unsigned(&unsigned);
        for (field, token, expected) in [
            ("amount", JsonToken::from(7000), Mismatch::Amount),
            ("currency_code", JsonToken::from("USD"), Mismatch::CurrencyCode),
            ("wallet_type", JsonToken::null(), Mismatch::WalletType),
            ("direction", JsonToken::from("outgoing"), Mismatch::Direction),
        ] {
            let mut body = all.clone();
            body.set(field, token);
            let Element::Deposit(report) = read(&body) else { panic!("{field}") };
            assert_eq!(report.mismatch, Some(expected), "{field}");
        }
        // The label is compared with the stored order later: the reader only hands it on.
        let mut stolen = all.clone();
        stolen.set("label", "thief");
        let Element::Deposit(report) = read(&stolen) else { panic!() };
        assert_eq!((report.facts.label.unwrap().as_str(), report.mismatch), ("thief", None));
        let bare = sign(&list).to_string();
        assert!(
            !bare.contains("label") && bare.ends_with(&format!(r#","access_key":"key","additional_data":{list}}}"#))
        );
    }

    #[test]
    fn a_list_is_written_to_the_letter() {
        let list = r#"[ {"amount" : 1.50,"b":"\u0939\/é", "n":4.775e22} ]"#;
        assert_eq!(sign(&format!("\n{list} ")).additional_data(), list);
        let stored = PostbackBody::around(list, "0d81", "key").unwrap();
        let expected = format!(r#"{{"signature":"0d81","access_key":"key","additional_data":{list}}}"#);
        assert_eq!(stored.to_string(), expected);
        assert!(PostbackBody::around(r#"[],"label":"thief""#, "0d81", "key").is_err());
    }

    #[test]
    fn a_body_that_is_taken_apart_is_the_same_again() {
        let list = r#"[{"amount":1.50,"b":"\u0939\/é"}]"#;
        let mut body = sign(list);
        body.set("label", "user/1");
        let text = body.to_string();
        assert_eq!(PostbackBody::parse(&text).unwrap().to_string(), text);
        let signed = PostbackBody::parse(&text.replace("1.50", "2")).unwrap();
        let list = signed.additional_data().to_owned();
        let signed = signed.with_signed(&list, Spelling::Flagged, "key", &key()).unwrap();
        let private_key = key();
        assert!(verify(signed.to_string().as_bytes(), &PostbackKeys::new("key", &private_key)).is_ok());
        assert!(signed.to_string().contains("user/1"));
        for text in ["[]", "{}", "", r#"{"additional_data":}"#] {
            assert!(PostbackBody::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_vector_of_the_protocol_is_signed_as_documented() {
        let list = r#"[{"comment":"оплата a/b \"q\" \\ \u2028 é","amount":"700","transaction_id":"1","plugin_custom_order_id":"x/1"}]"#;
        let body = PostbackBody::sign(list, Spelling::Flagged, "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK", &key()).unwrap();
        assert_eq!(body.signature(), "cf2ba3cb549cdf8a2247fad1aa4fbbbb0a9634a9");
    }
}
