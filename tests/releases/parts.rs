//! What the examples are made of. Everything is fixed, so that the same code writes the same rows.

use domain::*;
use serde_json::{Value, json};
use signing::{Spelling, sign_postback};

use crate::rows::{elements, reasons};

/// The keys that sign the examples' lists.
pub(crate) const ACCESS_KEY: &str = "test_access_key";
pub(crate) const PRIVATE_KEY: &str = "test_private_key";

/// 27 November 2026, 10:00.
pub(crate) const AT: Timestamp = Timestamp(1_795_773_600_000);

/// So many seconds later.
pub(crate) fn later(seconds: u64) -> Timestamp {
    Timestamp(AT.0 + seconds * 1_000)
}

pub(crate) fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

pub(crate) fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

pub(crate) fn inr() -> CurrencyCode {
    CurrencyCode::parse("INR").unwrap()
}

pub(crate) fn paytm() -> WalletType {
    WalletType::parse("paytm").unwrap()
}

pub(crate) fn number(text: &str) -> TransactionId {
    TransactionId::parse(text).unwrap()
}

pub(crate) fn key(text: &str) -> PaymentKey {
    PaymentKey { wallet_type: paytm(), transaction_id: number(text) }
}

pub(crate) fn order_id(text: &str) -> CustomTransactionId {
    CustomTransactionId::parse(text).unwrap()
}

pub(crate) fn withdrawal_id(text: &str) -> WithdrawalId {
    WithdrawalId::parse(text).unwrap()
}

pub(crate) fn attempt_id(order: &str, transaction_id: &str) -> AttemptId {
    AttemptId::new(&order_id(order), &number(transaction_id), Separator::Dot)
}

pub(crate) fn remark(text: &str) -> Remark {
    Remark::parse(text).unwrap()
}

/// A person's decision.
pub(crate) fn decision(outcome: Outcome) -> Resolution {
    let [by, reason, evidence] = reasons();
    Resolution::new(outcome, by, reason, evidence, later(60))
}

/// A decision of two people, as the function that records decisions writes it.
pub(crate) fn decision_of_two(outcome: Outcome, state: &str) -> Resolution {
    let caller = |person: &str| Caller::parse(format!("arn:aws:sts::123456789012:assumed-role/Finance/{person}")).ok();
    let decided_on = Some(DecidedOn { version: 3, state: state.into() });
    Resolution { caller: caller("ann"), proposed_by: caller("bob"), decided_on, ..decision(outcome) }
}

/// A signed list with this text.
pub(crate) fn signed(additional_data: &str) -> SignedList {
    let signature = sign_postback(additional_data, Spelling::Flagged, ACCESS_KEY, &PRIVATE_KEY.into()).unwrap();
    SignedList { additional_data: additional_data.into(), signature, access_key: ACCESS_KEY.into() }
}

/// The list that is stored by itself.
pub(crate) fn list() -> StoredList {
    let list = signed(&json!(elements()).to_string());
    StoredList { hash: signing::list_hash(&list.additional_data).unwrap().into(), list }
}

/// The provider's word about a payment.
pub(crate) fn element(order: &str, transaction_id: &str, amount: &str) -> Value {
    json!({
        "activated_datetime": "2026-11-27T10:00:00.000000Z", "comment": "", "amount": amount, "currency_code": "INR",
        "wallet_type": "paytm", "transaction_id": transaction_id, "plugin_custom_order_id": order, "withdrawal_id": null,
        "withdrawal_status": null, "account_name": "A Name",
    })
}

/// The provider's word about a withdrawal.
pub(crate) fn withdrawal_element(id: &str, status: i64, amount: &str) -> Value {
    json!({
        "amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": "",
        "plugin_custom_order_id": "", "withdrawal_id": id, "withdrawal_status": status,
    })
}

fn facts_of(custom_transaction_id: &str, text: &str, user: &str, element: &Value) -> SignedFacts {
    let place = ListPlace::Here(signed(&json!([element]).to_string()));
    SignedFacts {
        custom_transaction_id: custom_transaction_id.into(),
        order_before_hyphen: None,
        amount: amount(text),
        currency_code: inr(),
        label: Some(label(user)),
        evidence: Evidence { place, element: 0, received_at: later(30) },
    }
}

/// What a postback says of a payment.
pub(crate) fn facts(custom_transaction_id: &str, transaction_id: &str, text: &str) -> SignedFacts {
    facts_of(custom_transaction_id, text, "631317234", &element(custom_transaction_id, transaction_id, text))
}

/// What a postback says of a withdrawal.
pub(crate) fn withdrawal_facts(id: &str, status: i64, text: &str) -> SignedFacts {
    facts_of("", text, "160496026", &withdrawal_element(id, status, text))
}

/// Two payments that are readable in part: with all that may be there, and with nothing else than there must be.
pub(crate) fn odd_facts() -> (OddPayment, OddPayment) {
    let odd = OddPayment {
        wallet_type: paytm(),
        transaction_id: Some(number("47752120600")),
        custom_transaction_id: "order-3".into(),
        amount: amount("700.00"),
        currency_code: inr(),
        label: Some(label("631317234")),
    };
    let bare = OddPayment { transaction_id: None, custom_transaction_id: String::new(), label: None, ..odd.clone() };
    (odd, bare)
}
