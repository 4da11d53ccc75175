//! Nothing is published as money that does not verify.

#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{
    Amount, Caller, Credit, CurrencyCode, CustomTransactionId, Deposit, DepositRow, Event, Evidence, Label, ListHash,
    ListPlace, Order, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, Separator, SignedFacts,
    SignedList, StoredList, Timestamp, TransactionId, WalletType, Window, Withdrawal, WithdrawalId, WithdrawalRequest,
    WithdrawalRow, WithdrawalState,
};
use event_publisher::{NotProved, Proofs};
use lambda::{AwsError, SecretStore};
use paykassma::EvidenceKeys;
use serde_json::{Value, json};
use signing::{Spelling, sign_postback};
use store::{Change, Memory, Read, RowKey, StoreError, Stored, StoredListId, Write};

/// The table, whose reads of lists are counted.
#[derive(Default)]
struct Table {
    rows: Memory,
    lists_read: AtomicUsize,
}

impl Read<PaymentKey> for Table {
    async fn read(&self, id: &PaymentKey) -> Result<Option<Stored<Payment>>, StoreError> {
        self.rows.read(id).await
    }
}

impl Read<StoredListId> for Table {
    async fn read(&self, id: &StoredListId) -> Result<Option<Stored<StoredList>>, StoreError> {
        self.lists_read.fetch_add(1, Ordering::Relaxed);
        self.rows.read(id).await
    }
}

/// The keys that are read first, and those that are read again.
struct Keys(Result<Value, AwsError>, Option<Value>);

fn parsed(keys: &Value) -> Arc<EvidenceKeys> {
    Arc::new(serde_json::from_value(keys.clone()).unwrap())
}

impl SecretStore<EvidenceKeys> for Keys {
    async fn current(&self) -> Result<Arc<EvidenceKeys>, AwsError> {
        self.0.as_ref().map(parsed).map_err(Clone::clone)
    }

    async fn renewed(&self) -> Result<Option<Arc<EvidenceKeys>>, AwsError> {
        Ok(self.1.as_ref().map(parsed))
    }
}

fn keys(access_key: &str, private_key: &str) -> Value {
    json!({"access_key": access_key, "postback_private_key": private_key})
}

fn proofs(keys: Keys) -> Proofs<Table, Keys> {
    Proofs { table: Table::default(), keys, separator: Separator::Dot, last: Mutex::default() }
}

fn genuine() -> Proofs<Table, Keys> {
    proofs(Keys(Ok(keys("public", "private")), None))
}

fn element(number: &str, order: &str, amount: &str) -> Value {
    json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
        "plugin_custom_order_id": order})
}

fn paid_out(id: &str, amount: &str, status: i64) -> Value {
    json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": "", "withdrawal_id": id,
        "withdrawal_status": status})
}

fn list(elements: &Value, access_key: &str, private_key: &str) -> SignedList {
    let additional_data = elements.to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, access_key, &private_key.into()).unwrap();
    SignedList { additional_data, signature, access_key: access_key.into() }
}

fn signed(element: &Value) -> ListPlace {
    ListPlace::Here(list(&json!([element]), "public", "private"))
}

fn forged(element: &Value) -> ListPlace {
    ListPlace::Here(list(&json!([element]), "public", "invented"))
}

fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

fn facts(place: ListPlace, order: &str, text: &str) -> SignedFacts {
    SignedFacts {
        custom_transaction_id: order.into(),
        order_before_hyphen: None,
        amount: amount(text),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("u").unwrap()),
        evidence: Evidence { place, element: 0, received_at: Timestamp(7) },
    }
}

fn key(number: &str) -> PaymentKey {
    let wallet_type = WalletType::parse("paytm").unwrap();
    PaymentKey { wallet_type, transaction_id: TransactionId::parse(number).unwrap() }
}

fn decision(outcome: Outcome) -> Resolution {
    let remark = |text: &str| Remark::parse(text).unwrap();
    Resolution {
        credited_to: (outcome == Outcome::Credited).then(|| CustomTransactionId::parse("o").unwrap()),
        caller: Caller::parse("arn:aws:iam::123456789012:user/ann").ok(),
        ..Resolution::new(outcome, remark("ann"), remark("statement"), remark("line 7"), Timestamp(9))
    }
}

