//! `POST /deposits`: registers an order and answers with what the user must be shown.

mod error;
mod request;

pub use error::ApiError;

use std::collections::BTreeMap;

use domain::{
    CustomTransactionId, Deposit, DepositRow, Order, Payment, PaymentState, PaymentSystems, Timestamp, match_waiting,
};
use lambda::{Clock, Handle, Reply, Request, SecretStore, StatusCode};
use paykassma::{BaseUrl, CreateTransaction, Creation, payment_window_url};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Change, MAX_RACES, Read, Row, StoreError, Stored, Transact, Transacted, Write, Written};
use tracing::{error, info, warn};

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
    /// Where the provider's payment window is.
    pub plugin: BaseUrl,
    /// What the deployment adds to each link to it, such as `payment_url_success_id`.
    pub window_parameters: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Created<'a> {
    custom_transaction_id: &'a CustomTransactionId,
    state: &'static str,
    params: &'a RawValue,
    payment_window_url: String,
}

impl<S, P, K, A> Handle for Deps<S, P, K, A>
where
    S: Read<DepositRow> + Write<DepositRow> + Read<Payment> + Transact + Send,
    P: CreateTransaction + Send + Sync,
    K: SecretStore<Keys> + Send,
    A: Clock + Send,
{
    type Error = ApiError;

    /// The provider is asked first: its answer belongs to the row, and the call carries no order id, so that repeating it
    /// does no harm. When it cannot answer, an order that is registered already still can.
    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let order = request::read(request.body, &self.systems)?;
        let secrets = self.keys.current().await?;
        let refused = match self.provider.create(&secrets.pluginapi_secret, &order).await {
            Creation::Created { params } => return self.register(order, params).await,
            Creation::Rejected(message) => ApiError::Rejected(message),
            Creation::Unreachable(reason) => {
                warn!(reference = DepositRow::key(&order.custom_transaction_id), reason, "the provider did not answer");
                ApiError::TryAgain
            }
            Creation::Misconfigured => {
                error!(event = "provider.misconfigured", "404: pluginapi_secret or PROVIDER_API_URL is wrong");
                ApiError::TryAgain
            }
        };
        match Read::<DepositRow>::read(&self.table, &order.custom_transaction_id).await? {
            Some(Stored { row: DepositRow::Registered(known), .. }) => self.repeat(&order, &known),
            Some(_) | None => Err(refused),
        }
    }
}

impl<S, P, K, A> Deps<S, P, K, A>
where
    S: Read<DepositRow> + Write<DepositRow> + Read<Payment> + Transact,
    A: Clock,
{
    async fn register(&self, order: Order, params: String) -> Result<Reply, ApiError> {
        let deposit = Deposit::new(order, params, Timestamp(self.clock.now_ms()));
        for _ in 0..MAX_RACES {
            match self.table.write(Change::new(DepositRow::Registered(deposit.clone()))).await? {
                Written::Done => return self.created(&deposit),
                Written::Conflict { current: Some(Stored { row: DepositRow::Registered(known), .. }) } => {
                    return self.repeat(&deposit.order, &known);
                }
                Written::Conflict { current: Some(Stored { row: DepositRow::Unregistered(place), version }) } => {
                    if self.register_late(&deposit, &place.unmatched, version).await? {
                        return self.created(&deposit);
                    }
                }
                Written::Conflict { current: None } => {}
            }
        }
        Err(StoreError::all_races_lost().into())
    }

    /// Registers an order whose payments came first, and credits them in the same transaction.
    async fn register_late(
        &self,
        deposit: &Deposit,
        waiting: &[domain::PaymentKey],
        version: u64,
    ) -> Result<bool, StoreError> {
        let mut stored = Vec::new();
        for key in waiting {
            stored.extend(Read::<Payment>::read(&self.table, key).await?);
        }
        let payments: Vec<_> = stored.iter().map(|it| it.row.clone()).collect();
        let (deposit, matched) = match_waiting(deposit.clone(), &payments);
        let changes = matched.iter().map(|row| {
            let current = stored.iter().find(|it| it.row.key == row.key);
            Change::of(row.clone(), current)
        });
        let place = Change { row: DepositRow::Registered(deposit.clone()), expected_version: version };
        let is_written = self.table.transact(place, changes.collect()).await? == Transacted::Done;
        for row in matched.iter().filter(|_| is_written) {
            let (reference, payment) = (DepositRow::key(&deposit.order.custom_transaction_id), Payment::key(&row.key));
            if let PaymentState::Quarantined { mismatch, .. } = &row.state {
                error!(event = "deposit.quarantined", reference, payment, ?mismatch);
            } else {
                info!(event = "deposit.credited", reference, payment, "an unregistered payment found its order");
            }
        }
        Ok(is_written)
    }

    fn repeat(&self, order: &Order, known: &Deposit) -> Result<Reply, ApiError> {
        let differing = known.order.differing(order);
        if differing.is_empty() {
            return Ok(Reply { status: StatusCode::OK, ..self.created(known)? });
        }
        Err(ApiError::IdTaken(differing.join(", ")))
    }

    fn created(&self, deposit: &Deposit) -> Result<Reply, ApiError> {
        let params =
            serde_json::from_str(&deposit.params).map_err(|_| StoreError("a row's params are not JSON".into()))?;
        info!(reference = DepositRow::key(&deposit.order.custom_transaction_id), "registered");
        let parameters: Vec<_> = self.window_parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let created = Created {
            custom_transaction_id: &deposit.order.custom_transaction_id,
            state: "created",
            params,
            payment_window_url: payment_window_url(&self.plugin, &deposit.order, &parameters),
        };
        Ok(Reply::new(StatusCode::CREATED, &created))
    }
}
