//! Events: what is published, in which form, and that none of it is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::Separator;
use event_publisher::{Deps, Proofs, RENEWAL};
use lambda::{
    AwsError, ChangeHandler, ChangeRecord, Handled, Publish, Published, SecretStore, SendLater, SetAside,
    SetAsideMessage,
};
use local::StackOptions;
use paykassma::EvidenceKeys;
use serde_json::{Value, json};
use store::{Memory, TableCheck};

use crate::flows::openapi::make_exact;
use crate::flows::operator::Tool;
use crate::flows::postbacks::postback;
use crate::flows::support::{Site, options, order, with};

const NUMBER: &str = "47752123519";

/// As exact as this release must be.
pub(super) fn event_schemas() -> BTreeMap<String, Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/schemas");
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let schema = |path: &Path| {
        let mut schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        make_exact(&mut schema, false);
        schema
    };
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), schema(&path))).collect()
}

/// Checks events against the schemas, and gives the kinds that there were.
fn check(events: &[Value]) -> BTreeSet<String> {
    let schemas = event_schemas();
    let kinds = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap();
        let found: Vec<_> = jsonschema::validator_for(&schemas[kind])
            .unwrap()
            .iter_errors(event)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{event}: {found:?}");
        kind.to_owned()
    });
    kinds.collect()
}

async fn pay(site: &Site, number: &str, amount: &str, order: &str) {
    let payment =
        json!({"transaction_id": number, "amount": amount, "custom_transaction_id": order, "label": "631317234"});
    site.control("payments", &payment).await;
}

#[tokio::test]
async fn each_payment_of_an_order_is_published_and_a_further_one_is_marked() {
    let site = Site::start().await;
    site.order("o1").await;
    pay(&site, NUMBER, "700.00", "o1").await;
    site.events("deposit.credited", 1).await;
    pay(&site, "47752123518", "5.5", "o1").await;
    let events = site.events("deposit.credited", 2).await;
    let first = json!({"custom_transaction_id": "o1", "label": "631317234", "wallet_type": "paytm",
        "transaction_id": NUMBER, "amount": "700.00", "currency_code": "INR", "requested_amount": "700",
        "amount_matches": true, "payment_number": 1});
    assert_eq!(
        (&events[0]["data"], &events[0]["transaction"], &events[0]["version"]),
        (&first, &json!("deposit#o1"), &json!(2))
    );
    let further = &events[1]["data"];
    let found = (&further["amount"], &further["amount_matches"], &further["payment_number"], &events[1]["version"]);
    assert_eq!(found, (&json!("5.5"), &json!(false), &json!(2), &json!(3)));
    check(&events);
}

#[tokio::test]
async fn money_that_came_first_is_published_as_unmatched_and_then_as_credited() {
    let site = Site::start().await;
    pay(&site, NUMBER, "700", "o1").await;
    pay(&site, "47752123518", "1", "o1").await;
    site.events("payment.unmatched", 2).await;
    site.order("o1").await;
    let events = site.events("deposit.credited", 2).await;
    assert_ne!(events[0]["id"], events[1]["id"], "one change may publish two events");
    assert_eq!(events[0]["version"], events[1]["version"]);
    let numbers = [&events[0]["data"]["payment_number"], &events[1]["data"]["payment_number"]];
    assert_eq!(numbers, [&json!(1), &json!(2)]);
}

#[tokio::test]
async fn every_kind_of_event_is_published_once_and_fits_its_schema() {
    let site = Site::start_with(StackOptions { max_receive_count: 2, ..options() }).await;
    site.order("o1").await;
    site.control("faults", &json!({"on": "activate", "fault": "message_string", "message": "not found"})).await;
    site.activate("o1", "11111111111").await;
    site.post("/deposits", &with(&order("o3"), "label", &json!("another"))).await;
    site.activate("o3", "11111111111").await;
    pay(&site, NUMBER, "700", "o1").await;
    site.until("payment#paytm#47752123519", "credited").await;
    let batch = json!({"transaction_id": NUMBER, "custom_transaction_id": "o1", "label": "631317234", "amount": "7",
        "direction": "ingoing"});
    site.control("postbacks", &batch).await;
    let altered = json!({"label": "thief"});
    let held = with(&batch, "transaction_id", &json!("47752123518"));
    site.control("postbacks", &with(&held, "tamper", &altered)).await;
    pay(&site, "47752123517", "700", "o2").await;
    let unreadable = postback(&site, &[("47752123516", "o1", "much")]);
    site.postback(unreadable.to_string().into()).await;
    withdrawals(&site).await;
    site.events("withdrawal.needs_review", 1).await;
    site.events("postback.unreadable", 1).await;
    assert_eq!(Tool::of(&site).resolve("w3", "paid", &[]).await.0, 0);
    site.events("transaction.resolved", 1).await;
    let events = site.stack.events();
    let known: BTreeSet<_> = event_schemas().into_keys().collect();
    assert_eq!(check(&events), known, "{:#?}", site.logs());
    let ids: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), events.len());
    assert!(!json!(events).to_string().contains("1234560079"), "no account is published");
}

