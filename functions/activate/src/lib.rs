//! `POST /deposits/{custom_transaction_id}/activation`: claims the number that a user entered, and has the provider look for it.

mod error;

pub use error::ApiError;

use domain::{
    Amount, AttemptId, AttemptState, Claim, CustomTransactionId, Deposit, DepositRow, Payment, PaymentKey,
    PaymentSystems, Timestamp, TransactionId,
};
use lambda::{BadRequest, Clock, Fields, Handler, Metric, Reply, Request, Right, SecretStore, StatusCode, count};
use paykassma::{ActivateTransaction, Activation, ActivationRequest, NotAnswered};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{Change, Read, RowKey, Stored, Transact, Transacted, Write, Written, retry};
use tracing::{error, info, warn};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] =
    &["TABLE_NAME", "SECRET_ID", "PROVIDER_API_URL", "PROVIDER_TIMEOUT_MS", "PAYMENT_SYSTEMS"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::PutRows("deposit"),
    Right::ReadRows("payment"),
    Right::PutRows("payment"),
    Right::ReadSecret,
];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// Authorises the deposit calls.
    pub pluginapi_secret: SecretString,
}

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, P, K, A> {
    /// The table.
    pub table: S,
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
struct Activated<'a> {
    custom_transaction_id: &'a CustomTransactionId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit_amount: Option<Amount>,
}

/// What a user entered.
struct Entered {
    number: TransactionId,
    amount: Amount,
}

const MISCONFIGURED: &str = "404: pluginapi_secret or PROVIDER_API_URL is wrong";

/// An order's row as it was last seen.
#[derive(Clone)]
struct Journal {
    deposit: Deposit,
    version: u64,
}

/// What the journal says about it.
enum Journalled {
    /// The provider may be asked, under this id.
    Attempt(Box<Journal>, AttemptId),
    /// The money has come in already.
    Credited(Amount),
}

impl<S, P, K, A> Handler for Deps<S, P, K, A>
where
    S: Read<CustomTransactionId> + Write<DepositRow> + Read<PaymentKey> + Transact + Send,
    P: ActivateTransaction + Send + Sync,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let id = request.path_parameter("custom_transaction_id").unwrap_or_default();
        let id = CustomTransactionId::parse(id).map_err(|_| ApiError::NotFound)?;
        let mut fields = Fields::parse(request.body)?;
        let number = fields.text("key1", TransactionId::accept)?;
        let entered = Entered { number, amount: fields.number("amount", Amount::parse)? };
        fields.finish()?;
        let secrets = self.keys.current().await?;
        let (journal, attempt) = match self.journal(&id, &entered).await? {
            Journalled::Attempt(journal, attempt) => (journal, attempt),
            Journalled::Credited(amount) => return Ok(answer(&id, StatusCode::OK, "activated", None, Some(amount))),
        };
        let activation = ActivationRequest {
            order: &journal.deposit.order,
            key1: &entered.number,
            amount: entered.amount,
            custom_transaction_id: &attempt,
        };
        let said = self.provider.activate(&secrets.pluginapi_secret, &activation).await;
        self.note(*journal, &entered.number, &said).await;
        reply(&id, said)
    }
}

