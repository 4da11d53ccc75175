//! `POST /deposits/{custom_transaction_id}/activation`: claims the number that a user entered, and has the provider look for it.

mod error;

pub use error::ApiError;

use domain::{
    Amount, Attempt, AttemptId, AttemptState, Call, CallResult, Called, Claim, CustomTransactionId, Deposit,
    DepositRow, Entering, EntryCount, Label, LabelHash, Payment, PaymentKey, PaymentSystems, Recorded, Separator,
    Timestamp, TransactionId,
};
use lambda::{
    BadRequest, Clock, Fields, Handler, Metric, Purpose, Reply, Request, Right, SecretStore, StatusCode, count,
};
use paykassma::{ActivateTransaction, Activation, ActivationRequest, Answered, NotAnswered};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use store::{
    Read, RowKey, Stored, Transact, Transacted, Transaction, Updated, Write, Written, retry, update, update_from,
};
use tracing::{error, info, warn};

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "TABLE_NAME",
    "SECRET_ID",
    "PROVIDER_API_URL",
    "PROVIDER_TIMEOUT_MS",
    "PAYMENT_SYSTEMS",
    "ATTEMPT_ID_SEPARATOR",
    "NUMBERS_PER_DAY",
];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::PutRows("deposit"),
    Right::ReadRows("payment"),
    Right::PutRows("payment"),
    Right::ReadRows("entries"),
    Right::PutRows("entries"),
    Right::ReadSecret(Purpose::Deposits),
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
    /// How the ids of attempts are made.
    pub separator: Separator,
    /// How many numbers the users of a label may enter in a day. 0: any number, and nothing is counted.
    pub numbers_per_day: u64,
}

/// All that this function may do to the table.
pub trait Table:
    Read<CustomTransactionId>
    + Write<DepositRow>
    + Read<PaymentKey>
    + Write<Payment>
    + Transact
    + Read<LabelHash>
    + Write<EntryCount>
{
}

impl<S> Table for S where
    S: Read<CustomTransactionId>
        + Write<DepositRow>
        + Read<PaymentKey>
        + Write<Payment>
        + Transact
        + Read<LabelHash>
        + Write<EntryCount>
{
}

#[derive(Serialize)]
struct Activated<'a> {
    custom_transaction_id: &'a CustomTransactionId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit_amount: Option<Amount>,
}

/// What a user entered.
struct Entered {
    number: TransactionId,
    amount: Amount,
}

/// The rows that a call is journalled in, as they are when it is sent.
#[derive(Clone)]
struct Journalled {
    order: Stored<Deposit>,
    payment: Stored<Payment>,
    id: AttemptId,
}

const HELD: &str = "The payment has arrived and is being checked";

impl<S, P, K, A> Handler for Deps<S, P, K, A>
where
    S: Table + Send,
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
        let order = self.read_order(&id).await?;
        self.check(&order.row, &entered)?;
        let key = payment_key(&order.row, &entered.number);
        if let Some(credit) = order.row.credited.iter().find(|it| it.payment == key) {
            return Ok(activated(&id, credit.amount));
        }
        let known = order.row.attempt(&entered.number);
        if let Some(known) = known.as_ref().filter(|it| it.outcome == AttemptState::Activated) {
            return Ok(answer(&id, StatusCode::OK, known));
        }
        let call = Call { nonce: self.clock.nonce(), at: Timestamp(self.clock.now_ms()) };
        let entering = Entering {
            payment: &key,
            order: &order.row.order,
            amount: entered.amount,
            known: known.as_ref(),
            call: &call,
            separator: self.separator,
        };
        let journalled = match self.journal(&entering).await? {
            (Claim::Ask(attempt_id), Some(payment)) => Journalled { order, payment, id: attempt_id },
            (Claim::Credited(amount), _) => return Ok(activated(&id, amount)),
            (Claim::Held, _) => return Ok(held(&id)),
            (Claim::InUse, _) | (Claim::Ask(_), None) => return Err(ApiError::InUse),
        };
        let activation = ActivationRequest {
            order: &journalled.order.row.order,
            key1: &entered.number,
            amount: entered.amount,
            custom_transaction_id: &journalled.id,
        };
        let Answered { said, misconfigured } = self.provider.activate(&secrets.pluginapi_secret, &activation).await;
        if let Some(code) = misconfigured {
            count!(error, Metric::ProviderMisconfigured, id.key(), payment = key.key(), code);
        }
        let called = Called { number: &entered.number, id: &journalled.id, call: &call, amount: entered.amount };
        let attempt = self.record(&journalled, &called, &said).await;
        reply(&id, &attempt, said)
    }
}

