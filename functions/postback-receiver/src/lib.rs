//! `POST /postbacks/{token}`: verifies what the provider reports, keeps all of it, and only then answers ok.

mod deposits;
mod error;
mod withdrawals;

pub use error::ApiError;

use domain::{DepositRow, Evidence, Payment, Timestamp, WithdrawalRow};
use lambda::{Clock, Handle, Reply, Request, SecretStore, StatusCode};
use paykassma::{Element, read_postback};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use signing::{NotVerified, PostbackKeys, Verified, verify};
use store::{Change, Credit, EndWithdrawal, Read, Row, StoreError, Transact, Unreadable, Write};
use subtle::ConstantTimeEq;
use tracing::error;

/// Most bytes of a postback.
const MAX_BYTES: usize = 256 * 1024;

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
}

/// All that this function may do to the table.
pub trait Table:
    Read<DepositRow>
    + Read<Payment>
    + Write<Payment>
    + Read<WithdrawalRow>
    + Write<WithdrawalRow>
    + Write<Unreadable>
    + Transact
    + Credit
    + EndWithdrawal
    + Send
{
}

impl<S> Table for S where
    S: Read<DepositRow>
        + Read<Payment>
        + Write<Payment>
        + Read<WithdrawalRow>
        + Write<WithdrawalRow>
        + Write<Unreadable>
        + Transact
        + Credit
        + EndWithdrawal
        + Send
{
}

impl<S: Table, K: SecretStore<Keys> + Send, A: Clock + Send> Handle for Deps<S, K, A> {
    type Error = ApiError;

    async fn handle(&self, request: Request<'_>) -> Result<Reply, ApiError> {
        let keys = self.keys.current().await?;
        let token = keys.postback_token.expose_secret();
        if token.is_empty() || !bool::from(token.as_bytes().ct_eq(request.path_parameter.as_bytes())) {
            return Err(ApiError::NotFound);
        }
        if request.body.len() > MAX_BYTES {
            return Err(ApiError::TooLarge);
        }
        match verify(request.body, &postback_keys(&keys)) {
            Ok(verified) => self.keep(&verified).await,
            Err(NotVerified::AccessKey | NotVerified::Signature) => self.verify_again(request.body).await,
            Err(malformed) => Err(ApiError::NotVerified(malformed)),
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
    async fn verify_again(&self, body: &[u8]) -> Result<Reply, ApiError> {
        let renewed = self.keys.renewed().await?;
        let verified = match &renewed {
            Some(keys) => verify(body, &postback_keys(keys)),
            None => Err(NotVerified::Signature),
        };
        self.keep(&verified.map_err(ApiError::NotVerified)?).await
    }

    /// Keeps every element. One that cannot be kept does not keep the others from it, only the ok.
    async fn keep(&self, verified: &Verified<'_>) -> Result<Reply, ApiError> {
        let received_at = Timestamp(self.clock.now_ms());
        let elements = read_postback(verified, received_at);
        if elements.len() == 0 {
            let evidence = Evidence {
                additional_data: verified.additional_data().into(),
                element: 0,
                signature: verified.signature().into(),
                received_at,
            };
            self.keep_unreadable(evidence, "the list is empty").await?;
        }
        let mut kept = Ok(());
        for element in elements {
            kept = kept.and(self.keep_element(element).await);
        }
        kept?;
        Ok(Reply { status: StatusCode::OK, body: r#"{"status":"ok"}"#.into() })
    }

    async fn keep_element(&self, element: Element) -> Result<(), StoreError> {
        match element {
            Element::Deposit(report) => deposits::keep(&self.table, &self.clock, &report).await,
            Element::Withdrawal(report) => withdrawals::keep(&self.table, &report).await,
            Element::Unreadable { evidence, reason } => self.keep_unreadable(evidence, reason).await,
        }
    }

    async fn keep_unreadable(&self, evidence: Evidence, reason: &str) -> Result<(), StoreError> {
        let reference = Unreadable::key(&(evidence.signature.clone(), evidence.element));
        error!(event = "postback.unreadable", reference, reason);
        // Where a row stands already, it is this one: its key is the signature.
        self.table.write(Change::new(Unreadable::new(evidence, reason))).await.map(|_| ())
    }
}
