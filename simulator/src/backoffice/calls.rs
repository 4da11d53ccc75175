//! The merchant's calls, as they came and as they were answered.

use std::sync::Arc;

use axum::extract::State;
use maud::html;
use pages::Page;

use crate::backoffice::{SHOWN, cut_off, office, table};
use crate::clock::written;
use crate::provider::Provider;

/// `GET /backoffice/calls`
pub(super) async fn show(State(provider): State<Arc<Provider>>) -> Page<'static> {
    let records = provider.records();
    let all = records.calls.iter().len();
    let rows = html! {
        @for (id, call) in records.calls.iter().rev().take(SHOWN) {
            tr {
                td.time { (written(call.at)) }
                td { code { (call.path) } @if let Some(fault) = &call.fault { br; span.state.bad { "fault: " (fault) } } }
                td.wide {
                    code { (call.request) }
                    @if call.request.contains("\"signature\"") { br; a href={ "/backoffice/signatures?call=" (id) "#withdrawal" } { "Check its signature" } }
                }
                td.wide { (call.status) " " code { (call.answer) } }
            }
        }
    };
    let main = html! {
        p.hint { "A fault changes an answer on its way: here is what the provider meant to answer." }
        @if all == 0 { p { "The merchant has not called yet." } }
        @else { (table("Calls", &["Time (UTC)", "Call", "Request", "Answer"], &rows)) }
        (cut_off(SHOWN, all))
    };
    office("/backoffice/calls", "Calls of the merchant", &main)
}
