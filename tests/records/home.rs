//! Fresh homes of records to run the contract on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::Failed;
use rusqlite::Connection;
use rusqlite::types::Value;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use spotter::records::Records;
use spotter::records::cassandra::{Cassandra, CassandraConfig, Layout, Wanted};
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::harness::Part;
use crate::simulation::home::Home as Simulated;
use crate::simulation::world::{Shared, World, lock};

#[derive(Clone)]
pub(super) enum Place {
    Sqlite,
    /// What the simulation writes to: it shows nothing if it does not do as the others.
    Simulated,
    Cassandra {
        node: Part<String>,
        layout: Layout,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite => f.write_str("sqlite"),
            Place::Simulated => f.write_str("simulated"),
            Place::Cassandra { layout: Layout { slot_hours, shards }, .. } => {
                write!(f, "cassandra_{slot_hours}h_{shards}")
            }
        }
    }
}

/// A schema whose logs are cut so; the rest as found.
pub(super) fn cut(layout: Layout) -> Wanted {
    Wanted { layout: Some(layout), ..Wanted::default() }
}

pub(super) struct Home {
    pub(super) records: Arc<dyn Records>,
    pub(super) at: At,
}

pub(super) enum At {
    Sqlite(TempDir),
    Simulated(Shared),
    Cassandra { session: Box<Session>, config: CassandraConfig },
}

impl Place {
    /// How many random histories a property is tried on.
    pub(super) fn cases(&self) -> u32 {
        match self {
            Place::Sqlite | Place::Simulated => 100,
            Place::Cassandra { .. } => 50,
        }
    }

    /// `host:port` of the one Cassandra.
    pub(super) fn node(&self) -> Result<&'static str, Failed> {
        match self {
            Place::Sqlite | Place::Simulated => Err("not Cassandra".into()),
            Place::Cassandra { node, .. } => Ok(node.get()?),
        }
    }

    /// Only Cassandra is cut.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Place::Sqlite | Place::Simulated => Layout::default(),
            Place::Cassandra { layout, .. } => *layout,
        }
    }

    pub(super) async fn fresh(&self) -> Result<Home, Failed> {
        let at = match self {
            Place::Sqlite => At::Sqlite(tempfile::tempdir()?),
            Place::Simulated => At::Simulated(World::calm()),
            Place::Cassandra { node, layout } => {
                static NUMBER: AtomicU64 = AtomicU64::new(0);
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let keyspace = format!("test_{}_{number}", std::process::id());
                let node = node.get()?;
                let config = CassandraConfig { nodes: vec![node.clone()], keyspace, ..CassandraConfig::default() };
                Cassandra::new(config.clone()).apply_schema(&cut(*layout)).await?;
                At::Cassandra { session: Box::new(SessionBuilder::new().known_node(node).build().await?), config }
            }
        };
        Ok(Home { records: at.open(), at })
    }
}

impl At {
    fn open(&self) -> Arc<dyn Records> {
        match self {
            At::Sqlite(folder) => Arc::new(Embedded::open(&folder.path().join("records.sqlite")).unwrap()),
            At::Simulated(world) => Arc::new(Simulated(Arc::clone(world))),
            At::Cassandra { config, .. } => Arc::new(Cassandra::new(config.clone())),
        }
    }
}

impl Home {
    /// A second session on the same home.
    pub(super) fn again(&self) -> Arc<dyn Records> {
        self.at.open()
    }

    /// Every table's rows of one bucket, whole, sorted.
    pub(super) async fn dump(&self, bucket: &str) -> Vec<String> {
        let mut rows = match &self.at {
            At::Sqlite(folder) => {
                let connection = Connection::open(folder.path().join("records.sqlite")).unwrap();
                let of_table = |table: &str| {
                    let mut statement = connection.prepare(&format!("SELECT * FROM {table} WHERE bucket = ?")).unwrap();
                    let columns = statement.column_count();
                    let row = |row: &rusqlite::Row<'_>| {
                        (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>()
                    };
                    let rows = statement.query_map([bucket], row).unwrap();
                    rows.map(|row| format!("{table} {:?}", row.unwrap())).collect::<Vec<_>>()
                };
                ["records", "other_labels"].map(of_table).concat()
            }
            At::Simulated(world) => lock(world).tables.dump(bucket),
            At::Cassandra { session, config } => {
                let mut rows = Vec::new();
                for table in ["by_object", "by_time", "by_label"] {
                    let cql =
                        format!("SELECT JSON * FROM {}.{table} WHERE bucket = ? ALLOW FILTERING", config.keyspace);
                    let result = session.query_unpaged(cql, (bucket,)).await.unwrap().into_rows_result().unwrap();
                    let found = result.rows::<(String,)>().unwrap().map(|row| format!("{table} {}", row.unwrap().0));
                    rows.extend(found);
                }
                rows
            }
        };
        rows.sort();
        rows
    }

    pub(super) async fn end(&self) -> Result<(), Failed> {
        if let At::Cassandra { session, config } = &self.at {
            session.query_unpaged(format!("DROP KEYSPACE {}", config.keyspace), ()).await?;
        }
        Ok(())
    }
}
