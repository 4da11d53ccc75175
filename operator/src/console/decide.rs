//! A decision: what it would change, and then that it is recorded. The function behind `POST /decisions` says what is allowed.

use axum::extract::{Form, Query, State};
use axum::response::Response;
use domain::{CustomTransactionId, Outcome, TransactionId};
use maud::{Markup, html};
use pages::{filled, see};
use serde::Deserialize;
use serde_json::Value;

use super::{Ask, Console, Fields};
use crate::decisions::{Decide, DecisionReply, DecisionRequest, Status};
use crate::failure::Failure;

/// About which row.
#[derive(Deserialize)]
pub(super) struct Asked {
    id: String,
}

/// The form.
pub(super) async fn ask(State(console): Ask, Query(Asked { id }): Query<Asked>) -> Response {
    let main = async {
        Ok(form(
            &console,
            &Entered { id: id.clone(), by: console.by.clone(), ..Entered::default() },
            outcomes(&console, &id).await?,
        ))
    };
    console.respond("", "Decide", main).await
}

/// What a person has entered.
#[derive(Clone, Default)]
struct Entered {
    id: String,
    outcome: String,
    reason: String,
    evidence: String,
    by: String,
    order: String,
    number: String,
    is_different_payment: bool,
    version: Option<u64>,
}

impl Entered {
    fn read(fields: &Fields) -> Self {
        let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
        Self {
            id: text("id"),
            outcome: text("outcome"),
            reason: text("reason"),
            evidence: text("evidence"),
            by: text("by"),
            order: text("order"),
            number: text("number"),
            is_different_payment: fields.contains_key("different_payment"),
            version: fields.get("version").and_then(|version| version.parse().ok()),
        }
    }

    fn request(&self) -> Result<DecisionRequest, Failure> {
        let outcome =
            Outcome::named(&self.outcome).ok_or_else(|| Failure::Usage("choose what was found out".into()))?;
        let order = filled(&self.order).map(CustomTransactionId::parse).transpose();
        let number = filled(&self.number).map(TransactionId::parse).transpose();
        Ok(DecisionRequest {
            id: self.id.clone(),
            outcome: outcome.as_str(),
            by: self.by.trim().to_owned(),
            reason: self.reason.trim().to_owned(),
            evidence: self.evidence.trim().to_owned(),
            order: order.map_err(|rule| Failure::Usage(format!("Order {rule}")))?,
            number: number.map_err(|rule| Failure::Usage(format!("Number {rule}")))?,
            different_payment: self.is_different_payment,
            known_to: None,
            version: self.version,
        })
    }
}

/// An outcome, and what it would do as it stands: the row's new state, or why it is refused.
type Possible = (Outcome, Result<String, String>);

/// Asks for each outcome what it would do. Nothing is written.
async fn outcomes(console: &Console, id: &str) -> Result<Vec<Possible>, Failure> {
    let api = console.deployment.api()?;
    let mut all = Vec::new();
    for outcome in Outcome::ALL {
        let request = DecisionRequest {
            id: id.to_owned(),
            outcome: outcome.as_str(),
            by: "preview".into(),
            reason: "preview".into(),
            evidence: "preview".into(),
            order: None,
            number: None,
            different_payment: false,
            known_to: None,
            version: None,
        };
        all.push((
            outcome,
            match api.decide(&request).await {
                Ok(DecisionReply { after, credited: Some(order), .. }) => {
                    Ok(format!("becomes {after}; {order} is credited"))
                }
                Ok(DecisionReply { after, .. }) => Ok(format!("becomes {after}")),
                Err(Failure::NotAllowed(why) | Failure::Usage(why)) => Err(why),
                Err(other) => return Err(other),
            },
        ));
    }
    // What is possible comes first.
    all.sort_by_key(|(_, effect)| effect.is_err());
    Ok(all)
}

fn form(console: &Console, entered: &Entered, possible: Vec<Possible>) -> Markup {
    let Entered { id, outcome, reason, evidence, by, order, number, is_different_payment, .. } = entered;
    html! {
        p { a href=(console.transaction(id)) { code { (id) } } }
        form method="post" action={ (console.base) "/decide" } {
            input type="hidden" name="id" value=(id);
            fieldset {
                legend { "What was found out" }
                @for (choice, effect) in possible {
                    @let name = choice.as_str();
                    label {
                        input type="radio" name="outcome" value=(name) required checked[name == outcome];
                        span { strong { (name) } ": " @match effect { Ok(effect) => (effect), Err(why) => { "refused, because " (why) } } }
                    }
                }
            }
            (text("reason", "Why", reason, "For the record, such as: the provider's statement has it", true))
            (text("evidence", "Where the evidence is", evidence, "A ticket, or a line of the provider's statement", true))
            (text("by", "Who decides", by, "Beside your AWS identity, which is recorded too", true))
            details open[!order.is_empty() || !number.is_empty() || *is_different_payment] {
                summary { "For a payment that is not credited as it is signed" }
                (text("order", "Order to credit", order, "One that entered the number, or any order if the provider names none that is known", false))
                (text("number", "Number of the payment", number, "Of an unreadable element, as the provider's back office shows it", false))
                label.inline { input type="checkbox" name="different_payment" checked[*is_different_payment]; span { "It is a different payment than the one credited for the same number" } }
            }
            div.actions { button.primary { "Show what would change" } }
            p.hint { "Nothing is written yet." }
        }
    }
}

