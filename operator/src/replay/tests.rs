//! What is sent for a row, and what becomes of the payments that are held.

use std::sync::Mutex;

use domain::{
    Amount, CurrencyCode, CustomTransactionId, Direction, Evidence, Label, ListHash, ListPlace, ListProgress, Mismatch,
    OddPayment, Payment, PaymentKey, PaymentState, SignedFacts, SignedList, StoredList, Timestamp, TransactionId,
    Unreadable, Unsigned, WalletType,
};
use paykassma::{EvidenceKeys, read_postback};
use serde_json::{Value, json};
use signing::{Spelling, sign_postback, verify};
use store::{AnyRow, Change, Memory, Read, RowId, Write, read_any};

use super::held::{self, HELD};
use super::rebuilt::rebuilt;
use crate::api::Answer;
use crate::failure::{Done, Failure};
use crate::output::Output;

fn keys() -> EvidenceKeys {
    let keys = json!({"access_key": "public", "postback_private_key": "private"});
    serde_json::from_value(keys).unwrap()
}

fn key(number: &str) -> PaymentKey {
    PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse(number).unwrap(),
    }
}

fn element(number: &str) -> Value {
    json!({"amount": "700", "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
        "plugin_custom_order_id": format!("o{number}")})
}

fn signed(elements: &Value) -> (SignedList, ListHash) {
    let additional_data = elements.to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, "public", &"private".into()).unwrap();
    let list = SignedList { additional_data, signature, access_key: "public".into() };
    let hash = signing::list_hash(&list.additional_data).unwrap().into();
    (list, hash)
}

fn held(number: &str, place: ListPlace, element: usize, mismatch: Mismatch) -> Payment {
    let facts = SignedFacts {
        custom_transaction_id: format!("o{number}"),
        order_before_hyphen: None,
        amount: Amount::parse("700").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("u1").unwrap()),
        evidence: Evidence { place, element, received_at: Timestamp(7) },
    };
    Payment::new(key(number), PaymentState::Quarantined { facts, mismatch })
}

fn unsigned() -> Unsigned {
    Unsigned {
        wallet_type: Some(WalletType::parse("paytm").unwrap()),
        amount: Some(Amount::parse("1400").unwrap()),
        currency_code: Some(CurrencyCode::parse("INR").unwrap()),
        label: Some(Label::parse("u1").unwrap()),
        direction: Some(Direction::Ingoing),
    }
}

/// Writes the rows of a list of two payments, both held for a reason. Gives the key of the row that says how far it is.
async fn put_list(table: &Memory, mismatch: Mismatch) -> String {
    let (list, hash) = signed(&json!([element("1"), element("2")]));
    table.write(Change::new(StoredList { hash: hash.clone(), list })).await.unwrap();
    table.write(Change::new(ListProgress::begin(None, (&hash, 2), &unsigned(), Timestamp(7)).unwrap())).await.unwrap();
    for (place, number) in ["1", "2"].into_iter().enumerate() {
        let row = held(number, ListPlace::Stored { list: hash.clone() }, place, mismatch);
        table.write(Change::new(row)).await.unwrap();
    }
    format!("list#{}", hash.as_str())
}

async fn put_single(table: &Memory, number: &str, mismatch: Mismatch) {
    let place = ListPlace::Here(signed(&json!([element(number)])).0);
    table.write(Change::new(held(number, place, 0, mismatch))).await.unwrap();
}

async fn row(table: &Memory, key: &str) -> AnyRow {
    read_any(table, &RowId::parse(key).unwrap()).await.unwrap().unwrap()
}

/// What is sent for a row: the unsigned fields, and how many elements are signed.
async fn sent(table: &Memory, id: &str, label: Option<&str>) -> Result<(Unsigned, usize), Failure> {
    let label = label.map(|label| Label::parse(label).unwrap());
    let bodies = rebuilt(table, &row(table, id).await, label, &keys()).await?;
    let (keys, [body]) = (keys(), bodies.as_slice()) else { panic!("{bodies:?}") };
    let verified = verify(body, &keys.of_today.keys()).unwrap();
    let postback = read_postback(&verified);
    Ok((postback.unsigned, postback.list.texts.len()))
}

#[tokio::test]
async fn a_list_is_sent_as_a_whole_with_its_own_unsigned_fields() {
    let table = Memory::default();
    let list = put_list(&table, Mismatch::OrderUnwritable).await;
    for id in [list.as_str(), "payment#paytm#1", "payment#paytm#2"] {
        assert_eq!(sent(&table, id, None).await.unwrap(), (unsigned(), 2), "{id}");
        assert_eq!(sent(&table, id, Some("u2")).await.unwrap(), (unsigned(), 2), "it has its label: {id}");
    }
    let evidence = list.replace("list#", "evidence#");
    let refused = sent(&table, &evidence, None).await.unwrap_err().to_string();
    assert!(refused.contains(&list), "{refused}");
}

#[tokio::test]
async fn a_single_element_is_sent_with_copies_of_itself() {
    let table = Memory::default();
    put_single(&table, "3", Mismatch::SameNumber).await;
    put_single(&table, "4", Mismatch::Label).await;
    let copies = Unsigned { amount: Some(Amount::parse("700").unwrap()), ..unsigned() };
    assert_eq!(sent(&table, "payment#paytm#3", None).await.unwrap(), (copies, 1));
    let refused = sent(&table, "payment#paytm#4", None).await.unwrap_err();
    assert!(matches!(refused, Failure::NotAllowed(_)), "an unsigned copy differed: {refused}");
}

