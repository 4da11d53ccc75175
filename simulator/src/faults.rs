//! Faults that the control API orders for the next calls, worked on the real socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;

use crate::connection::Reset;
use crate::server::json;
use crate::state::World;

const HUGE: usize = 10 * 1024 * 1024;

/// The provider's calls that a fault can be put on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Call {
    /// `transaction/create`.
    Create,
    /// `transaction/activate`.
    Activate,
    /// `withdrawal/create`.
    Withdrawal,
}

/// What happens to a call.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
enum Kind {
    ResetBefore,
    #[serde(alias = "process_then_reset")]
    ResetAfter,
    SlowHeaders {
        ms: u64,
    },
    SlowBody {
        ms: u64,
    },
    Hang,
    Status {
        code: u16,
        #[serde(default)]
        body: String,
    },
    Empty,
    Html,
    Truncated,
    TrailingComma,
    UnknownStatus,
    MessageString {
        #[serde(default = "refusal")]
        message: String,
    },
    MessageMap,
    Huge,
    AcceptedButLost,
}

/// An order for the next `times` calls.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fault {
    on: Call,
    #[serde(default = "once")]
    times: u64,
    /// Whether the call has its effect; absent: as the kind suggests.
    processed: Option<bool>,
    #[serde(flatten)]
    kind: Kind,
}

fn once() -> u64 {
    1
}

fn refusal() -> String {
    "The request was refused".to_owned()
}

impl Fault {
    /// A connection that ends before the request is read can have had no effect.
    fn is_processed(&self) -> bool {
        match self.kind {
            Kind::ResetBefore => false,
            Kind::Status { .. } | Kind::MessageString { .. } | Kind::MessageMap => self.processed.unwrap_or(false),
            Kind::ResetAfter
            | Kind::SlowHeaders { .. }
            | Kind::SlowBody { .. }
            | Kind::Hang
            | Kind::Empty
            | Kind::Html
            | Kind::Truncated
            | Kind::TrailingComma
            | Kind::UnknownStatus
            | Kind::Huge
            | Kind::AcceptedButLost => self.processed.unwrap_or(true),
        }
    }
}

/// The orders that are still open, in their order.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Adds an order.
    pub(crate) fn order(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Forgets every order.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the fault of the next such call.
    fn take(&mut self, call: Call) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.on == call)?;
        fault.times = fault.times.saturating_sub(1);
        Some(fault.clone())
    }
}

/// Stands before a call and has it go wrong when that was ordered.
pub(crate) async fn inject(
    State((world, call)): State<(Arc<World>, Call)>,
    ConnectInfo(reset): ConnectInfo<Reset>,
    request: Request,
    next: Next,
) -> Response {
    let fault = world.state().faults.take(call);
    let Some(fault) = fault else {
        return next.run(request).await;
    };
    world.log(format!("{call:?}: fault {:?}, processed: {}", fault.kind, fault.is_processed()));
    let answer =
        if fault.is_processed() { next.run(request).await } else { StatusCode::SERVICE_UNAVAILABLE.into_response() };
    fault.kind.spoil(answer, &reset, &world).await
}

impl Kind {
    async fn spoil(self, answer: Response, reset: &Reset, world: &World) -> Response {
        match self {
            Self::ResetBefore | Self::ResetAfter => {
                reset.arm();
                answer
            }
            Self::SlowHeaders { ms } => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                answer
            }
            Self::SlowBody { ms } => slow_body(answer, Duration::from_millis(ms)),
            Self::Hang => {
                world.stopped().await;
                answer
            }
            Self::Status { code, body } => bare(code, body),
            Self::Empty => StatusCode::OK.into_response(),
            Self::Html => Html("<!DOCTYPE html><html><body>It works</body></html>").into_response(),
            Self::Truncated => truncated(answer).await,
            Self::TrailingComma => json(r#"{"status":"ok",}"#),
            Self::UnknownStatus => json(r#"{"status":"processing"}"#),
            Self::MessageString { message } => {
                json(serde_json::json!({"status": "fail", "message": message}).to_string())
            }
            Self::MessageMap => {
                json(r#"{"status":"fail","message":{"withdrawals_sum_amount":["Insufficient balance"]}}"#)
            }
            Self::Huge => json(format!(r#"{{"status":"ok","padding":"{}"}}"#, "x".repeat(HUGE))),
            Self::AcceptedButLost => bare(502, "Bad Gateway".to_owned()),
        }
    }
}

/// A status with a text; a redirection names a place, so that a client that follows it is seen to.
fn bare(code: u16, body: String) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/_redirected")], body).into_response();
    }
    (status, body).into_response()
}

/// The headers at once, the body later.
fn slow_body(answer: Response, delay: Duration) -> Response {
    let (mut head, body) = answer.into_parts();
    let late = stream::once(async move {
        tokio::time::sleep(delay).await;
        Ok::<Bytes, Infallible>(to_bytes(body, HUGE).await.unwrap_or_default())
    });
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from_stream(late))
}

/// A complete HTTP message with half of its JSON.
async fn truncated(answer: Response) -> Response {
    let whole = to_bytes(answer.into_body(), HUGE).await.unwrap_or_default();
    let half = whole.len().div_ceil(2);
    json(String::from_utf8_lossy(whole.get(..half).unwrap_or_default()).into_owned())
}
