//! The rules of several rows.

use domain::{CreditedNumber, DepositRow, Unregistered, WaitingPage};
use store::{Change, Memory, Row, Stored, Write};

use super::super::report::{Counts, Reporter, Summary};
use super::super::{Break, Found, Rule, Sorters};
use super::*;
use crate::failure::Done;

pub(super) fn any<R: Row>(row: R) -> AnyRow {
    R::into_any(Stored { row, version: 1 })
}

async fn put<R: Row>(table: &Memory, Stored { row, .. }: &Stored<R>) {
    table.write(Change::new(row.clone())).await.unwrap();
}

pub(super) async fn table_of(rows: &[AnyRow]) -> Memory {
    let table = Memory::default();
    for row in rows {
        match row {
            AnyRow::Deposit(it) => put(&table, it).await,
            AnyRow::Payment(it) => put(&table, it).await,
            AnyRow::Withdrawal(it) => put(&table, it).await,
            AnyRow::Unreadable(it) => put(&table, it).await,
            AnyRow::EntryCount(it) => put(&table, it).await,
            AnyRow::ReservedSums(it) => put(&table, it).await,
            AnyRow::CreditedNumber(it) => put(&table, it).await,
            AnyRow::WaitingPage(it) => put(&table, it).await,
            AnyRow::StoredList(it) => put(&table, it).await,
            AnyRow::ListProgress(it) => put(&table, it).await,
            AnyRow::Proposal(it) => put(&table, it).await,
            AnyRow::TableIdentity(it) => put(&table, it).await,
        }
    }
    table
}

/// When the audit is.
pub(super) const NOW: Timestamp = Timestamp(900_007);

/// What an audit finds that scans these rows, when those rows are there at its end.
pub(super) async fn found_later(scanned: &[AnyRow], now: &[AnyRow], keys: &EvidenceKeys) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    let mut sorters = Sorters::new(3);
    let mut reporter = Reporter { is_strict: false, summary: Summary::default(), take: |_: &Break| () };
    for row in scanned {
        let mut page = Found::on(vec![Ok(scanned_row(row.clone()))], keys).await.unwrap();
        found.extend(page.breaks.drain(..).map(|it| (it.rule, it.id)));
        sorters.take(page, NOW, &mut reporter).unwrap();
    }
    sorters.compare(&table_of(now).await, keys, NOW, |it| found.push((it.rule, it.id))).await.unwrap();
    found
}

pub(super) async fn found_in(rows: &[AnyRow]) -> Vec<(Rule, String)> {
    found_later(rows, rows, &keys("private", None)).await
}

/// The rows without the one of this key.
pub(super) fn without(rows: &[AnyRow], key: &str) -> Vec<AnyRow> {
    let left: Vec<_> = rows.iter().filter(|it| it.key() != key).cloned().collect();
    assert!(left.len() < rows.len(), "{key}");
    left
}

/// The rows with this one in the place of the one of the same key.
pub(super) fn with(rows: &[AnyRow], row: AnyRow) -> Vec<AnyRow> {
    let mut rows = without(rows, &row.key());
    rows.push(row);
    rows
}

/// Payments by their number and their amount, credited to an order one after the other.
pub(super) fn credited_rows(id: &str, payments: &[(&str, &str)]) -> Vec<AnyRow> {
    let mut rows = Vec::new();
    let mut deposit = order(id);
    for (number, amount) in payments {
        let (next, numbers) = deposit.credit(credit(number, amount));
        deposit = next;
        rows.extend(numbers.into_iter().map(any));
        rows.push(any(credited_to(&deposit, number, amount)));
    }
    rows.push(any(DepositRow::Registered(deposit)));
    rows
}

pub(super) fn credited_to(deposit: &Deposit, number: &str, amount: &str) -> Payment {
    let (order, credited_label) = (deposit.order.custom_transaction_id.clone(), deposit.order.label.clone());
    let facts = paid_in(number, order.as_str(), amount);
    Payment::new(key(number), PaymentState::Credited { order, credited_label, facts })
}

fn of_order(rows: &[AnyRow]) -> Deposit {
    let mut orders = rows.iter().filter_map(|it| if let AnyRow::Deposit(it) = it { it.row.registered() } else { None });
    orders.next_back().unwrap().clone()
}

fn credits(id: &str) -> (Rule, String) {
    (Rule::Credits, id.into())
}