#[tokio::test]
async fn an_odd_element_that_is_understood_today_is_sent_with_its_label() {
    let table = Memory::default();
    for (number, is_understood) in [(json!("5"), true), (json!(4.5), false)] {
        let (list, hash) = signed(&json!([{"amount": "700", "currency_code": "INR", "wallet_type": "paytm",
            "transaction_id": number, "plugin_custom_order_id": "o5"}]));
        let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(7) };
        let payment = OddPayment {
            wallet_type: WalletType::parse("paytm").unwrap(),
            transaction_id: None,
            custom_transaction_id: "o5".into(),
            amount: Amount::parse("700").unwrap(),
            currency_code: CurrencyCode::parse("INR").unwrap(),
            label: Some(Label::parse("u5").unwrap()),
        };
        let row = Unreadable::new(hash.clone(), evidence, "it is odd", Some(payment));
        table.write(Change::new(row)).await.unwrap();
        let sent = sent(&table, &format!("unreadable#{}#0", hash.as_str()), None).await;
        let label = sent.ok().and_then(|(unsigned, _)| unsigned.label);
        assert_eq!(label, is_understood.then(|| Label::parse("u5").unwrap()), "{number}");
    }
}

/// A receiver that credits what it is told to credit.
async fn answer(table: &Memory, body: &[u8], credited: &[&str], status: u16) -> Answer {
    let sent: Value = serde_json::from_slice(body).unwrap();
    for element in sent["additional_data"].as_array().unwrap() {
        let number = element["transaction_id"].as_str().unwrap();
        let current = table.read(&key(number)).await.unwrap().unwrap();
        let PaymentState::Quarantined { facts, .. } = &current.row.state else { panic!() };
        if credited.contains(&number) {
            let order = CustomTransactionId::parse(&*facts.custom_transaction_id).unwrap();
            let credited_label = Label::parse("u1").unwrap();
            let state = PaymentState::Credited { order, credited_label, facts: facts.clone() };
            table.write(current.becomes(Payment { state, ..current.row.clone() })).await.unwrap();
        }
    }
    Answer { status, body: String::new() }
}

/// Replays what is held for a reason. Gives how it ended, and how many elements each body had.
async fn replayed(table: &Memory, reason: Mismatch, credited: &[&str], status: u16) -> (Done, Vec<usize>) {
    let bodies = Mutex::new(Vec::new());
    let send = async |body: Vec<u8>| {
        let elements = serde_json::from_slice::<Value>(&body).unwrap()["additional_data"].as_array().unwrap().len();
        bodies.lock().unwrap().push(elements);
        Ok(answer(table, &body, credited, status).await)
    };
    let done = held::run(table, &keys(), Output::new(true), reason, send).await.unwrap();
    (done, bodies.into_inner().unwrap())
}

#[tokio::test]
async fn all_that_is_held_for_a_reason_is_sent_again_and_each_list_once() {
    let table = Memory::default();
    put_list(&table, Mismatch::OrderUnwritable).await;
    put_single(&table, "3", Mismatch::OrderUnwritable).await;
    put_single(&table, "4", Mismatch::SameNumber).await;
    let some = replayed(&table, Mismatch::OrderUnwritable, &["1", "3"], 200).await;
    assert_eq!(some, (Done::Found, vec![2, 1]), "2 is still held");
    let state = async |number: &str| table.read(&key(number)).await.unwrap().unwrap().row.state.name();
    assert_eq!([state("1").await, state("2").await, state("3").await], ["credited", "quarantined", "credited"]);
    assert_eq!(state("4").await, "quarantined", "it is held for another reason");
    assert_eq!(replayed(&table, Mismatch::TakenAway, &[], 200).await, (Done::Well, vec![]));
    assert_eq!(replayed(&table, Mismatch::SameNumber, &["4"], 200).await, (Done::Well, vec![1]));
}

#[tokio::test]
async fn a_list_that_cannot_be_sent_or_stored_does_not_stop_the_others() {
    let table = Memory::default();
    let (list, hash) = signed(&json!([element("1"), element("2")]));
    drop(list);
    let place = ListPlace::Stored { list: hash };
    table.write(Change::new(held("1", place, 0, Mismatch::OrderUnwritable))).await.unwrap();
    put_single(&table, "3", Mismatch::OrderUnwritable).await;
    assert_eq!(replayed(&table, Mismatch::OrderUnwritable, &["3"], 200).await, (Done::Found, vec![1]));
    let table = Memory::default();
    put_single(&table, "3", Mismatch::OrderUnwritable).await;
    assert_eq!(replayed(&table, Mismatch::OrderUnwritable, &["3"], 503).await, (Done::Found, vec![1]));
}

#[test]
fn the_reasons_are_those_of_the_table_and_none_of_them_is_unsigned() {
    for (name, mismatch) in HELD {
        assert_eq!(serde_json::to_value(mismatch).unwrap(), name);
        assert!(!mismatch.is_unsigned(), "{name}");
    }
}
