//! The money rules of withdrawals, over any sequence of events.

#![cfg(test)]

use std::mem::discriminant;

use domain::{
    AccountNumber, Amount, AttentionFilter, AttentionKind, Comment, CurrencyCode, Effect, Evidence, ForeignWithdrawal,
    Label, ListPlace, Mismatch, NotResolved, Outcome, Remark, Resolution, SignedFacts, SignedList, Stage, Submission,
    SubmissionAttempt, Timestamp, Transition, WalletType, Withdrawal, WithdrawalId, WithdrawalReport,
    WithdrawalRequest, WithdrawalRow, WithdrawalState,
};
use proptest::prelude::*;

const LATER: Timestamp = Timestamp(9);

fn paytm() -> WalletType {
    WalletType::parse("paytm").unwrap()
}

fn journalled() -> Withdrawal {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        label: Label::parse("user-1").unwrap(),
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
    let list = SignedList {
        additional_data: format!("[{status:?}{amount}]"),
        signature: format!("{status:?}{amount}{label}"),
        access_key: "key".into(),
    };
    let evidence = Evidence { place: ListPlace::Here(list), element: 0, received_at: Timestamp(1) };
    let facts = SignedFacts {
        custom_transaction_id: String::new(),
        order_before_hyphen: None,
        amount: Amount::parse(amount).unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        label: Some(Label::parse(label).unwrap()),
        evidence,
    };
    WithdrawalReport {
        withdrawal_id: WithdrawalId::parse("w").unwrap(),
        wallet_type: paytm(),
        withdrawal_status: status,
        facts,
        mismatch: None,
    }
}

fn moved(transition: Transition<Withdrawal>) -> Withdrawal {
    let Transition::Move(row) = transition else { panic!("{transition:?}") };
    row
}

fn fail() -> Submission {
    Submission::Rejected("withdrawals_sum_amount: Insufficient balance".into())
}

fn outcomes(row: &Withdrawal) -> Vec<Option<Submission>> {
    row.attempts.iter().map(|it| it.ended.as_ref().map(|ended| ended.submission.clone())).collect()
}

fn unknown() -> Submission {
    Submission::Unknown("reset".into())
}

#[test]
fn after_an_unknown_attempt_no_fail_releases_the_money() {
    let row = moved(journalled().answered("first", &unknown(), LATER));
    let again = row.send_again("second".into(), Timestamp(2), true).unwrap();
    assert_eq!(again.state, WithdrawalState::Unknown);
    for ended in [fail(), Submission::NotSent("refused".into())] {
        let row = moved(again.answered("second", &ended, LATER));
        assert_eq!(row.state, WithdrawalState::Unknown);
        assert_eq!(outcomes(&row), [Some(unknown()), Some(ended.clone())], "the answer is noted all the same");
        assert_eq!(row.answered("second", &ended, LATER), Transition::Repeat);
    }
    assert_eq!(moved(again.answered("second", &Submission::Accepted, LATER)).state, WithdrawalState::Submitted);
    assert!(matches!(moved(again.reported(&report(Some(5), "1000", "user-1"))).state, WithdrawalState::Failed { .. }));
}

#[test]
fn an_unknown_attempt_is_sent_again_only_where_the_deployment_says_so() {
    let row = moved(journalled().answered("first", &unknown(), LATER));
    assert_eq!(row.send_again("second".into(), Timestamp(2), false), None);
    let waiting = moved(journalled().answered("first", &Submission::NotSent("refused".into()), LATER));
    let again = waiting.send_again("second".into(), Timestamp(2), false).unwrap();
    assert_eq!((again.attempts.len(), &again.body), (2, &waiting.body));
}

#[test]
fn a_postback_may_come_before_the_answer() {
    let paid = moved(journalled().reported(&report(Some(1), "1000.00", "user-1")));
    for answer in [Submission::Accepted, unknown()] {
        let noted = moved(paid.answered("first", &answer, LATER));
        assert_eq!((&noted.state, outcomes(&noted)), (&paid.state, vec![Some(answer)]));
    }
    assert_eq!(paid.answered("first", &fail(), LATER), Transition::Conflict(Mismatch::Outcome));
}