impl<S, P, K, A> Deps<S, P, K, A>
where
    S: Read<CustomTransactionId> + Write<DepositRow> + Read<PaymentKey> + Transact,
    P: Sync,
    K: Sync,
    A: Clock,
{
    /// Claims the number for the order and notes the attempt, in one transaction. It is tried as if nobody had claimed the
    /// number; only where that fails the payment is read.
    async fn journal(&self, id: &CustomTransactionId, entered: &Entered) -> Result<Journalled, ApiError> {
        retry(&self.table, |race| async move {
            let Journal { deposit, version } = self.read(id).await?;
            self.check(&deposit, entered)?;
            let key = payment_key(&deposit, &entered.number);
            let payment = if race == 0 { None } else { self.table.read(&key).await? };
            let claims = match Payment::claim(payment.as_ref().map(|it| &it.row), &key, id) {
                Claim::Taken(row) => vec![Change::of(row, payment.as_ref())],
                Claim::Held => Vec::new(),
                Claim::Credited(facts) => return Ok(Some(Journalled::Credited(facts.amount))),
                Claim::InUse => return Err(ApiError::InUse),
            };
            let now = Timestamp(self.clock.now_ms());
            let attempted = deposit.attempt(&entered.number, entered.amount, now);
            let (deposit, attempt) = attempted.ok_or(ApiError::TooManyAttempts)?;
            let change = Change { row: DepositRow::Registered(deposit.clone()), expected_version: version };
            if self.table.transact(change, claims).await? != Transacted::Done {
                return Ok(None);
            }
            let journal = Journal { deposit, version: version.saturating_add(1) };
            Ok(Some(Journalled::Attempt(Box::new(journal), attempt)))
        })
        .await
    }

    async fn read(&self, id: &CustomTransactionId) -> Result<Journal, ApiError> {
        match self.table.read(id).await? {
            Some(Stored { row: DepositRow::Registered(deposit), version }) => Ok(Journal { deposit, version }),
            Some(_) | None => Err(ApiError::NotFound),
        }
    }

    fn check(&self, deposit: &Deposit, entered: &Entered) -> Result<(), BadRequest> {
        let wallet = &deposit.order.wallet_type;
        let system = self.systems.find(wallet).map_err(|rule| BadRequest::field("wallet_type", rule))?;
        system.key1.check(entered.number.as_str()).map_err(|rule| BadRequest::field("key1", rule))?;
        system.deposit.check(entered.amount).map_err(|rule| BadRequest::field("amount", rule))
    }

    /// Notes what the provider said, and gives the number up if it said fail. The note is for people: when it cannot be
    /// written the user is answered all the same, and entering the number again is the same attempt.
    async fn note(&self, journal: Journal, number: &TransactionId, said: &Activation) {
        let reference = journal.deposit.order.custom_transaction_id.key();
        let payment = payment_key(&journal.deposit, number).key();
        let outcome = match said {
            Activation::Activated { .. } => AttemptState::Activated,
            Activation::Pending(_) => AttemptState::Pending,
            Activation::Possible(_) => AttemptState::Possible,
            Activation::Rejected(_) => AttemptState::Failed,
            Activation::NotSent(reason) | Activation::Unknown(reason) => {
                return warn!(reference, payment, reason, "the provider did not answer");
            }
            Activation::Misconfigured => {
                return count!(error, Metric::ProviderMisconfigured, reference, payment, MISCONFIGURED);
            }
        };
        match self.write_note(&journal, number, outcome).await {
            Ok(()) => info!(reference, payment, ?outcome, "activation"),
            Err(cause) => error!(reference, payment, ?cause, "the answer was not recorded"),
        }
    }

    async fn write_note(
        &self,
        journal: &Journal,
        number: &TransactionId,
        outcome: AttemptState,
    ) -> Result<(), ApiError> {
        let id = &journal.deposit.order.custom_transaction_id;
        retry(&self.table, |race| async move {
            let Journal { deposit, version } = if race == 0 { journal.clone() } else { self.read(id).await? };
            let key = payment_key(&deposit, number);
            let row = DepositRow::Registered(deposit.answered(number, outcome));
            let change = Change { row, expected_version: version };
            let is_written = if outcome == AttemptState::Failed {
                let payment = self.table.read(&key).await?;
                let released = payment.iter().filter_map(|it| Some(it.becomes(it.row.release(id)?))).collect();
                self.table.transact(change, released).await? == Transacted::Done
            } else {
                self.table.write(change).await? == Written::Done
            };
            Ok(is_written.then_some(()))
        })
        .await
    }
}

fn payment_key(deposit: &Deposit, number: &TransactionId) -> PaymentKey {
    PaymentKey { wallet_type: deposit.order.wallet_type.clone(), transaction_id: number.clone() }
}

fn reply(id: &CustomTransactionId, said: Activation) -> Result<Reply, ApiError> {
    match said {
        Activation::Activated { deposit_amount } => Ok(answer(id, StatusCode::OK, "activated", None, deposit_amount)),
        Activation::Pending(message) => Ok(answer(id, StatusCode::OK, "pending", Some(message), None)),
        Activation::Possible(message) => Ok(answer(id, StatusCode::OK, "possible", Some(message), None)),
        Activation::Unknown(_) => Ok(answer(id, StatusCode::ACCEPTED, "pending", None, None)),
        Activation::Rejected(message) => Err(ApiError::Rejected(message)),
        Activation::NotSent(reason) => Err(ApiError::Provider(NotAnswered(reason))),
        Activation::Misconfigured => Err(ApiError::Provider(NotAnswered(MISCONFIGURED.into()))),
    }
}

fn answer(
    custom_transaction_id: &CustomTransactionId,
    status: StatusCode,
    state: &'static str,
    message: Option<String>,
    deposit_amount: Option<Amount>,
) -> Reply {
    Reply::new(status, &Activated { custom_transaction_id, state, message, deposit_amount })
}
