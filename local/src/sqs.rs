//! SQS: the server in this process, the queue and its dead-letter queue.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
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

/// The events for the merchant's server.
pub(crate) const EVENTS_QUEUE: &str = "events";
/// Where events wait that the merchant's server has not taken.
pub(crate) const UNDELIVERED_QUEUE: &str = "undelivered";
/// All queues.
pub(crate) const QUEUES: [&str; 6] =
    [QUEUE, DEAD_LETTER_QUEUE, SET_ASIDE_QUEUE, UNPUBLISHED_QUEUE, EVENTS_QUEUE, UNDELIVERED_QUEUE];

/// A queue's name in AWS.
pub(crate) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}")
}

/// A queue's address at a server.
pub(crate) fn queue_url(sqs_url: &str, queue: &str) -> String {
    format!("{sqs_url}/{ACCOUNT}/{queue}")
}

/// The server, and how to call it.
struct Sqs {
    handler: RustackSqsHandler,
    service: Service,
}

/// Builds the server, which has to know its port because it hands out queue URLs.
pub(crate) fn router(port: u16, service: Service) -> Router {
    let config = SqsConfig {
        skip_signature_validation: true,
        default_region: REGION.into(),
        account_id: ACCOUNT.into(),
        host: "127.0.0.1".into(),
        port,
    };
    let handler = RustackSqsHandler::new(Arc::new(RustackSqs::new(config)));
    Router::new().fallback(answer).with_state(Arc::new(Sqs { handler, service }))
}

async fn answer(State(sqs): State<Arc<Sqs>>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("x-amz-target").is_some_and(|target| target == "AmazonSQS.StartMessageMoveTask") {
        return start_move_task(&sqs.service, &body);
    }
    let answer = match resolve_operation(&headers) {
        Ok(operation) => dispatch_operation(&sqs.handler, operation, body).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(|error| error_to_response(&error, &request_id())).map(Body::new)
}

/// Moves all messages of a queue to another one, in the background. The server does not have this task.
fn start_move_task(sqs: &Service, body: &[u8]) -> Response {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let queue = |name: &str| {
        let arn = input.get(name).and_then(Value::as_str).unwrap_or_default();
        queue_url(sqs.url(), arn.rsplit(':').next().unwrap_or_default())
    };
    let (from, to) = (queue("SourceArn"), queue("DestinationArn"));
    tokio::spawn(move_messages(sqs.clone(), from, to));
    Json(json!({"TaskHandle": request_id()})).into_response()
}

async fn move_messages(sqs: Service, from: String, to: String) -> Result<(), AwsError> {
    loop {
        let received = sqs.call("ReceiveMessage", &json!({"QueueUrl": from, "MaxNumberOfMessages": 10})).await?;
        let messages = received.get("Messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
        let Some(messages) = messages else { return Ok(()) };
        for message in messages {
            sqs.call("SendMessage", &json!({"QueueUrl": to, "MessageBody": message.get("Body")})).await?;
            let delete = json!({"QueueUrl": from, "ReceiptHandle": message.get("ReceiptHandle")});
            sqs.call("DeleteMessage", &delete).await?;
        }
    }
}

/// Creates all queues.
pub(crate) async fn create_queues(sqs: &Service, options: &StackOptions) -> Result<(), AwsError> {
    create_queue(sqs, DEAD_LETTER_QUEUE, json!({})).await?;
    create_queue(sqs, UNPUBLISHED_QUEUE, json!({})).await?;
    create_queue(sqs, UNDELIVERED_QUEUE, json!({})).await?;
    let attributes = json!({
        "VisibilityTimeout": "120",
        "ReceiveMessageWaitTimeSeconds": "20",
        "RedrivePolicy": json!({"deadLetterTargetArn": arn(UNDELIVERED_QUEUE), "maxReceiveCount": 1_000}).to_string(),
    });
    create_queue(sqs, EVENTS_QUEUE, attributes).await?;
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
