//! Records in one SQLite file, for `demo`, `serve` and tests on a bare machine.
//!
//! WAL mode with `synchronous=FULL`: an acknowledged record survives `kill -9` and a power cut. Several processes may
//! have the file open; each waits for the other's write (one transaction of a few rows). What is written at once
//! shares a commit: flushing the disk is what a write costs.

mod inspect;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, named_params, params};

pub use inspect::{Inspected, inspect};

use super::{Cursor, Listing, Page, Records, RecordsError, object_hash};
use crate::event::Timestamp;
use crate::record::{Guess, Order, Reason, Record, Status};

/// `PRAGMA application_id`: "SPOT".
const APPLICATION: i32 = 0x5350_4f54;
/// `PRAGMA user_version`: what `schema/sqlite.sql` makes.
const SCHEMA_VERSION: i32 = 4;
const SCHEMA: &str = include_str!("../../schema/sqlite.sql");
/// What leads to a version of the schema from the one before.
const MIGRATIONS: [(i32, &str); 3] = [
    (2, include_str!("../../schema/migrations/2.sql")),
    (3, include_str!("../../schema/migrations/3.sql")),
    (4, include_str!("../../schema/migrations/4.sql")),
];

/// How long a statement waits for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// Rows of an object read at a time: the newest mostly is the answer.
const ROWS_PAGE: usize = 100;

pub struct Embedded {
    file: Arc<File>,
}

struct File {
    path: PathBuf,
    writer: Mutex<Connection>,
    /// Rows that wait for the writer.
    queue: Mutex<write::Queue>,
    /// A connection of its own, so that asking does not wait for a commit.
    reader: Mutex<Connection>,
}

impl Embedded {
    /// Opens the file; makes it, and its folder, where there is none.
    pub fn open(path: &Path) -> Result<Embedded, RecordsError> {
        let at = |error| explain(path, error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| RecordsError::Broken(format!("{}: cannot be made: {error}", folder.display())))?;
        }
        let mut writer = connect(path).map_err(at)?;
        prepare(&mut writer, path)?;
        let reader = connect(path).map_err(at)?;
        Ok(Embedded {
            file: Arc::new(File {
                path: path.to_owned(),
                writer: Mutex::new(writer),
                queue: Mutex::default(),
                reader: Mutex::new(reader),
            }),
        })
    }

    /// Runs `work` on a thread that may block.
    async fn on<T: Send + 'static>(
        &self,
        which: fn(&File) -> &Mutex<Connection>,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || {
            // A panic while it was held left SQLite itself whole: a transaction that was open is rolled back.
            let mut connection = which(&file).lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| explain(&file.path, error))
        });
        done.await.map_err(|error| RecordsError::Unavailable(format!("{}: {error}", self.file.path.display())))?
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Checks whose file it is, turns it to WAL mode and makes the tables, or brings them up to date.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), RecordsError> {
    let at = |error| explain(path, error);
    check_version(connection, path)?;
    use_wal(connection).map_err(at)?;
    // Another process may be making the tables too: whoever gets the lock first does.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(at)?;
    let version = check_version(&transaction, path)?;
    if version == 0 {
        transaction.execute_batch(SCHEMA).map_err(at)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(at)?;
    } else {
        for (_, sql) in MIGRATIONS.iter().filter(|(to, _)| *to > version) {
            transaction.execute_batch(sql).map_err(at)?;
        }
    }
    if version != SCHEMA_VERSION {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(at)?;
    }
    transaction.commit().map_err(at)
}

