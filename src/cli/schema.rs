//! `spotter schema`: Cassandra's keyspace and tables.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::{line, note};
use crate::config::{CASSANDRA, DEFAULT_KEYSPACE, Settings};
use crate::records::cassandra::{Cassandra, Layout, schema};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keyspace and tables as CQL
    Print(Replication),
    /// Make what is missing of them; one process at a time
    Apply(Replication),
}

#[derive(Debug, Args)]
pub(super) struct Replication {
    /// As in CQL; of several nodes, for example {'class': 'NetworkTopologyStrategy', 'dc1': 3}
    #[arg(long, value_name = "MAP", default_value = "{'class': 'SimpleStrategy', 'replication_factor': 1}")]
    replication: String,
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let cassandra = settings.cassandra.clone();
        let keyspace = cassandra.as_ref().map_or(DEFAULT_KEYSPACE.into(), |cassandra| cassandra.keyspace.clone());
        match (self, cassandra) {
            (Command::Print(Replication { replication }), _) => line(schema(&keyspace, &replication).trim_end()),
            (Command::Apply(_), None) => {
                Err(Failure::Usage(format!("name the cluster with --cassandra or {CASSANDRA}")))
            }
            (Command::Apply(Replication { replication }), Some(cassandra)) => {
                Cassandra::new(cassandra).apply_schema(&replication, Layout::default()).await?;
                note(&format!("keyspace {keyspace} has its tables"));
                Ok(())
            }
        }
    }
}
