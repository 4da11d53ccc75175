//! The money rules of withdrawals, over any sequence of events.

#![cfg(test)]

use domain::{
    AccountNumber, Amount, CurrencyCode, Disagreement, Evidence, Label, PayoutRequest, Receipt, Submission, Timestamp,
    Transition, WalletType, Withdrawal, WithdrawalId, WithdrawalReport, WithdrawalState,
};
use proptest::prelude::*;

fn paytm() -> WalletType {
    WalletType::parse("paytm").unwrap()
}

fn journalled() -> Withdrawal {
    let request = PayoutRequest {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        label: Label::parse("u").unwrap(),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: paytm(),
        comment: None,
        is_test: false,
    };
    Withdrawal::new(request, "{}".into(), "first".into(), Timestamp(0))
}

fn report(status: Option<i64>, amount: &str, label: &str) -> WithdrawalReport {
    let evidence = Evidence {
        additional_data: format!("[{status:?}{amount}]"),
        element: 0,
        signature: format!("{status:?}{amount}{label}"),
        received_at: Timestamp(1),
    };
    let receipt = Receipt {
        custom_transaction_id: String::new(),
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse(label).unwrap()),
        evidence,
    };
    WithdrawalReport {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        wallet_type: paytm(),
        withdrawal_status: status,
        receipt,
        disagreement: None,
    }
}

fn moved(transition: Transition<Withdrawal>) -> Withdrawal {
    let Transition::Move(row) = transition else { panic!("{transition:?}") };
    row
}

fn fail() -> Submission {
    Submission::Rejected("withdrawals_sum_amount: Insufficient balance".into())
}

fn unknown() -> Submission {
    Submission::Unknown("reset".into())
}

#[test]
fn after_an_unknown_attempt_no_fail_releases_the_money() {
    let row = moved(journalled().answered("first", &unknown()));
    let again = row.send_again("second".into(), Timestamp(2), true).unwrap();
    assert_eq!(again.state, WithdrawalState::Unknown);
    assert_eq!(again.answered("second", &fail()), Transition::Repeat);
    assert_eq!(again.answered("second", &Submission::NotSent("refused".into())), Transition::Repeat);
    assert_eq!(moved(again.answered("second", &Submission::Accepted)).state, WithdrawalState::Submitted);
    assert!(matches!(moved(again.reported(&report(Some(5), "1000", "u"))).state, WithdrawalState::Failed { .. }));
}

#[test]
fn an_unknown_attempt_is_sent_again_only_where_the_deployment_says_so() {
    let row = moved(journalled().answered("first", &unknown()));
    assert_eq!(row.send_again("second".into(), Timestamp(2), false), None);
    let waiting = moved(journalled().answered("first", &Submission::NotSent("refused".into())));
    let again = waiting.send_again("second".into(), Timestamp(2), false).unwrap();
    assert_eq!((again.attempts, &again.body), (2, &waiting.body));
}

#[test]
fn a_postback_may_come_before_the_answer() {
    let paid = moved(journalled().reported(&report(Some(1), "1000.00", "u")));
    assert_eq!(paid.answered("first", &Submission::Accepted), Transition::Repeat);
    assert_eq!(paid.answered("first", &unknown()), Transition::Repeat);
    assert_eq!(paid.answered("first", &fail()), Transition::Conflict(Disagreement::Outcome));
}

#[test]
fn another_amount_label_or_status_changes_nothing() {
    let row = moved(journalled().answered("first", &Submission::Accepted));
    for (report, expected) in [
        (report(Some(1), "100", "u"), Disagreement::WithdrawalAmount),
        (report(Some(1), "1000", "thief"), Disagreement::Label),
        (report(Some(2), "1000", "u"), Disagreement::Status),
        (report(None, "1000", "u"), Disagreement::Status),
    ] {
        assert_eq!(row.reported(&report), Transition::Conflict(expected));
        let recorded = row.contradicted(expected, Some(report.receipt.clone())).unwrap();
        assert_eq!(recorded.state, row.state);
        assert_eq!(recorded.contradicted(expected, Some(report.receipt)), None, "it is recorded once");
    }
}

#[test]
fn an_answer_to_one_attempt_says_nothing_of_the_next() {
    let waiting = moved(journalled().answered("first", &Submission::NotSent("refused".into())));
    let again = waiting.send_again("second".into(), Timestamp(2), false).unwrap();
    for late in [Submission::NotSent("refused".into()), fail()] {
        assert_eq!(again.answered("first", &late), Transition::Repeat, "the second may have arrived");
    }
    assert_eq!(moved(again.answered("first", &Submission::Accepted)).state, WithdrawalState::Submitted);
}

#[test]
fn two_who_send_an_unknown_attempt_again_write_two_rows() {
    let row = moved(journalled().lose());
    let again = |sender: &str| row.send_again(sender.into(), Timestamp(2), true).unwrap();
    assert_ne!(again("second"), again("third"), "neither takes the other's row for its own");
}

#[derive(Clone, Debug)]
enum Event {
    Answer(Submission),
    Report(i64),
    Lose,
    SendAgain,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop::sample::select(vec![Submission::Accepted, fail(), unknown(), Submission::NotSent("429".into())])
            .prop_map(Event::Answer),
        prop::sample::select(vec![1, 5, 3]).prop_map(Event::Report),
        Just(Event::Lose),
        Just(Event::SendAgain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_an_end_is_an_end_and_a_doubt_is_kept(
        events in prop::collection::vec(event(), 1..20), resend in any::<bool>()
    ) {
        let mut row = journalled();
        let (mut had_unknown, mut conflicts) = (false, Vec::new());
        let mut said = Vec::new();
        for event in events {
            let before = row.clone();
            let transition = match &event {
                Event::Answer(submission) => before.answered(&before.sender, submission),
                Event::Report(status) => before.reported(&report(Some(*status), "1000", "u")),
                Event::Lose => before.lose(),
                Event::SendAgain => match before.send_again("next".into(), Timestamp(3), resend) {
                    Some(next) => Transition::Move(next),
                    None => Transition::Repeat,
                },
            };
            match &transition {
                Transition::Move(next) => row = next.clone(),
                Transition::Conflict(disagreement) => conflicts.push(*disagreement),
                Transition::Repeat => {}
            }
            if let Event::Report(status @ (1 | 5)) = event {
                said.push(status);
            }
            prop_assert_eq!(&row.body, &before.body, "one id, one body");
            prop_assert!(!before.is_final() || row.state == before.state, "an end is an end");
            had_unknown |= row.state == WithdrawalState::Unknown;
            let released_by_answer = matches!(row.state, WithdrawalState::Rejected { .. });
            prop_assert!(!(had_unknown && released_by_answer), "after a doubt, no answer releases the money");
            let is_released = released_by_answer || matches!(row.state, WithdrawalState::Failed { .. });
            if is_released && said.contains(&1) {
                prop_assert!(conflicts.contains(&Disagreement::Outcome), "released, and paid in silence");
            }
        }
        prop_assert!(row.review("why").is_none() == row.is_final());
    }
}
