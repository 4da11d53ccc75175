//! A `DynamoDB` that throttles, conflicts and loses answers, and an `EventBridge` that takes a part: in front of the local stack's.
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use local::StackOptions;
use serde_json::{Value, json};

use crate::flows::support::Site;
use crate::flows::upstream::{Upstream, cancel, refuse, serve};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// Throttled: too many calls. Not applied.
    Throttled,
    /// In conflict: another transaction is under way. Not applied. Of a call with several events, some are rejected.
    Conflicting,
    /// Applied, and answered with 500.
    Lost,
    /// Applied, and the connection breaks instead of an answer.
    Reset,
}

const FAULTS: [Fault; 4] = [Fault::Throttled, Fault::Conflicting, Fault::Lost, Fault::Reset];
const WRITERS: [&str; 5] =
    ["create-deposit", "activate", "create-withdrawal", "postback-receiver", "withdrawal-submitter"];

/// The server in front.
pub(crate) struct Injector {
    percent: u8,
    /// The stack's own server.
    upstream: Upstream,
    /// How often each fault was injected; `None`: how often a call went through.
    counts: Mutex<BTreeMap<Option<Fault>, u64>>,
}

impl Injector {
    /// Starts a stack whose functions write to the table, and publish, by way of an injector each.
    pub(crate) async fn in_front_of(options: StackOptions, percent: u8) -> (Site, [Arc<Self>; 2]) {
        let (table, table_url) = Self::start(percent).await;
        let (bus, bus_url) = Self::start(percent).await;
        let mut environment = options.environment;
        environment.extend(WRITERS.map(|name| (name.into(), "AWS_ENDPOINT_URL_DYNAMODB".into(), table_url.clone())));
        environment.push(("event-publisher".into(), "AWS_ENDPOINT_URL_EVENTBRIDGE".into(), bus_url));
        let site = Site::start_with(StackOptions { environment, ..options }).await;
        table.upstream.set(site.stack.dynamodb_url());
        bus.upstream.set(site.stack.event_bus_url());
        (site, [table, bus])
    }

    async fn start(percent: u8) -> (Arc<Self>, String) {
        let injector = Arc::new(Self { percent, upstream: Upstream::default(), counts: Mutex::default() });
        let url = serve(Router::new().fallback(answer).with_state(Arc::clone(&injector))).await;
        (injector, url)
    }

    pub(crate) fn counts(&self) -> BTreeMap<Option<Fault>, u64> {
        self.counts.lock().unwrap().clone()
    }

    /// By chance, but the first call surely goes wrong, so that a run with few calls shows something.
    fn draw(&self) -> Option<Fault> {
        let mut counts = self.counts.lock().unwrap();
        let goes_wrong = counts.is_empty() || fastrand::u8(..100) < self.percent;
        let fault = goes_wrong.then(|| FAULTS[fastrand::usize(..FAULTS.len())]);
        *counts.entry(fault).or_default() += 1;
        fault
    }

    async fn forward(&self, headers: HeaderMap, body: Bytes) -> Response {
        self.upstream.forward(headers, body).await.into_response()
    }
}

impl Injector {
    /// The bus takes some of the events, and says which.
    async fn take_a_part(&self, headers: HeaderMap, body: &[u8]) -> Response {
        let mut asked: Value = serde_json::from_slice(body).unwrap();
        let entries = asked["Entries"].take();
        let refused = fastrand::usize(..entries.as_array().unwrap().len());
        let is_taken = |place: &usize| *place < refused || (*place > refused && place.is_multiple_of(2));
        let taken = entries.as_array().unwrap().iter().enumerate().filter(|(place, _)| is_taken(place));
        asked["Entries"] = taken.map(|(_, entry)| entry.clone()).collect();
        if asked["Entries"].as_array().is_some_and(|it| !it.is_empty()) {
            self.forward(headers, asked.to_string().into()).await;
        }
        let answer = |place| if is_taken(&place) { json!({"EventId": "1"}) } else { json!({"ErrorCode": "Throttled"}) };
        let answers: Vec<_> = (0..entries.as_array().unwrap().len()).map(answer).collect();
        json!({"FailedEntryCount": 1, "Entries": answers}).to_string().into_response()
    }
}

async fn answer(State(injector): State<Arc<Injector>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers["x-amz-target"].to_str().unwrap().to_owned();
    match injector.draw() {
        None => injector.forward(headers, body).await,
        Some(Fault::Throttled) => refuse("ProvisionedThroughputExceededException"),
        Some(Fault::Conflicting) if operation.ends_with("TransactWriteItems") => {
            // One item of the transaction is being written by another one, or there are too many writes.
            let codes = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
            cancel(&body, codes[fastrand::usize(..codes.len())])
        }
        Some(Fault::Conflicting) if operation.ends_with("PutEvents") => injector.take_a_part(headers, &body).await,
        Some(Fault::Conflicting) if operation.ends_with("GetItem") => refuse("ThrottlingException"),
        Some(Fault::Conflicting) => refuse("TransactionConflictException"),
        Some(Fault::Lost) => {
            injector.forward(headers, body).await;
            (StatusCode::INTERNAL_SERVER_ERROR, json!({"__type": "InternalServerError"}).to_string()).into_response()
        }
        Some(Fault::Reset) => {
            injector.forward(headers, body).await;
            let broken = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("reset")) });
            Body::from_stream(broken).into_response()
        }
    }
}