/// Paid, failed, rejected, unknown, contradicted, foreign, and one whose attempts are used up.
async fn withdrawals(site: &Site) {
    for (id, status) in [("w1", 1), ("w2", 5)] {
        site.withdraw(id).await;
        site.settle(id, status).await;
    }
    site.until("withdrawal#w1", "paid").await;
    site.settle("w1", 5).await;
    site.fault("withdrawal", "accepted_but_lost", 1).await;
    site.withdraw("w3").await;
    let foreign = json!({"withdrawal_id": "w4", "withdrawal_status": 1, "amount": "1000", "label": "160496026",
        "direction": "outgoing"});
    site.control("postbacks", &foreign).await;
    site.control("faults", &json!({"on": "withdrawal", "fault": "status", "code": 429, "times": 9})).await;
    site.withdraw("w5").await;
    let events = site.events("withdrawal.conflict", 1).await;
    assert_eq!(events[0]["data"]["mismatch"], "outcome");
}

#[tokio::test]
async fn a_rejection_by_the_provider_is_published_with_its_message() {
    let site = Site::start().await;
    site.control("settings", &json!({"balance": 1})).await;
    site.withdraw("w1").await;
    let events = site.events("withdrawal.failed", 1).await;
    assert_eq!(events[0]["data"]["message"], "withdrawals_sum_amount: Insufficient balance");
    check(&events);
}