#[tokio::test]
async fn an_order_of_many_credits_is_not_wrong() {
    let numbers: Vec<_> = (1..=25).map(|number| format!("{number}")).collect();
    let payments: Vec<_> = numbers.iter().map(|number| (number.as_str(), "100.50")).collect();
    for count in [0, 1, 2, 3, 20, 21, 25] {
        let rows = credited_rows("o1", &payments[..count]);
        assert_eq!(found_in(&rows).await, [], "{count}");
    }
    let rows = credited_rows("o1", &payments);
    let old = without(&rows, "payment#paytm#1");
    assert_eq!(found_in(&old).await, [credits("number#o1#1"), credits("deposit#o1")]);
    let newest = without(&rows, "payment#paytm#25");
    assert_eq!(found_in(&newest).await, [credits("payment#paytm#25"), credits("number#o1#25"), credits("deposit#o1")]);
    let too_many = [&rows[..], &[any(credited_to(&order("o1"), "26", "100.50"))]].concat();
    assert_eq!(found_in(&too_many).await, [credits("number#o1#26"), credits("deposit#o1")]);
    let other_amount = with(&rows, any(credited_to(&order("o1"), "1", "100.51")));
    assert_eq!(found_in(&other_amount).await, [credits("deposit#o1")]);
}

#[tokio::test]
async fn a_credit_is_one_of_its_order_with_the_same_facts() {
    let rows = credited_rows("o1", &[("1", "700"), ("2", "300.00")]);
    assert_eq!(found_in(&with(&rows, any(credited_to(&order("o1"), "2", "300")))).await, []);
    let of = |id: &str, label: &str, currency_code: &str| {
        let mut row = order(id);
        row.order.label = Label::parse(label).unwrap();
        let mut payment = credited_to(&row, "2", "300");
        let PaymentState::Credited { facts, .. } = &mut payment.state else { panic!() };
        facts.evidence = paid_in("2", "o1", "300").evidence;
        facts.custom_transaction_id = "o1".into();
        facts.label = Some(row.order.label.clone());
        facts.currency_code = CurrencyCode::parse(currency_code).unwrap();
        payment
    };
    assert_eq!(found_in(&with(&rows, any(of("o1", "u2", "INR")))).await, [credits("payment#paytm#2")]);
    let other_currency = found_in(&with(&rows, any(of("o1", "u1", "BDT")))).await;
    assert_eq!(other_currency, [(Rule::Evidence, "payment#paytm#2".into()), credits("payment#paytm#2")]);
    let elsewhere: Vec<_> = found_in(&with(&rows, any(of("o2", "u1", "INR")))).await;
    let expected = [
        (Rule::Decision, "payment#paytm#2".into()),
        credits("payment#paytm#2"),
        credits("number#o1#2"),
        credits("deposit#o1"),
        credits("payment#paytm#2"),
    ];
    assert_eq!(elsewhere, expected);
    let mut twice = of_order(&rows);
    twice.credited[0] = twice.credited[1].clone();
    let found = found_in(&with(&rows, any(DepositRow::Registered(twice)))).await;
    let expected = [(Rule::State, "deposit#o1".into()), credits("payment#paytm#1"), credits("payment#paytm#2")];
    assert_eq!(found, expected, "the sum is that of other credits, 2 is there twice, and 1 is not there");
}

#[tokio::test]
async fn each_number_of_an_order_with_several_credits_has_its_row() {
    let rows = credited_rows("o1", &[("1", "700"), ("00A2", "300")]);
    assert_eq!(found_in(&rows).await, []);
    assert_eq!(found_in(&without(&rows, "number#o1#a2")).await, [credits("number#o1#a2")]);
    let stray = CreditedNumber { order: order("o1").order.custom_transaction_id, payment: key("3") };
    assert_eq!(found_in(&[&rows[..], &[any(stray.clone())]].concat()).await, [credits("number#o1#3")]);
    let single = credited_rows("o1", &[("3", "700")]);
    assert_eq!(found_in(&[&single[..], &[any(stray)]].concat()).await, [credits("number#o1#3")]);
}

#[tokio::test]
async fn an_order_is_credited_twice_for_a_number_only_if_a_person_states_that_the_payments_differ() {
    let rows = credited_rows("o1", &[("7", "700"), ("007", "700")]);
    let listed = (Rule::SameNumber, "payment#paytm#7".into());
    assert_eq!(found_in(&rows).await, [credits("payment#paytm#007"), listed.clone()]);
    let mut resolutions = super::found(Outcome::Credited);
    resolutions[0].is_different_payment = true;
    let stated = Payment { resolutions, ..credited_to(&order("o1"), "007", "700") };
    assert_eq!(found_in(&with(&rows, any(stated))).await, [listed]);
}

