//! Records in Apache Cassandra 4.1 or later. `schema/cassandra.cql` has the tables.
//!
//! The logs are written first and `by_object` last: what [`super::get`] finds is listed too. Everything is read and
//! written at `LOCAL_QUORUM`, without `USING TIMESTAMP`, lightweight transactions or counters.

#[cfg(feature = "cli")]
mod apply;
#[cfg(feature = "cli")]
mod cql;
mod errors;
mod forwarded;
#[cfg(feature = "cli")]
mod inspect;
mod log;
mod moment;
mod nodes;
#[cfg(feature = "cli")]
mod purge;
mod retry;
mod row;
mod schema;
mod session;
mod tls;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, FutureExt, Shared, try_join_all};
use futures_util::{TryFutureExt, try_join};
use scylla::value::CqlTimestamp;

use super::{Cursor, Listing, Page, Records, RecordsError, object_hash};
use crate::event::Timestamp;
use crate::record::Record;
use crate::secret::Secret;

#[cfg(feature = "cli")]
pub use apply::Wanted;
#[cfg(feature = "cli")]
pub use cql::{Replication, Schema, Service};
use errors::At;
pub use errors::{KEYSPACE_RULE, is_keyspace};
#[cfg(feature = "cli")]
pub use inspect::Inspected;
use log::Logs;
use moment::Moment;
pub use nodes::DATACENTER_VARIABLE;
pub use schema::Layout;
use session::Ready;
pub use tls::{CA_VARIABLE, TLS_VARIABLE, Tls};

#[derive(Debug, Clone, Default)]
pub struct CassandraConfig {
    /// `host:port`, of which one must answer.
    pub nodes: Vec<String>,
    pub keyspace: String,
    pub login: Option<Login>,
    pub tls: Option<Tls>,
    /// Whose nodes are talked to, and whose quorum counts; must be named where there are several.
    pub datacenter: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub password: Secret,
}

/// Connects when it is first used, and again after an attempt that failed.
pub struct Cassandra {
    config: Arc<CassandraConfig>,
    at: At,
    /// The attempt that is under way or succeeded: whoever comes meanwhile shares its outcome, so that a database
    /// that is away costs a hundred waiting writes one time-out.
    attempt: Mutex<Option<Attempt>>,
    /// Slots that this process has written down already.
    slots: Mutex<HashSet<i64>>,
    /// The slot of a write that was refused for good, as without the permission to: what is only read does not show it.
    refused: Mutex<Option<i64>>,
}

/// An attempt to have a session that answers.
#[derive(Clone)]
struct Attempt {
    since: Moment,
    outcome: Shared<BoxFuture<'static, Result<Arc<Ready>, RecordsError>>>,
}

impl Attempt {
    fn new(attempt: impl Future<Output = Result<Arc<Ready>, RecordsError>> + Send + 'static) -> Attempt {
        Attempt { since: Moment::now(), outcome: attempt.boxed().shared() }
    }
}

/// An attempt that is older was frozen midway: its timers may have stood still.
const LONGEST_ATTEMPT: Duration = session::SESSION.saturating_add(Duration::from_secs(2));

/// A database that takes longer to say that it is there is away.
const PROBE: Duration = Duration::from_secs(10);

/// The most partitions that a listing reads at once, but for the shards of one slot.
const PARTITIONS_AT_ONCE: usize = 64;
/// The most rows that a listing keeps of slots read at once, but for those of one slot.
const ROWS_AT_ONCE: usize = 8_192;

/// Rows of an object read at a time: the newest mostly is the answer.
const ROWS_PAGE: i32 = 100;

