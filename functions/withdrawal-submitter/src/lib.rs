//! SQS: comes back to a withdrawal after its first submission, and submits it again where that is safe.

mod policy;

pub use policy::Policy;

use std::time::Duration;

use domain::{
    ArmedMessage, Effect, Submission, TableIdentity, Timestamp, Transition, Withdrawal, WithdrawalId, WithdrawalRow,
    WithdrawalState,
};
use lambda::{Clock, Defer, Handled, Message, MessageHandler, Metric, Right, count};
use paykassma::{Answered, SubmitWithdrawal};
use store::{Read, RowKey, StoreError, Stored, TableCheck, TableId, Updated, Write, Written, update_from};
use tracing::{error, info, warn};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "TABLE_NAME",
    "TABLE_STREAM_ARN",
    "QUEUE_URL",
    "PROVIDER_API_URL",
    "PROVIDER_TIMEOUT_MS",
    "SUBMISSION_ATTEMPTS",
    "FIRST_RETRY_SECONDS",
    "RETRY_CEILING_SECONDS",
    "SENDER_LIFETIME_MS",
    "RESEND_UNKNOWN",
    "WITHDRAWALS",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
    Right::TakeMessages,
];

/// What this function works with. It needs no secret: what it sends was signed when it was journalled.
#[derive(Debug)]
pub struct Deps<S, Q, P, A> {
    /// The table.
    pub table: S,
    /// Whether it is the right one.
    pub check: TableCheck,
    /// The queue that its messages come from.
    pub queue: Q,
    /// The provider.
    pub provider: P,
    /// Time and chance.
    pub clock: A,
    /// When to try again, and when not.
    pub policy: Policy,
}

/// What remains to be done for a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing, by this function.
    Rest,
    /// Come back later.
    Retry,
}

impl<S, Q, P, A> MessageHandler for Deps<S, Q, P, A>
where
    S: Read<WithdrawalId> + Write<WithdrawalRow> + Read<TableId> + Write<TableIdentity> + Send,
    Q: Defer + Send,
    P: SubmitWithdrawal + Send + Sync,
    A: Clock + Send,
{
    async fn handle(&self, message: Message<'_>) -> Handled {
        let Ok(ArmedMessage { withdrawal_id }) = serde_json::from_str(message.body) else {
            error!("a message that is not ours");
            return Handled::Again;
        };
        if !self.policy.is_on {
            info!(reference = withdrawal_id.key(), "put off: withdrawals are switched off");
            self.put_off(message.receipt_handle, self.policy.while_off(), &withdrawal_id).await;
            return Handled::Again;
        }
        // A row of another table says nothing about this withdrawal, and its attempts are not used up.
        if let Err(cause) = self.check.generation(&self.table).await {
            error!(reference = withdrawal_id.key(), %cause, "the table was not checked");
            return Handled::Again;
        }
        match self.come_back(&withdrawal_id).await {
            Ok(Next::Rest) => return Handled::Done,
            Ok(Next::Retry) => {}
            Err(cause) => error!(reference = withdrawal_id.key(), %cause, "the withdrawal was not handled"),
        }
        if message.receive_count >= self.policy.attempts {
            self.ask_for_review(&withdrawal_id).await;
        } else {
            let wait = self.policy.back_off(message.receive_count, &self.clock);
            self.put_off(message.receipt_handle, wait, &withdrawal_id).await;
        }
        Handled::Again
    }
}

impl<S, Q: Defer, P, A> Deps<S, Q, P, A> {
    async fn put_off(&self, receipt_handle: &str, wait: Duration, id: &WithdrawalId) {
        if let Err(cause) = self.queue.defer(receipt_handle, wait).await {
            warn!(reference = id.key(), %cause, "not put off: it comes out when its visibility ends");
        }
    }
}

