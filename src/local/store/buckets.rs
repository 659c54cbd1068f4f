//! Buckets.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Failure, Seq, Store, StoreError};
use crate::event::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    pub created: Timestamp,
    /// `None` where it never was versioned.
    pub versioning: Option<Versioning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioning {
    Enabled,
    Suspended,
}

impl Versioning {
    fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Suspended => "Suspended",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Enabled, Self::Suspended].into_iter().find(|versioning| versioning.name() == name)
    }
}

impl Store {
    /// False where the bucket was there already.
    pub fn create_bucket(&self, name: &str) -> Result<bool, StoreError> {
        self.write(|transaction, _| {
            let created = Seq::next(transaction)?.time().0;
            let sql = "INSERT INTO buckets (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            Ok(transaction.execute(sql, params![name, created])? == 1)
        })
    }

    /// By name.
    pub fn buckets(&self) -> Result<Vec<Bucket>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, created, versioning FROM buckets ORDER BY name")?;
            let rows = statement.query_map([], read_bucket)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    pub fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        self.read(|connection| bucket(connection, name))
    }

    /// Also aborts its unfinished uploads.
    ///
    /// # Errors
    /// [`StoreError::BucketNotEmpty`] while it has a version or a delete marker.
    pub fn delete_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.write(|transaction, after| {
            bucket(transaction, name)?;
            let sql = "SELECT EXISTS (SELECT 1 FROM versions WHERE bucket = ?1)";
            if transaction.query_row(sql, params![name], |row| row.get::<_, bool>(0))? {
                return Err(StoreError::BucketNotEmpty.into());
            }
            let sql = "SELECT blob FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket = ?1)";
            let mut statement = transaction.prepare_cached(sql)?;
            for blob in statement.query_map(params![name], |row| row.get(0))? {
                after.loose.push(blob?);
            }
            transaction.execute("DELETE FROM buckets WHERE name = ?1", params![name])?;
            Ok(())
        })
    }

    pub fn set_versioning(&self, name: &str, versioning: Versioning) -> Result<(), StoreError> {
        self.write(|transaction, _| {
            let sql = "UPDATE buckets SET versioning = ?2 WHERE name = ?1";
            match transaction.execute(sql, params![name, versioning.name()])? {
                0 => Err(StoreError::NoSuchBucket.into()),
                _ => Ok(()),
            }
        })
    }
}

pub(super) fn bucket(connection: &Connection, name: &str) -> Result<Bucket, Failure> {
    let mut statement = connection.prepare_cached("SELECT name, created, versioning FROM buckets WHERE name = ?1")?;
    let found = statement.query_row(params![name], read_bucket).optional()?;
    found.ok_or_else(|| StoreError::NoSuchBucket.into())
}

fn read_bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    let versioning: Option<String> = row.get(2)?;
    Ok(Bucket {
        name: row.get(0)?,
        created: Timestamp(row.get(1)?),
        versioning: versioning.as_deref().and_then(Versioning::named),
    })
}