impl Cassandra {
    /// Touches no network.
    pub fn new(config: CassandraConfig) -> Cassandra {
        let at = At::of(&config);
        Cassandra {
            config: Arc::new(config),
            at,
            attempt: Mutex::new(None),
            slots: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Connects, unless that is done or under way. Nobody has to call it: spawned early, it saves the first write
    /// the wait.
    pub async fn connect(&self) -> Result<(), RecordsError> {
        self.ready().await.map(drop)
    }

    /// Makes what is missing of keyspace and tables, and brings an older schema up to date. Says what it changed, a
    /// sentence each; none if all was there.
    ///
    /// May run twice, and in several processes at once.
    ///
    /// # Errors
    /// [`RecordsError::Broken`] where what is there differs from what is asked for, or is a newer version's.
    #[cfg(feature = "cli")]
    pub async fn apply_schema(&self, wanted: &Wanted) -> Result<Vec<String>, RecordsError> {
        apply::apply(&self.config, wanted).await
    }

    /// Looks at what the cluster has of Spotter's, whether or not that is enough to work with. Writes nothing.
    ///
    /// # Errors
    /// Where the cluster cannot be reached, or does not know the login.
    #[cfg(feature = "cli")]
    pub async fn inspect(&self) -> Result<Inspected, RecordsError> {
        inspect::inspect(&self.config).await
    }

    /// A session whose connections answered a moment ago.
    async fn ready(&self) -> Result<Arc<Ready>, RecordsError> {
        let attempt = {
            let mut slot = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
            let next = match slot.take() {
                None => self.open(),
                Some(current) => match current.outcome.peek() {
                    Some(Ok(ready)) if ready.is_doubtful() => self.open_unless_alive(Arc::clone(ready)),
                    None if current.since.age() > LONGEST_ATTEMPT => self.open(),
                    _ => current,
                },
            };
            slot.insert(next).clone()
        };
        let ready = attempt.outcome.clone().await;
        if ready.is_err() {
            let mut slot = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
            if slot.as_ref().is_some_and(|current| current.outcome.ptr_eq(&attempt.outcome)) {
                *slot = None;
            }
        }
        ready
    }

    fn open(&self) -> Attempt {
        Attempt::new(Ready::open(Arc::clone(&self.config)).map_ok(Arc::new))
    }

    /// Sockets die silently while a process is frozen: nobody told it.
    fn open_unless_alive(&self, ready: Arc<Ready>) -> Attempt {
        let config = Arc::clone(&self.config);
        Attempt::new(async move {
            let asked = Instant::now();
            if ready.is_alive().await {
                return Ok(ready);
            }
            drop(ready);
            let noticed_ms = asked.elapsed().as_secs_f64() * 1e3;
            tracing::info!(noticed_ms, "the database's connections are dead; connecting anew");
            Ready::open(config).await.map(Arc::new)
        })
    }

    /// Writes the slot down, once a process.
    async fn write_slot(&self, ready: &Ready, slot: i64) -> Result<(), RecordsError> {
        let slots = || self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots().contains(&slot) {
            ready.write(&ready.statements.insert_slot, (CqlTimestamp(slot),)).await?;
            slots().insert(slot);
        }
        Ok(())
    }

    async fn write_once(&self, record: &Record) -> Result<(), RecordsError> {
        let ready = self.ready().await?;
        let hash = object_hash(&record.bucket, &record.key);
        let slot = ready.layout.slot(record.order.event_time);
        let by_object = row::ByObject::of(record);
        let by_time = row::ByTime {
            row: row::ByObject::listed(record),
            slot: CqlTimestamp(slot),
            shard: ready.layout.shard(&hash),
            object_hash: hash,
        };
        let by_label = record.listed_under().into_iter().map(|listed_as| {
            let (ready, row) = (&ready, row::ByLabel { row: by_time.clone(), listed_as });
            async move { ready.write(&ready.statements.insert_by_label, &row).await }
        });
        try_join!(
            ready.write(&ready.statements.insert_by_time, &by_time),
            try_join_all(by_label),
            self.write_slot(&ready, slot),
        )?;
        ready.write(&ready.statements.insert_by_object, &by_object).await
    }

    async fn rows_once(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        let ready = self.ready().await?;
        let statements = &ready.statements;
        let Some(Record { order, model, .. }) = after else {
            return ready.read(&statements.rows, (bucket, key, ROWS_PAGE)).await;
        };
        // `model` ascends where all else descends, which no single comparison of tuples says.
        let (seq, time, version) = (&order.seq, CqlTimestamp(order.event_time.0), &order.version);
        let of_order = (bucket, key, seq, time, version, model, ROWS_PAGE);
        let mut rows = ready.read(&statements.rows_of_order, of_order).await?;
        if rows.is_empty() {
            rows = ready.read(&statements.rows_below, (bucket, key, seq, time, version, ROWS_PAGE)).await?;
        }
        Ok(rows)
    }

    async fn list_once(&self, listing: &Listing) -> Result<Page, RecordsError> {
        let ready = self.ready().await?;
        let logs = Logs { ready: &ready, listing, end: listing.end() };
        let since = listing.since.unwrap_or(Timestamp(i64::MIN));
        let limit = listing.limit.max(1);
        let mut records: Vec<Record> = Vec::new();
        // From the newest slot to the oldest, until there is one row more than asked, which says that there is more.
        let mut slots = ready.slots(ready.layout.slot(logs.end.newest()), ready.layout.slot(since));
        // The newest slot mostly has them all; where it has not, the rows are rare, and more slots are read at once.
        let most = (PARTITIONS_AT_ONCE / ready.layout.shards.cast_unsigned() as usize).max(1);
        let mut at_once = 1;
        while records.len() <= limit {
            let mut some = Vec::new();
            while some.len() < at_once
                && let Some(slot) = slots.next().await?
            {
                some.push(slot);
            }
            if some.is_empty() {
                break;
            }
            let wanted = limit.saturating_add(1) - records.len();
            let read = try_join_all(some.into_iter().map(|slot| logs.slot(slot, wanted))).await?;
            records.extend(read.into_iter().flatten().take(wanted));
            at_once = (at_once * 2).min(most).min((ROWS_AT_ONCE / wanted).max(1));
        }
        let more = records.len() > limit;
        records.truncate(limit);
        Ok(Page { next: records.last().filter(|_| more).map(Cursor::of), records })
    }

    async fn served_once(&self) -> Result<Option<String>, RecordsError> {
        self.ready().await?.served().await
    }
}

#[async_trait]
impl Records for Cassandra {
    async fn write(&self, record: &Record, deadline: Instant) -> Result<(), RecordsError> {
        let written = retry::until(deadline, &self.at, || self.write_once(record)).await;
        if let Err(RecordsError::Broken(_)) = &written
            && let Ok(ready) = self.ready().await
        {
            let slot = ready.layout.slot(record.order.event_time);
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(slot);
        }
        written
    }

    async fn available(&self) -> Result<(), RecordsError> {
        let probe = async {
            let ready = self.ready().await?;
            ready.probe().await?;
            let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = refused {
                ready.write(&ready.statements.insert_slot, (CqlTimestamp(slot),)).await?;
                *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            Ok(())
        };
        tokio::time::timeout(PROBE, probe).await.unwrap_or_else(|_| Err(self.at.silent(PROBE)))
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        retry::a_few_times(|| self.rows_once(bucket, key, after)).await
    }

    /// Cassandra marks what it removed, and reads pass over the marks until they are compacted away after
    /// `gc_grace_seconds` (10 days): ask for no more than is needed.
    #[cfg(feature = "cli")]
    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError> {
        purge::purge(&self.config, bucket, key).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError> {
        retry::a_few_times(|| self.list_once(listing)).await
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        retry::a_few_times(|| self.served_once()).await
    }

    #[cfg(feature = "cli")]
    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        self.ready().await?.serve(model).await
    }
}
