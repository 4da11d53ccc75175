//! Reads the elements of a verified postback (docs/provider-protocol.md 2.2 and 2.3). No verified element is dropped.

use std::borrow::Cow;
use std::fmt;

use domain::{
    Amount, AttemptId, CurrencyCode, DepositReport, Direction, Evidence, Label, PaymentKey, Separator, SignedFacts,
    Timestamp, TransactionId, Unsigned, WalletType, WithdrawalId, WithdrawalReport,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use signing::Verified;

use crate::json::{amount, object, text};

/// One element of the signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// Money came in.
    Deposit(DepositReport),
    /// A withdrawal was paid or failed, or has some other status.
    Withdrawal(WithdrawalReport),
    /// The element is signed but cannot be understood. It must be stored for a person.
    Unreadable {
        /// The signed text.
        evidence: Evidence,
        /// What is wrong. Never quotes the content.
        reason: &'static str,
    },
}

/// Reads the elements in order. It reads each only when it is asked for, because each contains a copy of the whole signed text.
/// `separator` is the one with which the ids of attempts are made.
#[must_use]
pub fn read_postback<'a>(
    verified: &Verified<'a>,
    received_at: Timestamp,
    separator: Separator,
) -> impl ExactSizeIterator<Item = Element> + use<'a> {
    let verified = *verified;
    let unsigned = object::<TopLevel<'_>>(verified.body()).map_or(TopLevel::default().read(), |top| top.read());
    let SignedElements { texts, fault } = signed_elements(verified.additional_data());
    let is_only_element = texts.len() == 1;
    texts.into_iter().enumerate().map(move |(element, text)| {
        let evidence = Evidence {
            additional_data: verified.additional_data().into(),
            element,
            signature: verified.signature().into(),
            received_at,
        };
        match fault.map_or_else(|| Facts::read(text), Err) {
            Ok(facts) => facts.report(evidence, &unsigned, is_only_element, separator),
            Err(reason) => Element::Unreadable { evidence, reason },
        }
    })
}

/// The elements of a signed `additional_data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedElements<'a> {
    /// The text of each element. [`Evidence::element`] is the place here, from 0.
    pub texts: Vec<&'a str>,
    /// Why nothing of it can be read. Then the whole text is the only element.
    pub fault: Option<&'static str>,
}

/// Divides a signed `additional_data`, of a postback or of stored evidence, into its elements.
///
/// An object is a list if all its keys are decimal integers: PHP writes a list like that after an element was removed from it. The
/// elements are in the order in which they stand, whatever their keys say. Any other object is one element that cannot be read.
///
/// # Examples
/// ```
/// use paykassma::signed_elements;
///
/// let list = signed_elements(r#"[{"amount":"700"}, {"amount":"300"}]"#);
/// assert_eq!(list.texts, [r#"{"amount":"700"}"#, r#"{"amount":"300"}"#]);
///
/// let filtered = signed_elements(r#"{"0":{"amount":"700"},"2":{"amount":"300"}}"#);
/// assert_eq!(filtered, list);
///
/// // An element that is not in a list may not be credited.
/// let bare = signed_elements(r#"{"amount":"700"}"#);
/// assert_eq!(bare.texts, [r#"{"amount":"700"}"#]);
/// assert!(bare.fault.is_some());
/// ```
#[must_use]
pub fn signed_elements(additional_data: &str) -> SignedElements<'_> {
    match serde_json::from_str::<Vec<&RawValue>>(additional_data) {
        Ok(elements) => SignedElements { texts: elements.into_iter().map(RawValue::get).collect(), fault: None },
        Err(_) => elements_of_object(additional_data),
    }
}

fn elements_of_object(additional_data: &str) -> SignedElements<'_> {
    if let Ok(Numbered(Some(texts))) = serde_json::from_str(additional_data) {
        return SignedElements { texts, fault: None };
    }
    let fault = Some("`additional_data` is neither a list nor an object with only numbers as keys");
    SignedElements { texts: vec![additional_data], fault }
}

/// The values of an object, in the order in which they stand. `None` if a key is no number.
struct Numbered<'a>(Option<Vec<&'a str>>);

impl<'de> Deserialize<'de> for Numbered<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NumberedVisitor)
    }
}

struct NumberedVisitor;

impl<'de> Visitor<'de> for NumberedVisitor {
    type Value = Numbered<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = Some(Vec::new());
        while let Some((key, value)) = map.next_entry::<Cow<'_, str>, &RawValue>()? {
            texts = texts.filter(|_| is_place(&key));
            if let Some(texts) = &mut texts {
                texts.push(value.get());
            }
        }
        Ok(Numbered(texts))
    }
}

/// Whether a key is a decimal integer as PHP writes one: without a sign and without leading zeros.
fn is_place(key: &str) -> bool {
    key == "0" || (!key.starts_with('0') && !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()))
}

type Token<'a> = Option<&'a RawValue>;

/// The unsigned copies.
#[derive(Default, Deserialize)]
struct TopLevel<'a> {
    #[serde(borrow)]
    wallet_type: Token<'a>,
    #[serde(borrow)]
    amount: Token<'a>,
    #[serde(borrow)]
    currency_code: Token<'a>,
    #[serde(borrow)]
    label: Token<'a>,
    #[serde(borrow)]
    direction: Token<'a>,
}

