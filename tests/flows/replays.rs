//! `operator events`: what rows still say, published again through the real publisher, and to the merchant's server through the real
//! forwarder.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use lambda::{Clock, System};
use serde_json::Value;

use crate::flows::operator::Tool;
use crate::flows::posting::{Shop, credit};
use crate::flows::support::Site;

/// What identifies an event, and what it says. Of its row, a replay has the present version.
fn facts(event: &Value) -> (String, String, String, String) {
    let text = |name: &str| event[name].to_string();
    (text("id"), text("type"), text("transaction"), text("data"))
}

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

/// An order that is paid, one that is paid twice, a payment without order, a withdrawal that is paid and one that fails.
async fn all_kinds(site: &Site) {
    credit(site, 47_752_120_001).await;
    site.order("o2").await;
    for number in ["21", "22"] {
        site.control(
            "payments",
            &serde_json::json!({"transaction_id": number, "amount": "700",
            "custom_transaction_id": "o2", "label": "631317234"}),
        )
        .await;
    }
    site.control(
        "payments",
        &serde_json::json!({"transaction_id": "31", "amount": "700",
        "custom_transaction_id": "not-registered", "label": "631317234"}),
    )
    .await;
    for (id, status) in [("w1", 1), ("w2", 5)] {
        site.withdraw(id).await;
        site.settle(id, status).await;
    }
}

#[tokio::test]
async fn a_replay_says_what_was_published_under_the_same_ids() {
    let site = Site::start().await;
    all_kinds(&site).await;
    site.events("deposit.credited", 3).await;
    site.events("withdrawal.failed", 1).await;
    let tool = Tool::of(&site);
    let mut listed = tool.json(&["events", "list"]).await;
    let summary = listed.pop().unwrap();
    assert_eq!((&summary["unreadable"], &summary["events"]), (&0.into(), &listed.len().into()));
    let published = site.stack.events();
    let known: BTreeSet<_> = published.iter().map(id).collect();
    assert!(listed.iter().all(|event| known.contains(&id(event))), "{listed:#?}\n{published:#?}");
    let times: Vec<_> = listed.iter().map(|event| event["time_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let before = published.len();

    let (status, said) = tool.run(&["events", "replay", "--to", "bus", "--since", "1h"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.starts_with(&format!("{} events are published on the bus again, 0 are not", listed.len())), "{said}");
    let all = site.stack.events();
    let again: Vec<_> = all.iter().skip(before).collect();
    assert_eq!(again.iter().map(|event| id(event)).collect::<Vec<_>>(), listed.iter().map(id).collect::<Vec<_>>());
    let first: BTreeSet<_> = all.iter().take(before).map(facts).collect();
    assert!(again.iter().all(|event| first.contains(&facts(event))), "{again:#?}\n{first:#?}");
    let money = |events: &mut dyn Iterator<Item = &Value>| {
        events
            .filter(|it| ["deposit.credited", "withdrawal.failed"].contains(&it["type"].as_str().unwrap()))
            .map(id)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(money(&mut again.into_iter()), money(&mut all.iter().take(before)));
}

#[tokio::test]
async fn events_are_chosen_by_time_id_type_and_transaction() {
    let site = Site::start().await;
    all_kinds(&site).await;
    site.events("withdrawal.failed", 1).await;
    let tool = Tool::of(&site);
    let listed = async |arguments: &[&str]| {
        let mut found = tool.json(&[&["events", "list"], arguments].concat()).await;
        found.pop();
        found
    };
    let all = listed(&[]).await;
    let credit = all.iter().find(|event| event["transaction"] == "deposit#order-47752120001").unwrap();
    assert_eq!(credit["row"], "payment#paytm#47752120001");
    assert_eq!(listed(&["--id", &id(credit)]).await, std::slice::from_ref(credit));
    assert_eq!(listed(&["--transaction", "deposit#order-47752120001"]).await, std::slice::from_ref(credit));
    assert_eq!(listed(&["--type", "deposit.credited"]).await.len(), 3);
    assert_eq!(listed(&["--type", "deposit.credited", "--transaction", "deposit#o2"]).await.len(), 2);
    assert_eq!(listed(&["--since", "1h"]).await, all);
    assert_eq!(listed(&["--until", "1h"]).await.len(), 0);
    assert_eq!(listed(&["--since", "2126-01-01"]).await.len(), 0);
    assert_eq!(tool.run(&["events", "list", "--id", "none"]).await.0, 1, "an id that no row says");
    let (status, said) = tool.run(&["events", "replay", "--to", "bus"]).await;
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--since, --until, --id or --transaction"), "{said}");
    let (status, said) = tool.run(&["events", "list", "--since", "2 moons"]).await;
    assert_eq!(status, 2, "{said}");
    let (status, said) = tool.run(&["events", "replay", "--to", "push", "--since", "1h"]).await;
    assert_eq!(status, 2, "a stack that posts to no server: {said}");
    assert!(said.contains("this stack posts events to no server"), "{said}");
}

/// A payment that came long before its order is credited when the order is registered: that is when a receiver may have missed it.
#[tokio::test]
async fn a_credit_happens_when_the_order_is_registered_not_when_the_payment_came() {
    let site = Site::start().await;
    let payment = serde_json::json!({"transaction_id": "1", "amount": "700", "custom_transaction_id": "o1", "label": "631317234"});
    site.control("payments", &payment).await;
    site.until("payment#paytm#1", "unmatched").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let later = UNIX_EPOCH + Duration::from_millis(System.now_ms());
    let later = humantime::format_rfc3339_millis(later).to_string();
    site.order("o1").await;
    site.until("payment#paytm#1", "credited").await;
    let found = Tool::of(&site).json(&["events", "list", "--since", &later]).await;
    let kinds: Vec<_> = found.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(kinds, ["deposit.credited"]);
}

#[tokio::test]
async fn an_outage_that_lasted_too_long_is_replayed_to_the_merchants_server_only() {
    let shop = Shop::default();
    let (site, _) = shop.open().await;
    for number in 1..=4 {
        credit(&site, 47_752_120_000 + number).await;
    }
    shop.until("all events have come", |desk| desk.came.len() == 4).await;
    // The server has lost what came.
    let known = shop.desk(|desk| std::mem::take(&mut desk.came));
    let published = site.stack.events().len();
    let (status, said) = Tool::of(&site).run(&["events", "replay", "--to", "push", "--since", "1h"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.starts_with("4 events are sent to the merchant's server again, 0 are not"), "{said}");
    shop.until("all events have come again", |desk| desk.came.len() == 4).await;
    assert!(shop.desk(|desk| desk.came.keys().eq(known.keys()) && desk.forged == 0));
    assert_eq!(site.stack.events().len(), published, "nobody else gets them");
}