/// The schema's version, 0 in an empty file; an error where the file is not ours or of the future.
fn check_version(connection: &Connection, path: &Path) -> Result<i32, RecordsError> {
    let ask = |sql| connection.query_row(sql, [], |row| row.get::<_, i32>(0)).map_err(|error| explain(path, error));
    let application = ask("PRAGMA application_id")?;
    let version = ask("PRAGMA user_version")?;
    let name = path.display();
    if application != APPLICATION && (application != 0 || ask("SELECT count(*) FROM sqlite_schema")? > 0) {
        return Err(RecordsError::Broken(format!(
            "{name} is a database of another program; name another folder with --data"
        )));
    }
    if version > SCHEMA_VERSION {
        return Err(RecordsError::Broken(format!(
            "{name} was written by a newer spotter (schema {version}, this one knows {SCHEMA_VERSION}); update \
             spotter, or name another folder with --data"
        )));
    }
    Ok(version)
}

/// The change to WAL needs the file for itself and does not wait for it as other statements do.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && tries < 200 => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(25));
            }
            other => return other,
        }
    }
}

/// What SQLite said, in words: which file, what is wrong, what to do.
fn explain(path: &Path, error: rusqlite::Error) -> RecordsError {
    let name = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            RecordsError::Unavailable(format!("{name}: the disk is full; free some space, then try again"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => RecordsError::Unavailable(format!(
            "{name}: another process has been writing to it for {} s; try again",
            BUSY.as_secs()
        )),
        Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => {
            RecordsError::Unavailable(format!("{name}: {error}; try again"))
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => RecordsError::Broken(format!(
            "{name} cannot be written; change its permissions, or name another folder with --data"
        )),
        Some(ErrorCode::CannotOpen) => RecordsError::Broken(format!(
            "{name} cannot be opened as a file; check its folder's permissions, or name another with --data"
        )),
        Some(ErrorCode::NotADatabase) => RecordsError::Broken(format!(
            "{name} is not a SQLite database; move it away, or name another folder with --data"
        )),
        Some(ErrorCode::DatabaseCorrupt) => RecordsError::Broken(format!(
            "{name} is damaged ({error}); restore it from a copy, or move it away and send its pictures again"
        )),
        _ => RecordsError::Broken(format!("{name}: {error}")),
    }
}

const COLUMNS: &str = "bucket, key, seq, event_time, version, model, status, reason, why, label, confidence, top, \
                       width, height, size, content_type, etag, version_id, seen";

/// Several statements: for a transaction.
fn insert(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    insert_row(connection, record)?;
    let Record { bucket, key, order: Order { seq, event_time, version }, model, .. } = record;
    // Of a row that was here before, of a model that was edited since.
    let former = "DELETE FROM other_labels WHERE (bucket, key, seq, event_time, version, model) = (?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(former)?.execute(params![bucket, key, seq, event_time.0, version, model])?;
    for label in record.listed_under().into_iter().skip(1) {
        let other = "INSERT INTO other_labels (bucket, key, seq, event_time, version, model, label, object_hash) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let hash = object_hash(bucket, key);
        let row = params![bucket, key, seq, event_time.0, version, model, label, hash];
        connection.prepare_cached(other)?.execute(row)?;
    }
    Ok(())
}

fn insert_row(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let top: Vec<(&str, f32)> = record.top.iter().map(|guess| (guess.label.as_str(), guess.confidence)).collect();
    let top = serde_json::to_string(&top).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    // REPLACE, not IGNORE: as in Cassandra the last write of a primary key stands.
    let sql = format!(
        "INSERT OR REPLACE INTO records ({COLUMNS}, object_hash, listed_as) VALUES (:bucket, :key, :seq, :event_time, \
         :version, :model, :status, :reason, :why, :label, :confidence, :top, :width, :height, :size, :content_type, \
         :etag, :version_id, :seen, :object_hash, :listed_as)"
    );
    connection.prepare_cached(&sql)?.execute(named_params! {
        ":bucket": record.bucket,
        ":key": record.key,
        ":seq": record.order.seq,
        ":event_time": record.order.event_time.0,
        ":version": record.order.version,
        ":model": record.model,
        ":status": record.status.as_str(),
        ":reason": record.reason.map(Reason::as_str),
        ":why": record.why,
        ":label": record.label,
        ":confidence": record.confidence,
        ":top": top,
        ":width": record.dimensions.map(|(width, _)| width),
        ":height": record.dimensions.map(|(_, height)| height),
        ":size": record.size.map(u64::cast_signed),
        ":content_type": record.content_type,
        ":etag": record.etag,
        ":version_id": record.version_id,
        ":seen": record.seen,
        ":object_hash": object_hash(&record.bucket, &record.key),
        ":listed_as": record.listed_as(),
    })?;
    Ok(())
}

/// The [`Record`] in a row of [`COLUMNS`].
fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    let unknown = |column: usize, what: &str, word: String| {
        let message = format!("the {what} '{word}' is unknown to this version of spotter");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, message.into())
    };
    let status: String = row.get(6)?;
    let reason: Option<String> = row.get(7)?;
    let top: String = row.get(11)?;
    let top: Vec<(String, f32)> = serde_json::from_str(&top)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(11, rusqlite::types::Type::Text, error.into()))?;
    let (width, height): (Option<u32>, Option<u32>) = (row.get(12)?, row.get(13)?);
    Ok(Record {
        bucket: row.get(0)?,
        key: row.get(1)?,
        order: Order { seq: row.get(2)?, event_time: Timestamp(row.get(3)?), version: row.get(4)? },
        model: row.get(5)?,
        status: Status::parse(&status).ok_or_else(|| unknown(6, "status", status))?,
        reason: reason.map(|word| Reason::parse(&word).ok_or_else(|| unknown(7, "reason", word))).transpose()?,
        why: row.get(8)?,
        label: row.get(9)?,
        confidence: row.get(10)?,
        top: top.into_iter().map(|(label, confidence)| Guess { label, confidence }).collect(),
        dimensions: width.zip(height),
        size: row.get::<_, Option<i64>>(14)?.map(i64::cast_unsigned),
        content_type: row.get(15)?,
        etag: row.get(16)?,
        version_id: row.get(17)?,
        seen: row.get(18)?,
    })
}

