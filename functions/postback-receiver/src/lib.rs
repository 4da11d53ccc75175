//! `POST /postbacks/{token}`: verifies what the provider reports, stores all of it, and only then answers ok.

mod deposits;
mod error;
mod withdrawals;

pub use error::ApiError;

use domain::{
    CustomTransactionId, Evidence, Payment, PaymentKey, Separator, Timestamp, Unreadable, WithdrawalId, WithdrawalRow,
};
use lambda::{Clock, Handler, Metric, Reply, Request, Right, SecretStore, StatusCode, count};
use paykassma::{Element, read_postback};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use signing::{NotVerified, PostbackKeys, Verified, verify};
use store::{Change, Credit, EndWithdrawal, Read, RowKey, StoreError, Transact, Write, Written, retry};
use subtle::ConstantTimeEq;

/// The largest postback, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The settings that this function reads, beside those that all functions have.
pub const SETTINGS: &[&str] = &["TABLE_NAME", "SECRET_ID", "ATTEMPT_ID_SEPARATOR"];

/// What this function's role allows.
pub const RIGHTS: &[Right] = &[
    Right::ReadRows("deposit"),
    Right::PutRows("deposit"),
    Right::UpdateRows("deposit"),
    Right::ReadRows("payment"),
    Right::PutRows("payment"),
    Right::UpdateRows("payment"),
    Right::ReadRows("withdrawal"),
    Right::PutRows("withdrawal"),
    Right::UpdateRows("withdrawal"),
    Right::PutRows("unreadable"),
    Right::ReadSecret,
];

/// The secrets that this function needs.
#[derive(Debug, Deserialize)]
pub struct Keys {
    /// What only the provider knows of our URL.
    pub postback_token: SecretString,
    /// The public key that every postback names.
    pub access_key: String,
    /// Signs postbacks.
    pub postback_private_key: SecretString,
    /// Signed postbacks before the last rotation.
    #[serde(default)]
    pub postback_private_key_previous: Option<SecretString>,
}

/// What this function works with.
#[derive(Debug)]
pub struct Deps<S, K, A> {
    /// The table.
    pub table: S,
    /// The secrets.
    pub keys: K,
    /// Time and chance.
    pub clock: A,
    /// How the ids of attempts are made.
    pub separator: Separator,
}

/// All that this function may do to the table.
pub trait Table:
    Read<CustomTransactionId>
    + Read<PaymentKey>
    + Write<Payment>
    + Read<WithdrawalId>
    + Write<WithdrawalRow>
    + Write<Unreadable>
    + Transact
    + Credit
    + EndWithdrawal
    + Send
{
}

impl<S> Table for S where
    S: Read<CustomTransactionId>
        + Read<PaymentKey>
        + Write<Payment>
        + Read<WithdrawalId>
        + Write<WithdrawalRow>
        + Write<Unreadable>
        + Transact
        + Credit
        + EndWithdrawal
        + Send
{
}

impl<S: Table, K: SecretStore<Keys> + Send, A: Clock + Send> Handler for Deps<S, K, A> {
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let keys = self.keys.current().await?;
        let token = keys.postback_token.expose_secret();
        let given = request.path_parameter("token").unwrap_or_default();
        if token.is_empty() || !bool::from(token.as_bytes().ct_eq(given.as_bytes())) {
            return Err(ApiError::NotFound);
        }
        if request.body.len() > MAX_BYTES {
            return Err(ApiError::TooLarge);
        }
        match verify(request.body, &postback_keys(&keys)) {
            Ok(verified) => self.store(&verified).await,
            Err(error @ (NotVerified::AccessKey | NotVerified::Signature)) => {
                self.verify_again(request.body, error).await
            }
            Err(error @ NotVerified::Malformed(_)) => Err(error.into()),
        }
    }
}

fn postback_keys(keys: &Keys) -> PostbackKeys<'_> {
    PostbackKeys {
        access_key: &keys.access_key,
        private_key: &keys.postback_private_key,
        previous_private_key: keys.postback_private_key_previous.as_ref(),
    }
}

impl<S: Table, K: SecretStore<Keys>, A: Clock> Deps<S, K, A> {
    /// The keys may have been rotated since they were read.
    async fn verify_again(&self, body: &[u8], error: NotVerified) -> Result<Reply, ApiError> {
        let renewed = self.keys.renewed().await?;
        let verified = match &renewed {
            Some(keys) => verify(body, &postback_keys(keys)),
            None => Err(error),
        };
        self.store(&verified?).await
    }

    /// Stores every element. If one cannot be stored, the others are all the same, but the answer is not ok.
    async fn store(&self, verified: &Verified<'_>) -> Result<Reply, ApiError> {
        let received_at = Timestamp(self.clock.now_ms());
        let elements = read_postback(verified, received_at, self.separator);
        if elements.len() == 0 {
            let evidence = Evidence {
                additional_data: verified.additional_data().into(),
                element: 0,
                signature: verified.signature().into(),
                received_at,
            };
            self.store_unreadable(evidence, "the list is empty").await?;
        }
        let mut stored = Ok(());
        for element in elements {
            stored = stored.and(self.store_element(element).await);
        }
        stored?;
        Ok(Reply { status: StatusCode::OK, body: r#"{"status":"ok"}"#.into() })
    }

    async fn store_element(&self, element: Element) -> Result<(), StoreError> {
        match element {
            Element::Deposit(report) => deposits::store(&self.table, &report).await,
            Element::Withdrawal(report) => withdrawals::store(&self.table, &report).await,
            Element::Unreadable { evidence, reason } => self.store_unreadable(evidence, reason).await,
        }
    }

    async fn store_unreadable(&self, evidence: Evidence, reason: &str) -> Result<(), StoreError> {
        let row = Unreadable::new(evidence, reason);
        count!(error, Metric::PostbackUnreadable, row.id().key(), reason);
        // If there is a row already, it is this one: its key is the signature.
        retry(&self.table, |_| async {
            let written = self.table.write(Change::new(row.clone())).await?;
            Ok((written != Written::Conflict { current: None }).then_some(()))
        })
        .await
    }
}