#[test]
fn a_refusal_of_the_only_attempt_releases_the_money() {
    let refused = moved(journalled().answered("first", &fail(), LATER));
    assert!(matches!(&refused.state, WithdrawalState::Rejected { message } if message.contains("Insufficient")));
    let failed = moved(journalled().reported(&report(Some(5), "1000", "user-1")));
    let paid = moved(journalled().reported(&report(Some(1), "1000", "user-1")));
    assert!(refused.is_final() && failed.is_final() && paid.is_final() && !journalled().is_final());
    assert_eq!(paid.review("why"), None, "nothing is left to be looked at");
}

/// A row whose answer repeats the request's label, account and comment.
fn echoed() -> (Withdrawal, &'static str) {
    let echo = "label USER-1, account 12345-60079, comment for%20ann";
    let mut row = journalled();
    row.request.comment = Some(Comment::parse("for Ann").unwrap());
    (moved(row.answered("first", &Submission::Rejected(echo.into()), LATER)), echo)
}

const MASKED: &str = "label ***, account ***, comment ***";

#[test]
fn an_answer_that_repeats_the_request_is_stored_masked() {
    let (row, echo) = echoed();
    assert_eq!(row.state, WithdrawalState::Rejected { message: MASKED.into() });
    assert_eq!(outcomes(&row), [Some(Submission::Rejected(MASKED.into()))]);
    assert_eq!(format!("{:?}", Submission::Rejected(echo.into())), "rejected");
    let unknown = moved(journalled().answered("first", &Submission::Unknown("status user-1".into()), LATER));
    assert_eq!(outcomes(&unknown), [Some(Submission::Unknown("status ***".into()))]);
}

#[test]
fn a_row_that_was_stored_unmasked_is_masked_when_it_is_read() {
    let (row, echo) = echoed();
    let masked = WithdrawalRow::Registered(Box::new(row));
    let stored = serde_json::to_string(&masked).unwrap();
    let unmasked = stored.replace(MASKED, echo);
    assert_eq!(unmasked.matches(echo).count(), 2, "{unmasked}");
    let read: WithdrawalRow = serde_json::from_str(&unmasked).unwrap();
    assert_eq!((read.events(None), &read), (masked.events(None), &masked));
    assert_eq!(serde_json::to_value(&read.events(None)[0]).unwrap()["message"], MASKED);
}

#[test]
fn what_moves_needs_no_review_any_more() {
    let waiting = moved(journalled().answered("first", &Submission::NotSent("refused".into()), LATER));
    let reviewed = waiting.review("too many attempts").unwrap();
    assert_eq!(shown(&reviewed), ["open", "needs_review"]);
    assert_eq!(reviewed.review("again"), None, "a person is asked once");
    let again = reviewed.send_again("second".into(), Timestamp(2), false).unwrap();
    assert_eq!((&again.needs_review, again.changed_at, again.state), (&None, Timestamp(2), WithdrawalState::Sending));
}

/// The row once a conflict is recorded; `None` when nothing is to be written.
fn recorded(row: &Withdrawal, mismatch: Mismatch, facts: Option<&SignedFacts>) -> Option<Withdrawal> {
    let (after, effect) = row.after(Transition::Conflict(mismatch), facts, LATER);
    assert_eq!(effect, Effect::Conflicted(mismatch));
    after
}

#[test]
fn another_amount_label_or_status_changes_nothing() {
    let row = moved(journalled().answered("first", &Submission::Accepted, LATER));
    for (report, expected) in [
        (report(Some(1), "100", "user-1"), Mismatch::WithdrawalAmount),
        (report(Some(1), "1000", "thief"), Mismatch::Label),
        (report(Some(2), "1000", "user-1"), Mismatch::Status),
        (report(None, "1000", "user-1"), Mismatch::Status),
    ] {
        assert_eq!(row.reported(&report), Transition::Conflict(expected));
        let after = recorded(&row, expected, Some(&report.facts)).unwrap();
        assert_eq!(after.state, row.state);
        assert_eq!(recorded(&after, expected, Some(&report.facts)), None, "it is recorded once");
    }
}

