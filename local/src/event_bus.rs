//! EventBridge: the one operation that the functions use. Events are stored, shown on demand, and posted to the address of the options.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::clock::request_id;
use crate::console::{complain, say};
use crate::deployment::full_name;
use crate::logs::Logs;
use crate::stream_source::Destination;

/// The bus that the functions publish to.
pub(crate) const BUS: &str = "paykassma";
/// How often an event is posted before it is given up, and how long the waits in between are.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How many events are stored, and how many wait at most until they are posted.
pub(crate) const KEPT: usize = 10_000;

/// The last events, oldest first.
pub(crate) struct EventBus {
    shown: bool,
    events: Mutex<VecDeque<Value>>,
    target: Option<mpsc::Sender<Value>>,
}

impl EventBus {
    /// A bus; `target` gets every event.
    pub(crate) fn new(shown: bool, target: Option<mpsc::Sender<Value>>) -> Arc<EventBus> {
        Arc::new(EventBus { shown, events: Mutex::default(), target })
    }

    /// The last events.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn take(&self, entry: &Value) -> Value {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = [field("Source"), field("DetailType")].iter().all(|it| !it.is_empty());
        let Some(detail) = serde_json::from_str::<Value>(field("Detail")).ok().filter(|it| it.is_object() && named)
        else {
            return json!({"ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and Detail"});
        };
        if field("EventBusName") != BUS {
            return json!({"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no such bus"});
        }
        if let Some(target) = &self.target
            && target.try_send(detail.clone()).is_err()
        {
            return json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "too many events wait to be posted"});
        }
        if self.shown {
            say(&format!("[event] {detail}"));
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() >= KEPT {
            events.pop_front();
        }
        events.push_back(detail);
        json!({"EventId": request_id()})
    }
}

/// Builds the server.
pub(crate) fn router(bus: Arc<EventBus>) -> Router {
    Router::new().fallback(answer).with_state(bus)
}

async fn answer(State(bus): State<Arc<EventBus>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let input: Value = serde_json::from_slice(&body).unwrap_or_default();
    let entries = input.get("Entries").and_then(Value::as_array).filter(|it| (1..=10).contains(&it.len()));
    let (status, answer) = match (target, entries) {
        (Some("AWSEvents.PutEvents"), Some(entries)) => {
            let taken: Vec<_> = entries.iter().map(|entry| bus.take(entry)).collect();
            let failed = taken.iter().filter(|it| it.get("EventId").is_none()).count();
            (StatusCode::OK, json!({"FailedEntryCount": failed, "Entries": taken}))
        }
        (Some("AWSEvents.PutEvents"), None) => (StatusCode::BAD_REQUEST, json!({"__type": "ValidationException"})),
        _ => (StatusCode::BAD_REQUEST, json!({"__type": "UnknownOperationException"})),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], answer.to_string()).into_response()
}

/// Posts events one by one, as an API destination does; one that is not accepted is given up after some tries.
pub(crate) async fn post_events(
    http: reqwest::Client,
    url: String,
    mut events: mpsc::Receiver<Value>,
    given_up: Destination,
    logs: Arc<Logs>,
) {
    let rule = full_name("merchant");
    while let Some(event) = events.recv().await {
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut tries = 1;
        while let Err(reason) = post(&http, &url, &event).await {
            if tries == TRIES {
                complain(&format!("event {id} was not taken: {reason}"));
                given_up.send(&event).await;
                break;
            }
            tries = tries.saturating_add(1);
            let dimensions = [("EventBusName", BUS), ("RuleName", rule.as_str())];
            logs.count("AWS/Events", &dimensions, &[("RetryInvocationAttempts", 1)]);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn post(http: &reqwest::Client, url: &str, event: &Value) -> Result<(), String> {
    let request = http.post(url).header(header::CONTENT_TYPE, "application/json").body(event.to_string());
    let response = request.send().await.map_err(|error| error.without_url().to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(response.status().to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Service;
    use crate::sqs;

    #[test]
    fn an_event_is_kept_and_what_is_none_is_refused() {
        let bus = EventBus::new(false, None);
        let good = json!({"Source": "s", "DetailType": "t", "Detail": "{\"id\":\"1\"}", "EventBusName": BUS});
        assert!(bus.take(&good).get("EventId").is_some());
        for (field, value) in [("Source", ""), ("DetailType", ""), ("Detail", "[]"), ("EventBusName", "default")] {
            let mut bad = good.clone();
            bad[field] = json!(value);
            assert!(bus.take(&bad).get("ErrorCode").is_some(), "{field}");
        }
        assert_eq!(bus.events(), [json!({"id": "1"})]);
    }

    #[tokio::test]
    async fn a_flood_of_events_stores_the_last_ones_and_makes_no_longer_queue() {
        let (target, _receiver) = mpsc::channel(KEPT);
        let bus = EventBus::new(false, Some(target));
        let event = |id: usize| {
            let detail = json!({"id": id}).to_string();
            json!({"Source": "s", "DetailType": "t", "Detail": detail, "EventBusName": BUS})
        };
        for id in 0..KEPT {
            assert!(bus.take(&event(id)).get("EventId").is_some());
        }
        assert_eq!(bus.take(&event(KEPT))["ErrorCode"], "ThrottlingException");

        let bus = EventBus::new(false, None);
        for id in 0..=KEPT {
            bus.take(&event(id));
        }
        let events = bus.events();
        assert_eq!((events.len(), &events[0]), (KEPT, &json!({"id": 1})));
    }

    #[tokio::test]
    async fn an_event_is_posted_until_it_is_taken() {
        let (sender, receiver) = mpsc::channel(2);
        let (seen, mut posted) = mpsc::unbounded_channel();
        let mut answers = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK, StatusCode::OK].into_iter();
        let answers = Arc::new(Mutex::new(move || answers.next().unwrap()));
        let routes = Router::new().fallback(move |body: String| async move {
            seen.send(body).unwrap();
            let mut next = answers.lock().unwrap();
            next()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
        let http = crate::aws::http_client().unwrap();
        let sqs = Service::new(http.clone(), String::new(), sqs::PREFIX);
        let given_up = Destination { sqs, queue_url: String::new() };
        tokio::spawn(post_events(http, url, receiver, given_up, Logs::new(false)));
        for id in ["1", "2"] {
            sender.send(json!({"id": id})).await.unwrap();
        }
        for id in ["1", "1", "2"] {
            assert_eq!(posted.recv().await.unwrap(), json!({"id": id}).to_string());
        }
    }
}
