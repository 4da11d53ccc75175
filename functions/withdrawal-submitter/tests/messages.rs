//! The submitter's message loop over the in-memory table: what comes out again, what is done with, what is never sent twice.

#![cfg(test)]

use std::future::{Future, ready};
use std::sync::Mutex;
use std::time::Duration;

use domain::{
    AccountNumber, Amount, CurrencyCode, Label, Submission, Timestamp, WalletType, Withdrawal, WithdrawalId,
    WithdrawalRequest, WithdrawalRow, WithdrawalState,
};
use lambda::{AwsError, Clock, Defer, Handled, Message, MessageHandler};
use paykassma::{Answered, SubmitWithdrawal};
use store::{Change, Memory, Read, TableCheck, Write};
use withdrawal_submitter::{Deps, Policy};

const NOW_MS: u64 = 1_800_000_000_000;

/// Answers as scripted, and keeps what it was sent and asked.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Submission>>,
    sent: Mutex<Vec<String>>,
    deferred: Mutex<Vec<Duration>>,
}

impl SubmitWithdrawal for &Scripted {
    fn submit(&self, body: &str) -> impl Future<Output = Answered<Submission>> + Send {
        self.sent.lock().unwrap().push(body.to_owned());
        ready(self.answers.lock().unwrap().remove(0).into())
    }
}

impl Defer for &Scripted {
    fn defer(&self, _: &str, time: Duration) -> impl Future<Output = Result<(), AwsError>> + Send {
        self.deferred.lock().unwrap().push(time);
        ready(Ok(()))
    }
}

