//! The routes: the provider's calls, each behind its faults, and the control API.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tokio::net::TcpListener;

use crate::connection::{Reset, Wires};
use crate::faults::{Call, inject};
use crate::state::World;
use crate::{api, batch, control, deposit_calls, withdrawal_calls};

/// Serves until the world stops; connections that are idle then are closed.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) -> io::Result<()> {
    let service = routes(&world).into_make_service_with_connect_info::<Reset>();
    axum::serve(Wires(listener), service).with_graceful_shutdown(async move { world.stopped().await }).await
}

/// An answer of JSON text.
pub(crate) fn json(text: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.into()).into_response()
}

fn routes(world: &Arc<World>) -> Router {
    let behind = |call: Call, handler: MethodRouter<Arc<World>>| {
        handler.layer(from_fn_with_state((Arc::clone(world), call), inject))
    };
    Router::new()
        .route("/api/v1/transaction/create/{wallet_type}", behind(Call::Create, post(deposit_calls::create)))
        .route("/api/v1/transaction/activate", behind(Call::Activate, post(deposit_calls::activate)))
        .route("/v2/withdrawal/create", behind(Call::Withdrawal, post(withdrawal_calls::withdraw)))
        .route("/_control/payments", post(control::register))
        .route("/_control/withdrawals/{withdrawal_id}", get(control::withdrawal))
        .route("/_control/withdrawals/{withdrawal_id}/settle", post(control::settle))
        .route("/_control/log", get(control::log))
        .route("/_control/postbacks", get(control::postbacks).post(batch::send))
        .route("/_control/faults", post(control::order_fault).delete(control::clear_faults))
        .route("/_control/settings", get(control::settings).post(control::change_settings))
        .fallback(api::unknown_path)
        .with_state(Arc::clone(world))
}