#[test]
fn a_state_has_the_name_that_the_table_has() {
    use WithdrawalState::{Failed, Paid, Rejected, Sending, Submitted, Unknown, Waiting};
    let ends = [Rejected { message: "poor".into() }, Paid { facts: None }, Failed { facts: None }];
    for state in [Sending, Waiting, Unknown, Submitted].into_iter().chain(ends) {
        let row = Withdrawal { state, ..journalled() };
        let stored = serde_json::to_value(&row).unwrap();
        assert_eq!(stored["state"], row.state.name());
        assert_eq!(WithdrawalState::OPEN.contains(&row.state.name()), !row.is_final(), "{row:?}");
    }
}

#[test]
fn an_answer_to_one_attempt_says_nothing_of_the_next() {
    let waiting = moved(journalled().answered("first", &Submission::NotSent("refused".into()), LATER));
    let again = waiting.send_again("second".into(), Timestamp(2), false).unwrap();
    for late in [Submission::NotSent("refused".into()), fail()] {
        assert_eq!(again.answered("first", &late, LATER), Transition::Repeat, "the second may have arrived");
    }
    assert_eq!(moved(again.answered("first", &Submission::Accepted, LATER)).state, WithdrawalState::Submitted);
}

#[test]
fn two_who_send_an_unknown_attempt_again_write_two_rows() {
    let row = moved(journalled().lose());
    let again = |sender: &str| row.send_again(sender.into(), Timestamp(2), true).unwrap();
    assert_ne!(again("second"), again("third"), "neither takes the other's row for its own");
}

fn resolution(outcome: Outcome) -> Resolution {
    let remark = |text: &str| Remark::parse(text).unwrap();
    let (by, reason, evidence) = (remark("an operator"), remark("seen in the back office"), remark("line 7"));
    Resolution::new(outcome, by, reason, evidence, Timestamp(8))
}

fn indexed(row: &Withdrawal) -> Option<(AttentionKind, u64)> {
    WithdrawalRow::Registered(Box::new(row.clone())).attention().map(|it| (it.kind, it.at.0))
}

fn attention(row: &Withdrawal) -> Option<AttentionKind> {
    indexed(row).map(|(kind, _)| kind)
}

/// The lists that show it.
fn shown(row: &Withdrawal) -> Vec<&'static str> {
    let Some(kind) = attention(row) else { return Vec::new() };
    AttentionFilter::ALL.into_iter().filter(|it| it.has(kind, Some(row))).map(AttentionFilter::as_str).collect()
}

fn after(row: &Withdrawal, transition: Transition<Withdrawal>, at: u64) -> Withdrawal {
    row.after(transition, None, Timestamp(at)).0.unwrap()
}

#[test]
fn an_open_withdrawal_has_one_place_in_the_index_from_its_first_write_to_its_end() {
    let open = Some((AttentionKind::Open, 0));
    let sending = journalled();
    let lost = after(&sending, sending.lose(), 50);
    let waiting = after(&sending, sending.answered("first", &Submission::NotSent("refused".into()), LATER), 60);
    let again = waiting.send_again("second".into(), Timestamp(70), false).unwrap();
    let reviewed = after(&lost, Transition::Move(lost.review("why").unwrap()), 80);
    let submitted = after(&reviewed, reviewed.answered("second", &Submission::Accepted, LATER), 90);
    let contradicted = after(&submitted, Transition::Conflict(Mismatch::Status), 95);
    for row in [&sending, &lost, &waiting, &again, &reviewed, &submitted, &contradicted] {
        assert_eq!(indexed(row), open, "{row:?}");
    }
    assert_eq!(shown(&sending), ["open"]);
    assert_eq!(shown(&reviewed), ["open", "unknown", "needs_review"]);
    assert_eq!(shown(&contradicted), ["open", "conflict"]);
    let (paid, _) = submitted.after(submitted.reported(&report(Some(1), "1000", "user-1")), None, Timestamp(99));
    assert_eq!(indexed(&paid.unwrap()), None);
}

