//! Buckets, objects and queued notifications: rows in SQLite, bytes in files.
//!
//! What a crash leaves behind. An upload is written to `tmp/`, flushed to the disk, and renamed to
//! `blobs/<SHA-256>` *before* the transaction that makes it an object; a blob is unlinked only *after* the transaction
//! that drops its last row. So a row always has its bytes, whenever the process or the power dies, and what may be
//! left over is a file that no row names: those are removed at [`Store::open`]. The transaction holds the object's row
//! *and* its notification, and SQLite flushes it (`synchronous = FULL`) before the upload is answered.

mod blobs;
mod buckets;
mod listing;
mod multipart;
mod objects;
mod outbox;
#[cfg(test)]
mod tests;
mod version;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio::sync::Notify;

use crate::event::Timestamp;
pub use blobs::{Body, Staged, Staging};
pub use buckets::{Bucket, Versioning};
pub(super) use listing::{Entry, Query, VersionEntry, behind, successor};
pub(super) use multipart::{PartNumber, UploadedPart};
pub use outbox::Notification;
pub use version::{Attributes, Checksums, Condition, Removed, Version, Written};

/// Raised when the tables change; a folder of another layout is refused, not guessed at.
const LAYOUT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL);
    INSERT INTO clock VALUES (1, 0);
    CREATE TABLE buckets (
        name TEXT PRIMARY KEY,
        created INTEGER NOT NULL,
        versioning TEXT
    ) WITHOUT ROWID;
    -- Keys are BLOBs: any bytes, ordered as bytes. The current version of a key is the one with the highest seq.
    CREATE TABLE versions (
        seq INTEGER PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES buckets (name),
        key BLOB NOT NULL,
        id TEXT NOT NULL,
        marker INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        attributes TEXT NOT NULL
    );
    CREATE UNIQUE INDEX versions_by_order ON versions (bucket, key, seq);
    CREATE UNIQUE INDEX versions_by_id ON versions (bucket, key, id);
    -- An object's bytes: one blob, or one for each part of its upload.
    CREATE TABLE segments (
        seq INTEGER NOT NULL REFERENCES versions (seq) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        blob TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (seq, n)
    ) WITHOUT ROWID;
    CREATE INDEX segments_by_blob ON segments (blob);
    CREATE TABLE uploads (
        id TEXT PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES buckets (name) ON DELETE CASCADE,
        key BLOB NOT NULL,
        initiated INTEGER NOT NULL,
        attributes TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE parts (
        upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
        n INTEGER NOT NULL,
        blob TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        checksums TEXT NOT NULL,
        modified INTEGER NOT NULL,
        PRIMARY KEY (upload, n)
    ) WITHOUT ROWID;
    CREATE INDEX parts_by_blob ON parts (blob);
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        due INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX outbox_by_due ON outbox (due, id);
";

/// Everything behind the endpoint, in one folder. Clones share it.
///
/// Calls block for a disk flush: from async code, call them on a blocking thread.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    /// Also the lock under which blobs are renamed into place and unlinked.
    connection: Mutex<Connection>,
    queued: Arc<Notify>,
    /// Held for its advisory lock.
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another process uses the folder {}; stop it, or name another folder with --data", .0.display())]
    InUse(PathBuf),
    #[error(
        "the folder {} was written by another version of spotter (layout {found}, this one reads {LAYOUT}); use that \
         version, or name another folder with --data",
        dir.display()
    )]
    Layout { dir: PathBuf, found: i64 },
    #[error("the disk of {} is full; free some space, then try again", .0.display())]
    Full(PathBuf),
    #[error("{} cannot be written: {source}; change that, or name another folder with --data", path.display())]
    ReadOnly { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: {source}", dir.display())]
    Database { dir: PathBuf, source: rusqlite::Error },
    #[error("{0}")]
    Corrupt(String),
    #[error("the bucket does not exist")]
    NoSuchBucket,
    #[error("the bucket has objects, versions or delete markers; delete them first")]
    BucketNotEmpty,
    #[error("the key does not exist")]
    NoSuchKey,
    /// The current version is a delete marker.
    #[error("the key does not exist: its current version is a delete marker")]
    Deleted { version_id: String },
    #[error("the version does not exist")]
    NoSuchVersion,
    #[error("this version is a delete marker, which has no content")]
    IsMarker { version_id: String, modified: Timestamp },
    #[error("at least one of the conditions that were sent does not hold")]
    PreconditionFailed,
    #[error("the upload does not exist; it may have been completed or aborted")]
    NoSuchUpload,
    #[error("part {0} was not uploaded, or its ETag is another one")]
    InvalidPart(u16),
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("part {0} is smaller than 5 MiB and is not the last one")]
    PartTooSmall(u16),
    #[error("a key has 1 to 1,024 bytes, and this one has {0}")]
    KeyLength(usize),
}