impl<S, P, K, A> Deps<S, P, K, A>
where
    S: Table,
    P: Sync,
    K: Sync,
    A: Clock,
{
    async fn read_order(&self, id: &CustomTransactionId) -> Result<Stored<Deposit>, ApiError> {
        match self.table.read(id).await? {
            Some(Stored { row: DepositRow::Registered(row), version }) => Ok(Stored { row, version }),
            Some(_) | None => Err(ApiError::NotFound),
        }
    }

    fn check(&self, deposit: &Deposit, entered: &Entered) -> Result<(), BadRequest> {
        let wallet = &deposit.order.wallet_type;
        let system = self.systems.find(wallet).map_err(|rule| BadRequest::field("wallet_type", rule))?;
        system.key1.check(entered.number.as_str()).map_err(|rule| BadRequest::field("key1", rule))?;
        // An order that was registered before deposits were switched off may have been paid.
        let limits = system.deposit.as_ref().map_or(Ok(()), |limits| limits.check(entered.amount));
        limits.map_err(|rule| BadRequest::field("amount", rule))
    }

    /// Counts a number of a label. Beyond the label's limit nothing is recorded.
    async fn count(&self, label: &Label, call: &Call) -> Result<(), ApiError> {
        if self.numbers_per_day == 0 {
            return Ok(());
        }
        let (label, day) = (LabelHash::of(label), EntryCount::day_of(call.at));
        let decide = |current: Option<&EntryCount>| {
            let more = EntryCount::one_more(current, &label, day, self.numbers_per_day, &call.nonce);
            (more.clone(), more.is_some())
        };
        let is_counted = update(&self.table, &label, decide).await?.outcome;
        if is_counted { Ok(()) } else { Err(ApiError::TooManyNumbers) }
    }

    /// Claims the number for the order and journals the call, in one write. A number that users of the label have not entered
    /// yet is counted before. Gives the payment's row as it is then.
    async fn journal(&self, entering: &Entering<'_>) -> Result<(Claim, Option<Stored<Payment>>), ApiError> {
        let Entering { payment: key, order, call, .. } = *entering;
        let payment = self.table.read(key).await?;
        let was_entered = payment.as_ref().is_some_and(|it| it.row.was_entered_by(&order.label));
        if !was_entered && entering.known.is_none() {
            self.count(&order.label, call).await?;
        }
        let decide = |current: Option<&Payment>| {
            let (row, claim) = Payment::claim(current, entering);
            let is_contested = row.as_ref().is_some_and(|row| row.is_newly_contested(current));
            (row, (claim, is_contested))
        };
        let Updated { current, outcome: (claim, is_contested) } = update_from(&self.table, payment, decide).await?;
        if is_contested {
            count!(info, Metric::PaymentContested, order.custom_transaction_id.key(), payment = key.key());
        }
        Ok((claim, current))
    }

    /// Records what came of the call, and gives the attempt as it is then. If that cannot be written, the call counts as
    /// unknown; the user is answered all the same.
    async fn record(&self, journalled: &Journalled, called: &Called<'_>, said: &Activation) -> Attempt {
        let result = result(said);
        let deposit = &journalled.order.row;
        let (reference, payment) = (deposit.order.custom_transaction_id.key(), journalled.payment.row.key.key());
        if let Activation::NotSent(reason) | Activation::Unknown(reason) = said {
            warn!(reference, payment, reason, "the provider did not answer");
        }
        let attempt = match self.write_result(journalled, called, &result).await {
            Ok(attempt) => attempt,
            Err(cause) => {
                error!(reference, payment, ?cause, "the call's result was not recorded");
                deposit.called(called, &result, None).attempt
            }
        };
        let outcome = attempt.outcome;
        match said {
            Activation::Activated { .. } | Activation::Pending(_) | Activation::Possible(_) => {
                count!(info, Metric::DepositActivated, reference, payment, ?outcome);
            }
            Activation::Rejected(_) | Activation::NotSent(_) | Activation::Unknown(_) => {
                info!(reference, payment, ?outcome, "activation");
            }
        }
        attempt
    }

    /// Writes the order's row, and with it the payment's where the attempt ends.
    async fn write_result(
        &self,
        journalled: &Journalled,
        called: &Called<'_>,
        result: &CallResult,
    ) -> Result<Attempt, ApiError> {
        retry(&self.table, |race| async move {
            let Journalled { order, payment, id: _ } = journalled;
            let (payment, order) = if race == 0 {
                (Some(payment.clone()), order.clone())
            } else {
                let payment = self.table.read(&payment.row.key).await?;
                (payment, self.read_order(&order.row.order.custom_transaction_id).await?)
            };
            let current = payment.as_ref().map(|it| &it.row);
            let Recorded { attempt, deposit, released } = order.row.called(called, result, current);
            let change = order.clone().map(DepositRow::Registered).becomes(DepositRow::Registered(deposit));
            let is_written = match released.zip(payment) {
                Some((row, payment)) => {
                    let transaction = Transaction::new(change, vec![payment.becomes(row)]);
                    self.table.transact(transaction).await? == Transacted::Done
                }
                None => self.table.write(change).await? == Written::Done,
            };
            Ok(is_written.then_some(attempt))
        })
        .await
    }
}

