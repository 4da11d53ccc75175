//! Messages of withdrawals that came back too often, and withdrawals whose message was lost.

use axum::extract::{Form, Query, State};
use axum::response::Response;
use domain::WithdrawalId;
use indicatif::ProgressBar;
use maud::{Markup, html};
use pages::{field, see};
use serde::Deserialize;
use store::RowKey;

use super::jobs::{Finished, Kept};
use super::{Ask, Console, Fields, Shared, encode, sentence};
use crate::escape::one_line;
use crate::failure::Failure;
use crate::redrive::{self, Action, LIMIT, Letter};

const PAGE: &str = "/dead-letters";

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// The withdrawal for which a message was just sent.
    #[serde(default)]
    sent: String,
}

/// `GET /dead-letters`
pub(super) async fn ask(State(console): Ask, Query(Asked { sent }): Query<Asked>) -> Response {
    let main = html! {
        @if !sent.is_empty() {
            p.good role="status" { "A new message is sent for the withdrawal " code { (sent) } ". The submitter decides what happens." }
        }
        p { "A message that was not handled after several tries is a dead letter. Looking leaves each one as it is." }
        form method="post" action={ (console.base) (PAGE) } { button.primary { "Look at the dead letters" } }
        @if !console.is_read_only { (lost(&console, "")) }
        (console.jobs_of(PAGE))
    };
    console.answer(PAGE, "Dead letters", &main)
}

/// The form for a withdrawal whose message was lost.
fn lost(console: &Console, id: &str) -> Markup {
    html! {
        h2 { "A withdrawal whose message was lost" }
        form method="post" action={ (console.base) (PAGE) "/withdrawal" } {
            div.fields {
                (field("id", "Withdrawal", &html! { input id="id" name="id" value=(id) required autocomplete="off"; }))
                button { "Show what would be sent" }
            }
        }
        p.hint { "A second message does no harm." }
    }
}

/// `POST /dead-letters`: what would be done with each letter.
pub(super) async fn look(State(console): Ask) -> Response {
    console.start(PAGE, "Look at the dead letters".into(), async |console, bar| letters(console, true, bar).await)
}

/// `POST /dead-letters/redrive`
pub(super) async fn redrive(State(console): Ask) -> Response {
    console.start(PAGE, "Redrive the dead letters".into(), async |console, bar| letters(console, false, bar).await)
}

async fn letters(console: Shared, is_dry: bool, bar: ProgressBar) -> Result<Finished, Failure> {
    bar.set_message("letters handled");
    // Dropped with this future: who stops the job stops the work, which then still shows the letters again.
    let (_working, stopped) = tokio::sync::oneshot::channel::<()>();
    let of_work = Shared::clone(&console);
    let work = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap_or_default() };
        redrive::redrive(&of_work.deployment, LIMIT, is_dry, &bar, stopped).await
    });
    let (letters, done) = work.await.map_err(|error| Failure::NoAnswer(error.to_string()))??;
    let failure = match done {
        Ok(()) => None,
        Err(failure) if letters.is_empty() => return Err(failure),
        Err(failure) => Some(console.explained(failure).await),
    };
    Ok(Finished { main: result(&console, &letters, is_dry, failure.as_ref()), kept: Kept::Nothing })
}

fn result(console: &Console, letters: &[Letter], is_dry: bool, failure: Option<&Failure>) -> Markup {
    let number = |action| letters.iter().filter(|it| it.action == action).count();
    let rows = html! {
        @for it in letters {
            tr {
                td.wide { @if let Some(id) = &it.withdrawal_id { a href=(console.transaction(&id.key())) { code { (id) } } } }
                td { span.state { (it.state.unwrap_or("")) } }
                td { (it.action.name()) }
                td.wide { @if let (Some(id), Some(begins)) = (&it.message_id, &it.body_begins) { code { (id) } ": " (one_line(begins)) } }
            }
        }
    };
    html! {
        @if let Some(failure) = failure { p.error role="alert" { (sentence(failure)) } }
        p {
            @if is_dry { strong { "Nothing is done yet." } " What would be done: " }
            (number(Action::Redriven)) " redriven, " (number(Action::Removed)) " removed, " (number(Action::Left)) " left."
            @if letters.len() == LIMIT { " There may be more: these are the most that are handled at a time." }
        }
        @if !letters.is_empty() {
            p.hint { "Redriven: sent back to the submission queue. Removed: the withdrawal has ended or was never made here. Left: not one of \
                      our messages, or its row cannot be read." }
            (pages::table("Dead letters", &["Withdrawal", "State", "Action", "Message"], &[], &rows))
        }
        div.actions {
            @if is_dry && !console.is_read_only && number(Action::Left) < letters.len() {
                form method="post" action={ (console.base) (PAGE) "/redrive" } { button.primary { "Redrive them" } }
            }
            form method="post" action={ (console.base) (PAGE) } { button { "Look again" } }
        }
    }
}

/// `POST /dead-letters/withdrawal`: what would be sent.
pub(super) async fn preview(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let id = fields.get("id").map(String::as_str).unwrap_or_default();
    let (id, letter) = match send_new(&console, id, true).await {
        Ok(sent) => sent,
        Err(failure) => return refused(&console, id, failure).await,
    };
    let main = html! {
        p { a href=(console.transaction(&id.key())) { code { (id.key()) } } " is " span.state { (letter.state.unwrap_or("")) } "." }
        p { "A new message would be sent. The submitter sends a withdrawal again that is waiting, and an unknown one only if \
             RESEND_UNKNOWN is on." }
        form.actions method="post" action={ (console.base) (PAGE) "/withdrawal/send" } {
            input type="hidden" name="id" value=(id);
            button.primary { "Send a new message" }
        }
    };
    console.answer(PAGE, "What would be sent", &main)
}

/// `POST /dead-letters/withdrawal/send`
pub(super) async fn send(State(console): Ask, Form(fields): Form<Fields>) -> Response {
    let id = fields.get("id").map(String::as_str).unwrap_or_default();
    match send_new(&console, id, false).await {
        Ok((id, _)) => see(&format!("{}{PAGE}?sent={}", console.base, encode(&id.to_string()))),
        Err(failure) => refused(&console, id, failure).await,
    }
}

async fn send_new(console: &Console, id: &str, is_dry: bool) -> Result<(WithdrawalId, Letter), Failure> {
    let id = redrive::withdrawal_id(id.trim()).map_err(|rule| Failure::Usage(format!("Withdrawal {rule}")))?;
    let letter = redrive::send_new(&console.deployment, id.clone(), is_dry).await?;
    Ok((id, letter))
}

async fn refused(console: &Console, id: &str, failure: Failure) -> Response {
    let failure = console.explained(failure).await;
    console.problem(PAGE, "Nothing is known to be sent", &failure, &lost(console, id))
}
