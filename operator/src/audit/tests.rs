//! Each rule, kept and broken.

use domain::{
    AccountNumber, Amount, AttentionKind, Contradiction, CurrencyCode, CustomTransactionId, Ended, Evidence, Label,
    Mismatch, Outcome, Payment, PaymentKey, PaymentState, Remark, Resolution, SignedFacts, Submission,
    SubmissionAttempt, Timestamp, TransactionId, WalletType, Withdrawal, WithdrawalId, WithdrawalRequest,
    WithdrawalRow, WithdrawalState,
};
use secrecy::SecretString;
use serde_json::json;
use signing::{Spelling, sign_postback};
use store::{AnyRow, ScannedRow, Stored};

use super::Rule;
use super::rules::check;
use crate::deployment::Keys;

const ACCESS_KEY: &str = "FQ9jMwrNSkFbyMNqYFf6Ed4xeKmjHK";

fn keys(current: &str, previous: Option<&str>) -> Keys {
    let keys = json!({"postback_token": "token", "access_key": ACCESS_KEY, "postback_private_key": current,
        "postback_private_key_previous": previous});
    serde_json::from_value(keys).unwrap()
}

fn facts(signed: &serde_json::Value) -> SignedFacts {
    let additional_data = json!([signed]).to_string();
    let signature = sign_postback(&additional_data, Spelling::Flagged, ACCESS_KEY, &"private".into()).unwrap();
    SignedFacts {
        custom_transaction_id: signed["plugin_custom_order_id"].as_str().unwrap_or_default().into(),
        order_before_hyphen: None,
        amount: Amount::parse(signed["amount"].as_str().unwrap()).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse("u1").unwrap()),
        evidence: Evidence { additional_data, element: 0, signature, received_at: Timestamp(7) },
    }
}

fn paid_in(number: &str, order: &str, amount: &str) -> SignedFacts {
    facts(&json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": number,
        "plugin_custom_order_id": order}))
}

fn paid_out(id: &str, amount: &str, status: i64) -> SignedFacts {
    facts(&json!({"amount": amount, "currency_code": "INR", "wallet_type": "paytm", "transaction_id": "",
        "withdrawal_id": id, "withdrawal_status": status}))
}

fn credited() -> Payment {
    let key = PaymentKey {
        wallet_type: WalletType::parse("paytm").unwrap(),
        transaction_id: TransactionId::parse("1").unwrap(),
    };
    let (order, credited_label) = (CustomTransactionId::parse("o1").unwrap(), Label::parse("u1").unwrap());
    Payment::new(key, PaymentState::Credited { order, credited_label, facts: paid_in("1", "o1.2", "700") })
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
    vec![Resolution { outcome, by, reason, evidence, at: Timestamp(8), closes: 9, taken_from: None }]
}

fn withdrawal(state: WithdrawalState, ends: Vec<Option<Submission>>) -> Withdrawal {
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

fn paid(id: &str, amount: &str, status: i64) -> Withdrawal {
    let facts = Some(paid_out(id, amount, status));
    withdrawal(WithdrawalState::Paid { facts }, vec![Some(Submission::Accepted)])
}

fn rejected(ends: Vec<Option<Submission>>) -> Withdrawal {
    withdrawal(WithdrawalState::Rejected { message: "no".into() }, ends)
}

fn scanned_row(row: AnyRow) -> ScannedRow {
    ScannedRow { indexed: row.attention(), row }
}

fn payment(row: Payment) -> ScannedRow {
    scanned_row(AnyRow::Payment(Stored { row, version: 1 }))
}

fn withdrawal_row(row: Withdrawal) -> ScannedRow {
    scanned_row(AnyRow::Withdrawal(Stored { row: WithdrawalRow::Registered(Box::new(row)), version: 1 }))
}

fn broken(scanned: &ScannedRow, keys: &Keys) -> Vec<Rule> {
    check(scanned, keys).into_iter().map(|it| it.rule).collect()
}

#[test]
fn a_credit_is_what_was_signed_or_what_a_person_decided() {
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
        assert_eq!(broken(&payment(row.clone()), &keys), expected, "{row:?}");
    }
}

#[test]
fn evidence_of_a_key_that_was_rotated_away_is_a_matter_of_its_own() {
    let row = payment(credited());
    assert_eq!(broken(&row, &keys("new", Some("private"))), []);
    assert_eq!(broken(&row, &keys("new", Some("newer"))), [Rule::Unverifiable]);
    let by_person = Payment { resolutions: found(Outcome::Credited), ..credited() };
    assert_eq!(broken(&payment(by_person), &keys("new", None)), []);
    let mut cut = paid_in("1", "o1", "700");
    cut.evidence.additional_data.pop();
    assert_eq!(broken(&payment(with_receipt(cut)), &keys("private", None)), [Rule::Evidence]);
}

#[test]
fn a_withdrawal_ends_as_it_was_asked_for_by_a_signed_status_or_a_person() {
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
        (by_person(found(Outcome::Paid)), vec![Rule::Decision]),
        (by_person(vec![]), vec![Rule::Decision]),
    ] {
        assert_eq!(broken(&withdrawal_row(row.clone()), &keys), expected, "{row:?}");
    }
}

#[test]
fn nothing_is_refused_in_doubt_and_no_state_is_impossible() {
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
        assert_eq!(broken(&withdrawal_row(row.clone()), &keys), expected, "{row:?}");
    }
}

#[test]
fn the_index_has_what_needs_a_person_and_nothing_else() {
    let keys = keys("private", None);
    let unknown = withdrawal(WithdrawalState::Unknown, vec![None]);
    let listed = withdrawal_row(unknown);
    assert_eq!(listed.indexed.map(|it| it.kind), Some(AttentionKind::Unknown));
    assert_eq!(broken(&listed, &keys), []);
    assert_eq!(broken(&ScannedRow { indexed: None, ..listed.clone() }, &keys), [Rule::Index]);
    assert_eq!(broken(&ScannedRow { indexed: listed.indexed, ..payment(credited()) }, &keys), [Rule::Index]);
}
