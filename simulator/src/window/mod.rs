//! The payment window: the page behind the link of `POST /deposits` (docs/provider-protocol.md 4).
//!
//! The user chooses a wallet, pays, and enters the number. What happens then is the same as for the API's calls.

mod pages;
mod state;
mod text;

use std::sync::Arc;

use ::pages::see;
use axum::Form;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use paykassma::WrittenAmount;

use crate::actions;
use crate::deposit_calls::{Activation, Answer, enter_number};
use crate::deposits::{Payment, Reuse};
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::request_fields::Rejection;
use crate::routes::Shared;
use crate::test_amounts::DepositOutcome;
use crate::wallets::Wallet;
use crate::window::state::{Link, WindowState};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(start))
        .route("/pay", post(pay))
        .route("/number", get(number).post(activate))
        .route("/result", get(result))
}

/// A link with a wallet.
struct Chosen {
    link: Link,
    wallet: &'static Wallet,
}

/// A link that cannot be used, because of one of its parameters.
struct BadLink {
    state: WindowState,
    field: &'static str,
}

impl IntoResponse for BadLink {
    fn into_response(self) -> Response {
        pages::bad_link(&self.state, self.field).into_response()
    }
}

impl Chosen {
    /// Reads what every step after the first needs.
    fn read(state: &WindowState) -> Result<Self, BadLink> {
        let bad = |field| BadLink { state: state.clone(), field };
        let link = state.link().map_err(bad)?;
        let wallet = link.wallet.ok_or_else(|| bad("wallet_type"))?;
        Ok(Self { link, wallet })
    }
}

/// `GET /`: the wallets, or the wallet to pay to.
async fn start(State(provider): State<Arc<Provider>>, Query(state): Query<WindowState>) -> Response {
    match state.link() {
        Err(field) => BadLink { state, field }.into_response(),
        Ok(Link { wallet: Some(wallet), .. }) => pages::pay(&state, wallet, &provider.settings()).into_response(),
        Ok(Link { wallet: None, currency_code, .. }) => pages::wallets(&state, &currency_code).into_response(),
    }
}

/// `POST /pay`: the user has paid in the wallet. The field `arrival` says when the provider gets to know of it.
async fn pay(State(sender): State<PostbackSender>, Form(state): Form<WindowState>) -> Result<Response, BadLink> {
    let Chosen { link, wallet } = Chosen::read(&state)?;
    let given = state.get("fixed_amount").or_else(|| state.get("amount")).unwrap_or_default().trim();
    let amount = WrittenAmount::parse(given).filter(|amount| amount.text().contains(|digit| digit > '0'));
    let Some(amount) = amount else {
        return Ok(see(&state.with("error", "amount").address("/")));
    };
    let number = wallet.new_number();
    let payment = |amount| Payment {
        wallet_type: wallet.name.to_owned(),
        transaction_id: number.clone(),
        amount,
        currency_code: link.currency_code.clone(),
    };
    let decides_later = sender.provider.settings().test_amounts && DepositOutcome::of(amount.text()).is_some();
    match state.get("arrival") {
        _ if decides_later => {}
        Some("later") => actions::arrive_late(&sender, payment(amount.clone())),
        Some("never") => {}
        another => {
            let arrived = if another == Some("another_amount") { amount.one_more() } else { amount.clone() };
            // The number is new, so it cannot be registered.
            let _ = actions::arrive(&sender, payment(arrived), None);
        }
    }
    let paid = state.with("amount", amount.text()).with("number", &number).without(&["arrival", "error"]);
    Ok(see(&paid.address("/number")))
}

/// `GET /number`: what the wallet shows, and the field for the number.
async fn number(Query(state): Query<WindowState>) -> Result<Response, BadLink> {
    let Chosen { wallet, .. } = Chosen::read(&state)?;
    Ok(pages::number(&state, wallet).into_response())
}

/// `POST /number`: the user has entered a number.
async fn activate(State(sender): State<PostbackSender>, Form(state): Form<WindowState>) -> Result<Response, BadLink> {
    let Chosen { link, wallet } = Chosen::read(&state)?;
    let entered = state.get("entered").unwrap_or_default().trim().to_owned();
    let state = state.without(&["error", "outcome", "message"]).with("entered", &entered);
    if !wallet.takes(&entered) {
        return Ok(see(&state.with("error", "number").address("/number")));
    }
    let amount = state.get("amount").or_else(|| state.get("fixed_amount")).unwrap_or("0");
    let activation = Activation {
        wallet_type: wallet.name.to_owned(),
        key1: entered,
        currency_code: link.currency_code,
        amount: amount.to_owned(),
        claim: link.claim,
    };
    let state = match enter_number(&sender, &activation, Reuse::AnyNumber) {
        Ok(Answer::Credited(_)) => state.with("outcome", "success"),
        Ok(Answer::Pending) => state.with("outcome", "pending"),
        Ok(Answer::Possible) => state.with("outcome", "possible"),
        Err(rejection) => {
            let message = match rejection {
                Rejection::Text(text) => text,
                Rejection::Fields(fields) => fields.into_values().flatten().collect::<Vec<_>>().join(" "),
            };
            state.with("outcome", "fail").with("message", &message)
        }
    };
    Ok(see(&state.address("/result")))
}

/// `GET /result`: how it went. A payment that has arrived meanwhile is a success.
async fn result(State(provider): State<Arc<Provider>>, Query(state): Query<WindowState>) -> Result<Response, BadLink> {
    let Chosen { link, wallet } = Chosen::read(&state)?;
    let number = (wallet.name.to_owned(), state.get("entered").unwrap_or_default().to_owned());
    let records = provider.records();
    let credited = records.deposits.payment(&number).filter(|made| made.owner.as_ref() == Some(&link.claim));
    Ok(pages::result(&state, credited.map(|made| &made.payment), &provider.window_urls).into_response())
}
