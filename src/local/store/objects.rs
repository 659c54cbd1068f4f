//! Objects, their versions and delete markers.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::blobs::{Body, Segment, Staged};
use super::buckets::{Bucket, Versioning, bucket};
use super::outbox::{Change, queue};
use super::version::{Attributes, Condition, Removed, Version, Written, from_json, to_json};
use super::{After, Failure, Seq, Store, StoreError};
use crate::encoding::hex;
use crate::event::make::EventName;

/// The id of the version that a key has while its bucket is not (or no longer) versioned.
const NULL: &str = "null";
/// What S3 gives as a delete marker's ETag: MD5 of nothing.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
const LONGEST_KEY: usize = 1024;

/// A row of `versions`, with its bytes' places.
pub(super) struct Stored {
    seq: Seq,
    id: String,
    marker: bool,
    pub(super) size: u64,
    etag: String,
    attributes: String,
    pub(super) segments: Vec<Segment>,
}

/// What is about to become a version.
pub(super) struct Content {
    pub etag: String,
    pub attributes: String,
    pub segments: Vec<Segment>,
}

impl Store {
    /// Makes an upload the key's current version; `created` is the name of its notification.
    pub fn put(
        &self,
        bucket_name: &str,
        key: &str,
        staged: &Staged,
        attributes: &Attributes,
        condition: &Condition,
        created: EventName,
    ) -> Result<Written, StoreError> {
        check_key(key)?;
        self.write(|transaction, after| {
            let bucket = bucket(transaction, bucket_name)?;
            check(transaction, &bucket, key, condition)?;
            let segments = if staged.size == 0 { Vec::new() } else { vec![self.place(staged, after)?] };
            let content = Content { etag: hex(&staged.md5), attributes: to_json(attributes)?, segments };
            insert(transaction, after, &bucket, key, content, created)
        })
    }

    /// Makes a copy the key's current version, if `accept` has nothing against its source. The bytes are shared, and
    /// the ETag stays (S3 gives the copy of a multipart upload another one). `attributes` replace the source's.
    /// Returns the source's version too.
    pub fn copy(
        &self,
        source: (&str, &str, Option<&str>),
        target: (&str, &str),
        attributes: Option<&Attributes>,
        accept: impl FnOnce(&Version) -> Result<(), StoreError>,
    ) -> Result<(Version, Written), StoreError> {
        check_key(target.1)?;
        self.write(|transaction, after| {
            let from = bucket(transaction, source.0)?;
            let stored = find(transaction, &from, source.1, source.2)?;
            let to = bucket(transaction, target.0)?;
            let version = stored.version(&from, source.1)?;
            accept(&version)?;
            let attributes = match attributes {
                Some(replaced) => {
                    let checksums = version.attributes.checksums.clone();
                    to_json(&Attributes { checksums, ..replaced.clone() })?
                }
                None => stored.attributes,
            };
            let content = Content { etag: stored.etag, attributes, segments: stored.segments };
            let written = insert(transaction, after, &to, target.1, content, EventName::Copy)?;
            Ok((version, written))
        })
    }

    /// The current version, or the one that is named, without its bytes.
    pub fn head(&self, bucket_name: &str, key: &str, version_id: Option<&str>) -> Result<Version, StoreError> {
        self.read(|connection| {
            let bucket = bucket(connection, bucket_name)?;
            find(connection, &bucket, key, version_id)?.version(&bucket, key)
        })
    }

    /// The current version, or the one that is named, and its bytes.
    pub fn get(&self, bucket_name: &str, key: &str, version_id: Option<&str>) -> Result<(Version, Body), StoreError> {
        self.read(|connection| {
            let bucket = bucket(connection, bucket_name)?;
            let stored = find(connection, &bucket, key, version_id)?;
            let body = self.open_segments(&stored.segments)?;
            Ok((stored.version(&bucket, key)?, body))
        })
    }

