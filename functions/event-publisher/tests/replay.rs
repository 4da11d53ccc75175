//! `POST /replays`: what it publishes again, what it refuses, and what it does when it cannot know.

#![cfg(test)]

use std::sync::{Arc, Mutex};

use domain::{Evidence, ListHash, ListPlace, Separator, Timestamp, Unreadable};
use event_publisher::{ApiError, Deps, Destination, EventName, MOST_EVENTS, Proofs, Replay};
use lambda::{
    AwsError, ErrorReply, Handler, Publish, Published, Request, SecretStore, SendLater, SetAside, StatusCode,
};
use paykassma::{EvidenceKeys, event_id};
use serde_json::{Value, json};
use store::{Change, Memory, Row, RowKey, Stored, TableCheck, Write, current_events};

const CALLER: &str = "arn:aws:iam::123456789012:user/ann";

/// Takes so many events or messages.
struct Takes(usize, Mutex<Vec<String>>);

impl Publish for Takes {
    async fn publish(&self, events: &[Published]) -> usize {
        self.1.lock().unwrap().extend(events.iter().map(|event| event.detail.clone()));
        self.0.min(events.len())
    }
}

impl SendLater for Takes {
    async fn send_later(&self, body: String) -> Result<(), AwsError> {
        let mut taken = self.1.lock().unwrap();
        taken.push(body);
        if taken.len() <= self.0 { Ok(()) } else { Err(AwsError("the queue failed".into())) }
    }
}

/// Nothing is ever set aside.
struct NoQueue;

impl SetAside for NoQueue {
    async fn set_aside(&self, message: String) -> Result<(), AwsError> {
        Err(AwsError(message))
    }
}

struct NoKeys;

impl SecretStore<EvidenceKeys> for NoKeys {
    async fn current(&self) -> Result<Arc<EvidenceKeys>, AwsError> {
        Err(AwsError("no keys".into()))
    }

    async fn renewed(&self) -> Result<Option<Arc<EvidenceKeys>>, AwsError> {
        Ok(None)
    }
}

type Publisher = Deps<Takes, NoQueue, Memory, NoKeys, Takes>;

fn publisher(bus: usize, push: Option<usize>) -> Publisher {
    let takes = |count| Takes(count, Mutex::default());
    Deps {
        check: TableCheck::new("arn:stream"),
        proofs: Proofs { table: Memory::default(), keys: NoKeys, separator: Separator::Dot, last: Mutex::default() },
        bus: takes(bus),
        queue: NoQueue,
        push: push.map(takes),
    }
}

fn element(number: usize) -> Unreadable {
    let list = ListHash::from([5; 32]);
    let evidence =
        Evidence { place: ListPlace::Stored { list: list.clone() }, element: number, received_at: Timestamp(7) };
    Unreadable::new(list, evidence, "amount \u{ffff}", None)
}

/// Stores an element that could not be read, and names its event.
async fn stored(publisher: &Publisher, number: usize) -> EventName {
    let row = element(number);
    publisher.proofs.table.write(Change::new(row.clone())).await.unwrap();
    let stored = Row::into_any(Stored { row, version: 1 });
    let event = current_events(&stored, None).remove(0);
    EventName { row: stored.key(), id: event_id(&event.current.event, &event.transaction) }
}

async fn send(publisher: &Publisher, body: &Value) -> Result<Value, ApiError> {
    let body = body.to_string();
    let request = Request { body: body.as_bytes(), caller: Some(CALLER), ..Request::default() };
    publisher.handle(request).await.map(|reply| serde_json::from_str(&reply.body).unwrap())
}

async fn replay(publisher: &Publisher, to: Destination, events: Vec<EventName>) -> Result<Value, ApiError> {
    send(publisher, &serde_json::to_value(Replay { to, events }).unwrap()).await
}

