//! What a person may decide about payments that are odd, or have the number of another one.

#![cfg(test)]

use decision_recorder::{Decision, NotDecided, Stated};
use domain::{
    Amount, CreditedNumber, CreditedNumberId, CurrencyCode, CustomTransactionId, Deposit, DepositRow, Evidence, Label,
    ListHash, ListPlace, ListProgress, MAX_RESOLUTIONS, Mismatch, NormalisedNumber, NotResolved, OddPayment, Order,
    Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, SignedFacts, SignedList, StoredList, Timestamp,
    TransactionId, Unreadable, Unsigned, WalletType, Window,
};

use store::{AnyRow, Change, Memory, Read, Row, RowId, Write, read_any};

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

fn key(wallet: &str, number: &str) -> PaymentKey {
    PaymentKey { wallet_type: WalletType::parse(wallet).unwrap(), transaction_id: number_of(number) }
}

fn number_of(number: &str) -> TransactionId {
    TransactionId::parse(number).unwrap()
}

fn evidence() -> Evidence {
    let list = SignedList { additional_data: "[5]".into(), signature: "538e".into(), access_key: "key".into() };
    Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(7) }
}

fn odd(number: Option<&str>, order: &str) -> OddPayment {
    OddPayment {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: number.map(number_of),
        custom_transaction_id: order.into(),
        amount: Amount::parse("700").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: None,
    }
}

/// A payment that is signed for o1 and held.
fn held(wallet: &str, number: &str) -> Payment {
    let facts = SignedFacts { label: Some(Label::parse("u1").unwrap()), ..odd(None, "o1").facts(&evidence()) };
    Payment::new(key(wallet, number), PaymentState::Quarantined { facts, mismatch: Mismatch::SameNumber })
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = |text: &str| Remark::parse(text).unwrap();
    Resolution::new(outcome, remark("alice"), remark("seen in the back office"), remark("line 7"), Timestamp(8))
}

async fn put<R: Row>(table: &Memory, row: R) -> AnyRow {
    let change = Change::new(row);
    table.write(change.clone()).await.unwrap();
    R::into_any(change.written())
}

/// A table with the orders o1 and o2.
async fn table() -> Memory {
    let table = Memory::default();
    for id in ["o1", "o2"] {
        put(&table, DepositRow::Registered(order(id))).await;
    }
    table
}

/// Decides about the current row, and writes the decision. Gives the keys of the order and the payment that are credited.
async fn decide(
    table: &Memory,
    key: &str,
    stated: &Stated,
    resolution: Resolution,
) -> Result<(Option<String>, Option<String>), NotDecided> {
    let row = read_any(table, &RowId::parse(key).unwrap()).await.unwrap().unwrap();
    let decision = Decision::make(table, row, stated, resolution).await?;
    let credited = (decision.credited(), decision.payment());
    assert!(decision.write(table).await.unwrap());
    Ok(credited)
}

async fn credits(table: &Memory, id: &str) -> u64 {
    let order = table.read(&CustomTransactionId::parse(id).unwrap()).await.unwrap().unwrap();
    order.row.registered().unwrap().total_credits().count
}

fn credited(order: &str, payment: &str) -> (Option<String>, Option<String>) {
    (Some(order.into()), Some(payment.into()))
}

fn stated(order: Option<&str>, number: Option<&str>) -> Stated {
    Stated { order: order.map(|id| CustomTransactionId::parse(id).unwrap()), number: number.map(number_of) }
}

/// Credits an odd payment of a fresh table under what a person states.
async fn credit_odd(odd: OddPayment, stated: Stated) -> Result<(Option<String>, Option<String>), NotDecided> {
    let table = table().await;
    let row = Unreadable::new(ListHash::from([0; 32]), evidence(), "it is odd", Some(odd));
    let key = put(&table, row).await.key();
    decide(&table, &key, &stated, resolution(Outcome::Credited)).await
}

