//! Notifications that wait to be delivered: at least once, and gone only when somebody says so.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};
use tokio::sync::Notify;

use super::{After, Failure, Seq, Store, StoreError};
use crate::event::Timestamp;
use crate::event::make::{self, EventName};

/// The region that the endpoint says it is in: the one that needs no location constraint.
const REGION: &str = "us-east-1";

/// What a notification says about its object; the rest comes from its [`Seq`].
pub(super) struct Change<'a> {
    pub name: EventName,
    pub bucket: &'a str,
    pub key: &'a str,
    /// A removed version has none, nor an ETag.
    pub size: Option<u64>,
    pub etag: Option<&'a str>,
    /// `None` on a bucket that never was versioned.
    pub version_id: Option<&'a str>,
}

/// One queued notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: i64,
    /// An S3 event as S3 sends it to a function: `{"Records":[…]}` with one record.
    pub body: String,
    /// How often [`Store::retry`] was called for it.
    pub attempts: u32,
}

impl Store {
    /// At most `limit` notifications that are due now, in the order of the changes.
    ///
    /// They stay queued, and are given out again, until [`Store::done`] or [`Store::retry`]: one dispatcher a store.
    pub fn pending(&self, limit: usize) -> Result<Vec<Notification>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let sql = "SELECT id, body, attempts FROM outbox WHERE due <= ?1 ORDER BY id LIMIT ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![Timestamp::now().0, limit], |row| {
                Ok(Notification { id: row.get(0)?, body: row.get(1)?, attempts: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Delivered: forgets it. No error where it is gone already.
    pub fn done(&self, id: i64) -> Result<(), StoreError> {
        self.write(|transaction, _| {
            transaction.execute("DELETE FROM outbox WHERE id = ?1", params![id])?;
            Ok(())
        })
    }

    /// Not delivered: counts the attempt, and gives it out again from `not_before` on.
    pub fn retry(&self, id: i64, not_before: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction, after| {
            let sql = "UPDATE outbox SET attempts = attempts + 1, due = ?2 WHERE id = ?1";
            after.queued = transaction.execute(sql, params![id, not_before.0])? > 0;
            Ok(())
        })
    }

    /// When the next notification is due (in the past where one is due now); `None` where none is queued.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let due = connection.query_row("SELECT min(due) FROM outbox", [], |row| row.get::<_, Option<i64>>(0));
            Ok(due.optional()?.flatten().map(Timestamp))
        })
    }

    /// Notified after each commit that queued something, and by [`Store::retry`]. It keeps one permit, so a
    /// notification queued between [`Store::pending`] and `notified().await` is not missed. One waiter a store.
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.0.queued)
    }
}

/// Queues the notification of the change `seq`, in the transaction of that change.
pub(super) fn queue(
    transaction: &Transaction<'_>,
    after: &mut After,
    seq: Seq,
    change: &Change<'_>,
) -> Result<(), Failure> {
    let sequencer = seq.sequencer();
    let notification = make::Notification {
        name: change.name,
        bucket: change.bucket,
        key: change.key,
        size: change.size,
        etag: change.etag,
        version_id: change.version_id,
        sequencer: Some(&sequencer),
        event_time: seq.time(),
        region: REGION,
    };
    let body = make::event(&notification, make::Shape::S3).to_string();
    transaction.prepare_cached("INSERT INTO outbox (id, body) VALUES (?1, ?2)")?.execute(params![seq.0, body])?;
    after.queued = true;
    Ok(())
}