/// A payment that is credited to the order `o`.
fn credited(number: &str, facts: SignedFacts) -> Payment {
    let (order, credited_label) = (CustomTransactionId::parse("o").unwrap(), Label::parse("u").unwrap());
    Payment::new(key(number), PaymentState::Credited { order, credited_label, facts })
}

/// The event of the order's row.
fn credit(number: &str, text: &str) -> Event {
    let order = Order {
        custom_transaction_id: CustomTransactionId::parse("o").unwrap(),
        label: Label::parse("u").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        wallet_type: key("1").wallet_type,
        amount: None,
        lang: None,
        window: Window::default(),
    };
    let deposit = Deposit::new(order, "{}".into(), Timestamp(0));
    let credit = Credit { payment: key(number), amount: amount(text) };
    DepositRow::Registered(deposit.credit(credit).0).events(None).remove(0)
}

fn withdrawal(state: WithdrawalState, decisions: &[Resolution]) -> Event {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        label: Label::parse("u").unwrap(),
        amount: amount("1000"),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: domain::AccountNumber::parse("1234560079").unwrap(),
        payment_system: key("1").wallet_type,
        comment: None,
        is_test: false,
    };
    let row = Withdrawal::new(request, "{}".into(), "first".into(), Timestamp(0));
    let row = Withdrawal { state, resolutions: decisions.to_vec(), ..row };
    WithdrawalRow::Registered(Box::new(row)).events(None).remove(0)
}

async fn put(proofs: &Proofs<Table, Keys>, payment: Payment) {
    proofs.table.rows.write(Change::new(payment)).await.unwrap();
}

