//! Removing all that is known of an object.
//!
//! What `by_object` has does not name every row of the logs: a row that was written again under another label left a
//! sighting behind, and a writer that died midway left rows of the logs alone. So every partition of the logs that may
//! have the object is looked through: one of each model, label and slot there is, on the object's shard.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{DbError, ExecutionError, PagerExecutionError, RequestAttemptError};
use scylla::serialize::row::SerializeRow;
use scylla::statement::Statement;
use scylla::value::CqlTimestamp;

use super::errors::At;
use super::schema::Layout;
use super::{CassandraConfig, session};
use crate::record::HUMAN;
use crate::records::{RecordsError, object_hash};

/// Partitions that are looked through at once.
const AT_ONCE: usize = 16;

const TIME_PARTITIONS: &str = "SELECT DISTINCT model, slot, shard FROM {keyspace}.by_time";
const LABEL_PARTITIONS: &str = "SELECT DISTINCT model, listed_as, slot, shard FROM {keyspace}.by_label";
const IN_TIME: &str = "SELECT event_time, seq, version FROM {keyspace}.by_time \
                       WHERE model = ? AND slot = ? AND shard = ? AND object_hash = ? ALLOW FILTERING";
const IN_LABEL: &str = "SELECT event_time, seq, version FROM {keyspace}.by_label \
                        WHERE model = ? AND listed_as = ? AND slot = ? AND shard = ? AND object_hash = ? ALLOW FILTERING";
const IN_OBJECT: &str = "SELECT seq, event_time, version, model FROM {keyspace}.by_object WHERE bucket = ? AND key = ?";
const FROM_TIME: &str = "DELETE FROM {keyspace}.by_time WHERE model = ? AND slot = ? AND shard = ? \
                         AND event_time = ? AND object_hash = ? AND seq = ? AND version = ?";
const FROM_LABEL: &str = "DELETE FROM {keyspace}.by_label WHERE model = ? AND listed_as = ? AND slot = ? AND shard = ? \
                          AND event_time = ? AND object_hash = ? AND seq = ? AND version = ?";
const FROM_OBJECT: &str = "DELETE FROM {keyspace}.by_object WHERE bucket = ? AND key = ?";
#[cfg(test)]
pub(super) const TEXTS: [&str; 8] =
    [TIME_PARTITIONS, LABEL_PARTITIONS, IN_TIME, IN_LABEL, IN_OBJECT, FROM_TIME, FROM_LABEL, FROM_OBJECT];

/// Order and model: what tells the rows of an object apart.
type Row = (String, i64, String, String);
/// Of a log: its columns and where the row stands in it.
type Sighting = (CqlTimestamp, String, String);
type Partition = (String, Option<String>, CqlTimestamp, i32);

pub(super) async fn purge(config: &CassandraConfig, bucket: &str, key: &str) -> Result<u64, RecordsError> {
    let at = At::of(config);
    at.check_keyspace()?;
    let session = session::connect(config).await?;
    let layout = Layout::read(&session, &at).await?.ok_or_else(|| at.no_schema())?;
    let hash = object_hash(bucket, key);
    let purge = Purge { session: CachingSessionBuilder::new(session).build(), at, hash, shard: layout.shard(&hash) };

    let mut removed = BTreeSet::new();
    for label in [false, true] {
        let partitions = purge.partitions(label).await?;
        let rows = stream::iter(partitions).map(|partition| purge.partition(partition)).buffer_unordered(AT_ONCE);
        removed.extend(rows.try_collect::<Vec<_>>().await?.into_iter().flatten());
    }
    // Last: as long as it has rows, the object is known not to be forgotten yet.
    removed.extend(purge.by_object(bucket, key).await?);
    // The logs' sighting of corrections is no row of its own.
    removed.retain(|(_, _, _, model)| model != HUMAN);
    Ok(removed.len() as u64)
}

struct Purge {
    session: CachingSession,
    at: At,
    hash: [u8; 16],
    shard: i32,
}

impl Purge {
    async fn partitions(&self, label: bool) -> Result<Vec<Partition>, RecordsError> {
        let mut partitions: Vec<Partition> = if label {
            let rows: Vec<(String, String, CqlTimestamp, i32)> = self.read(LABEL_PARTITIONS, ()).await?;
            rows.into_iter().map(|(model, label, slot, shard)| (model, Some(label), slot, shard)).collect()
        } else {
            let rows: Vec<(String, CqlTimestamp, i32)> = self.read(TIME_PARTITIONS, ()).await?;
            rows.into_iter().map(|(model, slot, shard)| (model, None, slot, shard)).collect()
        };
        partitions.retain(|(_, _, _, shard)| *shard == self.shard);
        Ok(partitions)
    }

    /// Removes the object's rows of one partition of a log.
    async fn partition(&self, (model, label, slot, shard): Partition) -> Result<Vec<Row>, RecordsError> {
        let hash = self.hash.as_slice();
        let found: Vec<Sighting> = match &label {
            None => self.read(IN_TIME, (&model, slot, shard, hash)).await?,
            Some(label) => self.read(IN_LABEL, (&model, label, slot, shard, hash)).await?,
        };
        for (time, seq, version) in &found {
            match &label {
                None => self.remove(FROM_TIME, (&model, slot, shard, time, hash, seq, version)).await?,
                Some(label) => {
                    self.remove(FROM_LABEL, (&model, label, slot, shard, time, hash, seq, version)).await?;
                }
            }
        }
        Ok(found.into_iter().map(|(time, seq, version)| (seq, time.0, version, model.clone())).collect())
    }

    async fn by_object(&self, bucket: &str, key: &str) -> Result<Vec<Row>, RecordsError> {
        let found: Vec<(String, CqlTimestamp, String, String)> = self.read(IN_OBJECT, (bucket, key)).await?;
        if !found.is_empty() {
            self.remove(FROM_OBJECT, (bucket, key)).await?;
        }
        Ok(found.into_iter().map(|(seq, time, version, model)| (seq, time.0, version, model)).collect())
    }

    fn statement(&self, cql: &str) -> Statement {
        let mut statement = Statement::new(cql.replace("{keyspace}", self.at.keyspace()));
        statement.set_is_idempotent(true);
        statement
    }

    async fn read<T>(&self, cql: &str, values: impl SerializeRow) -> Result<Vec<T>, RecordsError>
    where
        T: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send + 'static,
    {
        let pager = self.session.execute_iter(self.statement(cql), values).await.map_err(|error| self.paged(&error))?;
        let rows = pager.rows_stream::<T>().map_err(|error| self.at.broken(&error))?;
        rows.try_collect().await.map_err(|error| self.at.broken(&error))
    }

    fn paged(&self, error: &PagerExecutionError) -> RecordsError {
        RecordsError::Unavailable(format!("{}: {error}", self.at.broken(&"its rows cannot be read")))
    }

    async fn remove(&self, cql: &str, values: impl SerializeRow) -> Result<(), RecordsError> {
        let done = self.session.execute_unpaged(self.statement(cql), values).await;
        done.map(drop).map_err(|error| match &error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unauthorized, said)) => {
                let who = "removing rows needs a login with MODIFY on the tables, as an administrator has";
                self.at.broken(&format!("{said}; {who} (schema/roles.cql)"))
            }
            _ => self.at.executing(&error),
        })
    }
}