/// Without `after` the parameters from ?3 on are not there.
fn rows_sql(after: bool) -> String {
    // The index ends with `model` the other way round, so the rest of the last row's order is cut off by a filter.
    let rest = "AND (seq, event_time, version) <= (?3, ?4, ?5) \
                AND NOT ((seq, event_time, version) = (?3, ?4, ?5) AND model <= ?6)";
    format!(
        "SELECT {COLUMNS} FROM records WHERE bucket = ?1 AND key = ?2 {} \
         ORDER BY seq DESC, event_time DESC, version DESC, model LIMIT {ROWS_PAGE}",
        if after { rest } else { "" }
    )
}

fn rows(connection: &Connection, bucket: &str, key: &str, after: Option<&Record>) -> rusqlite::Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(&rows_sql(after.is_some()))?;
    let found = match after {
        None => statement.query_map(params![bucket, key], record)?,
        Some(Record { order, model, .. }) => {
            let params = params![bucket, key, order.seq, order.event_time.0, order.version, model];
            statement.query_map(params, record)?
        }
    };
    found.collect()
}

fn list_sql(by_label: bool, seen: bool) -> String {
    let columns = COLUMNS.replace(" model,", " listed_model,");
    let columns = if seen { columns } else { columns.replace(" seen", " x''") };
    // Named, because the planner takes `by_time` for a label too and would read every other label.
    let (index, label) = if by_label { ("by_label", "listed_as = :label") } else { ("by_time", ":label IS NULL") };
    let within = "AND event_time >= :since \
                  AND (event_time, object_hash, seq, version) < (:event_time, :object_hash, :seq, :version)";
    let log = format!("FROM records INDEXED BY {index} WHERE listed_model = :model AND {label} {within}");
    if !by_label {
        return format!(
            "SELECT {columns} {log} ORDER BY event_time DESC, object_hash DESC, seq DESC, version DESC, model DESC \
             LIMIT :limit"
        );
    }
    // Columns after those that are read: what the two logs are merged by, with 4, 3 and 5.
    let others = columns.replace("seq, event_time, version", "of.seq, of.event_time, of.version");
    let others = others.replace("bucket, key", "of.bucket, of.key").replace("label,", "records.label,");
    format!(
        "SELECT {columns}, object_hash, model {log} UNION ALL \
         SELECT {others}, of.object_hash, of.model FROM other_labels AS of INDEXED BY by_other_label CROSS JOIN records \
         ON (records.bucket, records.key, records.seq, records.event_time, records.version, records.model) = \
         (of.bucket, of.key, of.seq, of.event_time, of.version, of.model) \
         WHERE of.model = :model AND of.label = :label AND of.event_time >= :since AND \
         (of.event_time, of.object_hash, of.seq, of.version) < (:event_time, :object_hash, :seq, :version) \
         ORDER BY 4 DESC, 20 DESC, 3 DESC, 5 DESC, 21 DESC LIMIT :limit"
    )
}

