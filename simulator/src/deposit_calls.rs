//! The deposit calls (docs/provider-protocol.md 1): what they check and what they answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use paykassma::WrittenAmount;

use crate::actions;
use crate::call_reply::{Access, id_for_log, not_found, read_fields, reply};
use crate::deposits::{Activated, Claim, Number, Payment, Reuse};
use crate::postback::Postback;
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::request_fields::{Fields, LABEL, ORDER, Rejection};
use crate::settings::Unregistered;
use crate::test_amounts::DepositOutcome;
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
    reply(&provider, &call, fields.and_then(|fields| activation_answer(&sender, fields)))
}

fn details(wallet_type: &str, mut fields: Fields) -> Result<String, Rejection> {
    let wallet = Wallet::find(wallet_type).ok_or_else(|| Rejection::text("The payment system is not known"))?;
    let currency = fields.text("currency", 3..=3);
    fields.text("label", LABEL);
    if currency != wallet.currency_code {
        fields.reject("currency", "is not one of this payment system");
    }
    fields.finish()?;
    Ok(format!(r#"{{"status":"ok","params":{}}}"#, wallet.params))
}

/// An activation whose fields have been checked.
pub(crate) struct Activation {
    pub(crate) wallet_type: String,
    pub(crate) key1: String,
    pub(crate) currency_code: String,
    /// What the user says was paid.
    pub(crate) amount: String,
    pub(crate) claim: Claim,
}

/// What an activation is answered.
pub(crate) enum Answer {
    Credited(Payment),
    Pending,
    Possible,
}

impl Activation {
    fn read(mut fields: Fields) -> Result<Self, Rejection> {
        let currency_code = fields.text("currency_code", 3..=3);
        let wallet_type = fields.text("wallet_type", 1..=190);
        let label = fields.text("label", LABEL);
        let key1 = fields.text("key1", 1..=190);
        let amount = fields.number("amount");
        let custom_transaction_id = fields.text("custom_transaction_id", ORDER);
        match Wallet::find(&wallet_type) {
            None => fields.reject("wallet_type", "is not known"),
            Some(wallet) if wallet.currency_code != currency_code => {
                fields.reject("currency_code", "is not one of this payment system");
            }
            Some(wallet) if !wallet.takes(&key1) => fields.reject("key1", "is not a transaction number"),
            Some(_) => {}
        }
        fields.finish()?;
        Ok(Self { wallet_type, key1, currency_code, amount, claim: Claim { custom_transaction_id, label } })
    }

    fn number(&self) -> Number {
        (self.wallet_type.clone(), self.key1.clone())
    }

    fn payment(&self, amount: WrittenAmount) -> Payment {
        Payment {
            wallet_type: self.wallet_type.clone(),
            transaction_id: self.key1.clone(),
            amount,
            currency_code: self.currency_code.clone(),
        }
    }
}

/// Activates a number: the API's activation, and that of the payment window. A test amount decides only about a number with which no
/// payment was made.
pub(crate) fn enter_number(
    sender: &PostbackSender,
    activation: &Activation,
    reuse: Reuse,
) -> Result<Answer, Rejection> {
    let settings = sender.provider.settings();
    let number = activation.number();
    let is_open = settings.test_amounts && sender.provider.records().deposits.payment(&number).is_none();
    let outcome = if is_open { DepositOutcome::of(&activation.amount) } else { None };
    let written = WrittenAmount::parse(&activation.amount);
    let there_at_once = match outcome {
        Some(DepositOutcome::Rejected) => return Err(Rejection::text("The transaction was not found")),
        Some(DepositOutcome::Immediately | DepositOutcome::TwentyCopies) => written.clone(),
        Some(DepositOutcome::AnotherAmount) => written.as_ref().map(WrittenAmount::one_more),
        Some(DepositOutcome::Late | DepositOutcome::Never | DepositOutcome::Possible) | None => None,
    };
    let activated = {
        let mut records = sender.provider.edit();
        if let Some(amount) = there_at_once {
            // Nobody has registered it, as was looked up above; if somebody has since, that payment counts.
            let _ = records.deposits.register(activation.payment(amount), None);
        }
        records.deposits.activate(&number, &activation.claim, reuse)
    };
    match activated {
        Activated::Rejected(reason) => Err(Rejection::text(reason)),
        Activated::Repeated(payment) => Ok(Answer::Credited(payment)),
        Activated::Credited(credit) => {
            let copies = if outcome == Some(DepositOutcome::TwentyCopies) { 19 } else { 0 };
            sender.start_with_copies(&Postback::of_credit(&credit), copies);
            Ok(Answer::Credited(credit.payment))
        }
        Activated::Waiting => {
            if let (Some(DepositOutcome::Late), Some(amount)) = (outcome, written) {
                actions::arrive_late(sender, activation.payment(amount));
            }
            Ok(match (outcome, settings.activation_default) {
                (Some(DepositOutcome::Possible), _) | (None, Unregistered::PossibleTransactionCreated) => {
                    Answer::Possible
                }
                _ => Answer::Pending,
            })
        }
    }
}

fn activation_answer(sender: &PostbackSender, fields: Fields) -> Result<String, Rejection> {
    let activation = Activation::read(fields)?;
    let unique_ids = sender.provider.settings().unique_ids;
    let reuse = if unique_ids { Reuse::Never } else { Reuse::SameNumber };
    Ok(match enter_number(sender, &activation, reuse)? {
        Answer::Credited(payment) => credited(&payment),
        Answer::Pending => PENDING.to_owned(),
        Answer::Possible => POSSIBLE.to_owned(),
    })
}

fn credited(payment: &Payment) -> String {
    let code = serde_json::json!(payment.currency_code);
    let amount = payment.amount.text();
    format!(
        r#"{{"status":"ok","deposit":true,"deposit_amount":{amount},"currency":{{"code":{code},"symbol":{code}}}}}"#
    )
}
