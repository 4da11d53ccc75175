//! The provider's back office: everything that the simulated provider knows, and everything that it can be made to do.

mod calls;
mod export;
mod faults;
mod overview;
mod payments;
mod postbacks;
mod settings;
mod signatures;
mod withdrawals;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use pages::{Frames, Page, Updates};

use crate::routes::Shared;

/// A page shows at most so many entries: the newest.
const SHOWN: usize = 200;

/// The pages of the menu.
const MENU: [(&str, &str); 8] = [
    ("/backoffice", "Overview"),
    ("/backoffice/payments", "Payments"),
    ("/backoffice/withdrawals", "Withdrawals"),
    ("/backoffice/postbacks", "Postbacks"),
    ("/backoffice/calls", "Calls"),
    ("/backoffice/faults", "Faults"),
    ("/backoffice/settings", "Settings"),
    ("/backoffice/signatures", "Signatures"),
];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/backoffice", get(overview::show))
        .route("/backoffice/payments", get(payments::show).post(payments::pay))
        .route("/backoffice/withdrawals", get(withdrawals::show).post(withdrawals::make_by_hand))
        .route("/backoffice/withdrawals/end", post(withdrawals::end))
        .route("/backoffice/postbacks", get(postbacks::list))
        .route("/backoffice/postbacks/{id}", get(postbacks::show).post(postbacks::send))
        .route("/backoffice/calls", get(calls::show))
        .route("/backoffice/faults", get(faults::show).post(faults::order))
        .route("/backoffice/faults/clear", post(faults::clear))
        .route("/backoffice/settings", get(settings::show).post(settings::change))
        .route("/backoffice/signatures", get(signatures::show).post(signatures::calculate))
        .route("/backoffice/export.csv", get(export::csv))
}

/// A page of the back office. `current` is its entry in the menu.
fn office(current: &str, title: &'static str, main: &Markup) -> Page<'static> {
    let header = html! {
        strong { "Back office" }
        nav aria-label="Pages" {
            @for (address, name) in MENU {
                a href=(address) aria-current=[(address == current).then_some("page")] { (name) }
            }
        }
    };
    Page {
        status: StatusCode::OK,
        base: "",
        lang: "en",
        title,
        class: "office",
        skip: "Skip to the content",
        banner: "Simulated provider: no money moves here.",
        header,
        main: html! { h1 { (title) } (main) },
        updates: Updates::Silent,
        frames: Frames::None,
    }
}

/// A form that cannot be handled: why, and the way back.
struct Problem {
    status: StatusCode,
    message: String,
    back: &'static str,
}

impl Problem {
    /// A value of the form is wrong.
    fn bad_value(back: &'static str, message: &impl ToString) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_string(), back }
    }

    /// There is no such thing.
    fn not_found(back: &'static str, message: &impl ToString) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::bad_value(back, message) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let main = html! {
            p.error role="alert" { (self.message) }
            p { a.button href=(self.back) { "Go back" } }
        };
        Page { status: self.status, updates: Updates::None, ..office(self.back, "This did not work", &main) }
            .into_response()
    }
}

/// The columns of numbers: they are aligned on the right.
const NUMBERS: [&str; 3] = ["Amount", "Deliveries", "Times left"];

/// A table of the back office.
fn table(name: &str, heads: &[&str], rows: &Markup) -> Markup {
    pages::table(name, heads, &NUMBERS, rows)
}

/// Says that there is more than a page shows.
fn cut_off(shown: usize, all: usize) -> Markup {
    html! { @if all > shown { p.hint { "The newest " (shown) " of " (all) "." } } }
}
