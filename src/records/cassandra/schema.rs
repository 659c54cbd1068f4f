//! How the logs of a keyspace are cut, and which schema it has.

use std::fmt;
use std::time::Duration;

use scylla::client::session::Session;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::statement::Statement;

use super::errors::At;
use crate::event::Timestamp;
use crate::records::RecordsError;

/// Of `schema/cassandra.cql`. An older one will do to write and to ask: migrations only add.
pub(super) const SCHEMA_VERSION: i32 = 2;
/// More than a session's usual one: nobody retries `spotter schema apply`.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How the logs are cut into partitions, which should stay under 100,000 rows. Chosen once for a keyspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Hours of a slot: 24 and 1 are usual.
    pub slot_hours: i32,
    /// Partitions of a slot.
    pub shards: i32,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { slot_hours, shards } = self;
        let plural = if *shards == 1 { "" } else { "s" };
        write!(f, "slots of {slot_hours} h and {shards} shard{plural}")
    }
}

impl Default for Layout {
    fn default() -> Layout {
        Layout { slot_hours: 24, shards: 1 }
    }
}

/// What a partition should stay under.
const PARTITION_ROWS: u32 = 100_000;
/// The busiest hour of a day is taken to bring three times its share, an eighth of the day.
const BUSIEST_HOUR: u32 = 8;
/// Twice the pictures that were foreseen still fit.
const RESERVE: u32 = 2;

impl Layout {
    /// For so many pictures a day. The fullest partition is one of `by_time`, which has a row for each picture that one
    /// model saw in a slot, on each of `shards`: a slot is a day as long as twice a day's pictures are no more than
    /// 100,000 rows, which is 50,000 pictures; above that it is an hour with one shard for each 400,000 pictures a day
    /// (twice the busiest hour, taken as an eighth of the day, over 100,000).
    ///
    /// # Errors
    /// No pictures, or more than 1,024 shards take.
    pub fn for_pictures_a_day(pictures: u32) -> Result<Layout, String> {
        let shards = pictures.div_ceil(PARTITION_ROWS * BUSIEST_HOUR / RESERVE);
        match shards {
            0 => Err("a day without pictures needs no layout".to_owned()),
            _ if pictures <= PARTITION_ROWS / RESERVE => Ok(Layout { slot_hours: 24, shards: 1 }),
            1..=1024 => Ok(Layout { slot_hours: 1, shards: shards.cast_signed() }),
            _ => Err(format!("{pictures} pictures a day are more than 1,024 shards take; use several keyspaces")),
        }
    }

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
        Ok(Layout::with_version(session, at).await?.map(|(layout, _)| layout))
    }

    /// As [`Layout::read`], and the version of the schema.
    pub(super) async fn with_version(session: &Session, at: &At) -> Result<Option<(Layout, i32)>, RecordsError> {
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
        Ok(Some((Layout { slot_hours, shards }.checked(at)?, version)))
    }

    pub(super) fn checked(self, at: &At) -> Result<Layout, RecordsError> {
        match self {
            Layout { slot_hours: 1..=8760, shards: 1..=1024 } => Ok(self),
            Layout { slot_hours, shards } => Err(at.broken(&format!(
                "a layout of {slot_hours} hours and {shards} shards is out of range (1 to 8760, 1 to 1024)"
            ))),
        }
    }
}

fn statement(cql: String) -> Statement {
    let mut statement = Statement::new(cql);
    statement.set_is_idempotent(true);
    statement.set_request_timeout(Some(PATIENCE));
    statement
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
    fn a_partition_stays_small_on_a_busy_day() {
        let layout = |pictures| Layout::for_pictures_a_day(pictures).unwrap();
        assert_eq!(layout(1_000), Layout { slot_hours: 24, shards: 1 });
        assert_eq!(layout(50_001), Layout { slot_hours: 1, shards: 1 });
        assert_eq!(layout(1_000_000), Layout { slot_hours: 1, shards: 3 });
        for pictures in [1, 50_000, 50_001, 400_000, 400_001, 10_000_000, 409_600_000] {
            let Layout { slot_hours, shards } = layout(pictures);
            let slot = if slot_hours == 24 { pictures } else { pictures / 8 };
            assert!(2 * u64::from(slot) <= 100_000 * u64::from(shards.cast_unsigned()), "{pictures}");
        }
        for pictures in [0, 409_600_001, u32::MAX] {
            Layout::for_pictures_a_day(pictures).unwrap_err();
        }
    }
}
