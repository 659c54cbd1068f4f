//! Writing and asking. One contract, two homes: SQLite (`embedded`) and Apache Cassandra (`cassandra`).

pub mod cassandra;
#[cfg(feature = "cli")]
pub mod embedded;
pub mod reader;

pub use reader::{
    Latest, correction_of, current, get, get_with_latest, history, is_current, latest, listed, newest, of_order,
    of_version,
};

use std::cmp::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::event::Timestamp;
use crate::record::{Order, Record};

/// The port to a home of records. `tests/records.rs` is the contract; every home passes it.
#[async_trait]
pub trait Records: Send + Sync {
    /// Writes one row, in every table. Idempotent: the same record again changes nothing. Once it returns, the row
    /// survives the end of the process. A `confidence` without a `label` is not kept.
    ///
    /// What may pass is tried again until shortly before `deadline`, so that its error still comes in time.
    async fn write(&self, record: &Record, deadline: Instant) -> Result<(), RecordsError>;

    /// Whether a write would find the home now, with its tables. Asks once, cheaply, and changes nothing: a consumer
    /// of a queue receives nothing while this fails.
    async fn available(&self) -> Result<(), RecordsError>;

    /// One page of an object's rows, every model, newest first; rows of one order by model, so that a removal (`''`)
    /// stands before what it removes. `after` is the last row of the page before; an empty page is the end.
    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError>;

    /// One page of the rows of one model, newest first. A page may be shorter than asked: [`Page::next`] says
    /// whether it was the last.
    ///
    /// Corrections are listed as [`HUMAN`](crate::record::HUMAN)'s, one row a version, and one of each label that it was
    /// given: only the object's rows say which correction holds ([`correction_of`]).
    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError>;

    /// The model whose answers are shown where nobody names one, as [`Records::serve`] wrote it last; `None` where it
    /// never did. Read anew each time: a switch holds for the next question.
    async fn served(&self) -> Result<Option<String>, RecordsError>;

    /// Writes it: one row, whatever there are of records. `None` leaves it to whoever asks.
    #[cfg(feature = "cli")]
    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError>;

    /// Removes every row of an object, of every model, from every table, and says how many it had. An event of it that
    /// comes again writes its row again.
    #[cfg(feature = "cli")]
    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError>;
}

/// Which rows, in the order of [`Cursor`]s (event time, [`object_hash`], seq, version), greatest first.
#[derive(Debug, Clone)]
pub struct Listing {
    /// As [`Record::listed_model`]: `name/version` lists what that model saw, `human` what people corrected, `''` deletes
    /// and removals.
    pub model: String,
    /// One of [`Record::listed_under`]; `None` is every one.
    pub label: Option<String>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Rows a page; 0 counts as 1.
    pub limit: usize,
    /// Without it the rows come with an empty `seen`, and no picture is sent.
    pub seen: bool,
    pub after: Option<Cursor>,
}

/// Where a listing goes on: rows less than this.
pub(crate) struct End {
    pub(crate) event_time: Timestamp,
    pub(crate) object_hash: Vec<u8>,
    pub(crate) seq: String,
    pub(crate) version: String,
}

impl End {
    /// The newest time that a row before it can have: none is less than the empty hash.
    pub(crate) fn newest(&self) -> Timestamp {
        Timestamp(self.event_time.0.saturating_sub(i64::from(self.object_hash.is_empty())))
    }
}

impl Listing {
    /// The lesser of `after` and `until`: one bound serves both, so an index is entered at the right place.
    pub(crate) fn end(&self) -> End {
        // No hash is less than the empty one, and none is greater than 17 bytes of ones.
        let until =
            |event_time, object_hash| End { event_time, object_hash, seq: String::new(), version: String::new() };
        match (&self.after, self.until) {
            (Some(after), bound) if bound.is_none_or(|bound| after.order.event_time < bound) => End {
                event_time: after.order.event_time,
                object_hash: after.object_hash.to_vec(),
                seq: after.order.seq.clone(),
                version: after.order.version.clone(),
            },
            (_, Some(bound)) => until(bound, Vec::new()),
            (_, None) => until(Timestamp(i64::MAX), vec![0xff; 17]),
        }
    }
}

/// Where a row stands in a log. What is greater is newer, and comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub object_hash: [u8; 16],
    pub order: Order,
}

impl Cursor {
    pub fn of(record: &Record) -> Cursor {
        Cursor { object_hash: object_hash(&record.bucket, &record.key), order: record.order.clone() }
    }
}

/// The order of every [`Listing`].
impl Ord for Cursor {
    fn cmp(&self, other: &Cursor) -> Ordering {
        let place = |Cursor { object_hash, order }: &Cursor| (order.event_time, *object_hash);
        let same_time = || (&self.order.seq, &self.order.version).cmp(&(&other.order.seq, &other.order.version));
        place(self).cmp(&place(other)).then_with(same_time)
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Cursor) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The object in a clustering column: a key of 1,024 bytes is too long for one in Amazon Keyspaces (850 bytes).
/// The first 16 bytes of SHA-256 over bucket, NUL, key.
pub fn object_hash(bucket: &str, key: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(bucket).chain_update([0]).chain_update(key).finalize();
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[..16]);
    hash
}

#[derive(Debug, Clone)]
pub struct Page {
    pub records: Vec<Record>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordsError {
    /// May pass: try again.
    #[error("{0}")]
    Unavailable(String),
    /// Will not pass: the home holds something that this version cannot read, or cannot be opened.
    #[error("{0}")]
    Broken(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_ordered_by_time_then_object_then_order() {
        let at = |time: i64, hash: u8, seq: &str, version: &str| Cursor {
            object_hash: [hash; 16],
            order: Order { seq: seq.into(), event_time: Timestamp(time), version: version.into() },
        };
        let ascending = [
            at(1, 9, "F", "z"),
            at(2, 1, "A", "a"),
            at(2, 1, "A", "b"),
            at(2, 1, "B", "a"),
            at(2, 2, "", ""),
            at(3, 0, "", ""),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b), "{ascending:?}");
    }
}
