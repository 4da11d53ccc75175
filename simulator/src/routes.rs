//! The routes: the provider's calls, each behind its faults, the control API, the payment window and the back office.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use pages::{HostName, guard};
use tokio::net::TcpListener;

use crate::connection::{Connections, Reset};
use crate::fault_injection::inject;
use crate::faults::Call;
use crate::live::live;
use crate::postback_sender::PostbackSender;
use crate::provider::Provider;
use crate::{backoffice, call_reply, control, deposit_calls, postback_batch, window, withdrawal_calls};

/// What the handlers use.
#[derive(Clone)]
pub(crate) struct Shared {
    provider: Arc<Provider>,
    sender: PostbackSender,
}

impl FromRef<Shared> for Arc<Provider> {
    fn from_ref(shared: &Shared) -> Self {
        Arc::clone(&shared.provider)
    }
}

impl FromRef<Shared> for PostbackSender {
    fn from_ref(shared: &Shared) -> Self {
        shared.sender.clone()
    }
}

/// Serves until the provider is stopped. Then connections without a running call are closed.
pub(crate) async fn serve(
    listener: TcpListener,
    host: Option<&HostName>,
    provider: Arc<Provider>,
    sender: PostbackSender,
) -> io::Result<()> {
    let shared = Shared { provider: Arc::clone(&provider), sender };
    let routes = guard(router(&shared), listener.local_addr()?.port(), host);
    let service = routes.into_make_service_with_connect_info::<Reset>();
    axum::serve(Connections(listener), service).with_graceful_shutdown(async move { provider.stopped().await }).await
}

fn router(shared: &Shared) -> Router {
    let behind_faults = |call: Call, handler: MethodRouter<Shared>| {
        handler.layer(from_fn_with_state((Arc::clone(&shared.provider), call), inject))
    };
    Router::new()
        .route("/api/v1/transaction/create/{wallet_type}", behind_faults(Call::Create, post(deposit_calls::create)))
        .route("/api/v1/transaction/activate", behind_faults(Call::Activate, post(deposit_calls::activate)))
        .route("/v2/withdrawal/create", behind_faults(Call::Withdrawal, post(withdrawal_calls::create)))
        .route("/_control/payments", post(control::register_payment))
        .route("/_control/withdrawals/{withdrawal_id}", get(control::withdrawal))
        .route("/_control/withdrawals/{withdrawal_id}/settle", post(control::end_withdrawal))
        .route("/_control/log", get(control::log))
        .route("/_control/postbacks", get(control::postbacks).post(postback_batch::send))
        .route("/_control/faults", post(control::order_fault).delete(control::clear_faults))
        .route("/_control/settings", get(control::settings).post(control::change_settings))
        .route("/style.css", get(pages::style))
        .route("/live.js", get(pages::script))
        .route("/live", get(live))
        .merge(window::routes())
        .merge(backoffice::routes())
        .fallback(call_reply::unknown_path)
        .with_state(shared.clone())
}
