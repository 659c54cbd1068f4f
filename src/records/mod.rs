//! Writing and asking. One contract, two homes: SQLite (`embedded`) and Apache Cassandra (`cassandra`).

use async_trait::async_trait;

use crate::event::Timestamp;
use crate::record::{Order, Record};

/// The port to a home of records. `tests/records.rs` is the contract; every home passes it.
#[async_trait]
pub trait Records: Send + Sync {
    /// Writes one row, in every table. Idempotent: the same record again changes nothing.
    async fn write(&self, record: &Record) -> Result<(), RecordsError>;

    /// One page of an object's rows, every model, newest first; `after` is the last row of the page before.
    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError>;

    /// One page of sightings by one model, newest first.
    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError>;
}

/// Which sightings, in the order (event time, object hash, seq, version), newest first.
#[derive(Debug, Clone)]
pub struct Listing {
    pub model: String,
    /// As [`Record::listed_as`]; `None` is every one.
    pub label: Option<String>,
    /// Inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Rows a page.
    pub limit: usize,
    pub after: Option<Cursor>,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub object_hash: [u8; 16],
    pub order: Order,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub records: Vec<Record>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// May pass: try again.
    #[error("{0}")]
    Unavailable(String),
    /// Will not pass: the home holds something that this version cannot read, or cannot be opened.
    #[error("{0}")]
    Broken(String),
}
