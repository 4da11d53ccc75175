//! `POST /postbacks/{token}`: verifies what the provider reports, stores all of it, and only then answers ok.
//! `POST /postbacks`: the same for a stored postback that a person sends again. The person has no token, and IAM knows who it is.

mod deposits;
mod error;
mod lists;
mod withdrawals;

pub use error::ApiError;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::{
    CreditedNumberId, CustomTransactionId, ListHash, ListPlace, ListProgress, Payment, PaymentKey, Separator,
    SignedList, StoredList, TableIdentity, Timestamp, Unreadable, UnreadableId, WithdrawalId, WithdrawalRow,
};
use futures_util::future::{Either, select};
use lambda::{Clock, Handler, Metric, Purpose, Reply, Request, Right, SecretStore, StatusCode, count, count_use};
use paykassma::{Element, Postback, PostbackSecrets, read_postback};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use signing::{NotVerified, Verified, WhichPair, verify};
use store::{
    Change, Credit, EndWithdrawal, ListProgressId, Read, ReadMany, RowKey, StoreError, TableCheck, TableId, Transact,
    Write, Written, retry,
};
use subtle::ConstantTimeEq;
use tracing::info;

/// The largest postback, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// No element is started later than this after the postback has come.
pub const LAST_START: Duration = Duration::from_secs(12);
/// By then it is answered.
pub const LAST_ANSWER: Duration = Duration::from_secs(18);

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME", "TABLE_STREAM_ARN", "SECRET_ID", "ATTEMPT_ID_SEPARATOR"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::PutRows("deposit"),
    Right::UpdateRows("deposit"),
    Right::ReadManyRows("deposit"),
    Right::ReadRows("payment"),
    Right::ReadManyRows("payment"),
    Right::PutRows("payment"),
    Right::UpdateRows("payment"),
    Right::ReadRows("number"),
    Right::PutRows("number"),
    Right::PutRows("waiting"),
    Right::ReadRows("withdrawal"),
    Right::ReadManyRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::UpdateRows("withdrawal"),
    Right::ReadRows("unreadable"),
    Right::ReadManyRows("unreadable"),
    Right::PutRows("unreadable"),
    Right::ReadRows("evidence"),
    Right::PutRows("evidence"),
    Right::ReadRows("list"),
    Right::PutRows("list"),
    Right::ReadRows("table"),
    Right::PutRows("table"),
    Right::ReadSecret(Purpose::Postbacks),
];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// What only the provider knows of our URL.
    pub postback_token: SecretString,
    /// The same before the last rotation, as long as it is still accepted.
    #[serde(default)]
    pub postback_token_previous: Option<SecretString>,
    /// Verify postbacks.
    #[serde(flatten)]
    pub postbacks: PostbackSecrets,
}

impl Keys {
    /// Whether this is a valid token. While two are, counts which of them it is.
    fn accept(&self, token: &str) -> bool {
        let is_it = |valid: &SecretString| {
            let valid = valid.expose_secret();
            !valid.is_empty() && bool::from(valid.as_bytes().ct_eq(token.as_bytes()))
        };
        let is_current = is_it(&self.postback_token);
        let Some(previous) = &self.postback_token_previous else { return is_current };
        let is_valid = is_current || is_it(previous);
        if is_valid {
            count_use("postback_token", is_current);
        }
        is_valid
    }
}

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, K, A> {
    /// The table.
    pub table: S,
    /// Whether it is the right one.
    pub check: TableCheck,
    /// The secrets.
    pub keys: K,
    /// Time and chance.
    pub clock: A,
    /// How the ids of attempts are made.
    pub separator: Separator,
}

/// All that this function may do to the table.
pub trait Table:
    ReadMany<CustomTransactionId>
    + ReadMany<PaymentKey>
    + Write<Payment>
    + Read<CreditedNumberId>
    + ReadMany<WithdrawalId>
    + Write<WithdrawalRow>
    + ReadMany<UnreadableId>
    + Write<Unreadable>
    + Write<StoredList>
    + Read<ListProgressId>
    + Write<ListProgress>
    + Read<TableId>
    + Write<TableIdentity>
    + Transact
    + Credit
    + EndWithdrawal
    + Send
{
}

impl<S> Table for S where
    S: ReadMany<CustomTransactionId>
        + ReadMany<PaymentKey>
        + Write<Payment>
        + Read<CreditedNumberId>
        + ReadMany<WithdrawalId>
        + Write<WithdrawalRow>
        + ReadMany<UnreadableId>
        + Write<Unreadable>
        + Write<StoredList>
        + Read<ListProgressId>
        + Write<ListProgress>
        + Read<TableId>
        + Write<TableIdentity>
        + Transact
        + Credit
        + EndWithdrawal
        + Send
{
}

