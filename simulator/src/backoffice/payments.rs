//! The users' payments: those that were made, and the numbers that wait for one.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use pages::{Page, field, filled, see};
use paykassma::WrittenAmount;
use serde::Deserialize;

use crate::actions;
use crate::backoffice::{Problem, SHOWN, cut_off, office, table};
use crate::clock::written;
use crate::deposits::{Claim, Deposits, MadePayment, Payment, WaitingClaim};
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::wallets::Wallet;

const HERE: &str = "/backoffice/payments";

/// `GET /backoffice/payments`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let records = provider.records();
    let main = html! {
        (new_payment())
        h2 { "Payments" }
        (made(&records.deposits))
        h2 { "Numbers that were entered, and not paid" }
        (waiting(&records.deposits))
    };
    office(HERE, "Payments", &main)
}

fn new_payment() -> Markup {
    html! {
        h2 { "A user pays" }
        form method="post" action=(HERE) {
            div.fields {
                (field("wallet", "Wallet", &html! {
                    select #wallet name="wallet_type" {
                        @for wallet in Wallet::all() { option value=(wallet.name) { (wallet.title) " (" (wallet.currency_code) ")" } }
                    }
                }))
                (field("amount", "Amount", &html! { input #amount name="amount" inputmode="decimal" required size="10"; }))
                (field("number", "Number (new if empty)", &html! { input #number name="transaction_id" size="16"; }))
                (field("order", "Order", &html! { input #order name="custom_transaction_id" size="20" aria-describedby="window-hint"; }))
                (field("label", "Label", &html! { input #label name="label" size="14" aria-describedby="window-hint"; }))
                button.primary { "Pay" }
            }
            p #window-hint .hint {
                "With an order and a label, the user has paid in the payment window, and the postback is sent at once. \
                 Without, it is sent when the number is entered."
            }
        }
    }
}

fn made(deposits: &Deposits) -> Markup {
    let all = deposits.payments().len();
    let rows = html! {
        @for MadePayment { payment, owner, made_at } in deposits.payments().take(SHOWN) {
            tr {
                td.time { (written(*made_at)) }
                td { (payment.wallet_type) }
                td { code { (payment.transaction_id) } }
                td.amount { (payment.amount.text()) " " (payment.currency_code) }
                @match owner {
                    Some(claim) => {
                        td { span.state.good { "credited" } }
                        td { (claim.custom_transaction_id) }
                        td { (claim.label) }
                    }
                    None => { td { span.state.wait { "not claimed" } } td {} td {} }
                }
            }
        }
    };
    let heads = ["Time (UTC)", "Wallet", "Number", "Amount", "State", "Order", "Label"];
    html! {
        @if all == 0 { p { "Nobody has paid yet." } } @else { (table("Payments", &heads, &rows)) }
        (cut_off(SHOWN, all))
    }
}

fn waiting(deposits: &Deposits) -> Markup {
    let all = deposits.waiting().len();
    let rows = html! {
        @for ((wallet, number), WaitingClaim { claim, since }) in deposits.waiting().take(SHOWN) {
            tr {
                td.time { (written(*since)) }
                td { (wallet) }
                td { code { (number) } }
                td { (claim.custom_transaction_id) }
                td { (claim.label) }
                td {
                    form.actions method="post" action=(HERE) {
                        input type="hidden" name="wallet_type" value=(wallet);
                        input type="hidden" name="transaction_id" value=(number);
                        input name="amount" inputmode="decimal" size="8" required aria-label={ "Amount for " (number) };
                        button aria-label={ "Pay " (number) } { "Pay" }
                    }
                }
            }
        }
    };
    let heads = ["Since (UTC)", "Wallet", "Number", "Order", "Label", "The user pays"];
    html! {
        @if all == 0 { p { "No number waits for a payment." } } @else { (table("Numbers without a payment", &heads, &rows)) }
        (cut_off(SHOWN, all))
    }
}

#[derive(Deserialize)]
pub(super) struct NewPayment {
    wallet_type: String,
    transaction_id: String,
    amount: String,
    #[serde(default)]
    custom_transaction_id: String,
    #[serde(default)]
    label: String,
}

/// `POST /backoffice/payments`: a user pays.
pub(super) async fn pay(
    State(sender): State<PostbackSender>,
    Form(new): Form<NewPayment>,
) -> Result<Response, Problem> {
    let wrong = |message: &str| Problem::bad_value(HERE, &message);
    let wallet = Wallet::find(&new.wallet_type).ok_or_else(|| wrong("The wallet is not known."))?;
    let amount = WrittenAmount::parse(new.amount.trim());
    let amount = amount.ok_or_else(|| wrong("The amount must be a number, such as 500 or 500.50."))?;
    let number = filled(&new.transaction_id).map_or_else(|| wallet.new_number(), str::to_owned);
    let claim = match (filled(&new.custom_transaction_id), filled(&new.label)) {
        (None, None) => None,
        (Some(order), Some(label)) => Some(Claim { custom_transaction_id: order.into(), label: label.into() }),
        (Some(_), None) | (None, Some(_)) => return Err(wrong("Give the order and the label together, or neither.")),
    };
    let payment = Payment {
        wallet_type: wallet.name.to_owned(),
        transaction_id: number,
        amount,
        currency_code: wallet.currency_code.to_owned(),
    };
    actions::arrive(&sender, payment, claim).map_err(|_| wrong("A payment with this number was made before."))?;
    Ok(see(HERE))
}
