//! EventBridge: the one operation that the functions use. Events are stored, shown on demand, and sent on by the one rule.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use simulator::Newest;

use crate::clock::request_id;
use crate::console::say;
use crate::stream_source::Destination;

/// The bus that the functions publish to.
pub(crate) const BUS: &str = "paykassma";
/// How many events are stored, and how many bytes of them.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// The last events, oldest first.
pub(crate) struct EventBus {
    shown: bool,
    events: Mutex<Newest<Value>>,
    /// The rule's target: the queue of events for the merchant's server.
    target: Option<Destination>,
}

impl EventBus {
    /// A bus; `target` gets every event.
    pub(crate) fn new(shown: bool, target: Option<Destination>) -> Arc<EventBus> {
        Arc::new(EventBus { shown, events: Mutex::new(Newest::new(KEPT, KEPT_BYTES)), target })
    }

    /// The last events.
    pub(crate) fn events(&self) -> Vec<Value> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().map(|(_, event)| event.clone()).collect()
    }

    async fn take(&self, entry: &Value) -> Value {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = [field("Source"), field("DetailType")].iter().all(|it| !it.is_empty());
        let Some(detail) = serde_json::from_str::<Value>(field("Detail")).ok().filter(|it| it.is_object() && named)
        else {
            return json!({"ErrorCode": "InvalidArgument", "ErrorMessage": "Source, DetailType and Detail"});
        };
        if field("EventBusName") != BUS {
            return json!({"ErrorCode": "ResourceNotFoundException", "ErrorMessage": "no such bus"});
        }
        if self.shown {
            say(&format!("[event] {detail}"));
        }
        if let Some(target) = &self.target {
            target.send(&detail).await;
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.add(detail, field("Detail").len());
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
            let mut taken = Vec::new();
            for entry in entries {
                taken.push(bus.take(entry).await);
            }
            let failed = taken.iter().filter(|it| it.get("EventId").is_none()).count();
            (StatusCode::OK, json!({"FailedEntryCount": failed, "Entries": taken}))
        }
        (Some("AWSEvents.PutEvents"), None) => (StatusCode::BAD_REQUEST, json!({"__type": "ValidationException"})),
        _ => (StatusCode::BAD_REQUEST, json!({"__type": "UnknownOperationException"})),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], answer.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_event_is_kept_and_what_is_none_is_refused() {
        let bus = EventBus::new(false, None);
        let good = json!({"Source": "s", "DetailType": "t", "Detail": "{\"id\":\"1\"}", "EventBusName": BUS});
        assert!(bus.take(&good).await.get("EventId").is_some());
        for (field, value) in [("Source", ""), ("DetailType", ""), ("Detail", "[]"), ("EventBusName", "default")] {
            let mut bad = good.clone();
            bad[field] = json!(value);
            assert!(bus.take(&bad).await.get("ErrorCode").is_some(), "{field}");
        }
        assert_eq!(bus.events(), [json!({"id": "1"})]);
    }

    #[tokio::test]
    async fn a_flood_of_events_stores_the_last_ones() {
        let bus = EventBus::new(false, None);
        let event = |id: usize| {
            let detail = json!({"id": id}).to_string();
            json!({"Source": "s", "DetailType": "t", "Detail": detail, "EventBusName": BUS})
        };
        for id in 0..=KEPT {
            bus.take(&event(id)).await;
        }
        let events = bus.events();
        assert_eq!((events.len(), &events[0]), (KEPT, &json!({"id": 1})));
    }
}
