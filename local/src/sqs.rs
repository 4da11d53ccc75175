//! SQS: the server in this process, the queue and its dead-letter queue.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use rustack_sqs_core::config::SqsConfig;
use rustack_sqs_core::handler::RustackSqsHandler;
use rustack_sqs_core::provider::RustackSqs;
use rustack_sqs_http::dispatch::dispatch_operation;
use rustack_sqs_http::response::error_to_response;
use rustack_sqs_http::router::resolve_operation;
use serde_json::{Value, json};

use crate::aws::{ACCOUNT, AwsError, REGION, Service};
use crate::clock::request_id;
use crate::options::StackOptions;

/// The prefix of SQS's operations on the wire.
pub(crate) const PREFIX: &str = "AmazonSQS";
/// The queue that retries withdrawals.
pub(crate) const QUEUE: &str = "withdrawal-submission";
/// Where its messages end after too many attempts.
pub(crate) const DEAD_LETTER_QUEUE: &str = "withdrawal-submission-dlq";
/// Where the publisher sets changes aside.
pub(crate) const SET_ASIDE_QUEUE: &str = "set-aside";
/// Where the positions of changes go that were given up.
pub(crate) const UNPUBLISHED_QUEUE: &str = "unpublished";

/// Where events are that the merchant's server has not accepted.
pub(crate) const UNDELIVERED_QUEUE: &str = "undelivered";
/// All queues.
pub(crate) const QUEUES: [&str; 5] = [QUEUE, DEAD_LETTER_QUEUE, SET_ASIDE_QUEUE, UNPUBLISHED_QUEUE, UNDELIVERED_QUEUE];

/// A queue's name in AWS.
pub(crate) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

/// A queue's address at a server.
pub(crate) fn queue_url(sqs_url: &str, queue: &str) -> String {
    format!("{sqs_url}/{ACCOUNT}/{queue}")
}

/// Builds the server, which has to know its port because it hands out queue URLs.
pub(crate) fn router(port: u16) -> Router {
    let config = SqsConfig {
        skip_signature_validation: true,
        default_region: REGION.into(),
        account_id: ACCOUNT.into(),
        host: "127.0.0.1".into(),
        port,
    };
    let handler = RustackSqsHandler::new(Arc::new(RustackSqs::new(config)));
    Router::new().fallback(answer).with_state(Arc::new(handler))
}

async fn answer(State(handler): State<Arc<RustackSqsHandler>>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = match resolve_operation(&headers) {
        Ok(operation) => dispatch_operation(handler.as_ref(), operation, body).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_to_response(&error, &request_id())).map(Body::new)
}

/// Creates all queues.
pub(crate) async fn create_queues(sqs: &Service, options: &StackOptions) -> Result<(), AwsError> {
    create_queue(sqs, DEAD_LETTER_QUEUE, json!({})).await?;
    create_queue(sqs, UNPUBLISHED_QUEUE, json!({})).await?;
    create_queue(sqs, UNDELIVERED_QUEUE, json!({})).await?;
    let retry_seconds = options.set_aside_retry_seconds.to_string();
    let attributes = json!({"DelaySeconds": &retry_seconds, "VisibilityTimeout": &retry_seconds});
    create_queue(sqs, SET_ASIDE_QUEUE, attributes).await?;
    let redrive = json!({"deadLetterTargetArn": arn(DEAD_LETTER_QUEUE), "maxReceiveCount": options.max_receive_count});
    let attributes = json!({
        "VisibilityTimeout": options.visibility_timeout_seconds.to_string(),
        "ReceiveMessageWaitTimeSeconds": "20",
        "RedrivePolicy": redrive.to_string(),
    });
    create_queue(sqs, QUEUE, attributes).await
}

async fn create_queue(sqs: &Service, name: &str, attributes: Value) -> Result<(), AwsError> {
    let queue = json!({"QueueName": name, "Attributes": attributes});
    sqs.call("CreateQueue", &queue).await.map(drop)
}