#[test]
fn only_a_change_of_state_makes_a_withdrawal_young_in_its_state() {
    let sending = journalled();
    let lost = after(&sending, sending.lose(), 50);
    assert_eq!((sending.state_since, lost.state_since), (Timestamp(0), Timestamp(50)));
    let noted = after(&lost, lost.answered("first", &unknown(), LATER), 60);
    let refused = after(&lost, lost.answered("first", &fail(), LATER), 60);
    let again = lost.send_again("second".into(), Timestamp(60), true).unwrap();
    let against = after(&lost, Transition::Conflict(Mismatch::Status), 60);
    let reviewed = after(&lost, Transition::Move(lost.review("why").unwrap()), 60);
    for row in [&noted, &refused, &again, &against, &reviewed] {
        assert_eq!((row.changed_at, row.stage()), (Timestamp(60), Some((Stage::Unknown, Timestamp(50)))), "{row:?}");
    }
    let submitted = after(&noted, noted.answered("second", &Submission::Accepted, LATER), 70);
    assert_eq!(submitted.stage(), Some((Stage::Submitted, Timestamp(70))));
    let paid = submitted.resolve(Resolution { at: Timestamp(80), ..resolution(Outcome::Paid) }).unwrap();
    assert_eq!((paid.state_since, paid.stage()), (Timestamp(80), None));
    let proved = after(&paid, paid.reported(&report(Some(1), "1000", "user-1")), 90);
    assert_eq!((proved.changed_at, proved.state_since), (Timestamp(90), Timestamp(80)), "it was paid before");
}

#[test]
fn a_retry_does_not_make_a_withdrawal_look_young_that_was_never_submitted() {
    let mut row = journalled();
    for attempt in 1..9 {
        let sender = row.last_attempt().unwrap().sender.clone();
        row = after(&row, row.answered(&sender, &Submission::NotSent("refused".into()), LATER), attempt * 10);
        row = row.send_again(format!("sender {attempt}"), Timestamp(attempt * 10 + 5), false).unwrap();
    }
    assert_eq!((row.state_since, row.stage()), (Timestamp(85), Some((Stage::NotSubmitted, Timestamp(0)))));
}

#[test]
fn a_row_without_the_time_of_its_state_is_in_it_since_it_last_changed() {
    let old = after(&journalled(), journalled().lose(), 50);
    let mut stored = serde_json::to_value(&old).unwrap();
    stored.as_object_mut().unwrap().remove("state_since").unwrap();
    let read: Withdrawal = serde_json::from_value(stored).unwrap();
    assert_eq!(read, old);
    let noted = after(&read, read.answered("first", &unknown(), LATER), 60);
    assert_eq!((noted.changed_at, noted.state_since), (Timestamp(60), Timestamp(50)));
    assert_eq!(serde_json::to_value(&noted).unwrap()["state_since"], 50, "it is recorded from then on");
}

#[test]
fn what_contradicts_an_end_is_open_since_the_first_contradiction_that_no_person_has_closed() {
    let mut row = after(&journalled(), journalled().reported(&report(Some(1), "1000", "user-1")), 50);
    for (status, at) in [(Some(5), 60), (Some(3), 70), (None, 80)] {
        let mut other = report(status, "1000", "user-1");
        other.facts.evidence.received_at = Timestamp(at);
        row = row.after(row.reported(&other), Some(&other.facts), Timestamp(at)).0.unwrap();
        assert_eq!(indexed(&row), Some((AttentionKind::Conflict, 60)), "nothing makes it look young again");
    }
    let closed = row.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!(indexed(&closed), None);
    let mut other = report(Some(7), "1000", "user-1");
    other.facts.evidence.received_at = Timestamp(90);
    let again = closed.after(closed.reported(&other), Some(&other.facts), Timestamp(95)).0.unwrap();
    assert_eq!(indexed(&again), Some((AttentionKind::Conflict, 90)));
    let by_answer = after(&closed, Transition::Conflict(Mismatch::Outcome), 99);
    assert_eq!(indexed(&by_answer), Some((AttentionKind::Conflict, closed.state_since.0)), "an answer has no time");
}

#[test]
fn a_person_ends_what_is_open_and_the_signed_proof_may_come_later() {
    let unknown = moved(journalled().answered("first", &unknown(), LATER));
    assert_eq!(journalled().resolve(resolution(Outcome::Paid)), Err(NotResolved::OnItsWay));
    assert_eq!(unknown.resolve(resolution(Outcome::Credited)), Err(NotResolved::OutcomeOfAnotherKind));
    let paid = unknown.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!((attention(&paid), paid.changed_at), (None, Timestamp(8)));
    assert_eq!(paid.resolve(resolution(Outcome::Paid)), Err(NotResolved::NothingOpen));
    let proved = moved(paid.reported(&report(Some(1), "1000", "user-1")));
    assert!(matches!(proved.state, WithdrawalState::Paid { facts: Some(_) }));
    assert_eq!(proved.reported(&report(Some(1), "1000", "user-1")), Transition::Repeat);
    assert_eq!(paid.reported(&report(Some(5), "1000", "user-1")), Transition::Conflict(Mismatch::Outcome));
}

