//! The control API: what the user, the bank and the network do to the provider.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use paykassma::WrittenAmount;
use serde::Deserialize;
use serde_json::json;

use crate::actions::{self, NeverAccepted};
use crate::control_reply::{ControlError, answer, read_body};
use crate::deposits::{Claim, Payment};
use crate::faults::Fault;
use crate::postback_sender::{PostbackSender, StartedPostback};
use crate::provider::Provider;
use crate::wallets::{inr, paytm};

/// A user's payment. With an order and a label it was made through the payment window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaymentFields {
    #[serde(default = "paytm")]
    wallet_type: String,
    transaction_id: String,
    amount: WrittenAmount,
    #[serde(default = "inr")]
    currency_code: String,
    custom_transaction_id: Option<String>,
    label: Option<String>,
}

/// `POST /_control/payments`
pub(crate) async fn register_payment(
    State(sender): State<PostbackSender>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let PaymentFields { wallet_type, transaction_id, amount, currency_code, custom_transaction_id, label } =
        read_body(&body)?;
    let claim = match (custom_transaction_id, label) {
        (None, None) => None,
        (Some(custom_transaction_id), Some(label)) => Some(Claim { custom_transaction_id, label }),
        (Some(_), None) | (None, Some(_)) => {
            return Err(ControlError::bad_request(&"give custom_transaction_id and label together, or neither"));
        }
    };
    let payment = Payment { wallet_type, transaction_id, amount, currency_code };
    let started = actions::arrive(&sender, payment, claim);
    Ok(answer_started(started.map_err(|reason| ControlError(StatusCode::CONFLICT, reason.to_owned()))?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndFields {
    status: i64,
    amount: Option<WrittenAmount>,
}

/// `POST /_control/withdrawals/{withdrawal_id}/settle`
pub(crate) async fn end_withdrawal(
    State(sender): State<PostbackSender>,
    Path(withdrawal_id): Path<String>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let EndFields { status, amount } = read_body(&body)?;
    let started = actions::end(&sender, &withdrawal_id, status, amount);
    Ok(answer_started(started.map_err(|NeverAccepted| not_found(&withdrawal_id))?))
}

fn answer_started(started: Option<StartedPostback>) -> Response {
    answer(&json!({"postback": started.map(|started| started.id)}))
}

fn not_found(withdrawal_id: &str) -> ControlError {
    ControlError(StatusCode::NOT_FOUND, format!("no withdrawal {withdrawal_id} was accepted"))
}

/// `GET /_control/withdrawals/{withdrawal_id}`
pub(crate) async fn withdrawal(
    State(provider): State<Arc<Provider>>,
    Path(withdrawal_id): Path<String>,
) -> Result<Response, ControlError> {
    let records = provider.records();
    let status = records.withdrawals.status(&withdrawal_id).ok_or_else(|| not_found(&withdrawal_id))?;
    Ok(answer(&status))
}

/// `GET /_control/log`
pub(crate) async fn log(State(provider): State<Arc<Provider>>) -> Response {
    answer(&provider.records().log.iter().map(|(_, line)| line).collect::<Vec<_>>())
}

/// `GET /_control/postbacks`
pub(crate) async fn postbacks(State(provider): State<Arc<Provider>>) -> Response {
    answer(&provider.records().postbacks.iter().map(|(id, sent)| sent.status(id)).collect::<Vec<_>>())
}

/// `POST /_control/faults`
pub(crate) async fn order_fault(State(provider): State<Arc<Provider>>, body: Bytes) -> Result<Response, ControlError> {
    let fault: Fault = read_body(&body)?;
    provider.edit().faults.order(fault);
    Ok(answer(&json!({})))
}

/// `DELETE /_control/faults`
pub(crate) async fn clear_faults(State(provider): State<Arc<Provider>>) -> Response {
    provider.edit().faults.clear();
    answer(&json!({}))
}

/// `GET /_control/settings`
pub(crate) async fn settings(State(provider): State<Arc<Provider>>) -> Response {
    answer(&provider.settings())
}

/// `POST /_control/settings`
pub(crate) async fn change_settings(
    State(provider): State<Arc<Provider>>,
    body: Bytes,
) -> Result<Response, ControlError> {
    let changed = provider.settings().changed(read_body(&body)?);
    provider.change_settings(changed.map_err(|error| ControlError::bad_request(&error))?);
    Ok(answer(&provider.settings()))
}
