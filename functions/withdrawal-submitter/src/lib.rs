//! SQS: comes back to a withdrawal after its first submission, and submits it again where that is safe.

mod policy;

pub use policy::Policy;

use domain::{Submission, SubmissionAttempt, Timestamp, Withdrawal, WithdrawalId, WithdrawalRow, WithdrawalState};
use lambda::{Clock, Defer, HandleMessage, Handled, Message};
use paykassma::SubmitWithdrawal;
use serde::Deserialize;
use store::{Advanced, Change, Read, Row, StoreError, Stored, Write, Written, advance};
use tracing::{error, info, warn};

/// What this function works with. It needs no secret: what it sends was signed when it was journalled.
#[derive(Debug)]
pub struct Deps<S, Q, P, A> {
    /// The table.
    pub table: S,
    /// The queue that its messages come from.
    pub queue: Q,
    /// The provider.
    pub provider: P,
    /// Time and chance.
    pub clock: A,
    /// When to try again, and when not.
    pub policy: Policy,
}

#[derive(Deserialize)]
struct Armed {
    withdrawal_id: WithdrawalId,
}

/// What is left to be done for a withdrawal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing, by this function.
    Rest,
    /// Come back later.
    Retry,
}

impl<S, Q, P, A> HandleMessage for Deps<S, Q, P, A>
where
    S: Read<WithdrawalRow> + Write<WithdrawalRow> + Send,
    Q: Defer + Send,
    P: SubmitWithdrawal + Send + Sync,
    A: Clock + Send,
{
    async fn handle(&self, message: Message<'_>) -> Handled {
        let Ok(Armed { withdrawal_id }) = serde_json::from_str(message.body) else {
            error!("a message that is not ours");
            return Handled::Again;
        };
        match self.come_back(&withdrawal_id).await {
            Ok(Next::Rest) => return Handled::Done,
            Ok(Next::Retry) => {}
            Err(cause) => error!(reference = WithdrawalRow::key(&withdrawal_id), %cause, "the table failed"),
        }
        if message.receive_count >= self.policy.attempts {
            self.ask_for_review(&withdrawal_id).await;
        } else if let Err(cause) =
            self.queue.defer(message.receipt_handle, self.policy.back_off(message.receive_count, &self.clock)).await
        {
            warn!(reference = WithdrawalRow::key(&withdrawal_id), %cause, "not put off: it comes out when its visibility ends");
        }
        Handled::Again
    }
}

impl<S, Q, P, A> Deps<S, Q, P, A>
where
    S: Read<WithdrawalRow> + Write<WithdrawalRow>,
    P: SubmitWithdrawal,
    A: Clock,
{
    async fn come_back(&self, id: &WithdrawalId) -> Result<Next, StoreError> {
        let Some(Stored { row: WithdrawalRow::Registered(row), version }) = self.table.read(id).await? else {
            info!(reference = WithdrawalRow::key(id), "armed, but never journalled: nothing was sent");
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

    /// Whether the sender of the last attempt may still be at it.
    fn may_live(&self, row: &Withdrawal) -> bool {
        let age = |it: &SubmissionAttempt| self.clock.now_ms().abs_diff(it.started_at.0);
        row.last_attempt().is_some_and(|it| age(it) < self.policy.sender_lifetime_ms)
    }

    /// The sender must be dead: nobody knows whether its attempt arrived.
    async fn lose(&self, stored: Stored<Withdrawal>) -> Result<Next, StoreError> {
        let advanced = advance(&self.table, stored, self.now(), None, Withdrawal::lose).await?;
        let row = advanced.current();
        if let Advanced::Moved(_) = advanced {
            let reference = WithdrawalRow::key(&row.request.withdrawal_id);
            error!(event = "withdrawal.unknown", reference, "its sender died");
        }
        Ok(self.next(row))
    }

    async fn send_again(&self, stored: Stored<Withdrawal>) -> Result<Next, StoreError> {
        let sender = self.clock.nonce();
        let Some(row) = stored.row.send_again(sender.clone(), self.now(), self.policy.resend_unknown) else {
            return Ok(Next::Rest);
        };
        let change = Change { row: WithdrawalRow::Registered(Box::new(row.clone())), expected_version: stored.version };
        if self.table.write(change).await? != Written::Done {
            return Ok(Next::Retry);
        }
        let journalled = Stored { row, version: stored.version.saturating_add(1) };
        let submission = self.provider.submit(&journalled.row.body).await;
        let id = journalled.row.request.withdrawal_id.clone();
        let attempt = journalled.row.attempts.len();
        info!(reference = WithdrawalRow::key(&id), attempt, ?submission, "submitted again");
        let now = self.now();
        let answered = |row: &Withdrawal| row.answered(&sender, &submission, now);
        let advanced = advance(&self.table, journalled, now, None, answered).await?;
        report(&id, &advanced, &submission);
        Ok(self.next(advanced.current()))
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
        error!(event = "withdrawal.needs_review", reference = WithdrawalRow::key(id), "the attempts are used up");
        let flagged = async {
            let Some(Stored { row: WithdrawalRow::Registered(row), version }) = self.table.read(id).await? else {
                return Ok(());
            };
            let stored = Stored { row: *row, version };
            let flag = |row: &Withdrawal| match row.review("the attempts are used up") {
                Some(row) => domain::Transition::Move(row),
                None => domain::Transition::Repeat,
            };
            advance(&self.table, stored, self.now(), None, flag).await.map(|_| ())
        };
        if let Err(cause) = flagged.await {
            let cause: StoreError = cause;
            error!(reference = WithdrawalRow::key(id), %cause, "not flagged: the dead letter is what is left of it");
        }
    }
}

fn report(id: &WithdrawalId, advanced: &Advanced, submission: &Submission) {
    let is_unknown = advanced.current().state == WithdrawalState::Unknown;
    match (advanced, submission) {
        (Advanced::Conflicted(_, mismatch), _) => {
            error!(
                event = "withdrawal.conflict",
                reference = WithdrawalRow::key(id),
                ?mismatch,
                "the provider contradicts itself"
            );
        }
        (_, Submission::Rejected(_)) if is_unknown => {
            warn!(reference = WithdrawalRow::key(id), "a fail after an unknown attempt releases nothing");
        }
        (Advanced::Moved(_), Submission::Unknown(_)) if is_unknown => {
            error!(event = "withdrawal.unknown", reference = WithdrawalRow::key(id), "nobody knows whether it arrived");
        }
        (Advanced::Moved(_) | Advanced::Repeated(_), _) => {}
    }
}
