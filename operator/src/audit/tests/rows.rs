//! The rules of a single row.

use domain::{
    AccountNumber, AttentionKind, Contradiction, DepositRow, Ended, ListHash, Mismatch, OddPayment, Submission,
    SubmissionAttempt, Sum, Totals, Unreadable, Withdrawal, WithdrawalId, WithdrawalRequest, WithdrawalRow,
    WithdrawalState,
};
use secrecy::SecretString;
use store::Stored;

use super::super::Found;
use super::super::report::{Break, Decided, Decision, Rule};
use super::*;

pub(super) fn withdrawal(state: WithdrawalState, ends: Vec<Option<Submission>>) -> Withdrawal {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w1").unwrap(),
        label: Label::parse("u1").unwrap(),
        amount: Amount::parse("700").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    let body = paykassma::withdrawal_body(&request, &SecretString::from("other"));
    let mut row = Withdrawal::new(request, body, "a".into(), Timestamp(1));
    row.attempts = ends
        .into_iter()
        .map(|end| SubmissionAttempt {
            sender: "a".into(),
            started_at: Timestamp(1),
            ended: end.map(|submission| Ended { at: Timestamp(2), submission }),
        })
        .collect();
    Withdrawal { state, ..row }
}

pub(super) fn paid(id: &str, amount: &str, status: i64) -> Withdrawal {
    let facts = Some(paid_out(id, amount, status));
    withdrawal(WithdrawalState::Paid { facts }, vec![Some(Submission::Accepted)])
}

fn rejected(ends: Vec<Option<Submission>>) -> Withdrawal {
    withdrawal(WithdrawalState::Rejected { message: "no".into() }, ends)
}

fn payment(row: Payment) -> ScannedRow {
    scanned_row(AnyRow::Payment(Stored { row, version: 1 }))
}

fn withdrawal_row(row: Withdrawal) -> ScannedRow {
    scanned_row(AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(Box::new(row)), version: 1 }))
}

/// What is wrong with a row by itself.
async fn breaks(scanned: &ScannedRow, keys: &EvidenceKeys) -> Vec<Break> {
    Found::on(vec![Ok(scanned.clone())], keys).await.unwrap().breaks
}

async fn broken(scanned: &ScannedRow, keys: &EvidenceKeys) -> Vec<Rule> {
    let mut rules: Vec<_> = breaks(scanned, keys).await.into_iter().map(|it| it.rule).collect();
    rules.sort();
    rules
}

#[tokio::test]
async fn a_credit_is_what_was_signed_or_what_a_person_decided() {
    let keys = keys("private", None);
    let unlabelled = SignedFacts { label: None, ..paid_in("1", "o1", "700") };
    let altered = SignedFacts { amount: Amount::parse("7000").unwrap(), ..paid_in("1", "o1", "700") };
    let against = Contradiction { mismatch: Mismatch::Amount, facts: Some(paid_in("2", "o1", "700")) };
    for (row, expected) in [
        (credited(), vec![]),
        (with_receipt(paid_in("2", "o1", "700")), vec![Rule::Evidence]),
        (with_receipt(altered), vec![Rule::Evidence]),
        (with_receipt(paid_out("1", "700", 1)), vec![Rule::Evidence, Rule::Decision]),
        (with_receipt(paid_in("1", "o2", "700")), vec![Rule::Decision]),
        (with_receipt(unlabelled.clone()), vec![Rule::Decision]),
        (Payment { resolutions: found(Outcome::Credited), ..with_receipt(unlabelled.clone()) }, vec![]),
        (Payment { contradictions: vec![against], ..credited() }, vec![Rule::Evidence]),
        (
            Payment { state: PaymentState::Rejected { facts: paid_in("1", "o1", "700") }, ..credited() },
            vec![Rule::Decision],
        ),
    ] {
        assert_eq!(broken(&payment(row.clone()), &keys).await, expected, "{row:?}");
    }
}

/// The money that is not proved, of each break.
async fn unproved(scanned: &ScannedRow, keys: &EvidenceKeys) -> Vec<(Rule, Option<(Decision, String)>)> {
    let money = |it: &Decided| (it.decision, it.amount.to_string());
    breaks(scanned, keys).await.iter().map(|it| (it.rule, it.unproved.as_ref().map(money))).collect()
}

