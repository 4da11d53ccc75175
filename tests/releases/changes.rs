//! One change of a row for each kind of event, and the messages of the queues.

use domain::*;
use lambda::ChangeRecord;
use serde_json::json;
use store::{AnyRow, Row, Stored};

use crate::parts::{decision, withdrawal_facts, withdrawal_id};
use crate::rows::{
    against, claimed, contested, created, credited, ended_by_person, failed, foreign, not_understood, quarantined,
    sending, started, unmatched, withdrawal,
};

/// A row, and what it becomes.
pub(crate) struct Transition {
    pub(crate) name: &'static str,
    pub(crate) old: Option<AnyRow>,
    pub(crate) new: AnyRow,
}

fn transition<R: Row>(name: &'static str, old: Option<R>, new: R) -> Transition {
    let any = |row| R::into_any(Stored { row, version: 0 });
    Transition { name, old: old.map(any), new: any(new) }
}

/// At least one change for each kind of event.
pub(crate) fn transitions() -> Vec<Transition> {
    deposits().into_iter().chain(withdrawals()).collect()
}

fn deposits() -> Vec<Transition> {
    let registered = DepositRow::Registered;
    let asked = Deposit { attempts: vec![started("order-50", "47752120700")], ..created("order-50") };
    let refused = Deposit { attempts: vec![failed("order-50", "47752120700")], ..created("order-50") };
    let conflict = Payment {
        contradictions: vec![against(Mismatch::EarlierPostback, "47752120704")],
        ..quarantined("47752120704", Mismatch::Label)
    };
    let held = unmatched("order-99", "47752120705");
    let rejected = Payment {
        resolutions: vec![decision(Outcome::Rejected)],
        ..Payment::new(held.key.clone(), PaymentState::Rejected { facts: held.facts().unwrap().clone() })
    };
    let once = credited(created("order-4"), "47752120020", "700");
    vec![
        transition(
            "deposit.credited",
            Some(registered(created("order-6"))),
            registered(credited(created("order-6"), "47752120006", "700.00")),
        ),
        transition(
            "deposit.credited, a second payment",
            Some(registered(once.clone())),
            registered(credited(once, "47752120021", "0.25")),
        ),
        transition("deposit.activation_failed", Some(registered(asked)), registered(refused)),
        transition("deposit.quarantined", None, quarantined("47752120701", Mismatch::Amount)),
        transition("payment.unmatched", Some(claimed("order-99", "47752120702")), unmatched("order-99", "47752120702")),
        transition("payment.contested", Some(claimed("order-3", "47752120703")), contested("order-3", "47752120703")),
        transition("payment.conflict", Some(quarantined("47752120704", Mismatch::Label)), conflict),
        transition("transaction.resolved", Some(held), rejected),
        transition("postback.unreadable", None, not_understood("[8]", None)),
    ]
}

fn withdrawals() -> Vec<Transition> {
    use WithdrawalState::{Failed, Paid, Rejected, Submitted, Unknown, Waiting};
    let ours = |row: Withdrawal| WithdrawalRow::Registered(Box::new(row));
    let accepted = |id: &str, state| ours(withdrawal(id, state, &[Submission::Accepted]));
    let lost = |id: &str| ours(withdrawal(id, Unknown, &[Submission::Unknown("reset".into())]));
    let not_sent = [Submission::NotSent("HTTP 429".into())];
    let mut review = withdrawal("withdrawal-55", Waiting, &not_sent);
    review.needs_review = Some("its attempts are used up".into());
    let mut doubted = withdrawal("withdrawal-54", Submitted, &[Submission::Accepted]);
    let facts = Some(withdrawal_facts("withdrawal-54", 2, "1000"));
    doubted.contradictions = vec![Contradiction { mismatch: Mismatch::Status, facts }];
    let paid = Paid { facts: Some(withdrawal_facts("withdrawal-51", 1, "1000")) };
    let unpaid = Failed { facts: Some(withdrawal_facts("withdrawal-52", 5, "1000")) };
    let refused = Rejected { message: "insufficient balance".into() };
    let rejected = withdrawal("withdrawal-53", refused, &[Submission::Rejected("insufficient balance".into())]);
    let alien = WithdrawalRow::Foreign(Box::new(foreign("withdrawal-57")));
    vec![
        transition("withdrawal.submitted", Some(ours(sending("withdrawal-50"))), accepted("withdrawal-50", Submitted)),
        transition("withdrawal.paid", Some(accepted("withdrawal-51", Submitted)), accepted("withdrawal-51", paid)),
        transition("withdrawal.failed", Some(accepted("withdrawal-52", Submitted)), accepted("withdrawal-52", unpaid)),
        transition("withdrawal.failed, rejected", Some(ours(sending("withdrawal-53"))), ours(rejected)),
        transition("withdrawal.conflict", Some(accepted("withdrawal-54", Submitted)), ours(doubted)),
        transition(
            "withdrawal.needs_review",
            Some(ours(withdrawal("withdrawal-55", Waiting, &not_sent))),
            ours(review),
        ),
        transition("withdrawal.unknown", Some(ours(sending("withdrawal-56"))), lost("withdrawal-56")),
        transition("withdrawal.foreign", None, alien),
        transition(
            "withdrawal.paid, transaction.resolved",
            Some(lost("withdrawal-58")),
            ours(ended_by_person("withdrawal-58", Outcome::Paid)),
        ),
    ]
}

/// The message that brings the submitter back to a withdrawal.
pub(crate) fn armed() -> String {
    serde_json::to_string(&ArmedMessage { withdrawal_id: withdrawal_id("withdrawal-0") }).unwrap()
}

/// The message of a change that was set aside.
pub(crate) fn set_aside(old: Option<&serde_dynamo::Item>, new: &serde_dynamo::Item) -> String {
    let mut images = json!({"ApproximateCreationDateTime": 1_795_773_600, "Keys": {"transaction_id": {"S": "key"}},
        "SequenceNumber": "111", "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": new});
    if let Some(old) = old {
        images["OldImage"] = json!(old);
    }
    let record = json!({"eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "awsRegion": "ap-south-1",
        "eventSourceARN": "arn:aws:dynamodb:ap-south-1:123456789012:table/paykassma/stream/1", "dynamodb": images});
    ChangeRecord::parse(&record.to_string(), 0).set_aside("unreadable", 1)
}

/// The message of a change that is too large for a message: it only names the place in the stream.
pub(crate) fn set_aside_by_position() -> String {
    let text = "x".repeat(lambda::LARGEST_MESSAGE);
    let image = json!({"transaction_id": {"S": "payment#paytm#1"}, "text": {"S": text}});
    let image: serde_dynamo::Item = serde_json::from_value(image).unwrap();
    set_aside(None, &image)
}
