//! `POST /withdrawals`: arms the retry, journals the withdrawal, and submits it for the first time.

mod error;
mod request;

pub use error::ApiError;

use domain::{PaymentSystems, Timestamp, Withdrawal, WithdrawalId, WithdrawalRequest, WithdrawalRow, WithdrawalState};
use lambda::{Clock, Handle, Reply, Request, SecretStore, SendLater, StatusCode};
use paykassma::{SubmitWithdrawal, withdrawal_body};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Advanced, Change, Row, Stored, Write, Written, advance};
use tracing::{error, info};

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

/// The armed message: withdrawal-submitter reads it.
#[derive(Serialize)]
struct Armed<'a> {
    withdrawal_id: &'a WithdrawalId,
}

impl<S, Q, P, K, A> Handle for Deps<S, Q, P, K, A>
where
    S: Write<WithdrawalRow> + Send,
    Q: SendLater + Send,
    P: SubmitWithdrawal + Send + Sync,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let withdrawal = request::read(request.body, &self.systems)?;
        let secrets = self.keys.current().await?;
        let body = withdrawal_body(&withdrawal, &secrets.withdrawal_private_key);
        self.arm(&withdrawal.withdrawal_id).await?;
        let now = Timestamp(self.clock.now_ms());
        let sender = self.clock.nonce();
        let journalled = Withdrawal::new(withdrawal, body, sender.clone(), now);
        let change = Change::new(WithdrawalRow::Registered(Box::new(journalled.clone())));
        match self.table.write(change).await? {
            Written::Done => self.submit(Stored { row: journalled, version: 1 }, &sender).await,
            Written::Conflict { current: Some(Stored { row: WithdrawalRow::Registered(known), .. }) } => {
                repeat(&journalled.request, &known)
            }
            Written::Conflict { .. } => {
                Err(ApiError::IdTaken("its origin: the provider reported on it already".into()))
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
    async fn arm(&self, withdrawal_id: &WithdrawalId) -> Result<(), lambda::AwsError> {
        let message = serde_json::to_string(&Armed { withdrawal_id });
        let message = message.map_err(|error| lambda::AwsError(error.to_string()))?;
        self.queue.send_later(message).await
    }

    /// Submits what is journalled. When what came of it cannot be written, the armed message finds the attempt without an
    /// end, and it counts as unknown.
    async fn submit(&self, journalled: Stored<Withdrawal>, sender: &str) -> Result<Reply, ApiError> {
        let submission = self.provider.submit(&journalled.row.body).await;
        let reference = WithdrawalRow::key(&journalled.row.request.withdrawal_id);
        info!(reference, ?submission, "submitted");
        let now = Timestamp(self.clock.now_ms());
        let answered = |row: &Withdrawal| row.answered(sender, &submission, now);
        match advance(&self.table, journalled.clone(), now, None, answered).await {
            Ok(advanced) => {
                if let Advanced::Conflicted(_, mismatch) = &advanced {
                    error!(event = "withdrawal.conflict", reference, ?mismatch, "the provider contradicts itself");
                }
                if advanced.current().state == WithdrawalState::Unknown {
                    error!(event = "withdrawal.unknown", reference, "nobody knows whether it arrived");
                }
                reply(StatusCode::CREATED, advanced.current())
            }
            Err(cause) => {
                error!(reference, %cause, "what came of the submission was not written");
                reply(StatusCode::CREATED, &journalled.row)
            }
        }
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
