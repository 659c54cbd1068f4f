//! What a file of records is, without making, changing or migrating it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{BUSY, SCHEMA_VERSION, check_version, explain, served};
use crate::records::RecordsError;

#[derive(Debug, Clone)]
pub struct Inspected {
    /// Of its schema; an older one is brought up to date when it is opened.
    pub version: i32,
    pub known_version: i32,
    /// Bytes, without what is in the log of writes.
    pub size: u64,
    /// The model whose answers are shown.
    pub served: Option<String>,
}

/// `None` where there is no file yet.
///
/// # Errors
/// As [`super::Embedded::open`], of a file that cannot be used.
pub fn inspect(path: &Path) -> Result<Option<Inspected>, RecordsError> {
    let at = |error| explain(path, error);
    let Ok(there) = std::fs::metadata(path) else { return Ok(None) };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(at)?;
    connection.busy_timeout(BUSY).map_err(at)?;
    let version = check_version(&connection, path)?;
    let served = if version >= 4 { served(&connection).map_err(at)? } else { None };
    Ok(Some(Inspected { version, known_version: SCHEMA_VERSION, size: there.len(), served }))
}
