//! How the simulated provider behaves.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use pages::{Page, filled, see};
use serde_json::{Map, Value};

use crate::backoffice::{Problem, office};
use crate::provider::Provider;
use crate::settings::{Settings, Unregistered, WireSpelling};

const HERE: &str = "/backoffice/settings";

/// The settings that are yes or no, with what they mean.
const SWITCHES: [(&str, &str); 6] = [
    ("test_amounts", "Amounts with certain last digits decide what happens"),
    ("send_postbacks", "Postbacks are sent; otherwise they wait"),
    ("early_postback", "A withdrawal succeeds, and its postback is sent, before its submission is answered"),
    ("dedup", "A withdrawal_id that was accepted is rejected the second time"),
    ("balance_first", "The balance is checked before the id"),
    ("unique_ids", "A custom_transaction_id that was accepted is rejected the second time"),
];

/// The settings with a number, with what they mean.
const NUMBERS: [(&str, &str); 4] = [
    ("balance", "Balance: what open withdrawals may add up to; empty for any sum"),
    ("withdrawal_min", "The smallest withdrawal"),
    ("withdrawal_max", "The largest withdrawal"),
    ("late_ms", "How long a late payment takes, in ms"),
];

/// `GET /backoffice/settings`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let settings = provider.settings();
    let values = serde_json::to_value(&settings).unwrap_or_default();
    let is_on = |name: &str| values.get(name).and_then(Value::as_bool).unwrap_or(false);
    let main = html! {
        form method="post" action=(HERE) {
            fieldset {
                legend { "Model" }
                @for (name, said) in SWITCHES {
                    label { input type="checkbox" name=(name) value="true" checked[is_on(name)]; (said) }
                }
            }
            (choices(&settings))
            @for (name, said) in NUMBERS {
                div.field {
                    label for=(name) { (said) }
                    input id=(name) name=(name) inputmode="numeric" size="12" value=[values.get(name).and_then(Value::as_u64)];
                }
            }
            div.field {
                label for="repeat_after_ms" { "Retry schedule of postbacks, in ms" }
                input #repeat_after_ms name="repeat_after_ms" size="32" aria-describedby="schedule" value=(schedule(&settings));
                p #schedule .hint { "The time after the first delivery, after the second, and so on: 2000, 5000, 60000. The last one is repeated." }
            }
            button.primary { "Save" }
        }
    };
    office(HERE, "Settings", &main)
}

fn choices(settings: &Settings) -> Markup {
    let possible = settings.activation_default == Unregistered::PossibleTransactionCreated;
    let default_spelling = settings.wire_spelling == WireSpelling::Default;
    html! {
        div.field {
            label for="activation_default" { "Answer to a number with which nobody has paid" }
            select #activation_default name="activation_default" {
                option { "pending" }
                option selected[possible] { "possible_transaction_created" }
            }
        }
        div.field {
            label for="wire_spelling" { "Spelling of postbacks on the wire" }
            select #wire_spelling name="wire_spelling" {
                option { "flagged" }
                option selected[default_spelling] { "default" }
            }
        }
    }
}

fn schedule(settings: &Settings) -> String {
    settings.repeat_after_ms.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// `POST /backoffice/settings`: a switch that is not in the form is off.
pub(super) async fn change(
    State(provider): State<Arc<Provider>>,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Result<Response, Problem> {
    let given = |name: &str| fields.get(name).and_then(|value| filled(value));
    let number = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let mut changes = Map::new();
    for (name, _) in SWITCHES {
        changes.insert(name.to_owned(), given(name).is_some().into());
    }
    for (name, _) in NUMBERS {
        changes.insert(name.to_owned(), given(name).map_or(Value::Null, number));
    }
    for name in ["activation_default", "wire_spelling"] {
        changes.insert(name.to_owned(), given(name).into());
    }
    let times = given("repeat_after_ms").unwrap_or_default();
    let times: Vec<_> = times.split(',').filter_map(filled).map(number).collect();
    changes.insert("repeat_after_ms".to_owned(), times.into());
    let settings = provider.settings().changed(changes).map_err(|error| Problem::bad_value(HERE, &error))?;
    provider.change_settings(settings);
    Ok(see(HERE))
}
