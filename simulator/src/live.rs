//! Tells the pages that something has changed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};

use crate::provider::Provider;

/// A page is told at most this often.
const PAUSE: Duration = Duration::from_millis(500);

/// `GET /live`: an event for each change of the records. Changes that come close together are one event.
pub(crate) async fn live(
    State(provider): State<Arc<Provider>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let changes = provider.changes();
    let events = stream::unfold((provider, changes), |(provider, mut changes)| async move {
        tokio::select! {
            change = changes.changed() => change.ok()?,
            () = provider.stopped() => return None,
        }
        tokio::time::sleep(PAUSE).await;
        changes.mark_unchanged();
        Some((Ok(Event::default().data("changed")), (provider, changes)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
