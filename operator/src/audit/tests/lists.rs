//! The rules of signed lists that have rows of their own.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{
    ListHash, ListProgress, StoredList, Submission, Unsigned, Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState,
};
use paykassma::{Unproved, VerifiedList};

use super::super::report::Rule;
use super::super::{Found, lists};
use super::joined::{NOW, any, credited_rows, credited_to, found_in, found_later, table_of, with, without};
use super::*;
use crate::failure::Failure;
use crate::verifier::Verifier;

/// A list of which one copy has come.
fn begun(hash: &ListHash, elements: usize) -> ListProgress {
    ListProgress::begin(None, (hash, elements), &Unsigned::default(), Timestamp(7)).unwrap()
}

/// A list of two payments and an element without a number, the rows of its elements, and its own.
fn list_rows() -> (Vec<AnyRow>, ListHash) {
    let elements = json!([deposit_element("1", "o1", "700"), deposit_element("2", "o2", "300"), 5]);
    let list = signed_list(&elements);
    let hash: ListHash = signing::list_hash(&list.additional_data).unwrap().into();
    let evidence =
        |element| Evidence { place: ListPlace::Stored { list: hash.clone() }, element, received_at: Timestamp(7) };
    let mut rows = [credited_rows("o1", &[("1", "700")]), credited_rows("o2", &[("2", "300")])].concat();
    for row in &mut rows {
        let AnyRow::Payment(payment) = row else { continue };
        let element = usize::from(payment.row.key == key("2"));
        let PaymentState::Credited { facts, .. } = &mut payment.row.state else { panic!() };
        facts.evidence = evidence(element);
    }
    rows.push(any(domain::Unreadable::new(hash.clone(), evidence(2), "the element is not an object", None)));
    rows.push(any(begun(&hash, 3).end(&Unsigned::default()).unwrap()));
    rows.push(any(StoredList { hash: hash.clone(), list }));
    (rows, hash)
}

#[tokio::test]
async fn a_stored_list_has_its_hash_and_says_what_the_rows_of_its_elements_say() {
    let (rows, hash) = list_rows();
    let (list, progress) = (format!("evidence#{}", hash.as_str()), format!("list#{}", hash.as_str()));
    let unreadable = format!("unreadable#{}#2", hash.as_str());
    assert_eq!(found_in(&rows).await, []);
    let mut missing = found_in(&without(&rows, &list)).await;
    missing.sort();
    let of_all = |rule| {
        let ids = [&progress, "payment#paytm#1", "payment#paytm#2", &unreadable];
        ids.map(|id| (rule, id.to_owned())).to_vec()
    };
    assert_eq!(missing, of_all(Rule::Evidence), "the list is missing");

    let other_list = any(StoredList { hash: hash.clone(), list: signed_list(&json!([1, 2, 3])) });
    let mut altered = found_in(&with(&rows, other_list)).await;
    altered.sort();
    let expected = [&list, "payment#paytm#1", "payment#paytm#2"].map(|id| (Rule::Evidence, id.to_owned()));
    assert_eq!(altered, expected, "another list is in its place");

    let unverifiable = found_later(&rows, &rows, &keys("new", None)).await;
    let expected = [
        (Rule::Unverifiable, &*list),
        (Rule::Unproved, "payment#paytm#1"),
        (Rule::Unproved, "payment#paytm#2"),
        (Rule::Unverifiable, &unreadable),
    ];
    assert_eq!(unverifiable, expected.map(|(rule, id)| (rule, id.to_owned())));
    assert_eq!(found_later(&rows, &rows, &keys("new", Some("private"))).await, []);

    let few = any(begun(&hash, 2));
    assert_eq!(found_in(&with(&rows, few)).await, [(Rule::State, progress)]);
}

#[tokio::test]
async fn a_row_quotes_its_own_element_of_a_stored_list() {
    let (rows, hash) = list_rows();
    for (element, expected) in
        [(0, vec![]), (1, vec![Rule::Evidence]), (2, vec![Rule::Evidence]), (3, vec![Rule::Evidence])]
    {
        let mut row = credited_to(&order("o1"), "1", "700");
        let PaymentState::Credited { facts, .. } = &mut row.state else { panic!() };
        facts.evidence.place = ListPlace::Stored { list: hash.clone() };
        facts.evidence.element = element;
        let found = found_in(&with(&rows, any(row))).await;
        assert_eq!(found.into_iter().map(|it| it.0).collect::<Vec<_>>(), expected, "{element}");
    }
}