fn list(connection: &Connection, listing: &Listing) -> rusqlite::Result<Page> {
    let limit = listing.limit.max(1);
    let end = listing.end();
    let params = named_params! {
        ":model": listing.model,
        ":label": listing.label,
        ":since": listing.since.map_or(i64::MIN, |since| since.0),
        ":event_time": end.event_time.0,
        ":object_hash": end.object_hash,
        ":seq": end.seq,
        ":version": end.version,
        ":limit": i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
    };
    let mut statement = connection.prepare_cached(&list_sql(listing.label.is_some(), listing.seen))?;
    let mut records: Vec<Record> = statement.query_map(params, record)?.collect::<rusqlite::Result<_>>()?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| more).map(Cursor::of);
    // Several corrections of one version are one sighting, the newest, as in Cassandra's logs.
    records.dedup_by(|a, b| (&a.bucket, &a.key, &a.order) == (&b.bucket, &b.key, &b.order));
    Ok(Page { next, records })
}

fn served(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let served = connection.query_row("SELECT served FROM layout WHERE one = 'layout'", [], |row| row.get(0));
    Ok(served.optional()?.flatten())
}

#[async_trait]
impl Records for Embedded {
    /// SQLite itself waits for other processes, for [`BUSY`] at most; all else that fails does not pass.
    async fn write(&self, record: &Record, _: Instant) -> Result<(), RecordsError> {
        write::write(&self.file, record.clone()).await
    }

    async fn available(&self) -> Result<(), RecordsError> {
        self.on(
            |file| &file.reader,
            |connection| connection.query_row("SELECT 1 FROM records LIMIT 0", [], |_| Ok(())).optional().map(drop),
        )
        .await
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        let (bucket, key, after) = (bucket.to_owned(), key.to_owned(), after.cloned());
        self.on(|file| &file.reader, move |connection| rows(connection, &bucket, &key, after.as_ref())).await
    }

    /// The bytes are overwritten in the file, too (`secure_delete`).
    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let removed = self.on(
            |file| &file.writer,
            move |connection| {
                connection.pragma_update(None, "secure_delete", true)?;
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let of_object = |table: &str| {
                    let sql = format!("DELETE FROM {table} WHERE bucket = ? AND key = ?");
                    transaction.execute(&sql, params![bucket, key])
                };
                of_object("other_labels")?;
                let removed = of_object("records")?;
                transaction.commit()?;
                // The log of writes has it as well, until it is begun anew. Somebody who reads may prevent that.
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                Ok(removed)
            },
        );
        Ok(removed.await? as u64)
    }

    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError> {
        let listing = listing.clone();
        self.on(|file| &file.reader, move |connection| list(connection, &listing)).await
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        self.on(|file| &file.reader, |connection| served(connection)).await
    }

    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        let model = model.map(str::to_owned);
        let sql = "INSERT OR REPLACE INTO layout (one, served) VALUES ('layout', ?)";
        self.on(|file| &file.writer, move |connection| connection.execute(sql, [model]).map(drop)).await
    }
}

#[cfg(test)]
mod tests;
