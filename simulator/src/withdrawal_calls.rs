//! The withdrawal call (docs/provider-protocol.md 3): what it checks and what it answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use paykassma::JsonObject;
use signing::verify_withdrawal;

use crate::actions;
use crate::call_reply::{id_for_log, not_found, read_fields, reply};
use crate::connection::Reset;
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::request_fields::{Fields, Rejection};
use crate::settings::Settings;
use crate::signed_fields::SignedFields;
use crate::test_amounts::WithdrawalOutcome;
use crate::withdrawals::{Accepted, FAIL, SUCCESS, insufficient_balance};

/// `POST /v2/withdrawal/create`: a withdrawal. Its signature alone identifies the merchant.
pub(crate) async fn create(
    State(provider): State<Arc<Provider>>,
    State(sender): State<PostbackSender>,
    ConnectInfo(reset): ConnectInfo<Reset>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = read_fields(&headers, &body);
    let call = format!("withdrawal {}", id_for_log(&fields, "withdrawal_id"));
    let answer = match fields.and_then(|fields| accept(&provider, fields, &body)) {
        Err(rejection) => Err(rejection),
        Ok(Taken { outcome: Some(WithdrawalOutcome::NotFound), .. }) => return not_found(),
        Ok(Taken { outcome: Some(WithdrawalOutcome::Unavailable), .. }) => {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Ok(Taken { withdrawal_id, outcome }) => {
            go_on(&sender, &withdrawal_id, outcome, &reset).await;
            Ok(r#"{"status":"ok"}"#.to_owned())
        }
    };
    reply(&provider, &call, answer)
}

/// A withdrawal that was not rejected, and what its amount decides.
struct Taken {
    withdrawal_id: String,
    outcome: Option<WithdrawalOutcome>,
}

/// Reads, checks and stores a withdrawal.
fn accept(provider: &Provider, mut fields: Fields, body: &[u8]) -> Result<Taken, Rejection> {
    let sent = fields.remaining().clone();
    let withdrawal_id = fields.text("withdrawal_id", 1..=36);
    if !withdrawal_id.is_empty() {
        provider.edit().withdrawals.receive(&withdrawal_id, body);
    }
    let settings = provider.settings();
    let withdrawal = read_withdrawal(&settings, fields)?;
    check_signature(provider, &withdrawal_id, &sent)?;
    let outcome = if settings.test_amounts { WithdrawalOutcome::of(withdrawal.amount) } else { None };
    match outcome {
        Some(WithdrawalOutcome::InsufficientBalance) => return Err(insufficient_balance()),
        Some(WithdrawalOutcome::NotFound | WithdrawalOutcome::Unavailable) => {}
        _ => provider.edit().withdrawals.accept(&withdrawal_id, withdrawal, &settings)?,
    }
    Ok(Taken { withdrawal_id, outcome })
}

/// Lets happen what the amount decides, or the setting `early_postback`.
async fn go_on(sender: &PostbackSender, withdrawal_id: &str, outcome: Option<WithdrawalOutcome>, reset: &Reset) {
    let settings = sender.provider.settings();
    let later = |statuses| actions::end_later(sender, withdrawal_id, statuses, settings.soon());
    match outcome {
        Some(WithdrawalOutcome::Paid) => later(&[SUCCESS]),
        Some(WithdrawalOutcome::Failed) => later(&[FAIL]),
        Some(WithdrawalOutcome::PaidThenFailed) => later(&[SUCCESS, FAIL]),
        Some(WithdrawalOutcome::AnswerLost) => {
            reset.arm();
            later(&[SUCCESS]);
        }
        Some(WithdrawalOutcome::PostbackFirst) => end_first(sender, withdrawal_id).await,
        None if settings.early_postback && settings.send_postbacks => end_first(sender, withdrawal_id).await,
        Some(
            WithdrawalOutcome::Silence
            | WithdrawalOutcome::InsufficientBalance
            | WithdrawalOutcome::NotFound
            | WithdrawalOutcome::Unavailable,
        )
        | None => {}
    }
}

/// Ends a withdrawal with success, and waits until its postback was sent once.
async fn end_first(sender: &PostbackSender, withdrawal_id: &str) {
    if let Ok(Some(started)) = actions::end(sender, withdrawal_id, SUCCESS, None) {
        let _ = started.first_send.await;
    }
}

fn read_withdrawal(settings: &Settings, mut fields: Fields) -> Result<Accepted, Rejection> {
    let withdrawal = Accepted {
        wallet_type: fields.text("payment_system", 1..=190),
        amount: fields.integer("amount"),
        currency_code: fields.text("currency_code", 3..=3),
        label: fields.text("label", 1..=36),
        account_number: fields.text("account_number", 10..=10),
    };
    fields.boolean("is_test");
    fields.optional_text("comment", 0..=190);
    fields.text("signature", 40..=40);
    if withdrawal.wallet_type != "paytm" {
        fields.reject("payment_system", "is not known");
    }
    if withdrawal.currency_code != "INR" {
        fields.reject("currency_code", "is not one of this payment system");
    }
    if !withdrawal.account_number.bytes().all(|byte| byte.is_ascii_digit()) {
        fields.reject("account_number", "must have 10 digits");
    }
    if !(settings.withdrawal_min..=settings.withdrawal_max).contains(&withdrawal.amount) {
        fields.reject("amount", "is not between the minimum and the maximum");
    }
    fields.finish()?;
    Ok(withdrawal)
}

fn check_signature(provider: &Provider, withdrawal_id: &str, sent: &JsonObject) -> Result<(), Rejection> {
    let fields = SignedFields::of(sent);
    let signature: String = sent.read("signature").unwrap_or_default();
    if !verify_withdrawal(fields.values(), &signature, &provider.secrets.withdrawal_key) {
        provider.log(format!("withdrawal {withdrawal_id}: signature refused"));
        return Err(Rejection::text("Invalid signature"));
    }
    provider.log(format!("withdrawal {withdrawal_id}: signature accepted"));
    Ok(())
}
