//! Each rule, kept and broken.

mod joined;
mod lists;
mod rows;

use domain::{
    Amount, Caller, Credit, CurrencyCode, CustomTransactionId, Deposit, Evidence, Label, ListPlace, Order, Outcome,
    Payment, PaymentKey, PaymentState, Remark, Resolution, SignedFacts, SignedList, Timestamp, TransactionId,
    WalletType, Window,
};
use paykassma::EvidenceKeys;
use serde_json::{Value, json};
use signing::{Spelling, sign_postback};
use store::{AnyRow, OUR_FORMAT, ScannedRow};

const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

fn keys(current: &str, previous: Option<&str>) -> EvidenceKeys {
    let keys =
        json!({"access_key": ACCESS_KEY, "postback_private_key": current, "postback_private_key_previous": previous});
    serde_json::from_value(keys).unwrap()
}

/// Signs a list of elements.
fn signed_list(elements: &Value) -> SignedList {
    let additional_data = elements.to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, ACCESS_KEY, &"private".into()).unwrap();
    SignedList { additional_data, signature, access_key: ACCESS_KEY.into() }
}

fn facts(signed: &Value) -> SignedFacts {
    let place = ListPlace::Here(signed_list(&json!([signed])));
    SignedFacts {
        custom_transaction_id: signed["plugin_custom_order_id"].as_str().unwrap_or_default().into(),
        order_before_hyphen: None,
        amount: Amount::parse(signed["amount"].as_str().unwrap()).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("u1").unwrap()),
        evidence: Evidence { place, element: 0, received_at: Timestamp(7) },
    }
}

fn deposit_element(number: &str, order: &str, amount: &str) -> Value {
    json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
        "plugin_custom_order_id": order})
}

fn paid_in(number: &str, order: &str, amount: &str) -> SignedFacts {
    facts(&deposit_element(number, order, amount))
}

fn paid_out(id: &str, amount: &str, status: i64) -> SignedFacts {
    facts(&json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": "",
        "withdrawal_id": id, "withdrawal_status": status}))
}

fn credited() -> Payment {
    let (order, credited_label) = (CustomTransactionId::parse("o1").unwrap(), Label::parse("u1").unwrap());
    Payment::new(key("1"), PaymentState::Credited { order, credited_label, facts: paid_in("1", "o1.2", "700") })
}

fn with_receipt(facts: SignedFacts) -> Payment {
    let mut row = credited();
    let PaymentState::Credited { facts: current, .. } = &mut row.state else { panic!() };
    *current = facts;
    row
}

fn found(outcome: Outcome) -> Vec<Resolution> {
    let remark = Remark::parse("a text").unwrap();
    let (by, reason, evidence) = (remark.clone(), remark.clone(), remark);
    let credited_to = (outcome == Outcome::Credited).then(|| CustomTransactionId::parse("o1").unwrap());
    let caller = Caller::parse("arn:aws:iam::123456789012:user/ann").ok();
    vec![Resolution { closes: 9, credited_to, caller, ..Resolution::new(outcome, by, reason, evidence, Timestamp(8)) }]
}

fn key(number: &str) -> PaymentKey {
    PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(number).unwrap(),
    }
}

fn order(id: &str) -> Deposit {
    let order = Order {
        custom_transaction_id: CustomTransactionId::parse(id).unwrap(),
        label: Label::parse("u1").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: WalletType::parse("paytm").unwrap(),
        amount: None,
        lang: None,
        window: Window::default(),
    };
    Deposit::new(order, "{}".into(), Timestamp(1))
}

fn credit(number: &str, amount: &str) -> Credit {
    Credit { payment: key(number), amount: Amount::parse(amount).unwrap() }
}

fn scanned_row(row: AnyRow) -> ScannedRow {
    ScannedRow { indexed: row.attention(), row, format: Some(OUR_FORMAT) }
}
