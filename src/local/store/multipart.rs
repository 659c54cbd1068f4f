//! Multipart uploads. A part is a blob; completing an upload makes the parts the object's segments, moving no byte.

use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, params};

use super::blobs::{Body, Segment, Staged};
use super::buckets::bucket;
use super::objects::{Content, check, check_key, insert, size_at, sql_size};
use super::version::{from_json, to_json};
use super::{Attributes, Checksums, Condition, Failure, Seq, Store, StoreError, Written};
use crate::encoding::{hex, unhex};
use crate::event::Timestamp;
use crate::event::make::EventName;

/// 1 to 10,000, as S3 has it.
pub(in super::super) type PartNumber = u16;

/// What S3 asks of every part but the last.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Upload {
    pub id: String,
    pub key: String,
    pub initiated: Timestamp,
}

/// A part of an upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct UploadedPart {
    pub n: PartNumber,
    pub size: u64,
    /// Without quotation marks.
    pub etag: String,
    pub checksums: Checksums,
    pub modified: Timestamp,
}

impl Store {
    pub(in super::super) fn create_upload(
        &self,
        bucket_name: &str,
        key: &str,
        attributes: &Attributes,
    ) -> Result<String, StoreError> {
        check_key(key)?;
        self.write(|transaction, _| {
            bucket(transaction, bucket_name)?;
            let seq = Seq::next(transaction)?;
            let id = seq.version_id();
            transaction.execute(
                "INSERT INTO uploads VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id, bucket_name, key.as_bytes(), seq.time().0, to_json(attributes)?],
            )?;
            Ok(id)
        })
    }

    /// Adds the part, or replaces the one of that number.
    pub(in super::super) fn put_part(
        &self,
        (bucket_name, key, upload): (&str, &str, &str),
        n: PartNumber,
        staged: &Staged,
    ) -> Result<UploadedPart, StoreError> {
        self.write(|transaction, after| {
            attributes_of(transaction, (bucket_name, key, upload))?;
            let sql = "SELECT blob FROM parts WHERE upload = ?1 AND n = ?2";
            if let Some(blob) = transaction.query_row(sql, params![upload, n], |row| row.get(0)).optional()? {
                after.loose.push(blob);
            }
            let segment = self.place(staged, after)?;
            let part = UploadedPart {
                n,
                size: staged.size,
                etag: hex(&staged.md5),
                checksums: staged.checksums.clone(),
                modified: Seq::next(transaction)?.time(),
            };
            let checksums = to_json(&part.checksums)?;
            transaction.execute(
                "INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![upload, n, segment.blob, sql_size(part.size), part.etag, checksums, part.modified.0],
            )?;
            Ok(part)
        })
    }

    /// At most `max` parts with numbers above `after`, and whether there are more.
    pub(in super::super) fn parts(
        &self,
        upload: (&str, &str, &str),
        after: PartNumber,
        max: usize,
    ) -> Result<(Vec<UploadedPart>, bool), StoreError> {
        self.read(|connection| {
            attributes_of(connection, upload)?;
            let mut parts = uploaded(connection, upload.2)?;
            parts.retain(|(part, _)| part.n > after);
            let more = parts.len() > max;
            Ok((parts.into_iter().take(max).map(|(part, _)| part).collect(), more))
        })
    }

    /// The bytes of an upload whose parts are named, before it is completed, and how many.
    pub(in super::super) fn upload_body(
        &self,
        upload: (&str, &str, &str),
        named: &[(PartNumber, String)],
    ) -> Result<(Body, u64), StoreError> {
        self.read(|connection| {
            attributes_of(connection, upload)?;
            let segments: Vec<Segment> =
                choose(uploaded(connection, upload.2)?, named)?.into_iter().map(|(_, segment)| segment).collect();
            let size = segments.iter().map(|segment| segment.size).sum();
            Ok((self.open_segments(&segments)?, size))
        })
    }

