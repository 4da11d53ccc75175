//! Every postback with its deliveries, and how to send it again, changed or unchanged.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use pages::{Page, field, see};
use serde::Deserialize;

use crate::backoffice::{Problem, SHOWN, cut_off, office, table};
use crate::clock::written;
use crate::postback_copy::{shuffled, with_changed_digit, with_field};
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::sent_postback::{RecordedPostback, SentPostback};

const HERE: &str = "/backoffice/postbacks";

/// At most so many copies are sent at once.
const MOST_COPIES: usize = 1_000;

/// The fields that the signature does not cover.
const UNSIGNED: [&str; 7] =
    ["label", "amount", "currency_code", "wallet_type", "direction", "converted_amount", "created_datetime"];

/// `GET /backoffice/postbacks`
pub(super) async fn list(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let records = provider.records();
    let all = records.postbacks.iter().len();
    let rows = html! {
        @for (id, sent) in records.postbacks.iter().rev().take(SHOWN) {
            tr {
                td { a href={ (HERE) "/" (id) } { "Postback " (id) } }
                td.time { (written(sent.created_at)) }
                td { (sent.about) }
                td.amount { (sent.sends) }
                td { (last_answer(sent)) }
            }
        }
    };
    let heads = ["Postback", "Time (UTC)", "Reports", "Deliveries", "Last answer"];
    let main = html! {
        @if all == 0 { p { "No postback was sent yet." } } @else { (table("Postbacks", &heads, &rows)) }
        (cut_off(SHOWN, all))
    };
    office(HERE, "Postbacks", &main)
}

fn last_answer(sent: &SentPostback) -> Markup {
    let status = sent.deliveries.back().map(|delivery| delivery.status);
    html! {
        @match status {
            None => span.state.wait { "not sent yet" },
            Some(None) => span.state.bad { "no answer" },
            Some(Some(status)) => span class={ "state " @if status == 200 { "good" } @else { "bad" } } { (status) },
        }
        @if sent.delivered { " delivered" }
    }
}

/// `GET /backoffice/postbacks/{id}`
pub(super) async fn show(
    State(provider): State<Arc<Provider>>,
    Path(id): Path<usize>,
) -> Result<Page<'static>, Problem> {
    let records = provider.records();
    let sent = records.postbacks.get(id).ok_or_else(|| not_found(id))?;
    let rows = html! {
        @for delivery in sent.deliveries.iter().rev() {
            tr {
                td.time { (written(delivery.at)) }
                td { @match delivery.status { Some(status) => (status), None => "none" } }
                td.wide { code { (delivery.body) } }
            }
        }
    };
    let main = html! {
        dl {
            dt { "Postback" } dd { (id) }
            dt { "Reports" } dd { (sent.about) }
            dt { "Written" } dd { (written(sent.created_at)) " UTC" }
            dt { "Deliveries" } dd { (sent.sends) }
        }
        (table("Deliveries", &["Time (UTC)", "Status", "Answer"], &rows))
        (send_again(id))
        h2 { "Body" }
        pre tabindex="0" role="region" aria-label="Body" { (sent.body) }
        p { a href={ "/backoffice/signatures?postback=" (id) } { "Check its signature step by step" } }
    };
    Ok(office(HERE, "Postback", &main))
}

fn send_again(id: usize) -> Markup {
    let address = format!("{HERE}/{id}");
    html! {
        h2 { "Send it again" }
        form method="post" action=(address) { p { button name="how" value="unchanged" { "Send it unchanged" } } }
        form method="post" action=(address) {
            div.fields {
                (field("place", "Digit of the list, from 0", &html! { input #place name="place" inputmode="numeric" value="0" size="4"; }))
                button name="how" value="digit" { "Change a signed digit" }
            }
        }
        form method="post" action=(address) {
            div.fields {
                (field("field", "Unsigned field", &html! {
                    select #field name="field" { @for name in UNSIGNED { option { (name) } } }
                }))
                (field("value", "Value", &html! { input #value name="value" value="thief" size="16"; }))
                button name="how" value="field" { "Change an unsigned field" }
            }
        }
        form method="post" action=(address) {
            div.fields {
                (field("copies", "Copies", &html! { input #copies name="copies" inputmode="numeric" value="20" size="4"; }))
                button name="how" value="copies" { "Send shuffled copies" }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Again {
    how: String,
    #[serde(default)]
    place: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    copies: String,
}

/// `POST /backoffice/postbacks/{id}`: sends a postback again. A changed one is a postback of its own.
pub(super) async fn send(
    State(sender): State<PostbackSender>,
    Path(id): Path<usize>,
    Form(again): Form<Again>,
) -> Result<Response, Problem> {
    let provider = &sender.provider;
    let body = provider.records().postbacks.get(id).map(|sent| Arc::clone(&sent.body)).ok_or_else(|| not_found(id))?;
    let wrong = |message: &dyn std::fmt::Display| Problem::bad_value(HERE, &message);
    let number = |text: &str, name: &str| {
        text.trim().parse::<usize>().map_err(|_| wrong(&format_args!("{name} must be a whole number.")))
    };
    let (about, bodies) = match again.how.as_str() {
        "unchanged" => {
            sender.start_once(vec![RecordedPostback { id, body }]);
            return Ok(see(&format!("{HERE}/{id}")));
        }
        "digit" => {
            let place = number(&again.place, "The digit")?;
            let changed = with_changed_digit(&body, place).map_err(|error| wrong(&error))?;
            (format!("postback {id} with another digit"), vec![changed])
        }
        "field" => {
            let changed = with_field(&body, &again.field, &again.value).map_err(|error| wrong(&error))?;
            (format!("postback {id} with another {}", again.field), vec![changed])
        }
        "copies" => {
            let copies = number(&again.copies, "The number of copies")?.min(MOST_COPIES);
            let keys = &provider.secrets.postback_keys;
            let bodies = (0..copies).map(|_| shuffled(&body, keys).map_err(|error| wrong(&error)));
            (format!("postback {id}, shuffled"), bodies.collect::<Result<Vec<_>, _>>()?)
        }
        _ => return Err(wrong(&"Choose how to send it.")),
    };
    let recorded: Vec<_> = bodies.into_iter().map(|body| provider.record_postback(about.clone(), body)).collect();
    let first = recorded.first().map(|recorded| recorded.id);
    let address = first.filter(|_| recorded.len() == 1).map(|id| format!("{HERE}/{id}"));
    sender.start_once(recorded);
    Ok(see(&address.unwrap_or_else(|| HERE.to_owned())))
}

fn not_found(id: usize) -> Problem {
    Problem::not_found(HERE, &format!("There is no postback {id}, or it is too old to be remembered."))
}