#[tokio::test]
async fn money_is_proved_by_a_key_of_today_or_a_retired_one_whoever_decided() {
    let row = payment(credited());
    let by_person = payment(Payment { resolutions: found(Outcome::Credited), ..credited() });
    let ended = withdrawal_row(paid("w1", "700", 1));
    assert_eq!(unproved(&row, &keys("new", Some("private"))).await, []);
    let retired = |at: u64| {
        let pair = json!({"access_key": ACCESS_KEY, "private_key": "private", "retired_at_ms": at});
        let keys = json!({"access_key": "A", "postback_private_key": "new", "retired_postback_keys": [pair]});
        serde_json::from_value::<EvidenceKeys>(keys).unwrap()
    };
    let credit = Some((Decision::Credit, "700".to_owned()));
    let end = Some((Decision::End, "700".to_owned()));
    for (row, money) in [(&row, &credit), (&by_person, &credit), (&ended, &end)] {
        assert_eq!(unproved(row, &retired(8)).await, []);
        for keys in [retired(7), keys("new", Some("newer"))] {
            assert_eq!(unproved(row, &keys).await, [(Rule::Unproved, money.clone())]);
        }
    }
    let against = Contradiction { mismatch: Mismatch::Amount, facts: Some(paid_in("1", "o1", "70")) };
    let held = PaymentState::Unmatched { facts: paid_in("1", "o1", "700"), labels: vec![] };
    let held = payment(Payment { contradictions: vec![against], ..Payment::new(key("1"), held) });
    assert_eq!(unproved(&held, &keys("new", None)).await, [(Rule::Unverifiable, None), (Rule::Unverifiable, None)]);
}

#[tokio::test]
async fn a_credit_whose_evidence_says_something_else_is_not_proved() {
    let keys = keys("private", None);
    let mut cut = paid_in("1", "o1", "700");
    let ListPlace::Here(list) = &mut cut.evidence.place else { panic!() };
    list.additional_data.pop();
    let altered = SignedFacts { amount: Amount::parse("7000").unwrap(), ..paid_in("1", "o1", "700") };
    for (facts, amount) in [(cut, "700"), (altered, "7000")] {
        let expected = (Rule::Evidence, Some((Decision::Credit, amount.to_owned())));
        assert_eq!(unproved(&payment(with_receipt(facts)), &keys).await, [expected]);
    }
}

#[tokio::test]
async fn what_people_decided_is_counted() {
    let keys = keys("private", None);
    let by_person = async |row: &ScannedRow| {
        let found = Found::on(vec![Ok(row.clone())], &keys).await.unwrap();
        found.by_person.into_iter().map(|it| it.decision).collect::<Vec<_>>()
    };
    let other_order = |mut resolutions: Vec<Resolution>| {
        resolutions[0].credited_to = None;
        resolutions
    };
    let ended = |facts, resolutions| {
        let state = WithdrawalState::Failed { facts };
        withdrawal_row(Withdrawal { resolutions, ..withdrawal(state, vec![Some(Submission::Accepted)]) })
    };
    assert_eq!(by_person(&payment(credited())).await, []);
    let row = payment(Payment { resolutions: found(Outcome::Credited), ..credited() });
    assert_eq!(by_person(&row).await, [Decision::Credit]);
    let row = payment(Payment { resolutions: other_order(found(Outcome::Credited)), ..credited() });
    assert_eq!(by_person(&row).await, [], "it only closes what contradicts the credit");
    assert_eq!(by_person(&ended(None, found(Outcome::Failed))).await, [Decision::End]);
    let proved = Some(paid_out("w1", "700", 5));
    assert_eq!(by_person(&ended(proved, found(Outcome::Failed))).await, [], "it was proved later");
}

/// The decision as 0.1.0 wrote it, or as somebody wrote it past the function that records decisions.
fn unverified(decision: Resolution) -> Resolution {
    Resolution { caller: None, ..decision }
}