/// What a transaction leaves to be done once it has ended.
#[derive(Default)]
struct After {
    /// Blobs that may have lost their last row.
    loose: Vec<String>,
    queued: bool,
}

impl Store {
    /// Opens the store in `dir`, creating it where there is none, and removes what a crash left over.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process (or another `Store` of this one) has it open.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = std::path::absolute(dir).map_err(|source| StoreError::Io { path: dir.into(), source })?;
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| io_error(&path, source)
        };
        for folder in ["tmp", "blobs"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        let path = dir.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&path).map_err(at(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(dir.clone()),
            TryLockError::Error(source) => io_error(&path, source),
        })?;
        let connection = connect(&dir)?;
        let store =
            Self(Arc::new(Inner { dir, connection: Mutex::new(connection), queued: Arc::default(), _lock: lock }));
        store.collect_orphans()?;
        Ok(store)
    }

    /// The folder that everything is in.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction rolled it back: the connection is as good as before.
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, StoreError> {
        query(&self.connection()).map_err(|failure| self.error(failure))
    }

    /// Runs `change` in one transaction, then unlinks the blobs that it has left without rows.
    fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>, &mut After) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let mut after = After::default();
        let result = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Failure::from)
            .and_then(|transaction| {
                let value = change(&transaction, &mut after)?;
                transaction.commit()?;
                Ok(value)
            })
            .map_err(|failure| self.error(failure));
        self.unlink_loose(&connection, &after.loose);
        drop(connection);
        if after.queued && result.is_ok() {
            self.0.queued.notify_one();
        }
        result
    }

    fn error(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Told(error) => error,
            Failure::Database(source) if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
                StoreError::Full(self.0.dir.clone())
            }
            Failure::Database(source) => StoreError::Database { dir: self.0.dir.clone(), source },
        }
    }
}

/// An error inside a transaction: one to tell, or the database's own.
enum Failure {
    Told(StoreError),
    Database(rusqlite::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn io_error(path: &Path, source: io::Error) -> StoreError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full(path.parent().unwrap_or(path).to_path_buf())
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly { path: path.to_path_buf(), source }
        }
        _ => StoreError::Io { path: path.to_path_buf(), source },
    }
}

fn connect(dir: &Path) -> Result<Connection, StoreError> {
    let failed = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full(dir.to_path_buf()),
        _ => StoreError::Database { dir: dir.to_path_buf(), source },
    };
    let mut connection = Connection::open(dir.join("objects.sqlite")).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    match found {
        0 => {
            transaction.execute_batch(TABLES).map_err(failed)?;
            transaction.pragma_update(None, "user_version", LAYOUT).map_err(failed)?;
        }
        LAYOUT => {}
        found => return Err(StoreError::Layout { dir: dir.to_path_buf(), found }),
    }
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

/// The place of a change in the store's one order: microseconds since 1970, or one more than the last.
///
/// Time, so that the order goes on where a folder is deleted and made anew while its records live elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seq(i64);

impl Seq {
    fn next(transaction: &Transaction<'_>) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let now = i64::try_from(now).unwrap_or(0);
        let next =
            transaction.query_row("UPDATE clock SET last = max(last + 1, ?1) RETURNING last", params![now], |row| {
                row.get(0)
            })?;
        Ok(Self(next))
    }

    /// The time of the change: never before that of an earlier one.
    fn time(self) -> Timestamp {
        Timestamp(self.0 / 1000)
    }

    /// 18 upper-case hexadecimal digits, as S3 writes them.
    fn sequencer(self) -> String {
        format!("{:018X}", self.0)
    }

    /// Opaque, unique in the store.
    fn version_id(self) -> String {
        format!("{:032x}", self.0)
    }
}