#[tokio::test]
async fn a_list_is_verified_once_for_all_its_elements() {
    /// Counts the lists that it verifies.
    struct Counting(EvidenceKeys, AtomicUsize);

    impl Verifier for Counting {
        async fn verify(&self, lists: &[SignedList]) -> Result<Vec<Result<VerifiedList, Unproved>>, Failure> {
            self.1.fetch_add(lists.len(), Ordering::Relaxed);
            self.0.verify(lists).await
        }
    }

    let (rows, _) = list_rows();
    let verifier = Counting(keys("private", None), AtomicUsize::new(0));
    let said = rows.iter().map(|row| Ok(scanned_row(row.clone()))).collect();
    let mut lists = Found::on(said, &verifier).await.unwrap().lists;
    lists.sort();
    let lists = lists.into_iter().map(Ok);
    lists::check(&table_of(&rows).await, &verifier, NOW, lists, |it| panic!("{it:?}")).await.unwrap();
    assert_eq!(verifier.1.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_list_has_both_its_rows_and_is_done_in_time() {
    let (rows, hash) = list_rows();
    let (evidence, list) = (format!("evidence#{}", hash.as_str()), format!("list#{}", hash.as_str()));
    let without_progress = without(&rows, &list);
    assert_eq!(found_in(&without_progress).await, [(Rule::List, evidence)]);
    let keys = keys("private", None);
    assert_eq!(found_later(&without_progress, &rows, &keys).await, [], "it was written during the scan");
    let unfinished = |at| {
        let row = ListProgress::begin(None, (&hash, 3), &Unsigned::default(), Timestamp(at)).unwrap();
        with(&rows, any(row))
    };
    assert_eq!(found_in(&unfinished(NOW.0 - 900_000)).await, []);
    let old = unfinished(NOW.0 - 900_001);
    assert_eq!(found_in(&old).await, [(Rule::List, list)]);
    assert_eq!(found_later(&old, &rows, &keys).await, [], "it was done during the scan");
}

#[tokio::test]
async fn each_element_of_a_list_that_is_done_has_its_row() {
    let (rows, hash) = list_rows();
    let broken = (Rule::List, format!("list#{}", hash.as_str()));
    for missing in ["payment#paytm#2".to_owned(), format!("unreadable#{}#2", hash.as_str())] {
        let left: Vec<_> = without(&rows, &missing).into_iter().filter(|row| row.key() != "deposit#o2").collect();
        assert!(found_in(&left).await.contains(&broken), "{missing}");
    }
    // The payment was known before the list came, with a list of its own.
    let (of_o2, other) = (order("o2"), any(credited_to(&order("o2"), "2", "300")));
    assert_eq!(found_in(&with(&rows, other)).await, []);
    // A user has only entered its number.
    let claimed = PaymentState::Released { order: of_o2.order.custom_transaction_id };
    let left = without(&with(&rows, any(Payment::new(key("2"), claimed))), "deposit#o2");
    assert_eq!(found_in(&left).await, [broken]);
}

#[tokio::test]
async fn a_withdrawal_of_a_list_that_is_done_has_ended_or_says_what_contradicts_it() {
    let element = |id: &str| {
        json!({"amount": "700", "currency_code": "INR", "wallet_type": "paytm", "transaction_id": "",
        "withdrawal_id": id, "withdrawal_status": 1})
    };
    let list = signed_list(&json!([element("w1"), element("w2")]));
    let hash: ListHash = signing::list_hash(&list.additional_data).unwrap().into();
    let own = [any(begun(&hash, 2).end(&Unsigned::default()).unwrap()), any(StoredList { hash: hash.clone(), list })];
    let withdrawals = |first: Withdrawal| {
        let mut second = rows::paid("w1", "700", 1);
        second.request.withdrawal_id = WithdrawalId::parse("w2").unwrap();
        second.body = second.body.replace("w1", "w2");
        second.state = WithdrawalState::Paid { facts: Some(paid_out("w2", "700", 1)) };
        let both = [first, second].map(|row| any(WithdrawalRow::Registered(Box::new(row))));
        [&own[..], &both[..]].concat()
    };
    assert_eq!(found_in(&withdrawals(rows::paid("w1", "700", 1))).await, []);
    let open = rows::withdrawal(WithdrawalState::Unknown, vec![Some(Submission::Unknown("lost".into()))]);
    assert_eq!(found_in(&withdrawals(open)).await, [(Rule::List, format!("list#{}", hash.as_str()))]);
}
