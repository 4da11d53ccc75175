//! The withdrawals that the provider was asked for, and how they end.

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
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::withdrawals::{Accepted, FAIL, Origin, Record, SUCCESS};

const HERE: &str = "/backoffice/withdrawals";

/// `GET /backoffice/withdrawals`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let records = provider.records();
    let all = records.withdrawals.all().len();
    let rows = html! { @for (id, record) in records.withdrawals.all().take(SHOWN) { (row(id, record)) } };
    let heads = ["Time (UTC)", "Id", "Amount", "Account", "Label", "State", "End it"];
    let main = html! {
        @if all == 0 { p { "No withdrawal was asked for yet." } } @else { (table("Withdrawals", &heads, &rows)) }
        (cut_off(SHOWN, all))
        (by_hand())
    };
    office(HERE, "Withdrawals", &main)
}

fn row(id: &str, record: &Record) -> Markup {
    let Some(accepted) = &record.accepted else {
        return html! {
            tr { td {} td { code { (id) } } td {} td {} td {} td { span.state.bad { "rejected" } } td {} }
        };
    };
    html! {
        tr {
            td.time { @if let Some(at) = record.accepted_at { (written(at)) } }
            td { code { (id) } }
            td.amount { (accepted.amount) " " (accepted.currency_code) }
            td { (accepted.account_number) }
            td { (accepted.label) }
            td { (state(record)) }
            td { @if record.origin == Origin::Api { (endings(id)) } @else { "made by hand" } }
        }
    }
}

fn state(record: &Record) -> Markup {
    let (class, said) = match record.status {
        None => ("wait", "new".to_owned()),
        Some(SUCCESS) => ("good", "1 success".to_owned()),
        Some(FAIL) => ("bad", "5 fail".to_owned()),
        Some(other) => ("wait", format!("{other} (undocumented)")),
    };
    html! {
        span class={ "state " (class) } { (said) }
        @if let Some(amount) = &record.ended_amount { br; "with " (amount.text()) }
    }
}

/// The ways to end a withdrawal. It can be ended again, also differently: a provider that contradicts itself.
fn endings(id: &str) -> Markup {
    html! {
        div.actions {
            form method="post" action={ (HERE) "/end" } {
                input type="hidden" name="withdrawal_id" value=(id);
                button name="status" value=(SUCCESS) aria-label={ "Approve " (id) } { "Approve" }
                " "
                button name="status" value=(FAIL) aria-label={ "Reject " (id) } { "Reject" }
            }
            details {
                summary aria-label={ "Other ends of " (id) } { "Other ends" }
                form method="post" action={ (HERE) "/end" } {
                    input type="hidden" name="withdrawal_id" value=(id);
                    div.fields {
                        div.field {
                            label { "Status " input name="status" inputmode="numeric" value="1" size="3" required; }
                            span.hint { "1 success, 5 fail; all others are undocumented" }
                        }
                        div.field { label { "Another amount " input name="amount" inputmode="decimal" size="8"; } }
                        div.inline { label { input type="checkbox" name="by_hand" value="yes"; "by hand: no postback" } }
                        button { "End it" }
                    }
                }
            }
        }
    }
}

fn by_hand() -> Markup {
    html! {
        h2 { "Make a withdrawal by hand" }
        p.hint { "The merchant never asked for it, and no postback is sent. It is in the export." }
        form method="post" action=(HERE) {
            div.fields {
                (field("amount", "Amount (INR)", &html! { input #amount name="amount" inputmode="numeric" size="10" required; }))
                (field("account", "Account", &html! { input #account name="account_number" inputmode="numeric" size="14" required; }))
                (field("label", "Label", &html! { input #label name="label" size="14" required; }))
                button { "Pay out" }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct NewWithdrawal {
    amount: String,
    account_number: String,
    label: String,
}

/// `POST /backoffice/withdrawals`: a withdrawal is made by hand.
pub(super) async fn make_by_hand(
    State(provider): State<Arc<Provider>>,
    Form(new): Form<NewWithdrawal>,
) -> Result<Response, Problem> {
    let amount: Option<u64> = new.amount.trim().parse().ok().filter(|amount| *amount > 0);
    let accepted = Accepted {
        wallet_type: "paytm".to_owned(),
        amount: amount.ok_or_else(|| Problem::bad_value(HERE, &"The amount must be a whole number of 1 or more."))?,
        currency_code: "INR".to_owned(),
        label: new.label.trim().to_owned(),
        account_number: new.account_number.trim().to_owned(),
    };
    provider.edit().withdrawals.make_by_hand(accepted);
    Ok(see(HERE))
}

#[derive(Deserialize)]
pub(super) struct End {
    withdrawal_id: String,
    status: String,
    #[serde(default)]
    amount: String,
    by_hand: Option<String>,
}

/// `POST /backoffice/withdrawals/end`
pub(super) async fn end(State(sender): State<PostbackSender>, Form(end): Form<End>) -> Result<Response, Problem> {
    let wrong = |message: &str| Problem::bad_value(HERE, &message);
    let status: i64 = end.status.trim().parse().map_err(|_| wrong("The status must be a whole number."))?;
    let amount = filled(&end.amount).map(|amount| {
        WrittenAmount::parse(amount).ok_or_else(|| wrong("The amount must be a number, such as 300 or 300.50."))
    });
    let amount = amount.transpose()?;
    let ended = if end.by_hand.is_some() {
        sender.provider.edit().withdrawals.end(&end.withdrawal_id, status, amount).map(drop)
    } else {
        actions::end(&sender, &end.withdrawal_id, status, amount).ok().map(drop)
    };
    let not_found = || Problem::not_found(HERE, &format!("No withdrawal {} was accepted.", end.withdrawal_id));
    ended.ok_or_else(not_found)?;
    Ok(see(HERE))
}
