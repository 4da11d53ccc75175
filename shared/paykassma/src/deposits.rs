//! The deposit calls (docs/provider-protocol.md 1). Their answers are only for the user's screen. Only a postback credits.

use domain::{Amount, AttemptId, Order, TransactionId};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use crate::answer::{Answer, read_or_rejection, unknown_status};
use crate::client::Reply;
use crate::json::amount;
use crate::requests::{activate_body, create_body};
use crate::{Answered, Client};

/// The result of asking for the details of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// `ok`.
    Created {
        /// What the user must be shown: the text of a JSON object, unchanged. It is `{}` if the answer has none.
        params: String,
    },
    /// `fail`, or HTTP 400 or 422 without a `status`, with the provider's message.
    Rejected(String),
    /// There was no readable answer, or HTTP 404. Neither side recorded anything, so the call may be repeated. The reason is for the logs.
    Unreachable(String),
}

/// A number that a user entered for an order.
#[derive(Clone, Copy, Debug)]
pub struct ActivationRequest<'a> {
    /// The order.
    pub order: &'a Order,
    /// The number.
    pub key1: &'a TransactionId,
    /// How much the user says was paid.
    pub amount: Amount,
    /// The id of the attempt. The provider requires it to be unique.
    pub custom_transaction_id: &'a AttemptId,
}

/// The result of activating a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `ok` with `deposit: true`.
    Activated {
        /// How much the provider says was paid.
        deposit_amount: Option<Amount>,
    },
    /// `pending`, with the provider's message. Also `ok` without `deposit: true`.
    Pending(String),
    /// `possible_transaction_created`, with the provider's message.
    Possible(String),
    /// `fail`, or HTTP 400 or 422 without a `status`, with the provider's message.
    Rejected(String),
    /// The provider certainly did not process the call: the connection was never made, or HTTP 404 or 429. The reason is for the logs.
    NotSent(String),
    /// The provider may have processed the call. The reason is for the logs.
    Unknown(String),
}

/// The right to ask the provider for a wallet's details.
pub trait CreateTransaction {
    /// Asks where the user must pay.
    fn create(&self, secret: &SecretString, order: &Order) -> impl Future<Output = Answered<Creation>> + Send;
}

/// The right to let the provider look for a payment.
pub trait ActivateTransaction {
    /// Reports the number that the user entered.
    fn activate(
        &self,
        secret: &SecretString,
        request: &ActivationRequest<'_>,
    ) -> impl Future<Output = Answered<Activation>> + Send;
}

impl CreateTransaction for Client {
    async fn create(&self, secret: &SecretString, order: &Order) -> Answered<Creation> {
        // The characters of a wallet type are safe in a path.
        let path = format!("api/v1/transaction/create/{}", order.wallet_type);
        let body = create_body(order.currency_code.as_str(), order.label.as_str());
        self.post_with_secret(&path, secret.expose_secret(), body).await.answered(|reply| match reply {
            Reply::Answered(StatusCode::NOT_FOUND, _) => Creation::Unreachable("HTTP 404".into()),
            Reply::Answered(code, body) => {
                read_or_rejection(code, &body, created).unwrap_or_else(Creation::Unreachable)
            }
            Reply::NotSent(reason) | Reply::Unknown(reason) => Creation::Unreachable(reason),
        })
    }
}

impl ActivateTransaction for Client {
    async fn activate(&self, secret: &SecretString, request: &ActivationRequest<'_>) -> Answered<Activation> {
        let body = activate_body(request);
        let path = "api/v1/transaction/activate";
        self.post_with_secret(path, secret.expose_secret(), body).await.answered(|reply| match reply {
            Reply::Answered(StatusCode::NOT_FOUND, _) => Activation::NotSent("HTTP 404".into()),
            Reply::Answered(code, body) => {
                read_or_rejection(code, &body, activated).unwrap_or_else(Activation::Unknown)
            }
            Reply::NotSent(reason) => Activation::NotSent(reason),
            Reply::Unknown(reason) => Activation::Unknown(reason),
        })
    }
}

fn created(status: &str, answer: &Answer<'_>) -> Creation {
    match (status, answer.params()) {
        ("ok", Some(params)) => Creation::Created { params: params.into() },
        ("ok", None) => Creation::Unreachable("the params are not a map".into()),
        ("fail", _) => Creation::Rejected(answer.message()),
        _ => Creation::Unreachable(unknown_status()),
    }
}

fn activated(status: &str, answer: &Answer<'_>) -> Activation {
    match status {
        "ok" if answer.deposit.is_some_and(|deposit| deposit.get() == "true") => {
            Activation::Activated { deposit_amount: answer.deposit_amount.and_then(amount) }
        }
        "ok" => Activation::Pending("The payment is not confirmed yet".into()),
        "pending" => Activation::Pending(answer.message()),
        "possible_transaction_created" => Activation::Possible(answer.message()),
        "fail" => Activation::Rejected(answer.message()),
        _ => Activation::Unknown(unknown_status()),
    }
}
