//! What there is, and which amounts decide what happens.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};
use pages::Page;

use crate::backoffice::{office, table};
use crate::clock::written_ms;
use crate::provider::Provider;
use crate::test_amounts::{DEPOSITS, TestAmount, WITHDRAWALS};

/// `GET /backoffice`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let settings = provider.settings();
    let records = provider.records();
    let open = records.withdrawals.all().filter(|(_, record)| record.state() == "new").count();
    let undelivered = records.postbacks.iter().filter(|(_, sent)| !sent.delivered).count();
    let main = html! {
        dl.figures {
            (figure("Payments", "/backoffice/payments", records.deposits.payments().len()))
            (figure("Numbers without a payment", "/backoffice/payments", records.deposits.waiting().len()))
            (figure("Withdrawals to decide", "/backoffice/withdrawals", open))
            (figure("Postbacks not answered ok", "/backoffice/postbacks", undelivered))
            (figure("Faults for the next calls", "/backoffice/faults", records.faults.ordered().count()))
        }
        p { "All payments and withdrawals for " code { "operator reconcile" } ": " a href="/backoffice/export.csv" { "export.csv" } }
        h2 { "Test amounts" }
        @if settings.test_amounts {
            p {
                "The last two digits of a whole amount decide what happens: 511 is a withdrawal that is paid. "
                "“Later” is after " (written_ms(settings.late_ms)) "."
            }
        } @else {
            p { "They are off. " a href="/backoffice/settings" { "Switch them on" } " to use them." }
        }
        div.pair {
            section {
                h3 { "Deposits" }
                p.hint { "They decide when the number is entered, if nobody has paid with this number." }
                (amounts("Test amounts of deposits", &DEPOSITS))
            }
            section {
                h3 { "Withdrawals" }
                p.hint { "They decide when the merchant asks for the withdrawal." }
                (amounts("Test amounts of withdrawals", &WITHDRAWALS))
            }
        }
    };
    office("/backoffice", "Overview", &main)
}

fn figure(name: &str, page: &str, count: usize) -> Markup {
    html! { div { dt { (name) } dd { a href=(page) { (count) } } } }
}

fn amounts<T>(name: &str, list: &[TestAmount<T>]) -> Markup {
    let rows = html! { @for (ending, _, said) in list { tr { td { ".." (ending) } td.wide { (said) } } } };
    table(name, &["Ends in", "What happens"], &rows)
}
