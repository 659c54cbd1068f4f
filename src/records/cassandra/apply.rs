//! Making the keyspace and its tables, and bringing an older schema up to date.
//!
//! The same table made through two nodes at once gets two ids, and its rows are lost to one of them. So every
//! statement goes through one node, the connected one with the least host id, which is the same one for whoever applies
//! at the same time; a node makes one change after the other, and each is `IF NOT EXISTS`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::policies::load_balancing::{LoadBalancingPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::response::query_result::QueryResult;
use scylla::statement::Statement;

use super::CassandraConfig;
use super::cql::{EXPIRING, MIGRATIONS, Replication, Schema, statements};
use super::errors::At;
use super::schema::{Layout, PATIENCE, SCHEMA_VERSION};
use super::session;
use crate::records::RecordsError;

/// How long others' changes of the schema may take to reach every node, and the pause between two looks.
const SETTLING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

/// What is asked for; `None` takes what is there, else what fits.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Otherwise one copy on a single node, else three in each data centre, or as many as it has nodes.
    pub replication: Option<Replication>,
    pub layout: Option<Layout>,
    /// Seconds until a record expires; 0: never. Of rows that are written from now on.
    pub ttl: Option<u32>,
}

pub(super) async fn apply(config: &CassandraConfig, wanted: &Wanted) -> Result<Vec<String>, RecordsError> {
    let at = At::of(config);
    at.check_keyspace()?;
    if let Some(layout) = wanted.layout {
        layout.checked(&at)?;
    }
    let session = session::connect(config).await?;
    let cluster = Cluster::of(session, at)?;
    let mut changes = Vec::new();
    let begun = Instant::now();
    loop {
        match cluster.apply(wanted, &mut changes).await {
            // Each step may be repeated, and while somebody else applies too, nodes that do not have a table yet refuse
            // its rows (INCOMPATIBLE_SCHEMA).
            Err(RecordsError::Unavailable(_)) if begun.elapsed() < SETTLING => tokio::time::sleep(PAUSE).await,
            done => return done.map(|()| changes),
        }
    }
}

/// What the keyspace has.
pub(super) struct There {
    pub(super) replication: Option<Replication>,
    /// Seconds until a row of a table expires.
    pub(super) tables: BTreeMap<String, i32>,
}

impl There {
    pub(super) fn ttl(&self) -> Option<u32> {
        EXPIRING.iter().find_map(|table| self.tables.get(*table)).map(|ttl| ttl.cast_unsigned())
    }
}

fn cut_otherwise(at: &At, wanted: Layout, there: Layout) -> RecordsError {
    at.broken(&format!(
        "its logs are cut otherwise already, into {there}, not {wanted}; keep that, or use another keyspace"
    ))
}

/// A session and the node through which the schema is changed.
pub(super) struct Cluster {
    session: Session,
    at: At,
    through: Arc<dyn LoadBalancingPolicy>,
}

