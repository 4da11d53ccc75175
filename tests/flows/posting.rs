//! Events on their way to the merchant's server, through the real forwarder.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use local::StackOptions;
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::flows::support::{Site, options};
use crate::flows::upstream::serve;

/// A merchant's server that verifies each event with the reference library, and takes it or not.
#[derive(Clone, Default)]
pub(crate) struct Shop(Arc<Mutex<Desk>>);

#[derive(Default)]
pub(crate) struct Desk {
    key: String,
    is_closed: bool,
    /// How often each event came, and whether it was verified each time.
    pub(crate) came: BTreeMap<String, usize>,
    refused: usize,
    pub(crate) forged: usize,
}

async fn take(State(Shop(desk)): State<Shop>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut desk = desk.lock().unwrap();
    let verified = Webhook::new(&desk.key).unwrap().verify(&body, &headers);
    if verified.is_err() {
        desk.forged += 1;
        return StatusCode::UNAUTHORIZED;
    }
    if desk.is_closed {
        desk.refused += 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(headers["webhook-id"], event["id"].as_str().unwrap());
    *desk.came.entry(event["id"].as_str().unwrap().to_owned()).or_default() += 1;
    StatusCode::NO_CONTENT
}

impl Shop {
    pub(crate) async fn open(&self) -> (Site, String) {
        let url = serve(Router::new().fallback(take).with_state(self.clone())).await;
        let site = Site::start_with(StackOptions {
            events: Some(url.clone()),
            events_first_retry_seconds: 1,
            events_give_up_seconds: 2,
            events_probe_after: Duration::from_secs(1),
            ..options()
        })
        .await;
        self.0.lock().unwrap().key.clone_from(&site.stack.credentials().secrets.events_secret);
        (site, url)
    }

    pub(crate) fn desk<T>(&self, look: impl FnOnce(&mut Desk) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&mut Desk) -> bool) {
        for _ in 0..400 {
            if self.desk(|desk| is_so(desk)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}");
    }
}

pub(crate) async fn credit(site: &Site, number: u64) {
    let (order, number) = (format!("order-{number}"), format!("{number}"));
    site.order(&order).await;
    site.pay(&number, "700").await;
    site.activate(&order, &number).await;
}

fn ids(site: &Site) -> BTreeSet<String> {
    site.stack.events().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_posted_event_is_verified_by_the_reference_library() {
    let shop = Shop::default();
    let (site, _) = shop.open().await;
    credit(&site, 47_752_120_001).await;
    site.events("deposit.credited", 1).await;
    shop.until("the event is posted", |desk| desk.came.len() == 1).await;
    assert_eq!(shop.desk(|desk| desk.came.keys().cloned().collect::<BTreeSet<_>>()), ids(&site));
    assert_eq!(shop.desk(|desk| (desk.refused, desk.forged)), (0, 0));
}

#[tokio::test]
async fn an_outage_of_the_merchants_server_loses_no_event() {
    let shop = Shop::default();
    let (site, _) = shop.open().await;
    shop.desk(|desk| desk.is_closed = true);
    for number in 0..12 {
        credit(&site, 47_752_120_100 + number).await;
    }
    site.events("deposit.credited", 12).await;
    shop.until("each event was tried and set aside", |desk| desk.refused >= 24).await;
    shop.desk(|desk| desk.is_closed = false);
    shop.until("every event has come", |desk| desk.came.len() == 12).await;
    assert_eq!(shop.desk(|desk| desk.came.keys().cloned().collect::<BTreeSet<_>>()), ids(&site));
    assert_eq!(shop.desk(|desk| desk.forged), 0);
}