#[tokio::test]
async fn a_publisher_that_is_killed_loses_nothing() {
    let site = Site::start().await;
    for index in 0..10 {
        site.post("/deposits", &order(&format!("o{index}"))).await;
        pay(&site, &format!("4775212351{index}"), "700", &format!("o{index}")).await;
        if index % 3 == 0 {
            site.stack.kill("event-publisher").await;
        }
    }
    let mut published = BTreeSet::new();
    for _ in 0..200 {
        let events = site.stack.events();
        check(&events);
        published = events.iter().map(|event| event["transaction"].to_string()).collect();
        if published.len() == 10 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(published.len(), 10, "{:#?}", site.logs());
}

/// Accepts a number of events, and records what it was given.
struct Bus {
    takes: usize,
    given: Mutex<Vec<Published>>,
}

impl Publish for Bus {
    async fn publish(&self, events: &[Published]) -> usize {
        self.given.lock().unwrap().extend_from_slice(events);
        self.takes.min(events.len())
    }
}

/// Accepts a number of messages, and records them.
struct Aside {
    takes: usize,
    taken: Mutex<Vec<String>>,
}

impl SetAside for Aside {
    async fn set_aside(&self, message: String) -> Result<(), AwsError> {
        let mut taken = self.taken.lock().unwrap();
        if taken.len() >= self.takes {
            return Err(AwsError("the queue failed".into()));
        }
        taken.push(message);
        Ok(())
    }
}

impl SendLater for Aside {
    async fn send_later(&self, body: String) -> Result<(), AwsError> {
        self.set_aside(body).await
    }
}

/// Reads keys that are there.
struct Keys;

impl SecretStore<EvidenceKeys> for Keys {
    async fn current(&self) -> Result<Arc<EvidenceKeys>, AwsError> {
        let keys = json!({"access_key": "key", "postback_private_key": "private"});
        Ok(Arc::new(serde_json::from_value(keys).unwrap()))
    }

    async fn renewed(&self) -> Result<Option<Arc<EvidenceKeys>>, AwsError> {
        Ok(None)
    }
}

fn publisher(takes: usize) -> Deps<Bus, Aside, Memory, Keys, Aside> {
    publisher_beside(takes, 0)
}

fn publisher_beside(takes: usize, queue_takes: usize) -> Deps<Bus, Aside, Memory, Keys, Aside> {
    let (table, keys) = (Memory::default(), Keys);
    Deps {
        check: TableCheck::new("arn:stream"),
        proofs: Proofs { table, keys, separator: Separator::Dot, last: Mutex::default() },
        bus: Bus { takes, given: Mutex::default() },
        queue: Aside { takes: queue_takes, taken: Mutex::default() },
        push: None,
    }
}

fn change(row: &Value) -> ChangeRecord {
    let keys = json!({"transaction_id": row["transaction_id"]});
    let dynamodb = json!({"ApproximateCreationDateTime": 1_692_960_460, "Keys": keys, "NewImage": row});
    ChangeRecord::parse(&json!({"eventName": "INSERT", "dynamodb": dynamodb}).to_string(), 5)
}

fn unreadable(element: usize) -> Value {
    let list = "5e".repeat(32);
    json!({"transaction_id": {"S": format!("unreadable#{list}#{element}")}, "version": {"N": "1"}, "format": {"N": "1"},
        "state": {"S": "unreadable"}, "hash": {"S": list}, "reason": {"S": "amount"},
        "evidence": {"M": {"list": {"S": list}, "element": {"N": element.to_string()}, "received_at": {"N": "5"}}}})
}

#[tokio::test]
async fn the_same_change_is_the_same_event_to_the_letter() {
    let (first, second) = (publisher(9), publisher(9));
    for publisher in [&first, &second] {
        assert_eq!(publisher.handle(&[change(&unreadable(0)), change(&unreadable(1))]).await, 2);
    }
    let (first, second) = (first.bus.given.into_inner().unwrap(), second.bus.given.into_inner().unwrap());
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
    let detail: Value = serde_json::from_str(&first[0].detail).unwrap();
    check(&[detail]);
}

#[tokio::test]
async fn what_the_bus_did_not_take_comes_again_and_what_publishes_nothing_is_done() {
    let page = json!({"transaction_id": {"S": "waiting#o1#1"}, "version": {"N": "1"}, "custom_transaction_id": {"S": "o1"},
        "page": {"N": "1"}, "payments": {"L": []}});
    let changes = [change(&page), change(&unreadable(0)), change(&page), change(&unreadable(1))];
    for (takes, done) in [(0, 1), (1, 3), (2, 4)] {
        assert_eq!(publisher(takes).handle(&changes).await, done, "{takes}");
    }
}

/// A row of a state that this release does not know, a row of an unknown kind, and a record that is none.
fn not_readable() -> [ChangeRecord; 3] {
    let newer = json!({"transaction_id": {"S": "withdrawal#w1"}, "version": {"N": "1"}, "state": {"S": "new"}});
    let kind = json!({"transaction_id": {"S": "gift#1"}, "version": {"N": "1"}});
    [change(&newer), change(&kind), ChangeRecord::parse(r#"{"dynamodb":{"SequenceNumber":"7"}}"#, 5)]
}

#[tokio::test]
async fn a_change_that_cannot_be_read_is_set_aside_and_the_batch_goes_on_behind_it() {
    let [newer, kind, none] = not_readable();
    let publisher = publisher_beside(9, 9);
    let changes = [change(&unreadable(0)), newer.clone(), kind.clone(), change(&unreadable(1)), none.clone()];
    assert_eq!(publisher.handle(&changes).await, 5);
    assert_eq!(publisher.bus.given.lock().unwrap().len(), 2);
    let taken = publisher.queue.taken.into_inner().unwrap();
    let records: Vec<_> = taken.iter().map(|it| ChangeRecord::from_set_aside(it).unwrap().text().to_owned()).collect();
    assert_eq!(records, [newer.text(), kind.text(), none.text()], "each has its whole record");
    for message in taken {
        let message: Value = serde_json::from_str(&message).unwrap();
        assert_eq!(message["reason"], "unreadable");
    }
}

#[tokio::test]
async fn a_change_that_is_not_set_aside_comes_again_with_everything_behind_it() {
    let [newer, kind, _] = not_readable();
    let changes = [change(&unreadable(0)), newer, change(&unreadable(1)), kind, change(&unreadable(2))];
    for (takes, queue_takes, done) in [(9, 0, 1), (9, 1, 3), (9, 2, 5), (0, 9, 0)] {
        let publisher = publisher_beside(takes, queue_takes);
        assert_eq!(publisher.handle(&changes).await, done, "{takes} {queue_takes}");
        let taken = publisher.queue.taken.into_inner().unwrap().len();
        assert_eq!(taken, if takes == 0 { 0 } else { queue_takes }, "nothing is set aside before what comes first");
    }
}

fn young(body: &str) -> SetAsideMessage<'_> {
    SetAsideMessage { body, age: Duration::from_hours(1) }
}

#[tokio::test]
async fn a_message_leaves_the_queue_once_its_change_is_published() {
    let readable = change(&unreadable(0)).set_aside("unreadable", 1);
    for (takes, handled) in [(0, Handled::Again), (1, Handled::Done)] {
        assert_eq!(publisher(takes).try_again(young(&readable)).await, handled);
    }
    let (first, second) = (publisher(9), publisher(9));
    first.handle(&[change(&unreadable(0))]).await;
    second.try_again(young(&readable)).await;
    let given = |publisher: Deps<Bus, Aside, Memory, Keys, Aside>| publisher.bus.given.into_inner().unwrap();
    assert_eq!(given(first), given(second), "it is the same event");
    let [newer, ..] = not_readable();
    let large = json!({"transaction_id": {"S": "gift#1"}, "text": {"S": "x".repeat(lambda::LARGEST_MESSAGE)}});
    for waits in [newer.set_aside("unreadable", 1), change(&large).set_aside("unreadable", 1), "no message".into()] {
        let publisher = publisher_beside(9, 9);
        assert_eq!(publisher.try_again(young(&waits)).await, Handled::Again, "{waits}");
        assert_eq!(publisher.queue.taken.into_inner().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_message_is_sent_anew_before_it_expires() {
    let [newer, ..] = not_readable();
    let body = newer.set_aside("unreadable", 1);
    let old = SetAsideMessage { body: &body, age: RENEWAL };
    let publisher = publisher_beside(9, 1);
    assert_eq!(publisher.try_again(old).await, Handled::Done);
    assert_eq!(*publisher.queue.taken.lock().unwrap(), std::slice::from_ref(&body));
    assert_eq!(publisher.try_again(old).await, Handled::Again, "the queue did not take it");
}
