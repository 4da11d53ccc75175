//! The deposit calls (docs/provider-protocol.md 1): what they check and what they answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::call_reply::{Access, id_for_log, not_found, read_fields, reply};
use crate::deposits::{Activated, Claim, Payment};
use crate::postback::Postback;
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::request_fields::{Fields, Rejection};
use crate::settings::{Settings, Unregistered};
use crate::wallets::Wallet;

const PENDING: &str = r#"{"status":"pending","message":"The deposit status check has been started. The operation may take longer than expected. Upon completion of the verification, the funds will be credited to your account"}"#;
const POSSIBLE: &str =
    r#"{"status":"possible_transaction_created","message":"Transaction not found. Possible transaction created"}"#;

/// `POST /api/v1/transaction/create/{wallet_type}`: where the user has to pay to.
pub(crate) async fn create(
    State(provider): State<Arc<Provider>>,
    Path(wallet_type): Path<String>,
    Query(access): Query<Access>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !access.is_right(&provider) {
        return not_found();
    }
    let answer = read_fields(&headers, &body).and_then(|fields| details(&wallet_type, fields));
    reply(&provider, &format!("create {wallet_type}"), answer)
}

/// `POST /api/v1/transaction/activate`: the user has entered a transaction number.
pub(crate) async fn activate(
    State(provider): State<Arc<Provider>>,
    State(sender): State<PostbackSender>,
    Query(access): Query<Access>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !access.is_right(&provider) {
        return not_found();
    }
    let fields = read_fields(&headers, &body);
    let call = format!("activate {}", id_for_log(&fields, "custom_transaction_id"));
    reply(&provider, &call, fields.and_then(|fields| activation_answer(&provider, &sender, fields)))
}

fn details(wallet_type: &str, mut fields: Fields) -> Result<String, Rejection> {
    let wallet = Wallet::find(wallet_type).ok_or_else(|| Rejection::text("The payment system is not known"))?;
    let currency = fields.text("currency", 3..=3);
    fields.text("label", 1..=190);
    if currency != wallet.currency_code {
        fields.reject("currency", "is not one of this payment system");
    }
    fields.finish()?;
    Ok(format!(r#"{{"status":"ok","params":{}}}"#, wallet.params))
}

/// An activation whose fields have been checked.
struct Activation {
    wallet_type: String,
    key1: String,
    claim: Claim,
}

impl Activation {
    fn read(mut fields: Fields) -> Result<Self, Rejection> {
        let currency_code = fields.text("currency_code", 3..=3);
        let wallet_type = fields.text("wallet_type", 1..=190);
        let label = fields.text("label", 1..=190);
        let key1 = fields.text("key1", 1..=190);
        fields.number("amount");
        let custom_transaction_id = fields.text("custom_transaction_id", 1..=190);
        match Wallet::find(&wallet_type) {
            None => fields.reject("wallet_type", "is not known"),
            Some(wallet) if wallet.currency_code != currency_code => {
                fields.reject("currency_code", "is not one of this payment system");
            }
            Some(wallet) if !wallet.takes(&key1) => fields.reject("key1", "is not a transaction number"),
            Some(_) => {}
        }
        fields.finish()?;
        Ok(Self { wallet_type, key1, claim: Claim { custom_transaction_id, label } })
    }
}

fn activation_answer(provider: &Provider, sender: &PostbackSender, fields: Fields) -> Result<String, Rejection> {
    let Activation { wallet_type, key1, claim } = Activation::read(fields)?;
    let Settings { unique_ids, activation_default, .. } = provider.settings();
    let activated = provider.records().deposits.activate(&wallet_type, &key1, &claim, unique_ids);
    match activated {
        Activated::Rejected(reason) => Err(Rejection::text(reason)),
        Activated::Waiting => Ok(match activation_default {
            Unregistered::Pending => PENDING.to_owned(),
            Unregistered::PossibleTransactionCreated => POSSIBLE.to_owned(),
        }),
        Activated::Repeated(payment) => Ok(credited(&payment)),
        Activated::Credited(credit) => {
            sender.start(&Postback::of_credit(&credit));
            Ok(credited(&credit.payment))
        }
    }
}

fn credited(payment: &Payment) -> String {
    let code = serde_json::json!(payment.currency_code);
    let amount = payment.amount.text();
    format!(
        r#"{{"status":"ok","deposit":true,"deposit_amount":{amount},"currency":{{"code":{code},"symbol":{code}}}}}"#
    )
}
