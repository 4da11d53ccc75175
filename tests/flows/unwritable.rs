//! What cannot be written: for ever, because of the order's row, or for now.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::calls::row_bytes;
use crate::flows::operator::Tool;
use crate::flows::postbacks::{elements, ok, send_text, signed};
use crate::flows::support::{Site, options};
use crate::flows::upstream::{Upstream, cancel, refuse, serve};

/// What DynamoDB allows for a row, in bytes.
const MAX_BYTES: usize = 400 * 1024;

/// A signed list of payments of 700: number and order.
fn list(site: &Site, payments: &[(&str, &str)]) -> String {
    let payments: Vec<_> = payments.iter().map(|(number, order)| (*number, *order, "700")).collect();
    signed(site, &json!(elements(&payments)).to_string())
}

fn try_again() -> (u16, String) {
    (503, "try_again".into())
}

/// A payment that is held by itself, and listed.
async fn is_held_alone(site: &Site, number: &str, order: &str) {
    let row = site.row(&format!("payment#paytm#{number}")).await;
    let text = |name: &str| row[name]["S"].as_str().unwrap_or_default();
    let found = [text("state"), text("mismatch"), text("attention")];
    assert_eq!(found, ["quarantined", "order_unwritable", "quarantined"], "{number}");
    let facts = &row["facts"]["M"];
    assert_eq!((&facts["custom_transaction_id"]["S"], &facts["amount"]["S"]), (&json!(order), &json!("700")));
}

async fn payment(site: &Site, number: &str) -> String {
    site.state(&format!("payment#paytm#{number}")).await
}

/// Fills an order's row up, so that not one more payment has room. Gives the row as it was, and as it is.
async fn fill(site: &Site, id: &str) -> (Value, Value) {
    let before = site.row(&format!("deposit#{id}")).await;
    let room = MAX_BYTES - row_bytes(&before) - 30;
    let mut full = before.clone();
    let params = before["params"]["S"].as_str().unwrap();
    full["params"] = json!({"S": format!("{params}{}", " ".repeat(room))});
    site.put(&full).await;
    (before, full)
}

