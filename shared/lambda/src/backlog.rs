//! A queue of messages that wait until they can be handled, all of them.

use std::future::Future;

use aws_sdk_sqs::error::ProvideErrorMetadata;

use crate::AwsError;
use crate::queue::failed;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What was sent.
    pub body: String,
    /// Names this delivery of the message.
    pub receipt_handle: String,
}

/// The right to let messages wait, and to have them handled again.
pub trait Backlog: Sync {
    /// Adds a message.
    fn add(&self, body: String) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// Receives one message. If it is not removed, it is there again later.
    fn first(&self) -> impl Future<Output = Result<Option<Waiting>, AwsError>> + Send;

    /// Removes a message that was received.
    fn remove(&self, receipt_handle: &str) -> impl Future<Output = Result<(), AwsError>> + Send;

    /// Moves all messages to the queue where they are handled. It takes a while, and goes on after the answer.
    fn move_all_back(&self) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A backlog in SQS. The queue must be the dead-letter queue of another one: SQS moves messages only out of such queues.
#[derive(Clone, Debug)]
pub struct BacklogQueue {
    client: aws_sdk_sqs::Client,
    url: String,
    arn: String,
    /// Where the messages go back to.
    destination_arn: String,
}

impl BacklogQueue {
    /// The queue with this URL and ARN, and the queue where its messages go back to.
    #[must_use]
    pub fn new(client: aws_sdk_sqs::Client, url: String, arn: String, destination_arn: String) -> Self {
        Self { client, url, arn, destination_arn }
    }
}

fn cause<E: ProvideErrorMetadata + ToString>(error: &E) -> AwsError {
    failed(error.code().map_or_else(|| error.to_string(), str::to_owned))
}

impl Backlog for BacklogQueue {
    async fn add(&self, body: String) -> Result<(), AwsError> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body);
        send.send().await.map(drop).map_err(|error| cause(&error))
    }

    async fn first(&self) -> Result<Option<Waiting>, AwsError> {
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(1);
        let received = receive.send().await.map_err(|error| cause(&error))?;
        Ok(received.messages().first().and_then(|message| {
            Some(Waiting { body: message.body()?.to_owned(), receipt_handle: message.receipt_handle()?.to_owned() })
        }))
    }

    async fn remove(&self, receipt_handle: &str) -> Result<(), AwsError> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt_handle);
        delete.send().await.map(drop).map_err(|error| cause(&error))
    }

    async fn move_all_back(&self) -> Result<(), AwsError> {
        let start = self.client.start_message_move_task().source_arn(&self.arn);
        let start = start.destination_arn(&self.destination_arn);
        start.send().await.map(drop).map_err(|error| cause(&error))
    }
}