    /// Deletes the key (on a versioned bucket: makes a delete marker), or the version that is named, for good.
    /// What does not exist is deleted already: no error, and no notification.
    pub fn delete(
        &self,
        bucket_name: &str,
        key: &str,
        version_id: Option<&str>,
        condition: &Condition,
    ) -> Result<Removed, StoreError> {
        check_key(key)?;
        self.write(|transaction, after| {
            let bucket = bucket(transaction, bucket_name)?;
            check(transaction, &bucket, key, condition)?;
            match (version_id, bucket.versioning) {
                (Some(id), _) => remove(transaction, after, &bucket, key, id),
                (None, None) => remove(transaction, after, &bucket, key, NULL).map(|_| Removed::default()),
                (None, Some(_)) => mark(transaction, after, &bucket, key),
            }
        })
    }
}

/// Inserts a version and queues its notification.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    after: &mut After,
    bucket: &Bucket,
    key: &str,
    content: Content,
    created: EventName,
) -> Result<Written, Failure> {
    let seq = Seq::next(transaction)?;
    let size = content.segments.iter().map(|segment| segment.size).sum();
    let id = new_id(transaction, after, bucket, key, seq)?;
    transaction.prepare_cached("INSERT INTO versions VALUES (?1, ?2, ?3, ?4, false, ?5, ?6, ?7)")?.execute(params![
        seq.0,
        bucket.name,
        key.as_bytes(),
        id,
        sql_size(size),
        content.etag,
        content.attributes
    ])?;
    let mut statement = transaction.prepare_cached("INSERT INTO segments VALUES (?1, ?2, ?3, ?4)")?;
    for (n, segment) in content.segments.iter().enumerate() {
        statement.execute(params![seq.0, sql_size(n as u64), segment.blob, sql_size(segment.size)])?;
    }
    let version_id = bucket.versioning.is_some().then_some(id);
    let change = Change {
        name: created,
        bucket: &bucket.name,
        key,
        size: Some(size),
        etag: Some(&content.etag),
        version_id: version_id.as_deref(),
    };
    queue(transaction, after, seq, &change)?;
    Ok(Written { version_id, etag: content.etag, modified: seq.time() })
}

/// Makes a delete marker.
fn mark(transaction: &Transaction<'_>, after: &mut After, bucket: &Bucket, key: &str) -> Result<Removed, Failure> {
    let seq = Seq::next(transaction)?;
    let id = new_id(transaction, after, bucket, key, seq)?;
    transaction.execute(
        "INSERT INTO versions VALUES (?1, ?2, ?3, ?4, true, 0, ?5, '{}')",
        params![seq.0, bucket.name, key.as_bytes(), id, ETAG_OF_NOTHING],
    )?;
    let change = Change {
        name: EventName::DeleteMarkerCreated,
        bucket: &bucket.name,
        key,
        size: None,
        etag: Some(ETAG_OF_NOTHING),
        version_id: Some(&id),
    };
    queue(transaction, after, seq, &change)?;
    Ok(Removed { version_id: Some(id), marker: true })
}

/// Removes one version or delete marker for good.
fn remove(
    transaction: &Transaction<'_>,
    after: &mut After,
    bucket: &Bucket,
    key: &str,
    id: &str,
) -> Result<Removed, Failure> {
    let Some(marker) = drop_row(transaction, after, bucket, key, id)? else {
        return Ok(Removed { version_id: Some(id.to_owned()), marker: false });
    };
    let seq = Seq::next(transaction)?;
    let version_id = bucket.versioning.is_some().then_some(id);
    let name = EventName::Delete;
    let change = Change { name, bucket: &bucket.name, key, size: None, etag: None, version_id };
    queue(transaction, after, seq, &change)?;
    Ok(Removed { version_id: version_id.map(str::to_owned), marker })
}

/// The new version's id; where that is `null`, its predecessor goes.
fn new_id(
    transaction: &Transaction<'_>,
    after: &mut After,
    bucket: &Bucket,
    key: &str,
    seq: Seq,
) -> Result<String, Failure> {
    if bucket.versioning == Some(Versioning::Enabled) {
        return Ok(seq.version_id());
    }
    drop_row(transaction, after, bucket, key, NULL)?;
    Ok(NULL.to_owned())
}