impl<S: Table, K: SecretStore<Keys> + Send, A: Clock + Send> Handler for Deps<S, K, A> {
    type Error = ApiError;

    /// Answers in time, whatever is not finished: an answer is better than being killed at the time limit.
    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let receive = pin!(self.receive(request));
        match select(receive, pin!(self.clock.sleep(LAST_ANSWER))).await {
            Either::Left((received, _)) => received?,
            Either::Right(_) => return Err(ApiError::Unfinished),
        }
        Ok(Reply { status: StatusCode::OK, body: r#"{"status":"ok"}"#.into() })
    }
}

impl<S: Table, K: SecretStore<Keys>, A: Clock> Deps<S, K, A> {
    async fn receive(&self, request: Request<'_>) -> Result<(), ApiError> {
        let received_at = Timestamp(self.clock.now_ms());
        let keys = match request.caller {
            Some(caller) => {
                info!(caller, "a person sends a postback again");
                self.keys.current().await?
            }
            None => self.keys_for(request.path_parameter("token").unwrap_or_default()).await?,
        };
        if request.body.len() > MAX_BYTES {
            return Err(ApiError::TooLarge);
        }
        match verify(request.body, &keys.postbacks.keys()) {
            Ok(verified) => self.store(&verified, &keys, received_at).await,
            Err(error @ (NotVerified::AccessKey | NotVerified::Signature)) => {
                self.verify_again(request.body, error, received_at).await
            }
            Err(error @ NotVerified::Malformed(_)) => Err(error.into()),
        }
    }

    /// The keys, for who knows the token. It may have been rotated since it was read.
    async fn keys_for(&self, token: &str) -> Result<Arc<Keys>, ApiError> {
        let keys = self.keys.current().await?;
        if keys.accept(token) {
            return Ok(keys);
        }
        let renewed = self.keys.renewed().await?;
        renewed.filter(|keys| keys.accept(token)).ok_or(ApiError::NotFound)
    }

    /// The keys may have been rotated since they were read.
    async fn verify_again(&self, body: &[u8], error: NotVerified, received_at: Timestamp) -> Result<(), ApiError> {
        let Some(keys) = self.keys.renewed().await? else { return Err(error.into()) };
        let verified = verify(body, &keys.postbacks.keys())?;
        self.store(&verified, &keys, received_at).await
    }

    async fn store(&self, verified: &Verified<'_>, keys: &Keys, received_at: Timestamp) -> Result<(), ApiError> {
        self.check.generation(&self.table).await?;
        if keys.postbacks.keys().previous.is_some() {
            count_use("postback_keys", verified.pair() == WhichPair::Current);
        }
        let list = SignedList {
            additional_data: verified.additional_data().into(),
            signature: verified.signature().into(),
            access_key: verified.access_key().into(),
        };
        let hash = || ListHash::from(verified.list_hash());
        let postback = read_postback(verified);
        if list.fits_row(postback.list.texts.len()) {
            return Ok(self.store_elements(hash, &postback, &ListPlace::Here(list), received_at).await?);
        }
        let last_start_ms = u64::try_from(LAST_START.as_millis()).unwrap_or(u64::MAX);
        let may_start = || self.clock.now_ms().saturating_sub(received_at.0) < last_start_ms;
        self.store_list((list, hash()), &postback, received_at, may_start).await
    }

    /// Stores the only element of a postback.
    async fn store_elements(
        &self,
        hash: impl Fn() -> ListHash,
        postback: &Postback<'_>,
        place: &ListPlace,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        for element in postback.elements(place, received_at, self.separator) {
            match element {
                Element::Deposit(report) => deposits::store(&self.table, &report).await?,
                Element::Withdrawal(report) => withdrawals::store(&self.table, &report).await?,
                Element::Unreadable { evidence, reason, payment } => {
                    store_unreadable(&self.table, Unreadable::new(hash(), evidence, reason, payment)).await?;
                }
            }
        }
        Ok(())
    }
}

async fn store_unreadable(table: &impl Table, row: Unreadable) -> Result<(), StoreError> {
    count!(error, Metric::PostbackUnreadable, row.id().key(), reason = row.reason);
    // If there is a row already, it is this one: its key is its list and its place there.
    retry(table, |_| async {
        let written = table.write(Change::new(row.clone())).await?;
        Ok((written != Written::Conflict { current: None }).then_some(()))
    })
    .await
}