impl Clock for &Scripted {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn nonce(&self) -> String {
        "nonce".into()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

fn sending(since: u64) -> Withdrawal {
    let request = WithdrawalRequest {
        withdrawal_id: WithdrawalId::parse("w1").unwrap(),
        label: Label::parse("u").unwrap(),
        amount: Amount::parse("1000").unwrap(),
        currency_code: CurrencyCode::parse("INR").unwrap(),
        account_number: AccountNumber::parse("1234560079").unwrap(),
        payment_system: WalletType::parse("paytm").unwrap(),
        comment: None,
        is_test: false,
    };
    Withdrawal::new(request, "the signed bytes".into(), "first".into(), Timestamp(since))
}

fn in_state(state: WithdrawalState) -> Withdrawal {
    Withdrawal { state, ..sending(NOW_MS) }
}

fn check() -> TableCheck {
    TableCheck::new("arn:stream")
}

struct Outcome {
    handled: Handled,
    row: Option<Withdrawal>,
    sent: Vec<String>,
    deferred: Vec<Duration>,
}

async fn deliver(row: Option<Withdrawal>, answers: &[Submission], receive_count: u32, resend_unknown: bool) -> Outcome {
    let policy = Policy {
        attempts: 3,
        first_retry_seconds: 30,
        retry_ceiling_seconds: 50,
        sender_lifetime_ms: 30_000,
        resend_unknown,
        is_on: true,
    };
    deliver_by(policy, row, answers, receive_count).await
}

async fn deliver_by(policy: Policy, row: Option<Withdrawal>, answers: &[Submission], receive_count: u32) -> Outcome {
    let (table, scripted) = (Memory::default(), Scripted::default());
    *scripted.answers.lock().unwrap() = answers.to_vec();
    if let Some(row) = row {
        table.write(Change::new(WithdrawalRow::Registered(Box::new(row)))).await.unwrap();
    }
    let deps =
        Deps { table: table.clone(), check: check(), queue: &scripted, provider: &scripted, clock: &scripted, policy };
    let message =
        Message { body: r#"{"withdrawal_id":"w1"}"#, receipt_handle: "handle", receive_count, sent_at_ms: NOW_MS };
    let handled = deps.handle(message).await;
    let id = WithdrawalId::parse("w1").unwrap();
    let row = match table.read(&id).await.unwrap().map(|stored| stored.row) {
        Some(WithdrawalRow::Registered(row)) => Some(*row),
        other => other.map(|row| panic!("{row:?}")),
    };
    let (sent, deferred) = (scripted.sent.lock().unwrap().clone(), scripted.deferred.lock().unwrap().clone());
    Outcome { handled, row, sent, deferred }
}

#[tokio::test]
async fn a_message_without_a_row_is_done_with() {
    let outcome = deliver(None, &[], 1, false).await;
    assert_eq!((outcome.handled, outcome.sent.len()), (Handled::Done, 0));
}

#[tokio::test]
async fn what_is_decided_or_unknown_is_left_alone() {
    for state in
        [WithdrawalState::Submitted, WithdrawalState::Unknown, WithdrawalState::Rejected { message: "no".into() }]
    {
        let outcome = deliver(Some(in_state(state.clone())), &[], 1, false).await;
        assert_eq!((outcome.handled, outcome.row.unwrap().state), (Handled::Done, state));
        assert!(outcome.sent.is_empty());
    }
}

#[tokio::test]
async fn a_sender_that_may_live_is_waited_for_and_a_dead_one_is_unknown() {
    let outcome = deliver(Some(sending(NOW_MS - 29_999)), &[], 1, false).await;
    assert_eq!((outcome.handled, outcome.deferred.len()), (Handled::Again, 1));
    assert!(matches!(outcome.row.unwrap().state, WithdrawalState::Sending));
    for since in [NOW_MS - 30_000, NOW_MS + 172_800_000] {
        let outcome = deliver(Some(sending(since)), &[], 1, false).await;
        assert_eq!((outcome.handled, outcome.row.unwrap().state), (Handled::Done, WithdrawalState::Unknown));
        assert!(outcome.sent.is_empty());
    }
}

#[tokio::test]
async fn what_waits_is_sent_with_the_journalled_bytes() {
    let waiting = in_state(WithdrawalState::Waiting);
    let outcome = deliver(Some(waiting), &[Submission::Accepted], 1, false).await;
    assert_eq!(outcome.handled, Handled::Done);
    let row = outcome.row.unwrap();
    assert_eq!((row.state, row.attempts.len()), (WithdrawalState::Submitted, 2));
    assert_eq!(outcome.sent, ["the signed bytes"]);
}

#[tokio::test]
async fn the_waits_grow_to_the_ceiling() {
    for (receive_count, seconds) in [(1, 15), (2, 25)] {
        let waiting = in_state(WithdrawalState::Waiting);
        let outcome = deliver(Some(waiting), &[Submission::NotSent("refused".into())], receive_count, false).await;
        assert_eq!((outcome.handled, outcome.row.unwrap().state), (Handled::Again, WithdrawalState::Waiting));
        assert_eq!(outcome.deferred, [Duration::from_secs(seconds)]);
    }
}

#[tokio::test]
async fn after_the_last_time_a_person_is_asked() {
    let waiting = in_state(WithdrawalState::Waiting);
    let outcome = deliver(Some(waiting), &[Submission::NotSent("refused".into())], 3, false).await;
    assert_eq!(outcome.handled, Handled::Again);
    let row = outcome.row.unwrap();
    assert_eq!((row.state, row.needs_review.is_some()), (WithdrawalState::Waiting, true));
}

#[tokio::test]
async fn a_fail_after_an_unknown_attempt_releases_nothing() {
    let unknown = || Some(in_state(WithdrawalState::Unknown));
    let fail = Submission::Rejected("Insufficient balance".into());
    let outcome = deliver(unknown(), &[fail], 1, true).await;
    assert_eq!((outcome.handled, outcome.row.unwrap().state), (Handled::Again, WithdrawalState::Unknown));
    let outcome = deliver(unknown(), &[Submission::Accepted], 1, true).await;
    assert_eq!((outcome.handled, outcome.row.unwrap().state), (Handled::Done, WithdrawalState::Submitted));
}

#[tokio::test]
async fn a_message_that_is_not_ours_goes_to_the_dead_letters() {
    let scripted = Scripted::default();
    let policy = Policy {
        attempts: 3,
        first_retry_seconds: 1,
        retry_ceiling_seconds: 1,
        sender_lifetime_ms: 1,
        resend_unknown: false,
        is_on: true,
    };
    let deps = Deps {
        table: Memory::default(),
        check: check(),
        queue: &scripted,
        provider: &scripted,
        clock: &scripted,
        policy,
    };
    for body in ["", "{}", r#"{"withdrawal_id":"a b"}"#, "not json"] {
        assert_eq!(
            deps.handle(Message { body, receipt_handle: "h", receive_count: 1, sent_at_ms: NOW_MS }).await,
            Handled::Again
        );
    }
}

#[tokio::test]
async fn while_withdrawals_are_off_nothing_is_sent_and_no_row_is_touched() {
    let off = Policy {
        attempts: 3,
        first_retry_seconds: 30,
        retry_ceiling_seconds: 50,
        sender_lifetime_ms: 30_000,
        resend_unknown: true,
        is_on: false,
    };
    let rows = [
        in_state(WithdrawalState::Waiting),
        in_state(WithdrawalState::Unknown),
        sending(NOW_MS - 30_000),
        in_state(WithdrawalState::Submitted),
    ];
    for row in rows {
        for receive_count in [1, 3] {
            let outcome = deliver_by(off, Some(row.clone()), &[], receive_count).await;
            assert_eq!((outcome.handled, &outcome.row), (Handled::Again, &Some(row.clone())));
            assert_eq!((outcome.sent.len(), outcome.deferred), (0, vec![Duration::from_secs(50)]));
        }
    }
}
