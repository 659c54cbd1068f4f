//! Each record as it is written: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
#[cfg(feature = "cli")]
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "cli")]
use axum::response::sse::KeepAlive;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::Shared;
use super::answer::{Failure, written};
use super::rows::Row;

/// Some proxies cut a stream that says nothing for half a minute.
#[cfg(feature = "cli")]
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let Some(live) = &shared.page.live else {
        let message = "Nothing is told live here: ask /api/records again, with the ETag of its last answer.";
        return Err(Failure::new(StatusCode::NOT_FOUND, message));
    };
    let events = stream::unfold(live.subscribe(), |mut recorded| async move {
        let event = match recorded.recv().await {
            Ok(record) => match written(&Row::new(record).with_seen()) {
                Ok(row) => Event::default().event("record").data(row),
                Err(_) => Event::default().event("lagged").data("1"),
            },
            // Slower than the records come: whoever listens reads them again.
            Err(RecvError::Lagged(missed)) => Event::default().event("lagged").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), recorded))
    });
    let live = Sse::new(events);
    // A function has no open streams, and axum no timer there.
    #[cfg(feature = "cli")]
    let live = live.keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(live)
}
