//! `POST /deposits`: registers an order and answers with what the user must see.

mod error;
mod request;

pub use error::ApiError;

use domain::{
    CreditedNumberId, CustomTransactionId, Deposit, DepositRow, Order, Payment, PaymentKey, PaymentState,
    PaymentSystems, Timestamp, WaitingPageId, mask, match_waiting,
};
use lambda::{
    Clock, Handler, Metric, Money, Purpose, Reply, Request, Right, SecretStore, StatusCode, count, count_credited,
};
use paykassma::{Answered, BaseUrl, CreateTransaction, Creation, NotAnswered, WindowParameters, payment_window_url};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{
    Change, Read, ReadMany, RowKey, StoreError, Stored, Transact, Transacted, Transaction, Write, Written, retry,
};
use tracing::info;

/// No further waiting payments are matched later than this after the order was registered.
const LAST_MATCH_MS: u64 = 8_000;

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
    Right::ReadManyRows("payment"),
    Right::PutRows("payment"),
    Right::ReadManyRows("number"),
    Right::PutRows("number"),
    Right::ReadRows("waiting"),
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
    /// Where the provider's payment window is.
    pub plugin: BaseUrl,
    /// What the deployment adds to each link to it, such as `payment_url_success_id`.
    pub window_parameters: WindowParameters,
}

/// All that this function may do to the table.
pub trait Table:
    Read<CustomTransactionId>
    + Write<DepositRow>
    + ReadMany<PaymentKey>
    + ReadMany<CreditedNumberId>
    + Read<WaitingPageId>
    + Transact
{
}

impl<S> Table for S where
    S: Read<CustomTransactionId>
        + Write<DepositRow>
        + ReadMany<PaymentKey>
        + ReadMany<CreditedNumberId>
        + Read<WaitingPageId>
        + Transact
{
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
    S: Table + Send,
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
        let Answered { said, misconfigured } = self.provider.create(&secrets.pluginapi_secret, &order).await;
        if let Some(code) = misconfigured {
            count!(error, Metric::ProviderMisconfigured, order.custom_transaction_id.key(), code);
        }
        let error = match said {
            Creation::Created { params } => return self.register(order, params).await,
            Creation::Rejected(message) => ApiError::Rejected(mask(&message, &[order.label.as_str()])),
            Creation::Unreachable(reason) => ApiError::Provider(NotAnswered(reason)),
        };
        match self.table.read(&order.custom_transaction_id).await?.and_then(Stored::registered) {
            Some(known) => self.repeat(&order, known).await,
            None => Err(error),
        }
    }
}