impl TopLevel<'_> {
    fn read(&self) -> Unsigned {
        Unsigned {
            wallet_type: self.wallet_type.and_then(text).and_then(|it| WalletType::parse(it).ok()),
            amount: self.amount.and_then(amount),
            currency_code: self.currency_code.and_then(text).and_then(|it| CurrencyCode::parse(it).ok()),
            label: self.label.and_then(text).and_then(|it| Label::parse(it).ok()),
            direction: match self.direction.and_then(text).as_deref() {
                Some("ingoing") => Some(Direction::Ingoing),
                Some("outgoing") => Some(Direction::Outgoing),
                Some(_) | None => None,
            },
        }
    }
}

/// The tokens of a signed element.
#[derive(Deserialize)]
struct Signed<'a> {
    #[serde(borrow)]
    amount: Token<'a>,
    #[serde(borrow)]
    currency_code: Token<'a>,
    #[serde(borrow)]
    wallet_type: Token<'a>,
    #[serde(borrow)]
    transaction_id: Token<'a>,
    #[serde(borrow)]
    plugin_custom_order_id: Token<'a>,
    #[serde(borrow)]
    withdrawal_id: Token<'a>,
    #[serde(borrow)]
    withdrawal_status: Token<'a>,
}

/// What the signed element is about.
enum Subject {
    Payment(TransactionId),
    Withdrawal(WithdrawalId, Option<i64>),
}

/// What the signed element says.
struct Facts {
    subject: Subject,
    wallet_type: WalletType,
    amount: Amount,
    currency_code: CurrencyCode,
    custom_transaction_id: String,
}

impl Facts {
    fn read(element: &str) -> Result<Self, &'static str> {
        let signed: Signed<'_> = object(element).ok_or("the element is not an object")?;
        let wallet_type = signed.wallet_type.and_then(text).and_then(|it| WalletType::parse(it).ok());
        let currency_code = signed.currency_code.and_then(text).and_then(|it| CurrencyCode::parse(it).ok());
        Ok(Self {
            subject: signed.subject()?,
            wallet_type: wallet_type.ok_or("`wallet_type` cannot be read")?,
            amount: signed.amount.and_then(amount).ok_or("`amount` cannot be read")?,
            currency_code: currency_code.ok_or("`currency_code` cannot be read")?,
            custom_transaction_id: text_or_empty(signed.plugin_custom_order_id)
                .ok_or("`plugin_custom_order_id` cannot be read")?
                .into(),
        })
    }

    fn report(self, evidence: Evidence, unsigned: &Unsigned, is_only_element: bool, separator: Separator) -> Element {
        let Self { subject, wallet_type, amount, currency_code, custom_transaction_id } = self;
        let label = unsigned.label.clone();
        let order_before_hyphen = match (&subject, separator) {
            (Subject::Payment(number), Separator::Hyphen) => {
                AttemptId::order_before_hyphen(&custom_transaction_id, number)
            }
            (Subject::Payment(_) | Subject::Withdrawal(..), _) => None,
        };
        let facts = SignedFacts { custom_transaction_id, order_before_hyphen, amount, currency_code, label, evidence };
        let mismatch = |direction| unsigned.mismatch(direction, &wallet_type, &facts, is_only_element);
        match subject {
            Subject::Payment(transaction_id) => {
                let mismatch = mismatch(Direction::Ingoing);
                Element::Deposit(DepositReport { payment: PaymentKey { wallet_type, transaction_id }, facts, mismatch })
            }
            Subject::Withdrawal(withdrawal_id, withdrawal_status) => {
                let mismatch = mismatch(Direction::Outgoing);
                Element::Withdrawal(WithdrawalReport { withdrawal_id, wallet_type, withdrawal_status, facts, mismatch })
            }
        }
    }
}

impl Signed<'_> {
    /// With a `withdrawal_id` the element is about a withdrawal, and its `transaction_id` is empty. Otherwise it is about a deposit.
    fn subject(&self) -> Result<Subject, &'static str> {
        let withdrawal_id = text_or_empty(self.withdrawal_id).ok_or("`withdrawal_id` cannot be read")?;
        if !withdrawal_id.is_empty() {
            let id = WithdrawalId::parse(withdrawal_id).map_err(|_| "`withdrawal_id` is none of ours")?;
            return Ok(Subject::Withdrawal(id, self.status()?));
        }
        let transaction_id = text_or_empty(self.transaction_id).ok_or("`transaction_id` cannot be read")?;
        if transaction_id.is_empty() {
            return Err("neither `withdrawal_id` nor `transaction_id` is set");
        }
        let id = TransactionId::parse(transaction_id).map_err(|_| "`transaction_id` cannot be read")?;
        Ok(Subject::Payment(id))
    }

    fn status(&self) -> Result<Option<i64>, &'static str> {
        let Some(token) = self.withdrawal_status else { return Ok(None) };
        let status = text(token).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        status.map(Some).ok_or("`withdrawal_status` cannot be read")
    }
}

/// A token that is absent or null is an empty text. `None` means that it is neither a string nor a number.
fn text_or_empty(token: Token<'_>) -> Option<Cow<'_, str>> {
    token.map_or(Some(Cow::Borrowed("")), text)
}