/// Whether the row that is gone was a delete marker; `None` where there was none.
fn drop_row(
    transaction: &Transaction<'_>,
    after: &mut After,
    bucket: &Bucket,
    key: &str,
    id: &str,
) -> Result<Option<bool>, Failure> {
    let sql = "SELECT blob FROM segments JOIN versions USING (seq) WHERE bucket = ?1 AND key = ?2 AND id = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    for blob in statement.query_map(params![bucket.name, key.as_bytes(), id], |row| row.get(0))? {
        after.loose.push(blob?);
    }
    let sql = "DELETE FROM versions WHERE bucket = ?1 AND key = ?2 AND id = ?3 RETURNING marker";
    let mut statement = transaction.prepare_cached(sql)?;
    Ok(statement.query_row(params![bucket.name, key.as_bytes(), id], |row| row.get(0)).optional()?)
}

/// The current version, or the one that is named; a delete marker is an error.
pub(super) fn find(
    connection: &Connection,
    bucket: &Bucket,
    key: &str,
    version_id: Option<&str>,
) -> Result<Stored, Failure> {
    let sql = "SELECT seq, id, marker, size, etag, attributes FROM versions
        WHERE bucket = ?1 AND key = ?2 AND (?3 IS NULL OR id = ?3) ORDER BY seq DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![bucket.name, key.as_bytes(), version_id], read_stored).optional()?;
    let Some(mut stored) = found else {
        return Err(if version_id.is_some() { StoreError::NoSuchVersion } else { StoreError::NoSuchKey }.into());
    };
    if stored.marker {
        let modified = stored.seq.time();
        return Err(match version_id {
            Some(_) => StoreError::IsMarker { version_id: stored.id, modified },
            None => StoreError::Deleted { version_id: stored.id },
        }
        .into());
    }
    let mut statement = connection.prepare_cached("SELECT blob, size FROM segments WHERE seq = ?1 ORDER BY n")?;
    for segment in statement.query_map(params![stored.seq.0], read_segment)? {
        stored.segments.push(segment?);
    }
    Ok(stored)
}

/// Fails where `condition` does not hold of the key's current version.
pub(super) fn check(connection: &Connection, bucket: &Bucket, key: &str, condition: &Condition) -> Result<(), Failure> {
    if *condition == Condition::Always {
        return Ok(());
    }
    let current = match find(connection, bucket, key, None) {
        Ok(stored) => Some(stored.etag),
        Err(Failure::Told(StoreError::NoSuchKey | StoreError::Deleted { .. })) => None,
        Err(failure) => return Err(failure),
    };
    match (condition, current) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => Ok(()),
        (Condition::Etag(etag), Some(current)) if *etag == current => Ok(()),
        (Condition::Etag(_) | Condition::Present, None) => Err(StoreError::NoSuchKey.into()),
        (Condition::Absent | Condition::Etag(_), Some(_)) => Err(StoreError::PreconditionFailed.into()),
    }
}

impl Stored {
    pub(super) fn version(&self, bucket: &Bucket, key: &str) -> Result<Version, Failure> {
        Ok(Version {
            key: key.to_owned(),
            version_id: bucket.versioning.is_some().then(|| self.id.clone()),
            size: self.size,
            etag: self.etag.clone(),
            modified: self.seq.time(),
            attributes: from_json(&self.attributes)?,
            parts: self.segments.iter().map(|segment| segment.size).collect(),
        })
    }
}

fn read_stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        seq: Seq(row.get(0)?),
        id: row.get(1)?,
        marker: row.get(2)?,
        size: size_at(row, 3)?,
        etag: row.get(4)?,
        attributes: row.get(5)?,
        segments: Vec::new(),
    })
}

pub(super) fn read_segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    Ok(Segment { blob: row.get(0)?, size: size_at(row, 1)? })
}

pub(super) fn check_key(key: &str) -> Result<(), StoreError> {
    match key.len() {
        1..=LONGEST_KEY => Ok(()),
        length => Err(StoreError::KeyLength(length)),
    }
}

/// SQLite has no unsigned integers; sizes are far below 2^63.
pub(super) fn size_at(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

/// The reverse of [`size_at`].
pub(super) fn sql_size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