    /// Makes the named parts (number and ETag) an object; parts that are not named are dropped.
    pub(in super::super) fn complete_upload(
        &self,
        (bucket_name, key, upload): (&str, &str, &str),
        named: &[(PartNumber, String)],
        checksums: Checksums,
        condition: &Condition,
    ) -> Result<Written, StoreError> {
        self.write(|transaction, after| {
            let attributes: Attributes = from_json(&attributes_of(transaction, (bucket_name, key, upload))?)?;
            let bucket = bucket(transaction, bucket_name)?;
            check(transaction, &bucket, key, condition)?;
            let all = uploaded(transaction, upload)?;
            after.loose.extend(all.iter().map(|(_, segment)| segment.blob.clone()));
            let chosen = choose(all, named)?;
            let mut digests = Md5::new();
            for (part, _) in &chosen {
                let digest = unhex(&part.etag)
                    .ok_or_else(|| StoreError::Corrupt(format!("part {} has no MD5 as its ETag", part.n)))?;
                digests.update(digest);
            }
            let content = Content {
                etag: format!("{}-{}", hex(&digests.finalize()), chosen.len()),
                attributes: to_json(&Attributes { checksums, ..attributes })?,
                segments: chosen.into_iter().map(|(_, segment)| segment).collect(),
            };
            transaction.execute("DELETE FROM uploads WHERE id = ?1", params![upload])?;
            insert(transaction, after, &bucket, key, content, EventName::CompleteMultipartUpload)
        })
    }

    pub(in super::super) fn abort_upload(&self, upload: (&str, &str, &str)) -> Result<(), StoreError> {
        self.write(|transaction, after| {
            attributes_of(transaction, upload)?;
            let parts = uploaded(transaction, upload.2)?;
            after.loose.extend(parts.into_iter().map(|(_, segment)| segment.blob));
            transaction.execute("DELETE FROM uploads WHERE id = ?1", params![upload.2])?;
            Ok(())
        })
    }

    /// The bucket's uploads under way, by key and then by time.
    pub(in super::super) fn uploads(&self, bucket_name: &str) -> Result<Vec<Upload>, StoreError> {
        self.read(|connection| {
            bucket(connection, bucket_name)?;
            let sql = "SELECT id, key, initiated FROM uploads WHERE bucket = ?1 ORDER BY key, id";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![bucket_name], |row| {
                let key: Vec<u8> = row.get(1)?;
                let key = String::from_utf8_lossy(&key).into_owned();
                Ok(Upload { id: row.get(0)?, key, initiated: Timestamp(row.get(2)?) })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// The attributes' JSON of an upload; an error where it is not one of this bucket and key.
fn attributes_of(connection: &Connection, (bucket_name, key, upload): (&str, &str, &str)) -> Result<String, Failure> {
    bucket(connection, bucket_name)?;
    let sql = "SELECT attributes FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row(params![upload, bucket_name, key.as_bytes()], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::NoSuchUpload.into())
}

/// An upload's parts by number.
fn uploaded(connection: &Connection, upload: &str) -> Result<Vec<(UploadedPart, Segment)>, Failure> {
    let sql = "SELECT n, blob, size, etag, checksums, modified FROM parts WHERE upload = ?1 ORDER BY n";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![upload], |row| {
        let segment = Segment { blob: row.get(1)?, size: size_at(row, 2)? };
        let (etag, checksums): (_, String) = (row.get(3)?, row.get(4)?);
        let modified = Timestamp(row.get(5)?);
        Ok((
            UploadedPart { n: row.get(0)?, size: segment.size, etag, checksums: Checksums::default(), modified },
            segment,
            checksums,
        ))
    })?;
    rows.map(|row| {
        let (part, segment, checksums) = row?;
        Ok((UploadedPart { checksums: from_json(&checksums)?, ..part }, segment))
    })
    .collect()
}

/// The named ones of the uploaded parts, checked as S3 checks them.
fn choose(
    mut uploaded: Vec<(UploadedPart, Segment)>,
    named: &[(PartNumber, String)],
) -> Result<Vec<(UploadedPart, Segment)>, StoreError> {
    if !named.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(StoreError::InvalidPartOrder);
    }
    uploaded.retain(|(part, _)| named.iter().any(|(n, etag)| (*n, etag) == (part.n, &part.etag)));
    if let Some((n, _)) = named.iter().find(|(n, _)| !uploaded.iter().any(|(part, _)| part.n == *n)) {
        return Err(StoreError::InvalidPart(*n));
    }
    let all_but_last = uploaded.len().saturating_sub(1);
    match uploaded.iter().take(all_but_last).find(|(part, _)| part.size < SMALLEST_PART) {
        Some((part, _)) => Err(StoreError::PartTooSmall(part.n)),
        None => Ok(uploaded),
    }
}
