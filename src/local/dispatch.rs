//! From the store's outbox to the function: what the queue and the event source mapping are on AWS.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{Notification, Store, StoreError};
use crate::event::Timestamp;
use crate::function::{Answer, Call, Function, TIME_LIMIT};
use crate::telemetry::Context;

/// Notifications that are under way at once.
const CONCURRENT: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Delivers what is queued, at least once, until the future is dropped. A notification that failed comes again, each
/// time after twice the pause; so does the work where the store itself fails (a full disk), and nothing is forgotten.
pub async fn run(store: &Store, function: &Function, answered: impl Fn(&Answer)) -> Infallible {
    let wake = store.wake();
    let mut deliveries = FuturesUnordered::new();
    let mut under_way = HashSet::new();
    loop {
        let pending = pending(store).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the queue cannot be read");
            Vec::new()
        });
        for notification in pending {
            if deliveries.len() < CONCURRENT && under_way.insert(notification.id) {
                deliveries.push(deliver_and_settle(store, function, notification));
            }
        }
        let pause = if under_way.is_empty() { until_next(store).await } else { FIRST_PAUSE };
        tokio::select! {
            Some((id, answer)) = deliveries.next() => {
                answered(&answer);
                under_way.remove(&id);
            }
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Those under way are due as well, so as many more are read.
async fn pending(store: &Store) -> Result<Vec<Notification>, StoreError> {
    blocking(store, |store| store.pending(2 * CONCURRENT)).await
}

async fn until_next(store: &Store) -> Duration {
    match blocking(store, Store::next_due).await {
        Ok(Some(due)) => {
            Duration::from_millis(due.0.saturating_sub(Timestamp::now().0).max(0) as u64).min(LONGEST_PAUSE)
        }
        Ok(None) => LONGEST_PAUSE,
        Err(_) => FIRST_PAUSE,
    }
}

async fn deliver_and_settle(store: &Store, function: &Function, notification: Notification) -> (i64, Answer) {
    let answer = deliver(function, &notification.body, notification.attempts + 1).await;
    let (id, attempts, done) = (notification.id, notification.attempts, answer.body.is_ok());
    let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(attempts)).min(LONGEST_PAUSE);
    let again = Timestamp(Timestamp::now().0.saturating_add(pause.as_millis() as i64));
    let settled = blocking(store, move |store| if done { store.done(id) } else { store.retry(id, again) }).await;
    if let Err(error) = settled {
        // Still queued: it is delivered again, and writes the same row.
        tracing::error!(%error, "the queue cannot be written");
        tokio::time::sleep(pause).await;
    }
    (id, answer)
}

/// One notification through the function; the first attempt is 1.
pub async fn deliver(function: &Function, body: &str, attempt: u32) -> Answer {
    // The store wrote this JSON itself; were it damaged, the parser's error would name what it found instead.
    let payload = serde_json::from_str(body).unwrap_or_default();
    let context = Context { attempt: Some(attempt), ..Context::default() };
    function.answer_to(Call { deadline: Instant::now() + TIME_LIMIT, context }, &payload).await
}

/// SQLite waits for the disk: not on the threads that serve.
async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result,
        Err(stopped) => Err(StoreError::Corrupt(format!("the work on the queue stopped: {stopped}"))),
    }
}
