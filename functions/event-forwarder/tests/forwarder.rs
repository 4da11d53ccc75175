//! Events as they come from the queue, a server of the merchant's that may do anything, and the queue of those that wait.

#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_forwarder::{Deps, Keys, NotTaken, Policy, Post, SignedEvent};
use lambda::{
    AwsError, Backlog, Clock, Defer, Handled, Message, MessageHandler, ScheduleHandler, SecretStore, Waiting,
};
use standardwebhooks::Webhook;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PREVIOUS: &str = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
const NOW_MS: u64 = 1_700_000_000_000;
const BODY: &str = r#"{"id":"9f0c","type":"deposit.credited"}"#;
const HOUR_MS: u64 = 3_600_000;

/// What the server was sent: id, time, signature and body.
type Posted = (String, u64, String, String);

/// The merchant's server: answers as it is told, and writes down what it was sent.
#[derive(Clone, Default)]
struct Server {
    refusal: Option<NotTaken>,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Post for Server {
    async fn post(&self, event: SignedEvent<'_>) -> Result<(), NotTaken> {
        let SignedEvent { id, timestamp, signature, body } = event;
        self.posted.lock().unwrap().push((id.into(), timestamp, signature, body.into()));
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

/// Both queues.
#[derive(Clone, Default)]
struct Queues {
    is_down: bool,
    deferred: Arc<Mutex<Vec<u64>>>,
    waiting: Arc<Mutex<Vec<String>>>,
    moved: Arc<Mutex<Vec<String>>>,
}

impl Queues {
    fn answer<T>(&self, answer: T) -> Result<T, AwsError> {
        if self.is_down { Err(AwsError("the queue failed".into())) } else { Ok(answer) }
    }
}

impl Defer for Queues {
    async fn defer(&self, _: &str, time: Duration) -> Result<(), AwsError> {
        self.deferred.lock().unwrap().push(time.as_secs());
        self.answer(())
    }
}

impl Backlog for Queues {
    async fn add(&self, body: String) -> Result<(), AwsError> {
        self.answer(())?;
        self.waiting.lock().unwrap().push(body);
        Ok(())
    }

    async fn first(&self) -> Result<Option<Waiting>, AwsError> {
        let first = self.waiting.lock().unwrap().first().cloned();
        self.answer(first.map(|body| Waiting { receipt_handle: body.clone(), body }))
    }

    async fn remove(&self, receipt_handle: &str) -> Result<(), AwsError> {
        self.waiting.lock().unwrap().retain(|body| body != receipt_handle);
        self.answer(())
    }

    async fn move_all_back(&self) -> Result<(), AwsError> {
        self.moved.lock().unwrap().append(&mut self.waiting.lock().unwrap());
        self.answer(())
    }
}

struct Secret(Option<(&'static str, &'static str)>);

impl SecretStore<Keys> for Secret {
    async fn current(&self) -> Result<Arc<Keys>, AwsError> {
        let (key, previous) = self.0.ok_or(AwsError("the secrets failed".into()))?;
        Ok(Arc::new(Keys { events_secret: key.into(), events_secret_previous: previous.into() }))
    }

    async fn renewed(&self) -> Result<Option<Arc<Keys>>, AwsError> {
        Ok(None)
    }
}

struct Time;

impl Clock for Time {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }

    fn nonce(&self) -> String {
        String::new()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }

    async fn sleep(&self, _: Duration) {}
}

type Forwarder = Deps<Server, Queues, Queues, Secret, Time>;

fn forwarder(refusal: Option<NotTaken>) -> Forwarder {
    let queues = Queues::default();
    Deps {
        receiver: Server { refusal, ..Server::default() },
        queue: queues.clone(),
        backlog: queues,
        keys: Secret(Some((KEY, ""))),
        clock: Time,
        policy: Policy { first_retry: Duration::from_secs(5), give_up_after: Duration::from_hours(1) },
    }
}

fn refusal(retry_after: Option<u64>) -> NotTaken {
    NotTaken { reason: "HTTP 500".into(), retry_after: retry_after.map(Duration::from_secs) }
}

async fn handle(deps: &Forwarder, body: &str, age_ms: u64) -> Handled {
    deps.handle(Message { body, receipt_handle: "h", receive_count: 1, sent_at_ms: NOW_MS.saturating_sub(age_ms) })
        .await
}

fn waiting(deps: &Forwarder) -> Vec<String> {
    deps.backlog.waiting.lock().unwrap().clone()
}

#[tokio::test]
async fn an_event_is_signed_as_the_reference_library_signs_it() {
    let deps = Deps { keys: Secret(Some((KEY, PREVIOUS))), ..forwarder(None) };
    assert_eq!(handle(&deps, BODY, 0).await, Handled::Done);
    let posted = deps.receiver.posted.lock().unwrap().clone();
    let [(id, timestamp, signature, body)] = posted.as_slice() else { panic!("{posted:?}") };
    assert_eq!((id.as_str(), *timestamp, body.as_str()), ("9f0c", NOW_MS / 1000, BODY));
    let signatures = [KEY, PREVIOUS].map(|key| {
        Webhook::new(key).unwrap().sign("9f0c", (NOW_MS / 1000).try_into().unwrap(), BODY.as_bytes()).unwrap()
    });
    assert_eq!(*signature, signatures.join(" "));
}

#[tokio::test]
async fn an_event_that_is_not_taken_comes_again_until_it_is_an_hour_old() {
    let deps = forwarder(Some(refusal(None)));
    for age_ms in [0, 5_000, 60_000, HOUR_MS - 1] {
        assert_eq!(handle(&deps, BODY, age_ms).await, Handled::Again);
    }
    assert_eq!(*deps.queue.deferred.lock().unwrap(), [5, 30, 120, 300]);
    assert_eq!(waiting(&deps), Vec::<String>::new());
    assert_eq!(handle(&deps, BODY, HOUR_MS).await, Handled::Done);
    assert_eq!(waiting(&deps), [BODY]);
    assert_eq!(deps.receiver.posted.lock().unwrap().len(), 5, "it is tried a last time");
}

#[tokio::test]
async fn the_server_may_ask_for_more_time() {
    let deps = forwarder(Some(refusal(Some(600))));
    assert_eq!(handle(&deps, BODY, 0).await, Handled::Again);
    assert_eq!(*deps.queue.deferred.lock().unwrap(), [600]);
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_posted_and_not_lost() {
    for secret in [None, Some(("not a key", "")), Some((KEY, "not a key"))] {
        let deps = Deps { keys: Secret(secret), ..forwarder(None) };
        assert_eq!(handle(&deps, BODY, 0).await, Handled::Again);
        assert_eq!(handle(&deps, BODY, HOUR_MS).await, Handled::Done);
        assert_eq!(waiting(&deps), [BODY]);
        deps.on_schedule().await.unwrap();
        assert_eq!((waiting(&deps).len(), deps.receiver.posted.lock().unwrap().len()), (1, 0));
    }
}

#[tokio::test]
async fn what_is_no_event_waits_for_a_person_and_stops_nothing() {
    for body in ["", "7", "{}", r#"{"id":7}"#] {
        let deps = forwarder(None);
        assert_eq!(handle(&deps, body, 0).await, Handled::Done, "{body}");
        assert_eq!(waiting(&deps), [body]);
        assert!(deps.receiver.posted.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_event_is_not_done_before_it_waits_durably() {
    let mut deps = forwarder(Some(refusal(None)));
    deps.backlog.is_down = true;
    assert_eq!(handle(&deps, BODY, HOUR_MS).await, Handled::Again);
    deps.queue.is_down = true;
    assert_eq!(handle(&deps, BODY, 0).await, Handled::Again, "the queue's own time-out brings it back");
}

#[tokio::test]
async fn one_event_is_tried_and_when_it_is_taken_all_go_back() {
    let mut deps = forwarder(Some(refusal(None)));
    deps.on_schedule().await.unwrap();
    *deps.backlog.waiting.lock().unwrap() = vec![BODY.into(), "other".into(), "more".into()];
    deps.on_schedule().await.unwrap();
    assert_eq!((waiting(&deps).len(), deps.receiver.posted.lock().unwrap().len()), (3, 1));
    deps.receiver.refusal = None;
    deps.on_schedule().await.unwrap();
    assert_eq!(waiting(&deps), Vec::<String>::new());
    assert_eq!(*deps.backlog.moved.lock().unwrap(), ["other", "more"]);
    assert_eq!(deps.receiver.posted.lock().unwrap().len(), 2, "the others are posted from the queue");
    deps.backlog.is_down = true;
    deps.on_schedule().await.unwrap_err();
}

#[tokio::test]
async fn an_event_that_eventbridge_has_set_aside_is_taken_out_of_its_envelope() {
    let deps = forwarder(None);
    let envelope = format!(r#"{{"version":"0","id":"6a7e","detail-type":"deposit.credited","detail": {BODY}}}"#);
    assert_eq!(handle(&deps, &envelope, 0).await, Handled::Done);
    let posted = deps.receiver.posted.lock().unwrap().clone();
    assert_eq!((posted[0].0.as_str(), posted[0].3.as_str()), ("9f0c", BODY));
}

#[tokio::test]
async fn what_is_no_event_does_not_keep_the_others_waiting() {
    struct Hidden(Queues, Mutex<usize>);

    impl Backlog for Hidden {
        async fn add(&self, body: String) -> Result<(), AwsError> {
            self.0.add(body).await
        }

        /// A message that was received is hidden for a while.
        async fn first(&self) -> Result<Option<Waiting>, AwsError> {
            let mut place = self.1.lock().unwrap();
            let body = self.0.waiting.lock().unwrap().get(*place).cloned();
            *place += 1;
            Ok(body.map(|body| Waiting { receipt_handle: body.clone(), body }))
        }

        async fn remove(&self, receipt_handle: &str) -> Result<(), AwsError> {
            self.0.remove(receipt_handle).await
        }

        async fn move_all_back(&self) -> Result<(), AwsError> {
            self.0.move_all_back().await
        }
    }

    let Deps { receiver, queue, backlog, keys, clock, policy } = forwarder(None);
    *backlog.waiting.lock().unwrap() = vec!["nonsense".into(), BODY.into(), "more".into()];
    let moved = Arc::clone(&backlog.moved);
    let deps = Deps { receiver, queue, backlog: Hidden(backlog, Mutex::default()), keys, clock, policy };
    deps.on_schedule().await.unwrap();
    assert_eq!(*moved.lock().unwrap(), ["nonsense", "more"]);
}
