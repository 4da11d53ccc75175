//! Lambda's Runtime API, as one process sees it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{Mutex, mpsc};

use crate::aws::{ACCOUNT, REGION};

/// The largest answer of a function, as in Lambda.
const ANSWER_LIMIT: usize = 6 * 1024 * 1024;

/// An event on its way to the process.
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) deadline_ms: u64,
    pub(crate) event: Bytes,
}

/// What the process says. Answers and errors name the event that they belong to.
pub(crate) enum Report {
    Polled,
    Answered(String, Bytes),
    Failed(String, Bytes),
    InitFailed(Bytes),
}

struct Api {
    arn: String,
    deliveries: Mutex<mpsc::Receiver<Delivery>>,
    reports: mpsc::Sender<Report>,
}

impl Api {
    async fn accept(&self, report: Report) -> StatusCode {
        match self.reports.send(report).await {
            Ok(()) => StatusCode::ACCEPTED,
            Err(_) => StatusCode::GONE,
        }
    }
}

/// Builds the API for one process of the named function.
pub(crate) fn router(name: &str, deliveries: mpsc::Receiver<Delivery>, reports: mpsc::Sender<Report>) -> Router {
    let api = Api {
        arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
        deliveries: Mutex::new(deliveries),
        reports,
    };
    let routes = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{id}/response", post(response))
        .route("/invocation/{id}/error", post(error))
        .route("/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(ANSWER_LIMIT))
        .with_state(Arc::new(api));
    Router::new().nest("/2018-06-01/runtime", routes)
}

async fn next(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    // Only browsers send this. A page that reads the event would take it away from the function.
    if headers.contains_key("sec-fetch-site") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let polled = api.accept(Report::Polled).await;
    let Some(delivery) = api.deliveries.lock().await.recv().await else {
        return polled.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", delivery.id),
        ("lambda-runtime-deadline-ms", delivery.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", api.arn.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, delivery.event).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, answer: Bytes) -> StatusCode {
    api.accept(Report::Answered(id, answer)).await
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, error: Bytes) -> StatusCode {
    api.accept(Report::Failed(id, error)).await
}

async fn init_error(State(api): State<Arc<Api>>, error: Bytes) -> StatusCode {
    api.accept(Report::InitFailed(error)).await
}