#[tokio::test]
async fn a_payment_whose_order_has_no_room_is_held_alone_and_credited_after_the_repair() {
    let site = Site::start().await;
    let tool = Tool::of(&site);
    for id in ["full", "once", "good"] {
        site.order(id).await;
    }
    assert_eq!(send_text(&site, &list(&site, &[("1", "once")])).await, ok());
    let (full, once) = (fill(&site, "full").await, fill(&site, "once").await);
    let alone = [list(&site, &[("11", "full")]), list(&site, &[("12", "once")])];
    for postback in alone.iter().chain(&alone) {
        assert_eq!(send_text(&site, postback).await, ok());
    }
    let several = list(&site, &[("21", "full"), ("22", "good"), ("23", "once"), ("24", "good")]);
    for _ in 0..2 {
        assert_eq!(send_text(&site, &several).await, ok());
        assert_eq!(site.credits("good").await, ["700"; 2]);
    }
    let held = [("11", "full"), ("12", "once"), ("21", "full"), ("23", "once")];
    for (number, id) in held {
        is_held_alone(&site, number, id).await;
    }
    assert_eq!([site.row("deposit#full").await, site.row("deposit#once").await], [full.1, once.1]);
    let events = site.events("deposit.quarantined", 4).await;
    for (event, (number, id)) in events.iter().zip(held) {
        let data = &event["data"];
        let found = ["transaction_id", "custom_transaction_id", "amount", "mismatch"].map(|name| data[name].as_str());
        assert_eq!(found, [number, id, "700", "order_unwritable"].map(Some));
    }
    let listed = tool.json(&["list"]).await;
    assert_eq!(listed.iter().filter(|it| it["attention"] == "quarantined").count(), 4, "{listed:?}");
    let answer = site.get("/transactions?state=quarantined").await.body;
    assert_eq!(answer["transactions"][0]["mismatch"], "order_unwritable", "{answer}");

    site.put(&full.0).await;
    site.put(&once.0).await;
    for postback in alone.iter().chain([&several]).chain(&alone) {
        assert_eq!(send_text(&site, postback).await, ok());
    }
    for (number, _) in held {
        assert_eq!(payment(&site, number).await, "credited");
    }
    let credits = [site.credits("full").await, site.credits("once").await, site.credits("good").await];
    assert_eq!(credits.map(|it| it.len()), [2, 3, 2]);
    site.events("deposit.credited", 7).await;
    assert!(tool.json(&["list"]).await.is_empty());
    let (status, said) = tool.run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn a_payment_whose_order_cannot_be_decoded_is_held_alone_and_credited_after_the_repair() {
    let site = Site::start().await;
    let damages: [fn(&mut Value); 6] = [
        |row| row["label"] = json!({"N": "631317234"}),
        // The oldest rows have no format.
        |row| {
            row["label"] = json!({"N": "631317234"});
            row.as_object_mut().unwrap().remove("format");
        },
        |row| drop(row.as_object_mut().unwrap().remove("currency_code")),
        |row| row["state"] = json!({"S": "settled"}),
        |row| drop(row.as_object_mut().unwrap().remove("version")),
        |row| row["version"] = json!({"S": "1"}),
    ];
    let mut orders = Vec::new();
    for (index, damage) in damages.into_iter().enumerate() {
        let (id, key) = (format!("o{index}"), format!("deposit#o{index}"));
        site.order(&id).await;
        let before = site.row(&key).await;
        let mut row = before.clone();
        damage(&mut row);
        site.put(&row).await;
        let number = format!("775{index}");
        let postback = list(&site, &[(&number, &id)]);
        for _ in 0..2 {
            assert_eq!(send_text(&site, &postback).await, ok(), "{row}");
            is_held_alone(&site, &number, &id).await;
        }
        assert_eq!(site.row(&key).await, row);
        let (asked, again) = (site.get(&format!("/deposits/{id}")).await, site.order(&id).await);
        assert_eq!([asked.code(), again.code()], ["try_again"; 2], "{asked:?} {again:?}");
        orders.push((id, before, postback));
    }
    site.order("good").await;
    let of_damaged: Vec<_> = (0..orders.len()).map(|index| (format!("88{index}"), format!("o{index}"))).collect();
    let mut several: Vec<_> = of_damaged.iter().map(|(number, id)| (number.as_str(), id.as_str())).collect();
    several.insert(3, ("889", "good"));
    let several = list(&site, &several);
    assert_eq!(send_text(&site, &several).await, ok());
    assert_eq!(site.credits("good").await, ["700"]);
    site.events("deposit.quarantined", 12).await;

    for (index, (id, before, postback)) in orders.iter().enumerate() {
        is_held_alone(&site, &format!("88{index}"), id).await;
        site.put(before).await;
        assert_eq!(send_text(&site, postback).await, ok());
        assert_eq!(site.credits(id).await, ["700"]);
    }
    assert_eq!(send_text(&site, &several).await, ok());
    for (id, _, _) in &orders {
        assert_eq!(site.credits(id).await, ["700"; 2]);
    }
    let (status, said) = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

#[tokio::test]
async fn a_payment_whose_own_row_cannot_be_decoded_waits_for_the_provider_to_send_it_again() {
    let site = Site::start().await;
    for id in ["o1", "o2", "good"] {
        site.order(id).await;
    }
    let order = site.row("deposit#o1").await;
    for number in ["1", "2"] {
        site.put(&json!({"transaction_id": {"S": format!("payment#paytm#{number}")}, "version": {"N": "1"},
            "format": {"N": "1"}, "state": {"S": "settled"}}))
            .await;
    }
    let (alone, several) = (list(&site, &[("1", "o1")]), list(&site, &[("2", "o2"), ("3", "good"), ("4", "o2")]));
    for _ in 0..2 {
        assert_eq!(send_text(&site, &alone).await, try_again());
        assert_eq!(send_text(&site, &several).await, try_again());
    }
    assert_eq!((payment(&site, "1").await, payment(&site, "2").await), ("settled".into(), "settled".into()));
    assert_eq!((site.row("deposit#o1").await, site.credits("good").await), (order, vec!["700".to_owned()]));
    assert_eq!(site.credits("o2").await, ["700"], "the other payment of its order");
    let list = site.keys("list#").await.remove(0);
    assert_eq!(site.state(&list).await, "unfinished");

    for number in ["1", "2"] {
        let key = json!({"transaction_id": {"S": format!("payment#paytm#{number}")}});
        let delete = json!({"TableName": site.stack.table_name(), "Key": key});
        site.stack.dynamodb("DeleteItem", &delete).await.unwrap();
    }
    assert_eq!((send_text(&site, &alone).await, send_text(&site, &several).await), (ok(), ok()));
    assert_eq!((site.credits("o1").await.len(), site.credits("o2").await.len()), (1, 2));
    assert_eq!(site.state(&list).await, "done");
}

/// A DynamoDB that refuses the writes of postback-receiver, in front of the local stack's.
#[derive(Default)]
struct Refusing {
    upstream: Upstream,
    refusal: Mutex<Option<Refusal>>,
}

#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// The whole call.
    Call(&'static str),
    /// Because of one row, if it is a transaction.
    Row(&'static str),
}

impl Refusing {
    async fn in_front_of(options: StackOptions) -> (Site, Arc<Self>) {
        let refusing = Arc::new(Self::default());
        let url = serve(Router::new().fallback(answer).with_state(Arc::clone(&refusing))).await;
        let mut environment = options.environment;
        environment.push(("postback-receiver".into(), "AWS_ENDPOINT_URL_DYNAMODB".into(), url));
        let site = Site::start_with(StackOptions { environment, ..options }).await;
        refusing.upstream.set(site.stack.dynamodb_url());
        (site, refusing)
    }

    fn refuse(&self, refusal: Option<Refusal>) {
        *self.refusal.lock().unwrap() = refusal;
    }
}

async fn answer(State(refusing): State<Arc<Refusing>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers["x-amz-target"].to_str().unwrap().to_owned();
    let refusal = *refusing.refusal.lock().unwrap();
    match refusal.filter(|_| !operation.contains("GetItem") && !operation.ends_with(".Query")) {
        None => refusing.upstream.forward(headers, body).await.into_response(),
        Some(Refusal::Row(code)) if operation.ends_with("TransactWriteItems") => cancel(&body, code),
        Some(Refusal::Call(kind) | Refusal::Row(kind)) => refuse(kind),
    }
}

/// A wrong role, a wrong expression or a wrong table: the next deployment heals them.
#[tokio::test]
async fn a_write_that_a_deployment_must_heal_is_answered_503_and_leaves_no_trace() {
    let (site, table) = Refusing::in_front_of(options()).await;
    site.order("o1").await;
    let odd = signed(&site, &json!(elements(&[("47752123518", "o1", "much")])).to_string());
    let postbacks = [
        list(&site, &[("47752123519", "o1")]),
        list(&site, &[("47752123520", "unknown")]),
        list(&site, &[("47752123521", "o1"), ("47752123522", "unknown")]),
        odd,
    ];
    for refusal in [
        Refusal::Call("AccessDeniedException"),
        Refusal::Call("ValidationException"),
        Refusal::Call("ResourceNotFoundException"),
        Refusal::Call("KMSAccessDeniedException"),
        Refusal::Row("ValidationError"),
        Refusal::Row("ItemCollectionSizeLimitExceeded"),
    ] {
        table.refuse(Some(refusal));
        for postback in &postbacks {
            assert_eq!(send_text(&site, postback).await, try_again(), "{refusal:?}");
            assert_eq!(site.rows().await, 1, "{refusal:?}");
        }
    }
    table.refuse(None);
    for postback in &postbacks {
        assert_eq!(send_text(&site, postback).await, ok());
    }
    assert_eq!(site.credits("o1").await, ["700"; 2]);
    assert_eq!(
        (payment(&site, "47752123520").await, payment(&site, "47752123522").await),
        ("unmatched".into(), "unmatched".into())
    );
}