impl<S, P, K, A> Deps<S, P, K, A>
where
    S: Table,
    P: Sync,
    K: Sync,
    A: Clock,
{
    async fn register(&self, order: Order, params: String) -> Result<Reply, ApiError> {
        let deposit = Deposit::new(order, params, Timestamp(self.clock.now_ms()));
        retry(&self.table, |_| async {
            match self.table.write(Change::new(DepositRow::Registered(deposit.clone()))).await? {
                Written::Done => self.created(&deposit).map(Some),
                Written::Conflict { current: Some(Stored { row: DepositRow::Registered(row), version }) } => {
                    self.repeat(&deposit.order, Stored { row, version }).await.map(Some)
                }
                Written::Conflict { current: Some(Stored { row: DepositRow::Unregistered(place), version }) } => {
                    let row = Deposit { waiting: place.waiting, ..deposit.clone() };
                    let Some(registered) = self.match_some(Stored { row, version }).await? else { return Ok(None) };
                    self.match_all(registered).await?;
                    self.created(&deposit).map(Some)
                }
                Written::Conflict { current: None } => Ok(None),
            }
        })
        .await
    }

    /// Matches all payments that wait for an order. After a crash, or where the time is too short, the order's row says which are
    /// left: the same request again goes on with them.
    async fn match_all(&self, mut order: Stored<Deposit>) -> Result<(), ApiError> {
        let began_ms = self.clock.now_ms();
        let id = order.row.order.custom_transaction_id.clone();
        while !order.row.waiting.is_empty() {
            if self.clock.now_ms().saturating_sub(began_ms) >= LAST_MATCH_MS {
                return Err(StoreError::transient("payments are left that wait for the order").into());
            }
            let (known, id) = (&order, &id);
            order = retry(&self.table, |race| async move {
                let current = match race {
                    0 => Some(known.clone()),
                    _ => self.table.read(id).await?.and_then(Stored::registered),
                };
                match current {
                    Some(current) if current.row.waiting.is_empty() => Ok(Some(current)),
                    Some(current) => self.match_some(current).await,
                    None => Ok(None),
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Matches as many waiting payments as one transaction takes, and registers the order with the first of them. `None` when a
    /// row has changed meanwhile.
    async fn match_some(&self, current: Stored<Deposit>) -> Result<Option<Stored<Deposit>>, StoreError> {
        let mut order = current.row.clone();
        if order.waiting.newest.is_empty() {
            let id = WaitingPageId { order: order.order.custom_transaction_id.clone(), page: order.waiting.pages };
            let page =
                self.table.read(&id).await?.ok_or_else(|| StoreError::Transient(format!("{} is missing", id.key())))?;
            order.waiting = order.waiting.with_page(page.row);
        }
        let keys = order.waiting.take();
        let stored = self.table.read_many(&keys).await?;
        let numbers: Vec<_> = keys.iter().filter_map(|it| order.number_to_read(&it.transaction_id)).collect();
        let numbers: Vec<_> = self.table.read_many(&numbers).await?.into_values().map(|it| it.row).collect();
        let payments: Vec<_> = keys.iter().filter_map(|key| Some(stored.get(key)?.row.clone())).collect();
        let (deposit, matched, numbers) = match_waiting(order, &payments, &numbers);
        let changes = matched.iter().map(|row| Change::of(row.clone(), stored.get(&row.key))).collect();
        // The events are the same, whether the order takes the place of payments that wait or is registered already.
        let change = current.map(DepositRow::Registered).becomes(DepositRow::Registered(deposit.clone()));
        let transaction = Transaction { numbers, ..Transaction::new(change.clone(), changes) };
        if self.table.transact(transaction).await? != Transacted::Done {
            return Ok(None);
        }
        for row in &matched {
            count_matched(&deposit, row);
        }
        Ok(change.written().registered())
    }

    /// The same request again. It completes what an earlier one may have left.
    async fn repeat(&self, order: &Order, known: Stored<Deposit>) -> Result<Reply, ApiError> {
        let differing = known.row.order.differing(order);
        if !differing.is_empty() {
            return Err(ApiError::IdTaken(differing.join(", ")));
        }
        let reply = self.created(&known.row)?;
        self.match_all(known).await?;
        Ok(Reply { status: StatusCode::OK, ..reply })
    }

    fn created(&self, deposit: &Deposit) -> Result<Reply, ApiError> {
        let params =
            serde_json::from_str(&deposit.params).map_err(|_| StoreError::transient("a row's params are not JSON"))?;
        info!(reference = deposit.order.custom_transaction_id.key(), "registered");
        let created = Created {
            custom_transaction_id: &deposit.order.custom_transaction_id,
            state: "created",
            params,
            payment_window_url: payment_window_url(&self.plugin, &deposit.order, &self.window_parameters),
        };
        Ok(Reply::new(StatusCode::CREATED, &created))
    }
}

fn count_matched(deposit: &Deposit, row: &Payment) {
    let (reference, payment) = (deposit.order.custom_transaction_id.key(), row.key.key());
    match &row.state {
        PaymentState::Quarantined { mismatch, .. } => {
            count!(error, Metric::DepositQuarantined, reference, payment, ?mismatch);
        }
        PaymentState::Credited { facts, .. } => {
            let (amount, currency_code, wallet_type) = (&facts.amount, &facts.currency_code, &row.key.wallet_type);
            let money = Money { amount, currency_code, wallet_type };
            count_credited(money, &reference, &payment, Some("an unmatched payment found its order"));
        }
        PaymentState::Claimed { .. }
        | PaymentState::Released { .. }
        | PaymentState::Unmatched { .. }
        | PaymentState::Rejected { .. } => {}
    }
}