impl Cluster {
    pub(super) fn of(session: Session, at: At) -> Result<Cluster, RecordsError> {
        let state = session.get_cluster_state();
        let connected = state.get_nodes_info().iter().filter(|node| node.is_connected());
        let node = connected.min_by_key(|node| node.host_id).ok_or_else(|| at.nobody_answers())?;
        let through = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::HostId(node.host_id), None);
        Ok(Cluster { session, at, through })
    }

    async fn apply(&self, wanted: &Wanted, changes: &mut Vec<String>) -> Result<(), RecordsError> {
        self.agree().await?;
        let there = self.there().await?;
        // Before the first read at a quorum, which too many copies would not have.
        self.refuse_replication(wanted, &there)?;
        let cut = Layout::with_version(&self.session, &self.at).await?;
        if let (Some(wanted), Some((there, _))) = (wanted.layout, cut)
            && wanted != there
        {
            return Err(cut_otherwise(&self.at, wanted, there));
        }
        let schema = Schema {
            keyspace: self.at.keyspace().to_owned(),
            replication: wanted.replication.clone().unwrap_or_else(|| self.replication()),
            layout: wanted.layout.unwrap_or_default(),
            ttl: wanted.ttl.or_else(|| there.ttl()).unwrap_or_default(),
        };
        self.create(&schema, &there, changes).await?;
        changes.extend(self.expire(&schema, &there).await?);
        changes.extend(self.migrate(&schema, &there, cut).await?);
        self.agree().await?;
        match (wanted.layout, Layout::read(&self.session, &self.at).await?) {
            (_, None) => Err(self.at.no_schema()),
            (Some(wanted), Some(layout)) if wanted != layout => Err(cut_otherwise(&self.at, wanted, layout)),
            _ => Ok(()),
        }
    }

    fn refuse_replication(&self, wanted: &Wanted, there: &There) -> Result<(), RecordsError> {
        match (&wanted.replication, &there.replication) {
            (Some(wanted), Some(there)) if wanted != there => Err(self.at.broken(&format!(
                "it is replicated as {there}, not {wanted}; to change that, use ALTER KEYSPACE and then repair it"
            ))),
            (Some(wanted), None) => match wanted.lacks_nodes(&self.datacenters()) {
                Some(what) => Err(self.at.broken(&format!("{wanted} cannot be: {what}"))),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Of each node.
    fn datacenters(&self) -> Vec<String> {
        let state = self.session.get_cluster_state();
        state.get_nodes_info().iter().filter_map(|node| node.datacenter.clone()).collect()
    }

    async fn execute(&self, cql: String) -> Result<QueryResult, RecordsError> {
        let mut statement = Statement::new(cql);
        statement.set_load_balancing_policy(Some(Arc::clone(&self.through)));
        statement.set_request_timeout(Some(PATIENCE));
        self.session.query_unpaged(statement, ()).await.map_err(|error| match &error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Unauthorized, said)) => {
                self.at.broken(&format!("{said}; `spotter schema apply` needs an administrator's login"))
            }
            _ => self.at.executing(&error),
        })
    }

    async fn rows<T>(&self, cql: String) -> Result<Vec<T>, RecordsError>
    where
        T: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let broken = |error: &dyn std::fmt::Display| self.at.broken(error);
        let rows = self.execute(cql).await?.into_rows_result().map_err(|error| broken(&error))?;
        rows.rows::<T>().map_err(|error| broken(&error))?.map(|row| row.map_err(|error| broken(&error))).collect()
    }

    async fn agree(&self) -> Result<(), RecordsError> {
        let agreed = self.session.await_schema_agreement().await;
        agreed.map(drop).map_err(|error| RecordsError::Unavailable(format!("Cassandra's nodes differ: {error}")))
    }

    pub(super) async fn there(&self) -> Result<There, RecordsError> {
        let keyspace = self.at.keyspace();
        let replication: Vec<(BTreeMap<String, String>,)> = self
            .rows(format!("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'"))
            .await?;
        let tables: Vec<(String, i32)> = self
            .rows(format!(
                "SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = '{keyspace}'"
            ))
            .await?;
        Ok(There {
            replication: replication.into_iter().next().and_then(|(map,)| Replication::stored(map)),
            tables: tables.into_iter().collect(),
        })
    }

    fn replication(&self) -> Replication {
        Replication::found(self.datacenters().iter().map(String::as_str))
    }

    pub(super) async fn release(&self) -> Result<String, RecordsError> {
        let release: Vec<(String,)> = self.rows("SELECT release_version FROM system.local".to_owned()).await?;
        Ok(release.into_iter().next().map(|(release,)| release).unwrap_or_default())
    }

    /// `UnifiedCompactionStrategy` came with Cassandra 5.
    async fn has_unified_compaction(&self) -> Result<bool, RecordsError> {
        let major = self.release().await?.split('.').next().and_then(|major| major.parse::<u32>().ok());
        Ok(major.is_some_and(|major| major >= 5))
    }

    /// Names of those that Spotter needs.
    pub(super) fn tables(&self) -> Vec<String> {
        let (keyspace, replication) = (self.at.keyspace().to_owned(), Replication::alone());
        let schema = Schema { keyspace, replication, layout: Layout::default(), ttl: 0 };
        schema.create_tables(false).into_iter().map(|(name, _)| name).collect()
    }

    /// All nodes, and those that there is a connection to.
    pub(super) fn nodes(&self) -> (usize, usize) {
        let state = self.session.get_cluster_state();
        let nodes = state.get_nodes_info();
        (nodes.len(), nodes.iter().filter(|node| node.is_connected()).count())
    }

    /// Whether a table can be read, at the quorum that questions need.
    pub(super) async fn reads(&self, table: &str) -> Result<(), RecordsError> {
        let cql = format!("SELECT * FROM {}.{table} LIMIT 1", self.at.keyspace());
        let mut statement = Statement::new(cql);
        statement.set_is_idempotent(true);
        self.session.query_unpaged(statement, ()).await.map(drop).map_err(|error| self.at.executing(&error))
    }

    pub(super) async fn layout(&self) -> Result<Option<(Layout, i32)>, RecordsError> {
        Layout::with_version(&self.session, &self.at).await
    }

    async fn create(&self, schema: &Schema, there: &There, changes: &mut Vec<String>) -> Result<(), RecordsError> {
        if there.replication.is_none() {
            self.execute(schema.create_keyspace()).await?;
            changes.push(format!("created keyspace {} with {}", schema.keyspace, schema.replication));
        }
        let tables = schema.create_tables(self.has_unified_compaction().await?);
        let missing: Vec<_> = tables.into_iter().filter(|(name, _)| !there.tables.contains_key(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names = missing.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        for (_, cql) in missing {
            self.execute(cql).await?;
        }
        let expiring = if schema.ttl == 0 { String::new() } else { format!(", TTL {}", span(schema.ttl)) };
        changes.push(format!("created tables {names}{expiring}"));
        Ok(())
    }

    async fn expire(&self, schema: &Schema, there: &There) -> Result<Option<String>, RecordsError> {
        let mut before = None;
        for table in EXPIRING {
            if let Some(ttl) = there.tables.get(table).filter(|ttl| ttl.cast_unsigned() != schema.ttl) {
                let alter =
                    format!("ALTER TABLE {}.{table} WITH default_time_to_live = {}", schema.keyspace, schema.ttl);
                self.execute(alter).await?;
                before = Some(ttl.cast_unsigned());
            }
        }
        Ok(before.map(|before| {
            format!("TTL {} → {}, for rows that are written from now on", span(before), span(schema.ttl))
        }))
    }

    /// A table of layouts without its row may be of any version.
    async fn migrate(
        &self,
        schema: &Schema,
        there: &There,
        cut: Option<(Layout, i32)>,
    ) -> Result<Option<String>, RecordsError> {
        let from = match cut {
            Some((_, version)) => version,
            None if there.tables.contains_key("layout") => 0,
            None => SCHEMA_VERSION,
        };
        for (_, cql) in MIGRATIONS.iter().filter(|(to, _)| *to > from) {
            for cql in statements(&cql.replace("{keyspace}", &schema.keyspace)) {
                self.execute(cql).await?;
            }
        }
        match cut {
            Some((_, version)) if version == SCHEMA_VERSION => Ok(None),
            Some((_, version)) => {
                let keyspace = &schema.keyspace;
                self.execute(format!(
                    "INSERT INTO {keyspace}.layout (one, schema_version) VALUES ('layout', {SCHEMA_VERSION})"
                ))
                .await?;
                Ok(Some(format!("migrated schema {version} → {SCHEMA_VERSION}")))
            }
            None => {
                self.execute(schema.insert_layout()).await?;
                Ok(Some(format!("cut the logs into {}", schema.layout)))
            }
        }
    }
}

/// Seconds for people: `90d`, `36h`, `never`.
fn span(seconds: u32) -> String {
    match seconds {
        0 => "never".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format!("{seconds}s"),
    }
}
