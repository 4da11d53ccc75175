//! `POST /deposits`: registers an order and answers with what the user must see.

mod error;
mod request;

pub use error::ApiError;

use std::collections::BTreeMap;

use domain::{
    CustomTransactionId, Deposit, DepositRow, Order, PaymentKey, PaymentState, PaymentSystems, Timestamp, mask,
    match_waiting,
};
use lambda::{Clock, Handler, Metric, Reply, Request, Right, SecretStore, StatusCode, count};
use paykassma::{BaseUrl, CreateTransaction, Creation, NotAnswered, payment_window_url};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{Change, Read, RowKey, StoreError, Stored, Transact, Transacted, Write, Written, retry};
use tracing::info;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &[
    "TABLE_NAME",
    "SECRET_ID",
    "PROVIDER_API_URL",
    "PROVIDER_PLUGIN_URL",
    "PROVIDER_TIMEOUT_MS",
    "PAYMENT_SYSTEMS",
    "PAYMENT_WINDOW_PARAMETERS",
];

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

impl<S, P, K, A> Handler for Deps<S, P, K, A>
where
    S: Read<CustomTransactionId> + Write<DepositRow> + Read<PaymentKey> + Transact + Send,
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
        let error = match self.provider.create(&secrets.pluginapi_secret, &order).await {
            Creation::Created { params } => return self.register(order, params).await,
            Creation::Rejected(message) => ApiError::Rejected(mask(&message, &[order.label.as_str()])),
            Creation::Unreachable(reason) => ApiError::Provider(NotAnswered(reason)),
            Creation::Misconfigured => {
                let reason = "404: pluginapi_secret or PROVIDER_API_URL is wrong";
                count!(error, Metric::ProviderMisconfigured, order.custom_transaction_id.key(), reason);
                ApiError::Provider(NotAnswered(reason.into()))
            }
        };
        match self.table.read(&order.custom_transaction_id).await? {
            Some(Stored { row: DepositRow::Registered(known), .. }) => self.repeat(&order, &known),
            Some(_) | None => Err(error),
        }
    }
}

impl<S, P, K, A> Deps<S, P, K, A>
where
    S: Read<CustomTransactionId> + Write<DepositRow> + Read<PaymentKey> + Transact,
    P: Sync,
    K: Sync,
    A: Clock,
{
    async fn register(&self, order: Order, params: String) -> Result<Reply, ApiError> {
        let deposit = Deposit::new(order, params, Timestamp(self.clock.now_ms()));
        retry(&self.table, |_| async {
            match self.table.write(Change::new(DepositRow::Registered(deposit.clone()))).await? {
                Written::Done => self.created(&deposit).map(Some),
                Written::Conflict { current: Some(Stored { row: DepositRow::Registered(known), .. }) } => {
                    self.repeat(&deposit.order, &known).map(Some)
                }
                Written::Conflict { current: Some(Stored { row: DepositRow::Unregistered(place), version }) } => {
                    let is_written = self.register_late(&deposit, &place.unmatched, version).await?;
                    if is_written { self.created(&deposit).map(Some) } else { Ok(None) }
                }
                Written::Conflict { current: None } => Ok(None),
            }
        })
        .await
    }

    /// Registers an order whose payments came first, and credits them in the same transaction. `false` when a row has changed
    /// meanwhile.
    async fn register_late(&self, deposit: &Deposit, waiting: &[PaymentKey], version: u64) -> Result<bool, StoreError> {
        let mut stored = Vec::new();
        for key in waiting {
            stored.extend(self.table.read(key).await?);
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
            let (reference, payment) = (deposit.order.custom_transaction_id.key(), row.key.key());
            if let PaymentState::Quarantined { mismatch, .. } = &row.state {
                count!(error, Metric::DepositQuarantined, reference, payment, ?mismatch);
            } else {
                count!(info, Metric::DepositCredited, reference, payment, "an unmatched payment found its order");
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
        info!(reference = deposit.order.custom_transaction_id.key(), "registered");
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