impl<S, Q, P, A> Deps<S, Q, P, A>
where
    S: Read<WithdrawalId> + Write<WithdrawalRow>,
    P: SubmitWithdrawal,
    A: Clock,
{
    async fn come_back(&self, id: &WithdrawalId) -> Result<Next, StoreError> {
        let Some(Stored { row: WithdrawalRow::Registered(row), version }) = self.table.read(id).await? else {
            info!(reference = id.key(), "armed, but never journalled: nothing was sent");
            return Ok(Next::Rest);
        };
        let stored = Stored { row: *row, version };
        match &stored.row.state {
            WithdrawalState::Sending if self.may_live(&stored.row) => Ok(Next::Retry),
            WithdrawalState::Sending => self.lose(stored).await,
            WithdrawalState::Waiting | WithdrawalState::Unknown => self.send_again(stored).await,
            WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => Ok(Next::Rest),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ms())
    }

    /// Whether the sender of the last attempt may still be running.
    fn may_live(&self, row: &Withdrawal) -> bool {
        !row.is_sender_dead(self.now(), self.policy.sender_lifetime_ms)
    }

    /// Applies an event to the row in hand, and to every newer one that is current instead.
    async fn apply(
        &self,
        stored: Stored<Withdrawal>,
        event: impl Fn(&Withdrawal) -> Transition<Withdrawal> + Send + Sync,
    ) -> Result<(Withdrawal, Effect), StoreError> {
        let now = self.now();
        let decide = |current: Option<&WithdrawalRow>| match current {
            Some(WithdrawalRow::Registered(row)) => {
                let (row, effect) = row.after(event(row), None, now);
                (row.map(|row| WithdrawalRow::Registered(Box::new(row))), effect)
            }
            Some(WithdrawalRow::Foreign(_) | WithdrawalRow::Reserved(_)) | None => (None, Effect::Repeated),
        };
        let stored = Stored { row: WithdrawalRow::Registered(Box::new(stored.row)), version: stored.version };
        match update_from(&self.table, Some(stored), decide).await? {
            Updated { current: Some(Stored { row: WithdrawalRow::Registered(row), .. }), outcome } => {
                Ok((*row, outcome))
            }
            Updated { .. } => Err(StoreError::transient("a withdrawal's row is gone")),
        }
    }

    /// The sender must be dead: nobody knows whether its attempt arrived.
    async fn lose(&self, stored: Stored<Withdrawal>) -> Result<Next, StoreError> {
        let (row, effect) = self.apply(stored, Withdrawal::lose).await?;
        if effect == Effect::Moved {
            count!(error, Metric::WithdrawalUnknown, row.request.withdrawal_id.key(), "its sender died");
        }
        Ok(self.next(&row))
    }

    async fn send_again(&self, stored: Stored<Withdrawal>) -> Result<Next, StoreError> {
        let sender = self.clock.nonce();
        let Some(row) = stored.row.send_again(sender.clone(), self.now(), self.policy.resend_unknown) else {
            return Ok(Next::Rest);
        };
        let registered = |row: Withdrawal| WithdrawalRow::Registered(Box::new(row));
        let change = stored.clone().map(registered).becomes(registered(row.clone()));
        if self.table.write(change).await? != Written::Done {
            return Ok(Next::Retry);
        }
        let journalled = Stored { row, version: stored.version.saturating_add(1) };
        let Answered { said: submission, misconfigured } = self.provider.submit(&journalled.row.body).await;
        let (id, attempt) = (journalled.row.request.withdrawal_id.clone(), journalled.row.attempts.len());
        info!(reference = id.key(), attempt, outcome = submission.name(), "submitted again");
        if let Some(code) = misconfigured {
            count!(error, Metric::ProviderMisconfigured, id.key(), code);
        }
        let now = self.now();
        let (row, effect) = self.apply(journalled, |row| row.answered(&sender, &submission, now)).await?;
        report(&id, &row, effect, &submission);
        Ok(self.next(&row))
    }

    fn next(&self, row: &Withdrawal) -> Next {
        match row.state {
            WithdrawalState::Waiting | WithdrawalState::Sending => Next::Retry,
            WithdrawalState::Unknown if self.policy.resend_unknown => Next::Retry,
            WithdrawalState::Unknown
            | WithdrawalState::Submitted
            | WithdrawalState::Rejected { .. }
            | WithdrawalState::Paid { .. }
            | WithdrawalState::Failed { .. } => Next::Rest,
        }
    }

    /// The message now goes to the dead letters. Nothing is refunded: a person decides.
    async fn ask_for_review(&self, id: &WithdrawalId) {
        count!(error, Metric::WithdrawalNeedsReview, id.key(), "the attempts are used up");
        if let Err(cause) = self.flag(id).await {
            error!(reference = id.key(), %cause, "the row was not flagged: only the dead letter is left");
        }
    }

    async fn flag(&self, id: &WithdrawalId) -> Result<(), StoreError> {
        let Some(Stored { row: WithdrawalRow::Registered(row), version }) = self.table.read(id).await? else {
            return Ok(());
        };
        let flag =
            |row: &Withdrawal| row.review("the attempts are used up").map_or(Transition::Repeat, Transition::Move);
        self.apply(Stored { row: *row, version }, flag).await.map(drop)
    }
}

fn report(id: &WithdrawalId, row: &Withdrawal, effect: Effect, submission: &Submission) {
    let is_unknown = row.state == WithdrawalState::Unknown;
    match (effect, submission) {
        (Effect::Conflicted(mismatch), _) => {
            count!(error, Metric::WithdrawalConflict, id.key(), ?mismatch, "the provider contradicts itself");
        }
        (_, Submission::Rejected(_)) if is_unknown => {
            warn!(reference = id.key(), "a fail after an unknown attempt releases nothing");
        }
        (Effect::Moved, Submission::Rejected(_)) => count!(info, Metric::WithdrawalRejected, id.key()),
        (Effect::Moved, Submission::Unknown(_)) if is_unknown => {
            count!(error, Metric::WithdrawalUnknown, id.key(), "nobody knows whether it arrived");
        }
        (Effect::Moved | Effect::Repeated, _) => {}
    }
}
