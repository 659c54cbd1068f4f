//! What a cluster has of Spotter's, read with whatever login there is. Nothing is written.

use super::CassandraConfig;
use super::apply::Cluster;
use super::errors::At;
use super::schema::{Layout, SCHEMA_VERSION};
use super::session;
use crate::records::RecordsError;

#[derive(Debug, Clone)]
pub struct Inspected {
    /// As `5.0.2`.
    pub release: String,
    pub nodes: usize,
    pub connected: usize,
    pub keyspace: String,
    /// `None`: there is no such keyspace.
    pub replication: Option<String>,
    pub missing_tables: Vec<String>,
    /// Seconds until a row expires; 0: never.
    pub ttl: u32,
    /// How the logs are cut, and the version of the schema.
    pub layout: Option<(Layout, i32)>,
    /// The version that this program makes.
    pub known_version: i32,
    /// Tables that this login may not read, or that no quorum answers for, and why.
    pub unreadable: Vec<(String, String)>,
}

pub(super) async fn inspect(config: &CassandraConfig) -> Result<Inspected, RecordsError> {
    let at = At::of(config);
    at.check_keyspace()?;
    let cluster = Cluster::of(session::connect(config).await?, at)?;
    let (release, there, wanted) = (cluster.release().await?, cluster.there().await?, cluster.tables());
    let missing_tables = wanted.iter().filter(|table| !there.tables.contains_key(*table)).cloned().collect();
    let mut unreadable = Vec::new();
    for table in wanted.iter().filter(|table| there.tables.contains_key(*table)) {
        if let Err(error) = cluster.reads(table).await {
            unreadable.push((table.clone(), error.to_string()));
        }
    }
    let is_readable = !unreadable.iter().any(|(table, _)| table == "layout");
    let layout = if is_readable { cluster.layout().await? } else { None };
    let (nodes, connected) = cluster.nodes();
    Ok(Inspected {
        release,
        nodes,
        connected,
        keyspace: config.keyspace.clone(),
        ttl: there.ttl().unwrap_or_default(),
        replication: there.replication.map(|replication| replication.to_string()),
        missing_tables,
        layout,
        known_version: SCHEMA_VERSION,
        unreadable,
    })
}
