//! Listings, in the order of the keys' bytes.

use rusqlite::{OptionalExtension, params};

use super::buckets::bucket;
use super::objects::{size_at, sql_size};
use super::{Seq, Store, StoreError};
use crate::event::Timestamp;

/// What to list. Positions are lower bounds, inclusive: of bytes, since what follows a key need not be UTF-8.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Query<'a> {
    pub prefix: &'a str,
    /// Keys that have it after the prefix are listed as one.
    pub delimiter: Option<&'a str>,
    pub from: Vec<u8>,
    /// Of entries; keys and common prefixes count alike.
    pub max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Entry {
    Object { key: String, size: u64, etag: String, modified: Timestamp },
    CommonPrefix(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Page {
    pub entries: Vec<Entry>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum VersionEntry {
    Version { key: String, id: String, marker: bool, latest: bool, size: u64, etag: String, modified: Timestamp },
    CommonPrefix(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct VersionPage {
    pub entries: Vec<VersionEntry>,
    pub more: bool,
}

impl Store {
    /// The current objects of a bucket.
    pub(in super::super) fn list(&self, bucket_name: &str, query: &Query<'_>) -> Result<Page, StoreError> {
        let sql = "SELECT key, size, etag, seq FROM versions v
            WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) AND marker = 0
            AND seq = (SELECT max(seq) FROM versions w WHERE w.bucket = v.bucket AND w.key = v.key)
            ORDER BY key LIMIT ?4";
        self.read(|connection| {
            bucket(connection, bucket_name)?;
            if query.max == 0 {
                return Ok(Page { entries: Vec::new(), next: None });
            }
            let mut statement = connection.prepare_cached(sql)?;
            let end = successor(query.prefix.as_bytes());
            let mut from = query.from.clone().max(query.prefix.as_bytes().to_vec());
            let mut entries = Vec::new();
            // One round for each common prefix: it is left out by starting anew behind it.
            loop {
                let limit = sql_size((query.max - entries.len() + 1) as u64);
                let mut rows = statement.query(params![bucket_name, from, end, limit])?;
                let mut jumped = false;
                while let Some(row) = rows.next()? {
                    if entries.len() == query.max {
                        return Ok(Page { entries, next: Some(from) });
                    }
                    let key = text(row.get(0)?);
                    if let Some(common) = common_prefix(&key, query) {
                        from = successor(common.as_bytes()).unwrap_or_default();
                        entries.push(Entry::CommonPrefix(common));
                        jumped = true;
                        break;
                    }
                    from = behind(&key);
                    let (size, etag, seq) = (size_at(row, 1)?, row.get(2)?, Seq(row.get(3)?));
                    entries.push(Entry::Object { key, size, etag, modified: seq.time() });
                }
                if !jumped {
                    break;
                }
            }
            Ok(Page { entries, next: None })
        })
    }

    /// All versions and delete markers of a bucket, a key's newest first, after `marker`'s version of its key.
    pub(in super::super) fn list_versions(
        &self,
        bucket_name: &str,
        query: &Query<'_>,
        marker: Option<(&str, &str)>,
    ) -> Result<VersionPage, StoreError> {
        let sql = "SELECT key, id, marker, size, etag, seq,
            seq = (SELECT max(seq) FROM versions w WHERE w.bucket = v.bucket AND w.key = v.key)
            FROM versions v WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3)
            AND (?4 IS NULL OR key <> ?4 OR seq < ?5) ORDER BY key, seq DESC LIMIT ?6";
        self.read(|connection| {
            bucket(connection, bucket_name)?;
            if query.max == 0 {
                return Ok(VersionPage { entries: Vec::new(), more: false });
            }
            let mut bound: (Option<&[u8]>, i64) = (None, 0);
            let mut from = query.from.clone();
            if let Some((key, id)) = marker {
                let find = "SELECT seq FROM versions WHERE bucket = ?1 AND key = ?2 AND id = ?3";
                let parameters = params![bucket_name, key.as_bytes(), id];
                if let Some(seq) = connection.query_row(find, parameters, |row| row.get(0)).optional()? {
                    bound = (Some(key.as_bytes()), seq);
                    from = key.as_bytes().to_vec();
                }
            }
            let mut from = from.max(query.prefix.as_bytes().to_vec());
            let end = successor(query.prefix.as_bytes());
            let mut statement = connection.prepare_cached(sql)?;
            let mut entries = Vec::new();
            loop {
                let limit = sql_size((query.max - entries.len() + 1) as u64);
                let mut rows = statement.query(params![bucket_name, from, end, bound.0, bound.1, limit])?;
                let mut jumped = false;
                while let Some(row) = rows.next()? {
                    if entries.len() == query.max {
                        return Ok(VersionPage { entries, more: true });
                    }
                    let key = text(row.get(0)?);
                    if let Some(common) = common_prefix(&key, query) {
                        from = successor(common.as_bytes()).unwrap_or_default();
                        entries.push(VersionEntry::CommonPrefix(common));
                        jumped = true;
                        break;
                    }
                    entries.push(VersionEntry::Version {
                        key,
                        id: row.get(1)?,
                        marker: row.get(2)?,
                        size: size_at(row, 3)?,
                        etag: row.get(4)?,
                        modified: Seq(row.get(5)?).time(),
                        latest: row.get(6)?,
                    });
                }
                if !jumped {
                    break;
                }
            }
            Ok(VersionPage { entries, more: false })
        })
    }
}

/// The least bytes above a key: where the listing goes on after it.
pub(in super::super) fn behind(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The least bytes above everything that starts with `prefix`; `None` where there are none (an empty prefix).
pub(in super::super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte < u8::MAX)?;
    let mut bytes = prefix[..=last].to_vec();
    bytes[last] += 1;
    Some(bytes)
}

fn common_prefix(key: &str, query: &Query<'_>) -> Option<String> {
    let delimiter = query.delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.get(query.prefix.len()..)?;
    let end = query.prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(key[..end].to_owned())
}

/// Keys come in as UTF-8 and are kept as they are.
fn text(key: Vec<u8>) -> String {
    String::from_utf8(key).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
