//! From the store's outbox to the function: what the queue and the event source mapping are on AWS.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, stream};

use super::{Notification, Store, StoreError};
use crate::event::Timestamp;
use crate::function::{Answer, Function};

/// Notifications that are under way at once.
const CONCURRENT: usize = 8;
/// Notifications that are read at a time.
const BATCH: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Delivers what is queued, at least once, until the future is dropped. A notification that failed comes again,
/// each time after twice the pause.
///
/// # Errors
/// Only if the store itself fails; what is queued stays queued.
pub async fn run(store: &Store, function: &Arc<Function>, answered: impl Fn(&Answer)) -> Result<(), StoreError> {
    let wake = store.wake();
    loop {
        let pending = store.pending(BATCH)?;
        if pending.is_empty() {
            let due = store.next_due()?.map(|due| Duration::from_millis(due.0.saturating_sub(now().0).max(0) as u64));
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(due.unwrap_or(LONGEST_PAUSE)) => {}
            }
            continue;
        }
        let mut deliveries = stream::iter(pending)
            .map(|notification| async { (deliver(function, &notification.body).await, notification) })
            .buffer_unordered(CONCURRENT);
        while let Some((answer, notification)) = deliveries.next().await {
            answered(&answer);
            settle(store, &notification, &answer)?;
        }
    }
}

/// One notification through the function.
pub async fn deliver(function: &Function, body: &str) -> Answer {
    // The store wrote this JSON itself; were it damaged, the parser's error would name what it found instead.
    let payload = serde_json::from_str(body).unwrap_or_default();
    function.answer(&payload).await
}

fn settle(store: &Store, notification: &Notification, answer: &Answer) -> Result<(), StoreError> {
    if answer.body.is_ok() {
        return store.done(notification.id);
    }
    let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(notification.attempts)).min(LONGEST_PAUSE);
    store.retry(notification.id, Timestamp(now().0.saturating_add(pause.as_millis() as i64)))
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