#[tokio::test]
async fn equal_numbers_of_other_orders_and_wallets_are_listed_and_are_no_break() {
    let mut wallet = credited_rows("o2", &[]);
    let mut other = order("o2");
    other.order.wallet_type = WalletType::parse("upi").unwrap();
    let payment = PaymentKey { wallet_type: other.order.wallet_type.clone(), ..key("0ab1") };
    let (order, credited_label) = (other.order.custom_transaction_id.clone(), other.order.label.clone());
    let signed = json!({"amount": "5", "currency_code": "INR", "wallet_type": "upi", "transaction_id": "0ab1",
        "plugin_custom_order_id": "o2"});
    let state = PaymentState::Credited { order, credited_label, facts: facts(&signed) };
    wallet.clear();
    wallet.push(any(Payment::new(payment.clone(), state)));
    let other = other.credit(Credit { payment, amount: Amount::parse("5").unwrap() }).0;
    wallet.push(any(DepositRow::Registered(other)));
    let rows = [credited_rows("o1", &[("AB1", "700")]), wallet].concat();
    let found = found_in(&rows).await;
    assert_eq!(found, [(Rule::SameNumber, "payment#upi#0ab1".into())]);
    for (is_strict, done) in [(false, Done::Well), (true, Done::Found)] {
        let mut counts = Counts::default();
        counts.add(Rule::SameNumber, is_strict);
        assert_eq!(counts.done(), done);
    }
    let differ = [credited_rows("o1", &[("AB1", "700")]), credited_rows("o2", &[("AB10", "700")])].concat();
    assert_eq!(found_in(&differ).await, []);
}

#[tokio::test]
async fn what_is_credited_during_the_scan_is_read_again() {
    let all = credited_rows("o1", &[("1", "700"), ("2", "300"), ("3", "100")]);
    let keys = keys("private", None);
    let first = credited_rows("o1", &[("1", "700")]);
    for scanned in [
        // The order is scanned first, and then the payments.
        with(&all, any(DepositRow::Registered(of_order(&first)))),
        // The payments are scanned first, and then the order.
        without(&without(&all, "payment#paytm#2"), "number#o1#2"),
        without(&all, "deposit#o1"),
        first,
        Vec::new(),
    ] {
        assert_eq!(found_later(&scanned, &all, &keys).await, [], "{scanned:?}");
    }
}

#[tokio::test]
async fn each_payment_that_waits_has_its_row_and_so_has_each_page() {
    let id = order("o1").order.custom_transaction_id;
    let waits = |number: &str| {
        any(Payment::new(key(number), PaymentState::Unmatched { facts: paid_in(number, "o1", "5"), labels: vec![] }))
    };
    let page =
        |page, number: &str| any(WaitingPage { custom_transaction_id: id.clone(), page, payments: vec![key(number)] });
    let waiting = domain::Waiting { newest: vec![key("3")], pages: 2 };
    let place = any(DepositRow::Unregistered(Unregistered { custom_transaction_id: id.clone(), waiting }));
    let rows = vec![waits("1"), waits("2"), waits("3"), page(1, "1"), page(2, "2"), place];
    assert_eq!(found_in(&rows).await, []);
    for (missing, named_by) in [
        ("payment#paytm#1", "waiting#o1#1"),
        ("payment#paytm#2", "waiting#o1#2"),
        ("payment#paytm#3", "deposit#o1"),
        ("waiting#o1#1", "waiting#o1#2"),
        ("waiting#o1#2", "deposit#o1"),
    ] {
        assert_eq!(found_in(&without(&rows, missing)).await, [(Rule::Waiting, named_by.into())], "{missing}");
    }
}

/// Whoever writes to the table can quote one genuine element, whose number nobody has signed, as often as they like.
#[tokio::test]
async fn one_signed_element_credits_one_payment_whatever_number_people_state() {
    let odd = json!([{"amount": "700", "currency_code": "INR", "wallet_type": "paytm", "transaction_id": 4.5e3,
        "plugin_custom_order_id": "o1"}]);
    let list = signed_list(&odd);
    let credited = |number: &str, id: &str| {
        let (deposit, numbers) = order(id).credit(credit(number, "700"));
        assert!(numbers.is_empty());
        let mut payment = credited_to(&deposit, number, "700");
        let PaymentState::Credited { facts, .. } = &mut payment.state else { panic!() };
        facts.custom_transaction_id = "o1".into();
        facts.evidence.place = ListPlace::Here(list.clone());
        let credited_to = Some(deposit.order.custom_transaction_id.clone());
        payment.resolutions = vec![Resolution { credited_to, ..found(Outcome::Credited).remove(0) }];
        [any(payment), any(DepositRow::Registered(deposit))]
    };
    assert_eq!(found_in(&credited("4500", "o1")).await, []);
    let twice = [credited("4500", "o1"), credited("4501", "o2")].concat();
    assert_eq!(found_in(&twice).await, [credits("payment#paytm#4501")]);
}
