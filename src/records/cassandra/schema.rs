//! The keyspace: making it, and how its logs are cut.

use std::time::Duration;

use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::statement::Statement;

use super::CassandraConfig;
use super::errors::At;
use super::session;
use crate::event::Timestamp;
use crate::records::RecordsError;

const SCHEMA: &str = include_str!("../../../schema/cassandra.cql");
/// Of `schema/cassandra.cql`.
const SCHEMA_VERSION: i32 = 1;
/// A statement waits until every node has changed its tables.
const SCHEMA_CHANGE: Duration = Duration::from_secs(60);

/// How the logs are cut into partitions, which should stay under 100,000 rows. Chosen once for a keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Hours of a slot: 24 and 1 are usual.
    pub slot_hours: i32,
    /// Partitions of a slot.
    pub shards: i32,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { slot_hours: 24, shards: 1 }
    }
}

impl Layout {
    /// The start of the slot that a time is in, in milliseconds since 1970.
    pub(super) fn slot(&self, time: Timestamp) -> i64 {
        let width = i64::from(self.slot_hours) * 3_600_000;
        time.0.div_euclid(width).saturating_mul(width)
    }

    pub(super) fn shard(&self, object_hash: &[u8; 16]) -> i32 {
        // The last byte but one and the last: the order within a shard is by the first ones.
        let tail = u16::from_be_bytes([object_hash[14], object_hash[15]]);
        i32::from(tail) % self.shards
    }

    /// `None` where there is no keyspace, no table or no row.
    pub(super) async fn read(session: &Session, at: &At) -> Result<Option<Layout>, RecordsError> {
        let cql =
            format!("SELECT slot_hours, shards, schema_version FROM {}.layout WHERE one = 'layout'", at.keyspace());
        let result = match session.query_unpaged(statement(cql), ()).await {
            Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _))) => {
                return Ok(None);
            }
            other => other.map_err(|error| at.executing(&error))?,
        };
        let rows = result.into_rows_result().map_err(|error| at.broken(&error))?;
        let row = rows.maybe_first_row::<(i32, i32, i32)>().map_err(|error| at.broken(&error))?;
        let Some((slot_hours, shards, version)) = row else { return Ok(None) };
        if version > SCHEMA_VERSION {
            return Err(at.newer(version, SCHEMA_VERSION));
        }
        Layout { slot_hours, shards }.checked(at).map(Some)
    }

    fn checked(self, at: &At) -> Result<Layout, RecordsError> {
        match self {
            Layout { slot_hours: 1..=8760, shards: 1..=1024 } => Ok(self),
            Layout { slot_hours, shards } => Err(at.broken(&format!(
                "a layout of {slot_hours} hours and {shards} shards is out of range (1 to 8760, 1 to 1024)"
            ))),
        }
    }
}

pub(super) async fn apply(config: &CassandraConfig, replication: &str, layout: Layout) -> Result<(), RecordsError> {
    let at = At::of(config);
    at.check_keyspace()?;
    layout.checked(&at)?;
    let session = session::connect(config).await?;
    let there = Layout::read(&session, &at).await?;
    if there.is_some_and(|there| there != layout) {
        return Err(at.broken(&"its logs are cut otherwise already; use its own layout, or another keyspace"));
    }
    for cql in statements(&config.keyspace, replication) {
        // The driver waits until all nodes agree.
        session.query_unpaged(statement(cql), ()).await.map_err(|error| at.executing(&error))?;
    }
    if there.is_none() {
        let Layout { slot_hours, shards } = layout;
        let cql = format!(
            "INSERT INTO {}.layout (one, slot_hours, shards, schema_version) \
             VALUES ('layout', {slot_hours}, {shards}, {SCHEMA_VERSION})",
            config.keyspace
        );
        session.query_unpaged(statement(cql), ()).await.map_err(|error| at.executing(&error))?;
    }
    Ok(())
}

fn statement(cql: String) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_is_idempotent(true);
    statement.set_request_timeout(Some(SCHEMA_CHANGE));
    statement
}

/// Keyspace and tables as CQL; `replication` is a CQL map.
pub fn schema(keyspace: &str, replication: &str) -> String {
    SCHEMA.replace("{keyspace}", keyspace).replace("{replication}", replication)
}

/// The statements of the schema, without comments.
fn statements(keyspace: &str, replication: &str) -> Vec<String> {
    let cql = schema(keyspace, replication);
    let code = cql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    code.split(';').map(|cql| cql.trim().to_owned()).filter(|cql| !cql.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_slot_that_starts_before_it() {
        let layout = Layout { slot_hours: 1, shards: 1 };
        for (time, slot) in [(0, 0), (3_599_999, 0), (3_600_000, 3_600_000), (-1, -3_600_000)] {
            assert_eq!(layout.slot(Timestamp(time)), slot);
        }
        for time in [i64::MIN, i64::MAX] {
            assert!(layout.slot(Timestamp(time)) <= time);
        }
    }

    #[test]
    fn the_schema_is_statements_without_comments() {
        let statements = statements("pictures", "{'class': 'SimpleStrategy', 'replication_factor': 1}");
        assert_eq!(statements.len(), 6);
        for cql in &statements {
            assert!(cql.starts_with("CREATE ") && cql.contains(" IF NOT EXISTS pictures"), "{cql}");
            assert!(!cql.contains("--") && !cql.contains("{keyspace}") && !cql.contains("{replication}"), "{cql}");
        }
    }
}
