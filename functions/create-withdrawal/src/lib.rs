//! `POST /withdrawals`: arms the retry, journals the withdrawal, and submits it for the first time.

mod error;
mod request;

pub use error::ApiError;

use domain::{
    ArmedMessage, Effect, PaymentSystems, TableIdentity, Timestamp, Withdrawal, WithdrawalId, WithdrawalRequest,
    WithdrawalRow, WithdrawalState,
};
use lambda::{AwsError, Clock, Handler, Metric, Reply, Request, Right, SecretStore, SendLater, StatusCode, count};
use paykassma::{SubmitWithdrawal, withdrawal_body};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Change, Read, RowKey, StoreError, Stored, TableCheck, TableId, Write, Written, update_from};
use tracing::{error, info};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "TABLE_NAME",
    "TABLE_STREAM_ARN",
    "SECRET_ID",
    "QUEUE_URL",
    "SUBMISSION_DELAY_SECONDS",
    "PROVIDER_API_URL",
    "PROVIDER_TIMEOUT_MS",
    "PAYMENT_SYSTEMS",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::PutRows("withdrawal"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
    Right::SendMessages,
    Right::ReadSecret,
];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// Signs withdrawals.
    pub withdrawal_private_key: SecretString,
}

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, Q, P, K, A> {
    /// The table.
    pub table: S,
    /// Whether it is the right one.
    pub check: TableCheck,
    /// The queue, whose delay is longer than this function may run.
    pub queue: Q,
    /// The provider.
    pub provider: P,
    /// The secrets.
    pub keys: K,
    /// Time.
    pub clock: A,
    /// The payment systems of this deployment.
    pub systems: PaymentSystems,
}

#[derive(Serialize)]
struct Accepted<'a> {
    withdrawal_id: &'a WithdrawalId,
    state: &'static str,
}

impl<S, Q, P, K, A> Handler for Deps<S, Q, P, K, A>
where
    S: Write<WithdrawalRow> + Read<TableId> + Write<TableIdentity> + Send,
    Q: SendLater + Send,
    P: SubmitWithdrawal + Send + Sync,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let withdrawal = request::read(request.body, &self.systems)?;
        self.check.generation(&self.table).await?;
        let secrets = self.keys.current().await?;
        let body = withdrawal_body(&withdrawal, &secrets.withdrawal_private_key);
        self.arm(withdrawal.withdrawal_id.clone()).await?;
        let now = Timestamp(self.clock.now_ms());
        let sender = self.clock.nonce();
        let journalled = Withdrawal::new(withdrawal, body, sender.clone(), now);
        let change = Change::new(WithdrawalRow::Registered(Box::new(journalled.clone())));
        match self.table.write(change).await? {
            Written::Done => self.submit(journalled, &sender).await,
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Registered(known), .. }) } => {
                repeat(&journalled.request, &known)
            }
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Foreign(_), .. }) } => {
                Err(ApiError::IdTaken("its origin: the provider reported on it already".into()))
            }
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Reserved(_), .. }) } => {
                Err(ApiError::IdTaken("its origin: it was used before the table was restored".into()))
            }
            Written::Conflict { current: None } => {
                Err(StoreError::transient("a race was lost to a row that is not there").into())
            }
        }
    }
}

impl<S, Q, P, K, A> Deps<S, Q, P, K, A>
where
    S: Write<WithdrawalRow>,
    Q: SendLater,
    P: SubmitWithdrawal,
    A: Clock,
{
    /// The message is sent before the row is written: from the row's first moment, someone will come back to it.
    async fn arm(&self, withdrawal_id: WithdrawalId) -> Result<(), AwsError> {
        let message = serde_json::to_string(&ArmedMessage { withdrawal_id });
        self.queue.send_later(message.map_err(|error| AwsError(error.to_string()))?).await
    }

    /// Submits what is journalled. If the outcome cannot be written, the armed message finds the attempt without an end, and it
    /// counts as unknown.
    async fn submit(&self, journalled: Withdrawal, sender: &str) -> Result<Reply, ApiError> {
        let submission = self.provider.submit(&journalled.body).await;
        let reference = journalled.request.withdrawal_id.key();
        info!(reference, outcome = submission.name(), "submitted");
        let now = Timestamp(self.clock.now_ms());
        let answered = |row: Option<&WithdrawalRow>| match row {
            Some(WithdrawalRow::Registered(row)) => {
                let (row, effect) = row.after(row.answered(sender, &submission, now), None, now);
                (row.map(|row| WithdrawalRow::Registered(Box::new(row))), effect)
            }
            Some(WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_)) | None => (None, Effect::Repeated),
        };
        let stored = Stored { row: WithdrawalRow::Registered(Box::new(journalled.clone())), version: 1 };
        let updated = update_from(&self.table, Some(stored), answered).await;
        let updated =
            updated.inspect_err(|cause| error!(reference, %cause, "the submission's outcome was not written"));
        let (current, effect) = match updated {
            Ok(updated) => (updated.current, updated.outcome),
            Err(_) => (None, Effect::Repeated),
        };
        let row = current.as_ref().and_then(|it| it.row.registered()).unwrap_or(&journalled);
        if let Effect::Conflicted(mismatch) = effect {
            count!(error, Metric::WithdrawalConflict, reference, ?mismatch, "the provider contradicts itself");
        }
        if row.state == WithdrawalState::Unknown {
            count!(error, Metric::WithdrawalUnknown, reference, "nobody knows whether it arrived");
        }
        reply(StatusCode::CREATED, row)
    }
}

fn repeat(asked: &WithdrawalRequest, known: &Withdrawal) -> Result<Reply, ApiError> {
    let differing = known.request.differing(asked);
    if differing.is_empty() {
        return reply(StatusCode::OK, known);
    }
    Err(ApiError::IdTaken(differing.join(", ")))
}

fn reply(status: StatusCode, row: &Withdrawal) -> Result<Reply, ApiError> {
    let withdrawal_id = &row.request.withdrawal_id;
    match &row.state {
        WithdrawalState::Submitted | WithdrawalState::Paid { .. } | WithdrawalState::Failed { .. } => {
            Ok(Reply::new(status, &Accepted { withdrawal_id, state: "submitted" }))
        }
        WithdrawalState::Sending | WithdrawalState::Waiting | WithdrawalState::Unknown => {
            Ok(Reply::new(StatusCode::ACCEPTED, &Accepted { withdrawal_id, state: "pending" }))
        }
        WithdrawalState::Rejected { message } => Err(ApiError::Rejected(message.clone())),
    }
}