#[tokio::test]
async fn a_withdrawal_ends_as_it_was_asked_for_by_a_signed_status_or_a_person() {
    let keys = keys("private", None);
    let by_person = |resolutions| Withdrawal {
        resolutions,
        ..withdrawal(WithdrawalState::Failed { facts: None }, vec![Some(Submission::Unknown("lost".into()))])
    };
    for (row, expected) in [
        (paid("w1", "700", 1), vec![]),
        (paid("w1", "700", 5), vec![Rule::Decision]),
        (paid("w1", "70", 1), vec![Rule::Decision]),
        (paid("w2", "700", 1), vec![Rule::Evidence]),
        (by_person(found(Outcome::Failed)), vec![]),
        (by_person(found(Outcome::Failed).into_iter().map(unverified).collect()), vec![Rule::Caller]),
        (by_person(found(Outcome::Paid)), vec![Rule::Decision]),
        (by_person(vec![]), vec![Rule::Decision]),
    ] {
        assert_eq!(broken(&withdrawal_row(row.clone()), &keys).await, expected, "{row:?}");
    }
}

#[tokio::test]
async fn nothing_is_refused_in_doubt_and_no_state_is_impossible() {
    let keys = keys("private", None);
    let (no, lost) = (Submission::Rejected("no".into()), Submission::Unknown("lost".into()));
    let not_sent = Submission::NotSent("refused".into());
    let review = Withdrawal { needs_review: Some("why".into()), ..paid("w1", "700", 1) };
    for (row, expected) in [
        (rejected(vec![Some(not_sent.clone()), Some(no.clone())]), vec![]),
        (rejected(vec![Some(lost.clone()), Some(no.clone())]), vec![Rule::Decision]),
        (rejected(vec![None, Some(no)]), vec![Rule::Decision]),
        (withdrawal(WithdrawalState::Sending, vec![Some(not_sent.clone()), None]), vec![]),
        (withdrawal(WithdrawalState::Sending, vec![Some(lost.clone())]), vec![Rule::State]),
        (withdrawal(WithdrawalState::Waiting, vec![Some(not_sent)]), vec![]),
        (withdrawal(WithdrawalState::Waiting, vec![Some(lost)]), vec![Rule::State]),
        (withdrawal(WithdrawalState::Submitted, vec![]), vec![Rule::State]),
        (review, vec![Rule::State]),
        (
            Withdrawal { body: paid("w1", "700", 1).body.replace("700", "7000"), ..paid("w1", "700", 1) },
            vec![Rule::Journal],
        ),
    ] {
        assert_eq!(broken(&withdrawal_row(row.clone()), &keys).await, expected, "{row:?}");
    }
}

#[tokio::test]
async fn the_index_has_what_needs_a_person_and_nothing_else() {
    let keys = keys("private", None);
    let not_sent = Some(Submission::NotSent("refused".into()));
    for (state, attempt) in [
        (WithdrawalState::Sending, None),
        (WithdrawalState::Waiting, not_sent),
        (WithdrawalState::Unknown, None),
        (WithdrawalState::Submitted, Some(Submission::Accepted)),
    ] {
        let row = withdrawal(state, vec![attempt]);
        let at = row.created_at;
        let listed = withdrawal_row(row);
        assert_eq!(listed.indexed.map(|it| (it.kind, it.at)), Some((AttentionKind::Open, at)));
        assert_eq!(broken(&listed, &keys).await, []);
        let younger = listed.indexed.map(|it| domain::Attention { at: Timestamp(at.0 + 1), ..it });
        for indexed in [None, younger] {
            assert_eq!(broken(&ScannedRow { indexed, ..listed.clone() }, &keys).await, [Rule::Index], "{indexed:?}");
        }
    }
    let listed = withdrawal_row(withdrawal(WithdrawalState::Unknown, vec![None]));
    assert_eq!(broken(&ScannedRow { indexed: listed.indexed, ..payment(credited()) }, &keys).await, [Rule::Index]);
}

/// A list with an element whose number is no number, and the row of that element.
fn unreadable(number: &Value, list: ListHash) -> Unreadable {
    let signed = json!({"amount": "700", "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
        "plugin_custom_order_id": "o1"});
    let evidence =
        Evidence { place: ListPlace::Here(signed_list(&json!([signed]))), element: 0, received_at: Timestamp(7) };
    Unreadable::new(list, evidence, "`transaction_id` cannot be read", Some(odd("700")))
}

