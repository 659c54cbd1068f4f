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
use tokio::sync::broadcast::{Receiver, Sender, WeakSender};

use super::Shared;
use super::answer::{Failure, written};
use super::rows::Row;
use crate::record::Record;

/// Some proxies cut a stream that says nothing for half a minute.
#[cfg(feature = "cli")]
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells open pages. Their streams end with the sender that it was made of: they would keep a server from ending.
#[derive(Debug, Clone)]
pub struct Live(WeakSender<Record>);

impl Live {
    pub fn new(sender: &Sender<Record>) -> Live {
        Live(sender.downgrade())
    }

    /// How many pages are told; there may be none.
    pub fn send(&self, record: Record) -> usize {
        self.0.upgrade().and_then(|sender| sender.send(record).ok()).unwrap_or(0)
    }

    fn listen(&self) -> Option<Receiver<Record>> {
        self.0.upgrade().map(|sender| sender.subscribe())
    }
}

pub(super) async fn live(
    State(shared): State<Arc<Shared>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let Some(recorded) = shared.page.live.as_ref().and_then(Live::listen) else {
        let message = "Nothing is told live here: ask /api/records again, with the ETag of its last answer.";
        return Err(Failure::new(StatusCode::NOT_FOUND, message));
    };
    let events = stream::unfold(recorded, |mut recorded| async move {
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