fn text(name: &str, label: &str, value: &str, hint: &str, is_required: bool) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) value=(value) required[is_required] maxlength="500" aria-describedby={ (name) "-hint" } autocomplete="off";
            p.hint id={ (name) "-hint" } { (hint) }
        }
    }
}

/// Shows each field before and after.
pub(super) async fn preview(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let entered = Entered { version: None, ..Entered::read(&fields) };
    match decided(&console, &entered).await {
        Ok(reply) => console.answer("", "What would change", &changes(&console, &entered, &reply)),
        Err(failure) => refused(&console, &entered, failure).await,
    }
}

async fn decided(console: &Console, entered: &Entered) -> Result<DecisionReply, Failure> {
    Ok(console.deployment.api()?.decide(&entered.request()?).await?.masked())
}

fn changes(console: &Console, entered: &Entered, reply: &DecisionReply) -> Markup {
    let DecisionReply {
        id, version, before, after, credited, payment, needs_second_person, proposed_by, changes, ..
    } = reply;
    let rows = html! {
        @for it in changes {
            tr { td { code { (it.row) } } td { (it.field) } td.wide { (value(&it.before)) } td.wide { (value(&it.after)) } }
        }
    };
    html! {
        p { a href=(console.transaction(id)) { code { (id) } } ", version " (version) }
        p { strong { (before.as_deref().unwrap_or("no row")) " → " (after) }
            @if let Some(order) = credited { "; " code { (order) } " is credited" @if let Some(payment) = payment { " with " code { (payment) } } } }
        (pages::table("Changes", &["Row", "Field", "Before", "After"], &[], &rows))
        @if let Some(first) = proposed_by { p { "The amount takes two people: " (first) " has proposed it." } }
        @else if *needs_second_person { p { "The amount takes two people: a colleague with another AWS identity must do the same." } }
        div.actions {
            form method="post" action={ (console.base) "/decide/record" } {
                (hidden(entered))
                input type="hidden" name="version" value=(version);
                button.primary { "Record this decision" }
            }
            a.button href={ (console.base) "/decide?id=" (super::encode(id)) } { "Change it" }
        }
    }
}

fn value(value: &Value) -> Markup {
    html! { @if value.is_null() { "none" } @else { code { (value) } } }
}

fn hidden(entered: &Entered) -> Markup {
    let Entered { id, outcome, reason, evidence, by, order, number, is_different_payment, version: _ } = entered;
    let texts = [
        ("id", id),
        ("outcome", outcome),
        ("reason", reason),
        ("evidence", evidence),
        ("by", by),
        ("order", order),
        ("number", number),
    ];
    html! {
        @for (name, value) in texts { input type="hidden" name=(name) value=(value); }
        @if *is_different_payment { input type="hidden" name="different_payment" value="on"; }
    }
}

/// Records the decision on the version that was shown.
pub(super) async fn record(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let entered = Entered::read(&fields);
    if entered.version.is_none() {
        return refused(&console, &entered, Failure::Usage("a decision is recorded only after it was shown".into()))
            .await;
    }
    match decided(&console, &entered).await {
        Ok(DecisionReply { status: Status::Recorded, id, .. }) => see(&format!("{}&done=recorded", console.transaction(&id))),
        Ok(reply) => console.answer("", "Proposed", &html! {
            p { "Nothing is decided yet: the amount takes two people. A colleague with another AWS identity must open this transaction and decide the same." }
            p { a href=(console.transaction(&reply.id)) { code { (reply.id) } } }
        }),
        Err(failure) => refused(&console, &entered, failure).await,
    }
}

/// Why a decision is not shown or not recorded.
async fn refused(console: &Console, entered: &Entered, failure: Failure) -> Response {
    let failure = console.explained(failure).await;
    let title = match &failure {
        Failure::Changed(_) => "Changed meanwhile",
        Failure::NotAllowed(_) => "Refused",
        Failure::CommandLine(_) | Failure::Usage(_) => "Something is missing",
        Failure::Denied(_) => "You may not decide",
        Failure::NoAnswer(_) | Failure::Unreached(_) | Failure::NotPrinted(_) => "Not known",
    };
    let again = html! {
        @if matches!(failure, Failure::NoAnswer(_) | Failure::Unreached(_)) {
            p { "The decision may be recorded. Look at the transaction, then decide again if it is not." }
        }
        div.actions {
            form method="post" action={ (console.base) "/decide" } { (hidden(entered)) button { "Show again what would change" } }
            a.button href={ (console.base) "/decide?id=" (super::encode(&entered.id)) } { "Change it" }
            a.button href=(console.transaction(&entered.id)) { "Look at the transaction" }
        }
    };
    console.problem("", title, &failure, &again)
}