fn odd(amount: &str) -> OddPayment {
    OddPayment {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: None,
        custom_transaction_id: "o1".into(),
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("u1").unwrap()),
    }
}

/// The hash of the list that this row has.
fn own_hash(row: &Unreadable) -> ListHash {
    let list = row.evidence.own_list().unwrap();
    signing::list_hash(&list.additional_data).unwrap().into()
}

#[tokio::test]
async fn an_unreadable_element_says_what_its_row_says_of_it() {
    let keys = keys("private", None);
    let row = |number: &Value, payment: Option<OddPayment>| {
        let row = unreadable(number, ListHash::from([0; 32]));
        Unreadable { hash: own_hash(&row), payment, ..row }
    };
    let exponent = serde_json::from_str("4.775212351912346e22").unwrap();
    for (row, expected) in [
        (row(&exponent, Some(odd("700"))), vec![]),
        (row(&exponent, None), vec![]),
        (row(&exponent, Some(odd("7000"))), vec![Rule::Evidence]),
        (row(&exponent, Some(OddPayment { custom_transaction_id: "o2".into(), ..odd("700") })), vec![Rule::Evidence]),
        // The reader of today understands it.
        (row(&json!("1"), Some(odd("700"))), vec![]),
        (row(&json!("1"), Some(odd("7000"))), vec![Rule::Evidence]),
        (unreadable(&exponent, ListHash::from([0; 32])), vec![Rule::Evidence]),
    ] {
        let scanned = scanned_row(AnyRow::Unreadable(Stored { row: row.clone(), version: 1 }));
        assert_eq!(broken(&scanned, &keys).await, expected, "{row:?}");
    }
}

#[tokio::test]
async fn an_odd_payment_is_credited_by_a_person_with_its_signed_amount() {
    let keys = keys("private", None);
    let exponent = serde_json::from_str("4.775212351912346e22").unwrap();
    let evidence = unreadable(&exponent, ListHash::from([0; 32])).evidence;
    let row = |facts, outcome: &[Outcome]| Payment {
        resolutions: outcome.iter().flat_map(|it| found(*it)).collect(),
        ..with_receipt(facts)
    };
    let signed = || odd("700").facts(&evidence);
    let other = || SignedFacts { custom_transaction_id: "o2".into(), ..signed() };
    for (row, expected) in [
        (row(signed(), &[Outcome::Credited]), vec![]),
        (row(signed(), &[]), vec![Rule::Decision]),
        (row(odd("7000").facts(&evidence), &[Outcome::Credited]), vec![Rule::Evidence]),
        (row(other(), &[Outcome::Credited]), vec![Rule::Evidence]),
    ] {
        assert_eq!(broken(&payment(row.clone()), &keys).await, expected, "{row:?}");
    }
}

#[tokio::test]
async fn an_order_counts_its_credits_and_remembers_the_last() {
    let keys = keys("private", None);
    let with = |credits: u32| {
        let credits = (0..credits).map(|number| credit(&number.to_string(), "100"));
        credits.fold(order("o1"), |order, credit| order.credit(credit).0)
    };
    let totals = |count, sum: &str| Some(Totals { count, sum: Sum::try_from(sum.to_owned()).unwrap() });
    let mut forgetful = with(3);
    forgetful.credited.pop();
    for (row, expected) in [
        (with(0), vec![]),
        (with(1), vec![]),
        (with(2), vec![]),
        (with(21), vec![]),
        (forgetful, vec![Rule::State]),
        (Deposit { totals: None, ..with(2) }, vec![Rule::State]),
        (Deposit { totals: totals(1, "100"), ..with(1) }, vec![Rule::State]),
        (Deposit { totals: totals(2, "300"), ..with(2) }, vec![Rule::State]),
        (Deposit { totals: totals(20, "2100"), ..with(21) }, vec![Rule::State]),
        (Deposit { state: domain::DepositState::Created, ..with(1) }, vec![Rule::State]),
    ] {
        let scanned = scanned_row(AnyRow::Deposit(Stored { row: DepositRow::Registered(row.clone()), version: 1 }));
        assert_eq!(broken(&scanned, &keys).await, expected, "{row:?}");
    }
}
