//! The control API: what the user, the bank and the network do to the provider.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::amount::Amount;
use crate::deposits::{Claim, Payment};
use crate::faults::Fault;
use crate::postback::Draft;
use crate::server;
use crate::state::World;

/// A refused control call: a status and a sentence.
pub(crate) struct ApiError(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, answer(&json!({"message": self.1}))).into_response()
    }
}

impl ApiError {
    fn unknown(withdrawal_id: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("no withdrawal {withdrawal_id} was accepted"))
    }
}

/// Reads a control call's body; its content type does not matter, so that plain `curl -d` works.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError(StatusCode::BAD_REQUEST, error.to_string()))
}

/// Answers with a value as JSON.
pub(crate) fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => server::json(text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A user's payment; with an order and a label it was made through the payment window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    #[serde(default = "paytm")]
    wallet_type: String,
    transaction_id: String,
    amount: Amount,
    #[serde(default = "inr")]
    currency_code: String,
    custom_transaction_id: Option<String>,
    label: Option<String>,
}

/// The usual payment system.
pub(crate) fn paytm() -> String {
    "paytm".to_owned()
}

/// The usual currency.
pub(crate) fn inr() -> String {
    "INR".to_owned()
}

/// `POST /_control/payments`
pub(crate) async fn register(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, ApiError> {
    let Registration { wallet_type, transaction_id, amount, currency_code, custom_transaction_id, label } =
        read(&body)?;
    let claim = match (custom_transaction_id, label) {
        (None, None) => None,
        (Some(custom_transaction_id), Some(label)) => Some(Claim { custom_transaction_id, label }),
        (Some(_), None) | (None, Some(_)) => {
            let message = "custom_transaction_id and label come together".to_owned();
            return Err(ApiError(StatusCode::BAD_REQUEST, message));
        }
    };
    let payment = Payment { wallet_type, transaction_id, amount, currency_code };
    let registered = world.state().deposits.register(payment, claim);
    let credit = registered.map_err(|reason| ApiError(StatusCode::CONFLICT, reason.to_owned()))?;
    let posted = credit.and_then(|credit| world.post(Draft::deposit(credit)));
    Ok(answer(&json!({"postback": posted.map(|posted| posted.id)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    status: i64,
    amount: Option<Amount>,
}

/// `POST /_control/withdrawals/{withdrawal_id}/settle`
pub(crate) async fn settle(
    State(world): State<Arc<World>>,
    Path(withdrawal_id): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let Settle { status, amount } = read(&body)?;
    let settlement = world.state().withdrawals.settle(&withdrawal_id, status, amount);
    let settlement = settlement.ok_or_else(|| ApiError::unknown(&withdrawal_id))?;
    let posted = world.post(Draft::withdrawal(settlement));
    Ok(answer(&json!({"postback": posted.map(|posted| posted.id)})))
}

/// `GET /_control/withdrawals/{withdrawal_id}`
pub(crate) async fn withdrawal(
    State(world): State<Arc<World>>,
    Path(withdrawal_id): Path<String>,
) -> Result<Response, ApiError> {
    let state = world.state();
    let standing = state.withdrawals.standing(&withdrawal_id).ok_or_else(|| ApiError::unknown(&withdrawal_id))?;
    Ok(answer(&standing))
}

/// `GET /_control/log`
pub(crate) async fn log(State(world): State<Arc<World>>) -> Response {
    answer(&world.state().log)
}

/// `GET /_control/postbacks`
pub(crate) async fn postbacks(State(world): State<Arc<World>>) -> Response {
    answer(&world.state().postbacks)
}

/// `POST /_control/faults`
pub(crate) async fn order_fault(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, ApiError> {
    let fault: Fault = read(&body)?;
    world.state().faults.order(fault);
    Ok(answer(&json!({})))
}

/// `DELETE /_control/faults`
pub(crate) async fn clear_faults(State(world): State<Arc<World>>) -> Response {
    world.state().faults.clear();
    answer(&json!({}))
}

/// `GET /_control/settings`
pub(crate) async fn settings(State(world): State<Arc<World>>) -> Response {
    answer(&world.settings())
}

/// `POST /_control/settings`
pub(crate) async fn change_settings(State(world): State<Arc<World>>, body: Bytes) -> Result<Response, ApiError> {
    let changed = world.settings().changed(read(&body)?);
    let changed = changed.map_err(|error| ApiError(StatusCode::BAD_REQUEST, error.to_string()))?;
    world.settings.send_replace(changed);
    Ok(answer(&world.settings()))
}
