//! What the elements of a verified postback say (PROTOCOL 2.2 and 2.3). Nothing that is verified is lost.

use std::borrow::Cow;

use domain::{
    Amount, CurrencyCode, DepositReport, Direction, Evidence, Label, PaymentKey, SignedFacts, Timestamp, TransactionId,
    Unsigned, WalletType, WithdrawalId, WithdrawalReport,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use signing::Verified;

use crate::json::{amount, object, text};

/// One element of the signed list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// Money came in.
    Deposit(DepositReport),
    /// A withdrawal went on.
    Withdrawal(WithdrawalReport),
    /// Signed, but it can't be understood: to be kept for a person.
    Unreadable {
        /// The signed text.
        evidence: Evidence,
        /// What is wrong, without what stands there.
        reason: &'static str,
    },
}

/// Reads the elements, in order, each when it is asked for: every one carries the whole signed text.
#[must_use]
pub fn read_postback<'a>(
    verified: &Verified<'a>,
    received_at: Timestamp,
) -> impl ExactSizeIterator<Item = Element> + use<'a> {
    let verified = *verified;
    let unsigned = object::<TopLevel<'_>>(verified.body()).map_or(TopLevel::default().read(), |top| top.read());
    let elements = elements(verified.additional_data());
    let is_only_element = elements.len() == 1;
    elements.into_iter().enumerate().map(move |(element, text)| {
        let evidence = Evidence {
            additional_data: verified.additional_data().into(),
            element,
            signature: verified.signature().into(),
            received_at,
        };
        match Facts::read(text) {
            Ok(facts) => facts.report(evidence, &unsigned, is_only_element),
            Err(reason) => Element::Unreadable { evidence, reason },
        }
    })
}

/// A list that can't be cut up, which `Verified` excludes, would be one unreadable element.
fn elements(list: &str) -> Vec<&str> {
    serde_json::from_str::<Vec<&RawValue>>(list)
        .map_or_else(|_| vec![list], |elements| elements.into_iter().map(RawValue::get).collect())
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

/// A signed element's tokens.
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
            wallet_type: wallet_type.ok_or("`wallet_type` can't be read")?,
            amount: signed.amount.and_then(amount).ok_or("`amount` can't be read")?,
            currency_code: currency_code.ok_or("`currency_code` can't be read")?,
            custom_transaction_id: text_or_empty(signed.plugin_custom_order_id)
                .ok_or("`plugin_custom_order_id` can't be read")?
                .into(),
        })
    }

    fn report(self, evidence: Evidence, unsigned: &Unsigned, is_only_element: bool) -> Element {
        let Self { subject, wallet_type, amount, currency_code, custom_transaction_id } = self;
        let label = unsigned.label.clone();
        let facts = SignedFacts { custom_transaction_id, amount, currency_code, label, evidence };
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
    /// `withdrawal_id` set: a withdrawal, whose `transaction_id` is empty; else a deposit.
    fn subject(&self) -> Result<Subject, &'static str> {
        let withdrawal_id = text_or_empty(self.withdrawal_id).ok_or("`withdrawal_id` can't be read")?;
        if !withdrawal_id.is_empty() {
            let id = WithdrawalId::parse(withdrawal_id).map_err(|_| "`withdrawal_id` is none of ours")?;
            return Ok(Subject::Withdrawal(id, self.status()?));
        }
        let transaction_id = text_or_empty(self.transaction_id).ok_or("`transaction_id` can't be read")?;
        if transaction_id.is_empty() {
            return Err("neither `withdrawal_id` nor `transaction_id` is set");
        }
        let id = TransactionId::parse(transaction_id).map_err(|_| "`transaction_id` can't be read")?;
        Ok(Subject::Payment(id))
    }

    fn status(&self) -> Result<Option<i64>, &'static str> {
        let Some(token) = self.withdrawal_status else { return Ok(None) };
        let status = text(token).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        status.map(Some).ok_or("`withdrawal_status` can't be read")
    }
}

/// Absent and null are empty; `None` for what is neither text nor number.
fn text_or_empty(token: Token<'_>) -> Option<Cow<'_, str>> {
    token.map_or(Some(Cow::Borrowed("")), text)
}
