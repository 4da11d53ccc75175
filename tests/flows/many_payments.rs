//! Orders with many payments: credited, or waiting for the order.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::flows::calls::row_bytes;
use crate::flows::large_postbacks::{deliver_until_ok, totals};
use crate::flows::load::count;
use crate::flows::operator::Tool;
use crate::flows::postbacks::{elements, ok, send_text, signed};
use crate::flows::support::Site;

/// Most payments of a list, so that a debug build needs few deliveries for it.
const MOST_OF_LIST: usize = 400;
/// Most bytes of an order's row, whatever has come for it.
const MOST_BYTES: usize = 4 * 1024;

fn number(index: usize) -> String {
    (47_752_000_000 + index).to_string()
}

/// A signed list of payments of 700 for an order.
fn list(site: &Site, order: &str, numbers: &[String]) -> String {
    let payments: Vec<_> = numbers.iter().map(|number| (number.as_str(), order, "700")).collect();
    signed(site, &json!(elements(&payments)).to_string())
}

async fn send(site: &Site, order: &str, numbers: &[String]) {
    assert_eq!(send_text(site, &list(site, order, numbers)).await, ok());
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(number).collect()
}

/// Every payment of the order was published as credited, once, and counted.
async fn each_is_published_once(site: &Site, order: &str, count: usize) {
    let credited = || {
        let mut events = site.stack.events();
        events.retain(|it| it["type"] == "deposit.credited" && it["data"]["custom_transaction_id"] == order);
        events
    };
    let (mut seen, mut idle) = (0, 0);
    while seen < count && idle < 100 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = credited().len();
        idle = if now == seen { idle + 1 } else { 0 };
        seen = now;
    }
    let events = credited();
    let places: Vec<_> = events.iter().map(|it| it["data"]["payment_number"].as_u64().unwrap()).collect();
    let expected: Vec<_> = (1..=u64::try_from(count).unwrap()).collect();
    assert_eq!(places, expected, "in the order in which they were credited; {:#?}", site.stack.logs("event-publisher"));
    let distinct = |name: &str| events.iter().map(|it| it["data"][name].to_string()).collect::<BTreeSet<_>>().len();
    let ids: BTreeSet<_> = events.iter().map(|it| it["id"].to_string()).collect();
    assert_eq!((distinct("transaction_id"), ids.len()), (count, count));
}

/// The order's row counts all its credits, remembers the last 20 and stays small; each payment's row is credited.
async fn is_credited(site: &Site, order: &str, numbers: &[String]) {
    let row = site.row(&format!("deposit#{order}")).await;
    let (count, sum) = (numbers.len(), (numbers.len() * 700).to_string());
    assert_eq!(totals(&row), (count.to_string(), sum.clone()));
    assert_eq!(row["credited"]["L"].as_array().unwrap().len(), count.min(20));
    assert!(row_bytes(&row) < MOST_BYTES, "{} bytes", row_bytes(&row));
    assert_eq!(row["waiting"], Value::Null, "nothing waits any more");
    let shown = site.get(&format!("/deposits/{order}")).await.body;
    let shown = (&shown["state"], &shown["credited_count"], &shown["credited_sum"], shown["credited"].as_array());
    assert_eq!((shown.0, shown.1, shown.2), (&json!("credited"), &json!(count), &json!(sum)));
    assert_eq!(shown.3.unwrap().len(), count.min(20));
    let table = site.table().await;
    for number in numbers {
        let row = &table[&format!("payment#paytm#{number}")];
        assert_eq!(
            (&row["state"]["S"], &row["order"]),
            (&json!("credited"), &Value::Null),
            "to the signed order: {number}"
        );
        assert_eq!(row["facts"]["M"]["custom_transaction_id"]["S"], *order);
        assert!(table.contains_key(&format!("number#{order}#{number}")), "{number}");
    }
}

/// With `FULL=1` so many that an order's row without a bound would not hold them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_counts_all_its_credits_and_remembers_the_last_20() {
    let site = Site::start().await;
    site.order("o1").await;
    let numbers = numbers(count(6_100, 25));
    let (singly, together) = numbers.split_at(3);
    for number in singly {
        send(&site, "o1", std::slice::from_ref(number)).await;
    }
    for numbers in together.chunks(MOST_OF_LIST) {
        deliver_until_ok(&site, &list(&site, "o1", numbers)).await;
    }
    is_credited(&site, "o1", &numbers).await;
    // A payment that the row has forgotten is not credited again, in its own spelling or another one.
    send(&site, "o1", &numbers[..1]).await;
    let respelled = ["0", "00"].map(|zeros| format!("{zeros}{}", numbers[0]));
    send(&site, "o1", &respelled[..1]).await;
    let all = [&numbers[..], &[number(9_000)]].concat();
    send(&site, "o1", &[respelled[1].clone(), all[all.len() - 1].clone(), numbers[1].clone()]).await;
    for respelled in respelled {
        assert_eq!(site.attribute(&format!("payment#paytm#{respelled}"), "mismatch").await, "same_number");
    }
    is_credited(&site, "o1", &all).await;
    each_is_published_once(&site, "o1", all.len()).await;
    let (status, said) = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

