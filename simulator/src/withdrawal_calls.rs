//! The withdrawal call (docs/provider-protocol.md 3): what it checks and what it answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use paykassma::JsonObject;
use signing::{WithdrawalValue, verify_withdrawal};

use crate::call_reply::{id_for_log, read_fields, reply};
use crate::postback::Postback;
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::request_fields::{Fields, Rejection};
use crate::settings::Settings;
use crate::withdrawals::Accepted;

/// `POST /v2/withdrawal/create`: a withdrawal. Its signature alone identifies the merchant.
pub(crate) async fn create(
    State(provider): State<Arc<Provider>>,
    State(sender): State<PostbackSender>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = read_fields(&headers, &body);
    let call = format!("withdrawal {}", id_for_log(&fields, "withdrawal_id"));
    let accepted = fields.and_then(|fields| accept(&provider, fields, &body));
    if let Ok(withdrawal_id) = &accepted {
        end_early(&provider, &sender, withdrawal_id).await;
    }
    reply(&provider, &call, accepted.map(|_| r#"{"status":"ok"}"#.to_owned()))
}

/// Reads, checks and stores a withdrawal. Gives its id.
fn accept(provider: &Provider, mut fields: Fields, body: &[u8]) -> Result<String, Rejection> {
    let sent = fields.remaining().clone();
    let withdrawal_id = fields.text("withdrawal_id", 1..=36);
    if !withdrawal_id.is_empty() {
        provider.records().withdrawals.receive(&withdrawal_id, body);
    }
    let settings = provider.settings();
    let withdrawal = read_withdrawal(&settings, fields)?;
    check_signature(provider, &withdrawal_id, &sent)?;
    provider.records().withdrawals.accept(&withdrawal_id, withdrawal, &settings)?;
    Ok(withdrawal_id)
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
    let texts: Vec<(&str, Text)> = sent.keys().map(|key| (key, Text::of(sent, key))).collect();
    let values = texts.iter().map(|(key, text)| (*key, text.value()));
    let signature: String = sent.read("signature").unwrap_or_default();
    if !verify_withdrawal(values, &signature, &provider.secrets.withdrawal_key) {
        provider.log(format!("withdrawal {withdrawal_id}: signature refused"));
        return Err(Rejection::text("Invalid signature"));
    }
    provider.log(format!("withdrawal {withdrawal_id}: signature accepted"));
    Ok(())
}

/// With `early_postback`, a withdrawal succeeds and its postback is sent before the call is answered.
async fn end_early(provider: &Provider, sender: &PostbackSender, withdrawal_id: &str) {
    let settings = provider.settings();
    if !(settings.early_postback && settings.send_postbacks) {
        return;
    }
    let end = provider.records().withdrawals.end(withdrawal_id, 1, None);
    if let Some(started) = end.and_then(|end| sender.start(&Postback::of_withdrawal(&end))) {
        let _ = started.first_send.await;
    }
}

/// A field's value as the signature reads it.
enum Text {
    Content(String),
    Flag(bool),
    Null,
}

impl Text {
    fn of(sent: &JsonObject, key: &str) -> Self {
        let raw = sent.token(key).unwrap_or("null");
        match raw {
            "true" => Self::Flag(true),
            "false" => Self::Flag(false),
            "null" => Self::Null,
            _ => Self::Content(sent.read(key).unwrap_or_else(|| raw.to_owned())),
        }
    }

    fn value(&self) -> WithdrawalValue<'_> {
        match self {
            Self::Content(text) => WithdrawalValue::Text(text),
            Self::Flag(flag) => WithdrawalValue::Flag(*flag),
            Self::Null => WithdrawalValue::Null,
        }
    }
}
