//! Reads the elements of a verified postback (docs/provider-protocol.md 2.2 and 2.3). No verified element is dropped.

use std::borrow::Cow;
use std::fmt;

use domain::{
    Amount, AttemptId, CurrencyCode, DepositReport, Direction, Evidence, Label, ListPlace, OddPayment, PaymentKey,
    Separator, SignedFacts, Timestamp, TransactionId, Unsigned, WalletType, WithdrawalId, WithdrawalReport,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use signing::Verified;

use crate::json::{amount, id, object, text};

/// One element of the signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// Money came in.
    Deposit(DepositReport),
    /// A withdrawal was paid or failed, or has some other status.
    Withdrawal(WithdrawalReport),
    /// The element is signed but cannot be understood. It must be stored for a person.
    Unreadable {
        /// What proves it.
        evidence: Evidence,
        /// What is wrong. Never quotes the content.
        reason: &'static str,
        /// The payment, if that is what it is about and all else is readable.
        payment: Option<OddPayment>,
    },
}

/// A verified postback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postback<'a> {
    /// What the signature covers.
    pub list: SignedElements<'a>,
    /// What it does not cover.
    pub unsigned: Unsigned,
}

/// Reads a verified postback. Its elements are read by [`Postback::elements`], once it is known where their list is stored.
#[must_use]
pub fn read_postback<'a>(verified: &Verified<'a>) -> Postback<'a> {
    let unsigned = object::<TopLevel<'_>>(verified.body()).map_or_else(Unsigned::default, |top| top.read());
    Postback { list: signed_elements(verified.additional_data()), unsigned }
}

impl Postback<'_> {
    /// Reads the elements in order. `place` says where their list is stored; `separator` is the one with which the ids of attempts
    /// are made.
    #[must_use]
    pub fn elements(
        &self,
        place: &ListPlace,
        received_at: Timestamp,
        separator: Separator,
    ) -> impl ExactSizeIterator<Item = Element> {
        let is_only_element = self.list.texts.len() == 1;
        self.list.texts.iter().enumerate().map(move |(element, text)| {
            let evidence = Evidence { place: place.clone(), element, received_at };
            let read = self.list.fault.map_or_else(|| Facts::read(text), |fault| Err(Odd::wholly(fault)));
            match read {
                Ok(facts) => facts.report(evidence, &self.unsigned, is_only_element, separator),
                Err(Odd { reason, payment }) => {
                    let label = self.unsigned.label.clone();
                    let payment = payment.map(|payment| OddPayment { label, ..*payment });
                    Element::Unreadable { evidence, reason, payment }
                }
            }
        })
    }
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
    let list = serde_json::from_str::<Vec<&RawValue>>(additional_data);
    let texts = list.map_or_else(
        |_| serde_json::from_str(additional_data).map_or(None, |Numbered(texts)| texts),
        |elements| Some(elements.into_iter().map(RawValue::get).collect()),
    );
    let fault = match texts {
        Some(texts) if !texts.is_empty() => return SignedElements { texts, fault: None },
        Some(_) => "the list is empty",
        None => "`additional_data` is neither a list nor an object with only numbers as keys",
    };
    SignedElements { texts: vec![additional_data], fault: Some(fault) }
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
#[derive(Deserialize)]
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

/// Why an element cannot be read.
struct Odd {
    reason: &'static str,
    /// What is readable all the same, if it is about a payment.
    payment: Option<Box<OddPayment>>,
}

impl Odd {
    fn wholly(reason: &'static str) -> Self {
        Self { reason, payment: None }
    }
}

impl Facts {
    fn read(element: &str) -> Result<Self, Odd> {
        let signed: Signed<'_> = object(element).ok_or(Odd::wholly("the element is not an object"))?;
        let wallet_type = signed.wallet_type.and_then(text).and_then(|it| WalletType::parse(it).ok());
        let currency_code = signed.currency_code.and_then(text).and_then(|it| CurrencyCode::parse(it).ok());
        let withdrawal = signed.withdrawal()?;
        let wallet_type = wallet_type.ok_or(Odd::wholly("`wallet_type` cannot be read"))?;
        let amount = signed.amount.and_then(amount).ok_or(Odd::wholly("`amount` cannot be read"))?;
        let currency_code = currency_code.ok_or(Odd::wholly("`currency_code` cannot be read"))?;
        if let Some(subject) = withdrawal {
            let custom_transaction_id = String::new();
            return Ok(Self { subject, wallet_type, amount, currency_code, custom_transaction_id });
        }
        match (signed.number(), signed.order_id()) {
            (Ok(number), Ok(order)) => {
                let (subject, custom_transaction_id) = (Subject::Payment(number), order.into());
                Ok(Self { subject, wallet_type, amount, currency_code, custom_transaction_id })
            }
            (number, order) => {
                let reason = number.as_ref().err().or(order.as_ref().err()).copied().unwrap_or_default();
                let (transaction_id, order) = (number.ok(), order.unwrap_or_default());
                let custom_transaction_id = order.into();
                let payment = OddPayment {
                    wallet_type,
                    transaction_id,
                    custom_transaction_id,
                    amount,
                    currency_code,
                    label: None,
                };
                Err(Odd { reason, payment: Some(Box::new(payment)) })
            }
        }
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
    /// The longest `plugin_custom_order_id` that is read, in bytes. The provider's limit is 190 characters.
    const MAX_ORDER_ID: usize = 1_000;

    /// With a `withdrawal_id` the element is about a withdrawal, and its `transaction_id` is empty. Otherwise it is about a deposit.
    fn withdrawal(&self) -> Result<Option<Subject>, Odd> {
        let withdrawal_id = id_or_empty(self.withdrawal_id).ok_or(Odd::wholly("`withdrawal_id` cannot be read"))?;
        if withdrawal_id.is_empty() {
            return Ok(None);
        }
        let id = WithdrawalId::parse(withdrawal_id).map_err(|_| Odd::wholly("`withdrawal_id` is none of ours"))?;
        Ok(Some(Subject::Withdrawal(id, self.status()?)))
    }

    /// A payment's number has only visible ASCII characters: no two such numbers look alike.
    fn number(&self) -> Result<TransactionId, &'static str> {
        let number = id_or_empty(self.transaction_id).ok_or("`transaction_id` cannot be read")?;
        if number.is_empty() {
            return Err("neither `withdrawal_id` nor `transaction_id` is set");
        }
        let number = TransactionId::parse(number).ok().filter(TransactionId::is_visible_ascii);
        number.ok_or("`transaction_id` cannot be read")
    }

    fn order_id(&self) -> Result<Cow<'_, str>, &'static str> {
        let id = id_or_empty(self.plugin_custom_order_id).filter(|id| id.len() <= Self::MAX_ORDER_ID);
        id.ok_or("`plugin_custom_order_id` cannot be read")
    }

    fn status(&self) -> Result<Option<i64>, Odd> {
        let Some(token) = self.withdrawal_status else { return Ok(None) };
        let status = text(token).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        status.map(Some).ok_or(Odd::wholly("`withdrawal_status` cannot be read"))
    }
}

/// A token that is absent or null is an empty id. `None` means that it cannot be an id.
fn id_or_empty(token: Token<'_>) -> Option<Cow<'_, str>> {
    token.map_or(Some(Cow::Borrowed("")), id)
}