/// The order's place and its pages are full of payments.
async fn are_waiting(site: &Site, order: &str, count: usize) {
    let place = site.row(&format!("deposit#{order}")).await;
    assert_eq!(place["state"], json!({"S": "unregistered"}));
    let pages = (count - 1) / 20;
    assert_eq!(place["unmatched"]["L"].as_array().unwrap().len(), count - 20 * pages);
    assert_eq!(place["pages"]["N"].as_str().unwrap_or("0"), pages.to_string());
    let keys: Vec<_> = (1..=pages).map(|page| format!("waiting#{order}#{page}")).collect();
    assert_eq!(site.keys(&format!("waiting#{order}#")).await, keys);
    assert!(row_bytes(&place) < MOST_BYTES, "{} bytes", row_bytes(&place));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering_an_order_credits_all_that_waits_for_it_however_much_that_is() {
    let site = Site::start().await;
    let singly = numbers(41);
    for number in &singly {
        send(&site, "o1", std::slice::from_ref(number)).await;
    }
    are_waiting(&site, "o1", 41).await;
    assert_eq!(site.order("o1").await.state(), (201, "created"));
    is_credited(&site, "o1", &singly).await;
    each_is_published_once(&site, "o1", 41).await;

    // One of them has the number of another one, on another page.
    let together: Vec<_> = (100..160).map(number).collect();
    let respelled = format!("00{}", together[3]);
    send(&site, "o2", &[&together[..], std::slice::from_ref(&respelled)].concat()).await;
    are_waiting(&site, "o2", 61).await;
    assert_eq!(site.order("o2").await.state(), (201, "created"));
    let held = if site.state(&format!("payment#paytm#{respelled}")).await == "quarantined" { 60 } else { 3 };
    let all = [&together[..], std::slice::from_ref(&respelled)].concat();
    let credited: Vec<_> = all.iter().enumerate().filter(|(place, _)| *place != held).map(|it| it.1.clone()).collect();
    let held = format!("payment#paytm#{}", all[held]);
    assert_eq!(
        (site.state(&held).await, site.attribute(&held, "mismatch").await),
        ("quarantined".into(), "same_number".into())
    );
    let row = site.row("deposit#o2").await;
    assert_eq!(totals(&row), ("60".into(), "42000".into()));
    for number in &credited {
        assert_eq!(site.state(&format!("payment#paytm#{number}")).await, "credited");
    }
    each_is_published_once(&site, "o2", 60).await;
    let (status, said) = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}

/// A function that was killed has left the order registered, and payments that still wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_was_killed_is_completed_by_the_same_request_again() {
    let site = Site::start().await;
    let numbers = numbers(60);
    send(&site, "o1", &numbers).await;
    are_waiting(&site, "o1", 60).await;
    assert_eq!(site.order("copied-order").await.status, 201);
    let place = site.row("deposit#o1").await;
    let copied = site.row("deposit#copied-order").await.to_string();
    let mut order: Value = serde_json::from_str(&copied.replace("copied-order", "o1")).unwrap();
    order["waiting"] = json!({"M": {"unmatched": place["unmatched"], "pages": place["pages"]}});
    let version: u64 = place["version"]["N"].as_str().unwrap().parse().unwrap();
    order["version"] = json!({"N": (version + 1).to_string()});
    site.put(&order).await;
    let shown = site.get("/deposits/o1").await;
    assert_eq!((shown.state(), &shown.body["credited_count"]), ((200, "created"), &json!(0)), "{shown:?}");

    // Some postbacks come again before the request does, and further ones for the first time.
    send(&site, "o1", &numbers[..2]).await;
    send(&site, "o1", &[number(60)]).await;
    send(&site, "o1", &numbers[58..]).await;
    let (one, two) = tokio::join!(site.order("o1"), site.order("o1"));
    assert_eq!((one.state(), two.state()), ((200, "created"), (200, "created")), "{one:?} {two:?}");
    let all: Vec<_> = (0..61).map(number).collect();
    is_credited(&site, "o1", &all).await;
    each_is_published_once(&site, "o1", 61).await;
    assert_eq!(site.order("o1").await.status, 200);
    let (status, said) = Tool::of(&site).run(&["audit", "--strict"]).await;
    assert_eq!(status, 0, "{said}");
}
