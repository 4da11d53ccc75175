//! Lets the next calls go wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use pages::{Page, field, filled, see};
use serde_json::{Map, Value};

use crate::backoffice::{Problem, office, table};
use crate::faults::{Fault, KINDS};
use crate::provider::Provider;

const HERE: &str = "/backoffice/faults";

/// `GET /backoffice/faults`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let records = provider.records();
    let rows = html! {
        @for fault in records.faults.ordered() {
            tr {
                td { (format!("{:?}", fault.on).to_lowercase()) }
                td.wide { (fault.kind) }
                td { @if fault.is_processed() { "yes" } @else { "no" } }
                td.amount { (fault.times) }
            }
        }
    };
    let main = html! {
        @if records.faults.ordered().next().is_none() {
            p { "No fault waits: the next calls go well." }
        } @else {
            (table("Faults that wait", &["Call", "Fault", "Has its effect", "Times left"], &rows))
            form method="post" action={ (HERE) "/clear" } { p { button { "Remove all faults" } } }
        }
        (new_fault())
        h2 { "Kinds" }
        (table("Kinds of faults", &["Fault", "What the caller sees", "Values"], &html! {
            @for (kind, values, said) in KINDS { tr { td { code { (kind) } } td.wide { (said) } td { (values.join(", ")) } } }
        }))
    };
    office(HERE, "Faults", &main)
}

fn new_fault() -> Markup {
    html! {
        h2 { "Order a fault" }
        form method="post" action=(HERE) {
            div.fields {
                (field("on", "Call", &html! {
                    select #on name="on" { option { "create" } option { "activate" } option selected { "withdrawal" } }
                }))
                (field("fault", "Fault", &html! { select #fault name="fault" { @for (kind, _, _) in KINDS { option { (kind) } } } }))
                (field("times", "Times", &html! { input #times name="times" inputmode="numeric" value="1" size="4"; }))
                (field("processed", "Has its effect", &html! {
                    select #processed name="processed" { option value="" { "as usual" } option value="true" { "yes" } option value="false" { "no" } }
                }))
                (field("ms", "ms", &html! { input #ms name="ms" inputmode="numeric" value="3000" size="6"; }))
                (field("code", "code", &html! { input #code name="code" inputmode="numeric" value="500" size="4"; }))
                (field("message", "message, body or status", &html! { input #message name="text" size="20"; }))
                button.primary { "Order" }
            }
        }
    }
}

/// `POST /backoffice/faults`
pub(super) async fn order(
    State(provider): State<Arc<Provider>>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Result<Response, Problem> {
    let fault: Fault = serde_json::from_value(written(&fields)).map_err(|error| Problem::bad_value(HERE, &error))?;
    provider.edit().faults.order(fault);
    Ok(see(HERE))
}

/// The form's fields as the control API takes them: only the values that the kind has.
fn written(fields: &BTreeMap<String, String>) -> Value {
    let given = |name: &str| fields.get(name).and_then(|value| filled(value));
    let kind = given("fault").unwrap_or_default();
    let values = KINDS.iter().find(|(name, _, _)| *name == kind).map_or(&[][..], |(_, values, _)| values);
    let mut fault = Map::from_iter([("fault".to_owned(), kind.into())]);
    let numbers = ["times", "processed"].into_iter().chain(values.iter().copied());
    for name in numbers.chain(["on"]) {
        let value = match name {
            "message" | "body" | "status" => given("text").map(Value::from),
            "on" => given("on").map(Value::from),
            // A number or a yes; what is neither is refused with the others.
            _ => given(name).map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into())),
        };
        if let Some(value) = value {
            fault.insert(name.to_owned(), value);
        }
    }
    fault.into()
}

/// `POST /backoffice/faults/clear`
pub(super) async fn clear(State(provider): State<Arc<Provider>>) -> Response {
    provider.edit().faults.clear();
    see(HERE)
}