#[tokio::test]
async fn an_odd_payment_is_credited_under_the_number_and_to_the_order_that_a_person_states() {
    let paid = |order| Ok(credited(order, "payment#paytm#123"));
    let number = |order| stated(order, Some("123"));
    assert_eq!(credit_odd(odd(None, "o1"), number(None)).await, paid("deposit#o1"));
    assert_eq!(credit_odd(odd(None, ""), number(Some("o2"))).await, paid("deposit#o2"));
    assert_eq!(credit_odd(odd(None, "unknown"), number(Some("o2"))).await, paid("deposit#o2"));
    assert_eq!(credit_odd(odd(Some("123"), ""), stated(Some("o1"), None)).await, paid("deposit#o1"));

    let refused = async |odd, stated| match credit_odd(odd, stated).await {
        Err(NotDecided::NotResolved(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(odd(None, "o1"), number(Some("o2"))).await, NotResolved::OrderOfAnother);
    for (odd, stated) in [
        (odd(None, "o1"), stated(None, None)),
        (odd(None, "o1"), stated(None, Some("47752120004\u{a0}"))),
        (odd(Some("123"), ""), stated(Some("o1"), Some("124"))),
    ] {
        assert!(matches!(refused(odd, stated).await, NotResolved::Number(_)));
    }
    assert_eq!(credit_odd(odd(None, ""), number(None)).await, Err(NotDecided::NoOrder));
}

#[tokio::test]
async fn an_odd_payment_is_credited_once() {
    let table = table().await;
    let row = Unreadable::new(ListHash::from([0; 32]), evidence(), "it is odd", Some(odd(None, "o1")));
    let key = put(&table, row).await.key();
    let again = async |number| decide(&table, &key, &stated(None, Some(number)), resolution(Outcome::Credited)).await;
    assert_eq!(again("123").await, Ok(credited("deposit#o1", "payment#paytm#123")));
    for number in ["123", "124"] {
        assert!(matches!(again(number).await, Err(NotDecided::NotResolved(_))), "{number}");
    }
    assert_eq!(credits(&table, "o1").await, 1);
}

#[tokio::test]
async fn a_payment_with_a_number_for_which_the_order_was_credited_must_be_stated_to_be_different() {
    let table = table().await;
    put(&table, held("upi_l", "ab1")).await;
    let person = || resolution(Outcome::Credited);
    let none = Stated::default();
    decide(&table, "payment#upi_l#ab1", &none, person()).await.unwrap();
    put(&table, held("upi_ib", "00AB1")).await;
    put(&table, held("paytm", "2")).await;
    let refused = decide(&table, "payment#upi_ib#00AB1", &none, person()).await;
    assert_eq!(refused, Err(NotDecided::SameNumber { first: "payment#upi_l#ab1".into() }), "the order's row says it");
    decide(&table, "payment#paytm#2", &none, person()).await.unwrap();
    let refused = decide(&table, "payment#upi_ib#00AB1", &none, person()).await;
    assert_eq!(refused, Err(NotDecided::SameNumber { first: "payment#upi_l#ab1".into() }), "the number's row says it");
    assert_eq!(credits(&table, "o1").await, 2);

    let different = Resolution { is_different_payment: true, ..person() };
    let decided = decide(&table, "payment#upi_ib#00AB1", &none, different).await;
    assert_eq!(decided, Ok(credited("deposit#o1", "payment#upi_ib#00AB1")));
    assert_eq!(credits(&table, "o1").await, 3);
    let number = CreditedNumberId {
        order: CustomTransactionId::parse("o1").unwrap(),
        number: NormalisedNumber::of(&number_of("ab1")),
    };
    assert_eq!(table.read(&number).await.unwrap().unwrap().row.payment, key("upi_l", "ab1"), "the first one stays");
}

#[tokio::test]
async fn the_rule_of_numbers_binds_an_odd_payment_too() {
    let table = table().await;
    put(&table, held("upi_l", "123")).await;
    decide(&table, "payment#upi_l#123", &Stated::default(), resolution(Outcome::Credited)).await.unwrap();
    let row = Unreadable::new(ListHash::from([0; 32]), evidence(), "it is odd", Some(odd(None, "o1")));
    let key = put(&table, row).await.key();
    let person = |is_different_payment| Resolution { is_different_payment, ..resolution(Outcome::Credited) };
    let number = stated(None, Some("0123"));
    let refused = decide(&table, &key, &number, person(false)).await;
    assert_eq!(refused, Err(NotDecided::SameNumber { first: "payment#upi_l#123".into() }));
    assert_eq!(decide(&table, &key, &number, person(true)).await, Ok(credited("deposit#o1", "payment#paytm#0123")));
}

#[tokio::test]
async fn what_is_stated_must_be_needed() {
    let table = table().await;
    put(&table, held("paytm", "1")).await;
    let none = Stated::default();
    let rejected = async |stated, resolution| decide(&table, "payment#paytm#1", &stated, resolution).await;
    let different = Resolution { is_different_payment: true, ..resolution(Outcome::Rejected) };
    assert_eq!(rejected(none, different).await, Err(NotDecided::DifferenceNotNeeded));
    let order = stated(Some("o1"), None);
    assert_eq!(rejected(order, resolution(Outcome::Rejected)).await, Err(NotDecided::OrderNotNeeded));
    let number = stated(None, Some("2"));
    assert_eq!(rejected(number, resolution(Outcome::Credited)).await, Err(NotDecided::NumberNotNeeded));
}

#[tokio::test]
async fn a_row_takes_a_bounded_number_of_decisions() {
    let table = table().await;
    let order = CustomTransactionId::parse("o1").unwrap();
    let claimed = || PaymentState::Claimed { order: order.clone(), journal: None };
    put(&table, Payment::new(key("paytm", "1"), claimed())).await;
    let taken = async || {
        decide(&table, "payment#paytm#1", &Stated::default(), resolution(Outcome::Rejected)).await?;
        let row = table.read(&key("paytm", "1")).await.unwrap().unwrap();
        table.write(row.becomes(Payment { state: claimed(), ..row.row.clone() })).await.unwrap();
        Ok::<_, NotDecided>(())
    };
    for time in 0..MAX_RESOLUTIONS {
        assert_eq!(taken().await, Ok(()), "{time}");
    }
    assert_eq!(taken().await, Err(NotDecided::NotResolved(NotResolved::TooMany)));
}

#[tokio::test]
async fn rows_that_only_serve_others_are_not_decided() {
    let table = table().await;
    let list = evidence().own_list().unwrap().clone();
    let hash = ListHash::from([0; 32]);
    let rows = [
        put(&table, StoredList { hash: hash.clone(), list }).await,
        put(&table, ListProgress::begin(None, (&hash, 2), &Unsigned::default(), Timestamp(7)).unwrap()).await,
        put(&table, CreditedNumber { order: order("o1").order.custom_transaction_id, payment: key("paytm", "1") })
            .await,
    ];
    for row in rows {
        let decided = decide(&table, &row.key(), &Stated::default(), resolution(Outcome::Rejected)).await;
        assert_eq!(decided, Err(NotDecided::NothingToDecide), "{}", row.key());
    }
}