#[test]
fn a_person_closes_a_conflict_and_changes_no_end() {
    let unknown = moved(journalled().lose());
    let failed = unknown.resolve(resolution(Outcome::Failed)).unwrap();
    assert_eq!(failed.answered("first", &Submission::Accepted, LATER), Transition::Conflict(Mismatch::Outcome));
    let against = recorded(&failed, Mismatch::Outcome, None).unwrap();
    assert_eq!(attention(&against), Some(AttentionKind::Conflict));
    let closed = against.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!((&closed.state, attention(&closed)), (&failed.state, None));
    let again = recorded(&closed, Mismatch::Status, None).unwrap();
    assert_eq!(attention(&again), Some(AttentionKind::Conflict), "what comes later is open again");
}

#[test]
fn what_was_found_out_of_a_foreign_withdrawal_is_noted_once() {
    let row = ForeignWithdrawal::new(&report(Some(1), "1000", "user-1"));
    assert_eq!(row.resolve(resolution(Outcome::Rejected)), Err(NotResolved::OutcomeOfAnotherKind));
    let closed = row.resolve(resolution(Outcome::Paid)).unwrap();
    assert_eq!(closed.resolve(resolution(Outcome::Paid)), Err(NotResolved::NothingOpen));
    let attention = |row: &ForeignWithdrawal| WithdrawalRow::Foreign(Box::new(row.clone())).attention();
    assert!(attention(&row).is_some() && attention(&closed).is_none());

    assert_eq!(closed.reported(&report(Some(1), "1000", "v")), None, "it says the same in all that is signed");
    for other in [report(Some(5), "1000", "user-1"), report(Some(1), "77", "user-1"), report(None, "1000", "user-1")] {
        let further = closed.reported(&other).unwrap();
        assert_eq!(further.reported(&other), None, "it is recorded once");
        assert_eq!(attention(&further).unwrap().kind, AttentionKind::Unmatched, "it is open again");
        let again = further.resolve(resolution(Outcome::Failed)).unwrap();
        assert_eq!((again.resolutions.len(), attention(&again)), (2, None));
    }
}

#[test]
fn another_withdrawal_under_the_same_id_differs_by_the_names_of_its_fields() {
    let known = journalled().request;
    assert!(known.differing(&known).is_empty());
    let others = [
        ("label", WithdrawalRequest { label: Label::parse("u2").unwrap(), ..known.clone() }),
        ("amount", WithdrawalRequest { amount: Amount::parse("1001").unwrap(), ..known.clone() }),
        ("currency_code", WithdrawalRequest { currency_code: CurrencyCode::parse("BDT").unwrap(), ..known.clone() }),
        ("account_number", WithdrawalRequest { account_number: AccountNumber::parse("1").unwrap(), ..known.clone() }),
        ("payment_system", WithdrawalRequest { payment_system: WalletType::parse("upi_l").unwrap(), ..known.clone() }),
        ("comment", WithdrawalRequest { comment: domain::Comment::parse("x").ok(), ..known.clone() }),
        ("is_test", WithdrawalRequest { is_test: true, ..known.clone() }),
    ];
    for (name, other) in others {
        assert_eq!(known.differing(&other), [name]);
    }
}