/// What is published; `None` if it is set aside.
async fn published(proofs: &Proofs<Table, Keys>, event: Event) -> Option<Value> {
    match proofs.prove(event).await {
        Ok(event) => Some(serde_json::to_value(event).unwrap()),
        Err(NotProved::Forged(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_credit_is_published_if_its_payment_verifies() {
    let proofs = genuine();
    put(&proofs, credited("1", facts(signed(&element("1", "o.1", "700")), "o.1", "700"))).await;
    let event = published(&proofs, credit("1", "700")).await.unwrap();
    assert_eq!((&event["amount"], &event["decided_by"]), (&json!("700"), &Value::Null));
}

#[tokio::test]
async fn a_credit_whose_rows_say_more_than_is_signed_is_not_published() {
    let signed_order = || signed(&element("1", "o", "700"));
    let of = |place, order: &str, amount: &str| credited("1", facts(place, order, amount));
    for (payment, event) in [
        (None, credit("1", "700")),
        (Some(of(forged(&element("1", "o", "1000000")), "o", "1000000")), credit("1", "1000000")),
        // A genuine signature, of another amount, number, order, currency or direction.
        (Some(of(signed_order(), "o", "1000000")), credit("1", "1000000")),
        (Some(of(signed(&element("2", "o", "700")), "o", "700")), credit("1", "700")),
        (Some(of(signed(&element("1", "p", "700")), "o", "700")), credit("1", "700")),
        (Some(of(signed(&element("1", "p", "700")), "p", "700")), credit("1", "700")),
        (Some(of(signed(&paid_out("o", "700", 1)), "o", "700")), credit("1", "700")),
        (Some(of(signed(&json!(5)), "o", "700")), credit("1", "700")),
        // The order's row and the payment's differ.
        (Some(of(signed_order(), "o", "700")), credit("1", "701")),
        (
            Some(Payment {
                state: PaymentState::Rejected { facts: facts(signed_order(), "o", "700") },
                ..of(signed_order(), "o", "700")
            }),
            credit("1", "700"),
        ),
    ] {
        let proofs = genuine();
        if let Some(payment) = payment.clone() {
            put(&proofs, payment).await;
        }
        assert_eq!(published(&proofs, event).await, None, "{payment:?}");
    }
}

#[tokio::test]
async fn a_persons_credit_to_another_order_needs_the_decision_and_says_so() {
    let proofs = genuine();
    let payment = credited("1", facts(signed(&element("1", "p", "700")), "p", "700"));
    put(&proofs, Payment { resolutions: vec![decision(Outcome::Credited)], ..payment.clone() }).await;
    assert_eq!(published(&proofs, credit("1", "700")).await.unwrap()["decided_by"], "person");
    // A decision does not replace the signature or the amount.
    for place in [forged(&element("1", "p", "700")), signed(&element("1", "p", "7"))] {
        let proofs = genuine();
        let payment = credited("1", facts(place, "p", "700"));
        put(&proofs, Payment { resolutions: vec![decision(Outcome::Credited)], ..payment }).await;
        assert_eq!(published(&proofs, credit("1", "700")).await, None);
    }
    // A decision about something else does not count, nor one that closed a conflict or whose caller nobody has verified.
    let closed = Resolution { credited_to: None, ..decision(Outcome::Credited) };
    let other = Resolution { credited_to: CustomTransactionId::parse("q").ok(), ..decision(Outcome::Credited) };
    let unverified = Resolution { caller: None, ..decision(Outcome::Credited) };
    for decision in [decision(Outcome::Rejected), closed, other, unverified] {
        let proofs = genuine();
        put(&proofs, Payment { resolutions: vec![decision], ..payment.clone() }).await;
        assert_eq!(published(&proofs, credit("1", "700")).await, None);
    }
}

#[tokio::test]
async fn an_odd_number_is_published_under_the_number_that_a_person_stated() {
    let odd = json!({"amount": "700", "currency_code": "INR", "wallet_type": "paytm", "transaction_id": 4.5e3,
        "plugin_custom_order_id": "o"});
    for (decisions, is_published) in [(vec![decision(Outcome::Credited)], true), (Vec::new(), false)] {
        let proofs = genuine();
        let payment = credited("4500", facts(signed(&odd), "o", "700"));
        put(&proofs, Payment { resolutions: decisions, ..payment }).await;
        assert_eq!(published(&proofs, credit("4500", "700")).await.is_some(), is_published);
    }
}

#[tokio::test]
async fn a_withdrawal_ends_by_what_is_signed_of_it() {
    let proofs = genuine();
    let paid = |place| WithdrawalState::Paid { facts: Some(facts(place, "", "1000")) };
    let failed = |place| WithdrawalState::Failed { facts: Some(facts(place, "", "1000")) };
    let of = |amount: &str, status| signed(&paid_out("w", amount, status));
    for (state, is_published) in [
        (paid(of("1000", 1)), true),
        (failed(of("1000", 5)), true),
        (paid(forged(&paid_out("w", "1000", 1))), false),
        (failed(forged(&paid_out("w", "1000", 5))), false),
        (paid(of("1000", 5)), false),
        (failed(of("1000", 1)), false),
        (failed(of("999", 5)), false),
        (failed(signed(&paid_out("v", "1000", 5))), false),
        (failed(signed(&element("1", "o", "1000"))), false),
        (WithdrawalState::Paid { facts: None }, false),
        (WithdrawalState::Failed { facts: None }, false),
        (WithdrawalState::Rejected { message: "poor".into() }, true),
        (WithdrawalState::Submitted, true),
        (WithdrawalState::Unknown, true),
    ] {
        let event = published(&proofs, withdrawal(state.clone(), &[])).await;
        assert_eq!(event.is_some(), is_published, "{state:?}");
        assert!(event.is_none_or(|event| event["decided_by"].is_null()));
    }
}

#[tokio::test]
async fn a_person_ends_a_withdrawal_without_signed_facts_by_the_decision_alone() {
    let proofs = genuine();
    for (state, outcome, other) in [
        (WithdrawalState::Paid { facts: None }, Outcome::Paid, Outcome::Failed),
        (WithdrawalState::Failed { facts: None }, Outcome::Failed, Outcome::Paid),
    ] {
        let event = published(&proofs, withdrawal(state.clone(), &[decision(outcome)])).await;
        assert_eq!(event.unwrap()["decided_by"], "person");
        let unverified = Resolution { caller: None, ..decision(outcome) };
        for decision in [decision(other), unverified] {
            assert_eq!(published(&proofs, withdrawal(state.clone(), &[decision])).await, None);
        }
    }
}

#[tokio::test]
async fn a_credit_is_published_across_the_rotation_of_each_key() {
    let rotated = |previous: Option<&str>, retired: &Value| {
        let mut keys = keys("public", "new");
        keys["postback_private_key_previous"] = json!(previous);
        keys["retired_postback_keys"] = retired.clone();
        keys
    };
    let retired = |at: u64| json!([{"access_key": "public", "private_key": "private", "retired_at_ms": at}]);
    let other_access_key = |at: u64| {
        let mut keys = keys("other", "new");
        keys["retired_postback_keys"] = retired(at);
        keys
    };
    // The payment came at 7 and was signed with the pair `public` and `private`.
    for (current, renewed, is_published) in [
        (rotated(Some("private"), &json!([])), None, true),
        (rotated(None, &json!([])), None, false),
        (rotated(None, &retired(8)), None, true),
        (rotated(None, &retired(7)), None, false),
        (other_access_key(8), None, true),
        (other_access_key(7), None, false),
        // The keys in hand are older than the signature: they are read again before it is refused.
        (keys("public", "older"), Some(keys("public", "private")), true),
        (keys("older", "private"), Some(keys("public", "private")), true),
        (keys("public", "older"), Some(keys("public", "newer")), false),
    ] {
        let proofs = proofs(Keys(Ok(current.clone()), renewed));
        put(&proofs, credited("1", facts(signed(&element("1", "o", "700")), "o", "700"))).await;
        let event = published(&proofs, credit("1", "700")).await;
        assert_eq!(event.is_some(), is_published, "{current}");
    }
}

#[tokio::test]
async fn without_the_keys_or_the_table_nothing_is_refused() {
    let unset = proofs(Keys(Err(AwsError("the secrets failed".into())), None));
    put(&unset, credited("1", facts(forged(&element("1", "o", "700")), "o", "700"))).await;
    assert!(matches!(unset.prove(credit("1", "700")).await, Err(NotProved::Keys(_))));
    let paid = WithdrawalState::Paid { facts: Some(facts(forged(&paid_out("w", "1000", 1)), "", "1000")) };
    assert!(matches!(unset.prove(withdrawal(paid, &[])).await, Err(NotProved::Keys(_))));
}

#[tokio::test]
async fn a_list_of_1200_elements_is_read_and_verified_once() {
    let proofs = genuine();
    let elements: Vec<_> = (0..1_200).map(|number| element(&number.to_string(), "o", "700")).collect();
    let list = list(&json!(elements), "public", "private");
    let hash = ListHash::from(signing::list_hash(&list.additional_data).unwrap());
    for number in 0..1_200 {
        let mut facts = facts(ListPlace::Stored { list: hash.clone() }, "o", "700");
        facts.evidence.element = number;
        put(&proofs, credited(&number.to_string(), facts)).await;
    }
    // The list's own row is missing at first: nothing is proved.
    assert_eq!(published(&proofs, credit("0", "700")).await, None);
    proofs.table.rows.write(Change::new(StoredList { hash: hash.clone(), list })).await.unwrap();
    for number in 0..1_200 {
        assert!(published(&proofs, credit(&number.to_string(), "700")).await.is_some(), "{number}");
    }
    assert_eq!(proofs.table.lists_read.load(Ordering::Relaxed), 2);
    // One element does not prove another payment.
    let mut facts = facts(ListPlace::Stored { list: hash.clone() }, "o", "700");
    facts.evidence.element = 3;
    put(&proofs, credited("4000", facts)).await;
    assert_eq!(published(&proofs, credit("4000", "700")).await, None);
    assert!(StoredListId(hash).key().starts_with("evidence#"));
    let rows: BTreeMap<_, _> = proofs.table.rows.rows();
    assert_eq!(rows.len(), 1_202);
}

#[tokio::test]
async fn a_list_under_the_hash_of_another_one_proves_nothing() {
    let proofs = genuine();
    let list = list(&json!([element("1", "o", "700"), element("2", "o", "700")]), "public", "private");
    let hash = ListHash::from([7; 32]);
    proofs.table.rows.write(Change::new(StoredList { hash: hash.clone(), list })).await.unwrap();
    put(&proofs, credited("1", facts(ListPlace::Stored { list: hash }, "o", "700"))).await;
    assert_eq!(published(&proofs, credit("1", "700")).await, None);
}