#[tokio::test]
async fn an_event_goes_where_it_is_asked_to_go_and_nowhere_else() {
    for to in [Destination::Bus, Destination::Push] {
        let publisher = publisher(9, Some(9));
        let events = vec![stored(&publisher, 0).await, stored(&publisher, 1).await];
        let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
        assert_eq!(replay(&publisher, to, events).await.unwrap(), json!({"replayed": 2, "refused": []}));
        let (bus, push) = (publisher.bus.1.into_inner().unwrap(), publisher.push.unwrap().1.into_inner().unwrap());
        let (there, nowhere) = if to == Destination::Bus { (&bus, &push) } else { (&push, &bus) };
        assert_eq!(nowhere.len(), 0);
        let sent: Vec<Value> = there.iter().map(|detail| serde_json::from_str(detail).unwrap()).collect();
        assert_eq!(sent.iter().map(|event| event["id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
        assert_eq!(
            (&sent[0]["time_ms"], &sent[0]["version"], &sent[0]["type"]),
            (&json!(7), &json!(1), &json!("postback.unreadable"))
        );
        assert!(!push.iter().any(|body| body.contains('\u{ffff}')), "SQS takes no such character");
    }
}

#[tokio::test]
async fn what_the_row_does_not_say_is_refused_and_the_others_are_published() {
    let publisher = publisher(9, None);
    let known = stored(&publisher, 0).await;
    let other = |row: &str, id: &str| EventName { row: row.into(), id: id.into() };
    let names = [
        other(&known.row, "another id"),
        other(&element(7).id().key(), &known.id),
        other("table#", &known.id),
        other("no key", &known.id),
    ];
    let events = [&names[..], std::slice::from_ref(&known)].concat();
    let answer = replay(&publisher, Destination::Bus, events).await.unwrap();
    assert_eq!(answer["replayed"], 1);
    let refused: Vec<EventName> = answer["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            assert!(!it["reason"].as_str().unwrap().is_empty());
            EventName { row: it["row"].as_str().unwrap().into(), id: it["id"].as_str().unwrap().into() }
        })
        .collect();
    assert_eq!(refused, names);
}

#[tokio::test]
async fn what_is_not_taken_is_answered_so_that_the_request_is_sent_again() {
    for (to, bus, push) in [(Destination::Bus, 1, 9), (Destination::Push, 9, 1)] {
        let publisher = publisher(bus, Some(push));
        let events = vec![stored(&publisher, 0).await, stored(&publisher, 1).await];
        let error = replay(&publisher, to, events).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (StatusCode::SERVICE_UNAVAILABLE, "try_again"), "{to:?}");
    }
}

#[tokio::test]
async fn a_bad_request_names_its_field() {
    let publisher = publisher(9, None);
    let many: Vec<_> = (0..=MOST_EVENTS).map(|_| json!({"row": "payment#paytm#1", "id": "1"})).collect();
    for (body, field) in [
        (json!({}), "to"),
        (json!({"to": "nobody", "events": []}), "to"),
        (json!({"to": "push", "events": []}), "to"),
        (json!({"to": "bus"}), "events"),
        (json!({"to": "bus", "events": many}), "events"),
        (json!({"to": "bus", "events": [{"row": "payment#paytm#1"}]}), "events"),
        (json!({"to": "bus", "events": [], "also": 1}), "also"),
    ] {
        let error = send(&publisher, &body).await.unwrap_err();
        assert_eq!((error.status(), error.field()), (StatusCode::UNPROCESSABLE_ENTITY, Some(field)), "{body}: {error}");
    }
    let error = publisher.handle(Request { body: b"[", caller: Some(CALLER), ..Request::default() }).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (StatusCode::BAD_REQUEST, "malformed_request"));
    let error = publisher.handle(Request { body: b"{}", ..Request::default() }).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::FORBIDDEN, "nobody is known to ask");
}

#[tokio::test]
async fn another_table_replays_nothing() {
    let right = publisher(9, None);
    let known = stored(&right, 0).await;
    replay(&right, Destination::Bus, vec![known.clone()]).await.unwrap();
    let wrong = Deps { check: TableCheck::new("arn:another"), ..right };
    let error = replay(&wrong, Destination::Bus, vec![known]).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (StatusCode::SERVICE_UNAVAILABLE, "wrong_table"));
}