fn payment_key(deposit: &Deposit, number: &TransactionId) -> PaymentKey {
    PaymentKey { wallet_type: deposit.order.wallet_type.clone(), transaction_id: number.clone() }
}

fn result(said: &Activation) -> CallResult {
    match said {
        Activation::Activated { deposit_amount } => CallResult::Activated(*deposit_amount),
        Activation::Pending(message) => CallResult::Pending(message.clone()),
        Activation::Possible(message) => CallResult::Possible(message.clone()),
        Activation::Rejected(message) => CallResult::Failed(message.clone()),
        Activation::NotSent(_) => CallResult::NotSent,
        Activation::Unknown(_) => CallResult::Unknown,
    }
}

/// A rejection is only the attempt's if no other call of it can have had an effect. A call that was not sent may be repeated.
fn reply(id: &CustomTransactionId, attempt: &Attempt, said: Activation) -> Result<Reply, ApiError> {
    match (attempt.outcome, said) {
        (AttemptState::Failed, _) => Err(ApiError::Rejected(attempt.message.clone().unwrap_or_default())),
        (_, Activation::NotSent(reason)) => Err(ApiError::Provider(NotAnswered(reason))),
        (AttemptState::Activated, _) => Ok(answer(id, StatusCode::OK, attempt)),
        (_, Activation::Unknown(_)) | (AttemptState::Started, _) => Ok(answer(id, StatusCode::ACCEPTED, attempt)),
        (_, _) => Ok(answer(id, StatusCode::OK, attempt)),
    }
}

fn answer(custom_transaction_id: &CustomTransactionId, status: StatusCode, attempt: &Attempt) -> Reply {
    let state = match attempt.outcome {
        AttemptState::Activated => "activated",
        AttemptState::Possible => "possible",
        AttemptState::Pending | AttemptState::Started | AttemptState::NotSent | AttemptState::Failed => "pending",
    };
    let (message, deposit_amount) = (attempt.message.as_deref(), attempt.deposit_amount);
    Reply::new(status, &Activated { custom_transaction_id, state, message, deposit_amount })
}

fn activated(custom_transaction_id: &CustomTransactionId, amount: Amount) -> Reply {
    let (state, deposit_amount) = ("activated", Some(amount));
    Reply::new(StatusCode::OK, &Activated { custom_transaction_id, state, message: None, deposit_amount })
}

fn held(custom_transaction_id: &CustomTransactionId) -> Reply {
    let (state, message) = ("pending", Some(HELD));
    Reply::new(StatusCode::OK, &Activated { custom_transaction_id, state, message, deposit_amount: None })
}
