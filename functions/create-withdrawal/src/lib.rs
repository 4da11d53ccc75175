//! `POST /withdrawals`: reserves the amount under the ceiling, arms the retry, journals the withdrawal, and submits it for the
//! first time.

mod ceiling;
mod error;
mod request;

pub use ceiling::parse_ceiling;
pub use error::ApiError;

use domain::{
    ArmedMessage, Ceilings, Effect, PaymentSystems, Reservation, Reserving, TableIdentity, Timestamp, Withdrawal,
    WithdrawalId, WithdrawalRequest, WithdrawalRow, WithdrawalState,
};
use lambda::{
    AwsError, Clock, Handler, Metric, Purpose, Reply, Request, Right, SecretStore, SendLater, StatusCode, count,
};
use paykassma::{Answered, SubmitWithdrawal, withdrawal_body};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{
    Change, Read, Reserve, Reserved, RowKey, StoreError, Stored, TableCheck, TableId, Write, Written, update_from,
};
use tracing::{error, info, warn};

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
    "WITHDRAWALS",
    "WITHDRAWAL_CEILING_PER_HOUR",
    "WITHDRAWAL_CEILING_PER_DAY",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::UpdateRows("ceiling"),
    Right::ReadRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
    Right::SendMessages,
    Right::ReadSecret(Purpose::Withdrawals),
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
    /// How much may be sent out.
    pub ceilings: Ceilings,
    /// Whether withdrawals are switched on.
    pub is_on: bool,
}

#[derive(Serialize)]
struct Accepted<'a> {
    withdrawal_id: &'a WithdrawalId,
    state: &'static str,
}

impl<S, Q, P, K, A> Handler for Deps<S, Q, P, K, A>
where
    S: Read<WithdrawalId> + Write<WithdrawalRow> + Reserve + Read<TableId> + Write<TableIdentity> + Send,
    Q: SendLater + Send,
    P: SubmitWithdrawal + Send + Sync,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        if !self.is_on {
            return Err(ApiError::Off);
        }
        let withdrawal = request::read(request.body, &self.systems)?;
        self.check.generation(&self.table).await?;
        let secrets = self.keys.current().await?;
        let body = withdrawal_body(&withdrawal, &secrets.withdrawal_private_key);
        // The reservation counts for the hour in which the withdrawal is created.
        let now = Timestamp(self.clock.now_ms());
        let reservation = match self.ceilings.reserving(&withdrawal.payment_system, withdrawal.amount, now) {
            Reserving::Unlimited => None,
            Reserving::TooMuch => return self.without_reservation(&withdrawal).await,
            Reserving::Under(reservation) => match self.table.reserve(&reservation).await? {
                Reserved::Done => Some(reservation),
                Reserved::LimitReached => return self.without_reservation(&withdrawal).await,
            },
        };
        if let Err(cause) = self.arm(withdrawal.withdrawal_id.clone()).await {
            self.give_back(reservation, &withdrawal.withdrawal_id).await;
            return Err(cause.into());
        }
        let sender = self.clock.nonce();
        let journalled = Withdrawal::new(withdrawal, body, sender.clone(), now);
        let change = Change::new(WithdrawalRow::Registered(Box::new(journalled.clone())));
        match self.table.write(change).await? {
            Written::Done => self.submit(journalled, &sender).await,
            Written::Conflict { current: Some(Stored { row, .. }) } => {
                if !is_journalled_by(&row, &sender) {
                    self.give_back(reservation, &journalled.request.withdrawal_id).await;
                }
                repeat(&journalled.request, &row)
            }
            Written::Conflict { current: None } => {
                Err(StoreError::transient("a race was lost to a row that is not there").into())
            }
        }
    }
}

impl<S, Q, P, K, A> Deps<S, Q, P, K, A>
where
    S: Read<WithdrawalId> + Write<WithdrawalRow> + Reserve,
    Q: SendLater,
    P: SubmitWithdrawal,
    A: Clock,
{
    /// The answer where a ceiling allows no reservation. What is on record is answered as ever.
    async fn without_reservation(&self, asked: &WithdrawalRequest) -> Result<Reply, ApiError> {
        if let Some(Stored { row, .. }) = self.table.read(&asked.withdrawal_id).await? {
            return repeat(asked, &row);
        }
        let (reference, payment_system) = (asked.withdrawal_id.key(), &asked.payment_system);
        count!(error, Metric::WithdrawalLimitReached, reference, %payment_system, "a ceiling does not allow it");
        Err(ApiError::LimitReached)
    }

    /// Gives back what was reserved for a withdrawal that this request has surely not journalled.
    async fn give_back(&self, reservation: Option<Reservation>, withdrawal_id: &WithdrawalId) {
        let Some(reservation) = reservation else { return };
        if let Err(cause) = self.table.give_back(&reservation).await {
            warn!(reference = withdrawal_id.key(), %cause, "the reservation was not given back");
        }
    }

    /// The message is sent before the row is written: from the row's first moment, someone will come back to it.
    async fn arm(&self, withdrawal_id: WithdrawalId) -> Result<(), AwsError> {
        let message = serde_json::to_string(&ArmedMessage { withdrawal_id });
        self.queue.send_later(message.map_err(|error| AwsError(error.to_string()))?).await
    }

    /// Submits what is journalled. If the outcome cannot be written, the armed message finds the attempt without an end, and it
    /// counts as unknown.
    async fn submit(&self, journalled: Withdrawal, sender: &str) -> Result<Reply, ApiError> {
        let Answered { said: submission, misconfigured } = self.provider.submit(&journalled.body).await;
        let reference = journalled.request.withdrawal_id.key();
        info!(reference, outcome = submission.name(), "submitted");
        if let Some(code) = misconfigured {
            count!(error, Metric::ProviderMisconfigured, reference, code);
        }
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
        if effect == Effect::Moved && matches!(row.state, WithdrawalState::Rejected { .. }) {
            count!(info, Metric::WithdrawalRejected, reference);
        }
        if row.state == WithdrawalState::Unknown {
            count!(error, Metric::WithdrawalUnknown, reference, "nobody knows whether it arrived");
        }
        reply(StatusCode::CREATED, row)
    }
}

/// Whether this sender's own write made the row. The answer to it may have been lost, and the row may have changed since.
fn is_journalled_by(row: &WithdrawalRow, sender: &str) -> bool {
    row.registered().and_then(|row| row.attempts.first()).is_some_and(|first| first.sender == sender)
}

fn repeat(asked: &WithdrawalRequest, known: &WithdrawalRow) -> Result<Reply, ApiError> {
    let known = match known {
        WithdrawalRow::Registered(known) => known,
        WithdrawalRow::Foreign(_) => {
            return Err(ApiError::IdTaken("its origin: the provider reported on it already".into()));
        }
        WithdrawalRow::Reserved(_) => {
            return Err(ApiError::IdTaken("its origin: it was used before the table was restored".into()));
        }
    };
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