#[test]
fn a_row_keeps_what_contradicts_it_once_and_16_kib_of_its_text() {
    let said = |signature: &str, bytes: usize| {
        let mut facts = report(Some(3), "1000", "user-1").facts;
        let list =
            SignedList { additional_data: " ".repeat(bytes), signature: signature.into(), access_key: "key".into() };
        facts.evidence.place = ListPlace::Here(list);
        Some(facts)
    };
    let text = |row: &Withdrawal| {
        let facts = row.contradictions.last().unwrap().facts.clone().unwrap();
        facts.evidence.own_list().unwrap().additional_data.clone()
    };
    let half = recorded(&journalled(), Mismatch::Status, said("first", 8 * 1024).as_ref()).unwrap();
    assert_eq!(recorded(&half, Mismatch::Status, said("first", 1).as_ref()), None, "known already");
    assert!(recorded(&half, Mismatch::Outcome, said("first", 1).as_ref()).is_some(), "another mismatch");
    let full = recorded(&half, Mismatch::Status, said("second", 8 * 1024).as_ref()).unwrap();
    assert_eq!(text(&full).len(), 8 * 1024);
    let mut row = recorded(&full, Mismatch::Status, said("third", 1).as_ref()).unwrap();
    assert_eq!(text(&row), "", "there is no room for the text, and the word is kept");
    for number in 4..=40 {
        row = recorded(&row, Mismatch::Status, said(&number.to_string(), 1).as_ref()).unwrap();
    }
    assert_eq!(recorded(&row, Mismatch::Status, said("41", 1).as_ref()), None);
    let against = recorded(&row, Mismatch::Outcome, said("41", 1).as_ref()).unwrap();
    assert_eq!(against.contradictions.len(), 41, "the first of its kind always has room");
    let shown = format!("{:?}", report(Some(1), "1000", "user-1").facts.evidence);
    assert!(shown.contains("signature") && !shown.contains("[Some(1)1000]"), "{shown}");
}

#[test]
fn a_label_of_36_characters_fits_a_withdrawal() {
    assert!(Label::parse("ü".repeat(36)).unwrap().fits_withdrawal());
    assert!(!Label::parse("u".repeat(37)).unwrap().fits_withdrawal());
}

#[derive(Clone, Debug)]
enum Event {
    Answer(Submission),
    Report(i64),
    Lose,
    SendAgain,
    Resolve(Outcome),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop::sample::select(vec![Submission::Accepted, fail(), unknown(), Submission::NotSent("429".into())])
            .prop_map(Event::Answer),
        prop::sample::select(vec![1, 5, 3]).prop_map(Event::Report),
        Just(Event::Lose),
        Just(Event::SendAgain),
        prop::sample::select(vec![Outcome::Paid, Outcome::Failed]).prop_map(Event::Resolve),
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
                Event::Answer(submission) => {
                    before.answered(&before.last_attempt().unwrap().sender, submission, LATER)
                }
                Event::Report(status) => before.reported(&report(Some(*status), "1000", "user-1")),
                Event::Lose => before.lose(),
                Event::SendAgain => match before.send_again("next".into(), Timestamp(3), resend) {
                    Some(next) => Transition::Move(next),
                    None => Transition::Repeat,
                },
                Event::Resolve(outcome) => match before.resolve(resolution(*outcome)) {
                    Ok(next) => Transition::Move(next),
                    Err(_) => Transition::Repeat,
                },
            };
            match &transition {
                Transition::Move(next) => row = next.clone(),
                Transition::Conflict(mismatch) => conflicts.push(*mismatch),
                Transition::Repeat => {}
            }
            if let Event::Report(status @ (1 | 5)) = event {
                said.push(status);
            }
            prop_assert_eq!(&row.body, &before.body, "one id, one body");
            let is_same = discriminant(&row.state) == discriminant(&before.state);
            prop_assert!(!before.is_final() || is_same, "an end is an end");
            prop_assert!(row.attempts.len() >= before.attempts.len());
            let is_kept = |(old, new): (&SubmissionAttempt, &SubmissionAttempt)| old.ended.is_none() || old == new;
            prop_assert!(before.attempts.iter().zip(&row.attempts).all(is_kept), "an answer that is noted stays");
            had_unknown |= row.state == WithdrawalState::Unknown;
            let released_by_answer = matches!(row.state, WithdrawalState::Rejected { .. });
            prop_assert!(!(had_unknown && released_by_answer), "after a doubt, no answer releases the money");
            let is_released = released_by_answer || matches!(row.state, WithdrawalState::Failed { .. });
            if is_released && said.contains(&1) {
                prop_assert!(conflicts.contains(&Mismatch::Outcome), "released, and paid in silence");
            }
        }
        prop_assert!(row.review("why").is_none() == row.is_final());
    }
}
