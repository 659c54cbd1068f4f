//! `spotter schema`: Cassandra's keyspace and tables.

use clap::{Args, Subcommand, ValueEnum};

use super::failure::Failure;
use super::output::{line, note};
use crate::config::{CASSANDRA, DEFAULT_KEYSPACE, Settings};
use crate::records::cassandra::{Cassandra, Layout, Replication, Schema, Service, Wanted};

/// Cassandra takes no longer one: 20 years.
const LONGEST_TTL: u32 = 630_720_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keyspace, tables and layout as CQL for cqlsh
    Print {
        /// Amazon Keyspaces has no options of storage
        #[arg(long = "for", value_enum, default_value = "cassandra", value_name = "SERVICE")]
        service: Target,
        #[command(flatten)]
        choice: Choice,
    },
    /// Make what is missing of them, bring an older schema up to date, and say what changed
    Apply(Choice),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Target {
    Cassandra,
    Keyspaces,
}

#[derive(Debug, Args)]
pub(super) struct Choice {
    /// As in CQL [default: one copy on a single node, else three in each data centre]
    #[arg(long, value_name = "MAP")]
    replication: Option<Replication>,
    /// Pictures to expect a day: cuts the logs so that a partition stays under 100,000 rows [default: 50000]
    #[arg(long, value_name = "N", value_parser = layout)]
    per_day: Option<Layout>,
    /// Records expire after it, as in 90d, and what they answer with them; 0 is never. Rows that are there keep theirs
    #[arg(long, value_name = "TIME", value_parser = ttl)]
    ttl: Option<u32>,
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        match self {
            Command::Print { service, choice } => print(service, choice, settings),
            Command::Apply(choice) => apply(choice, settings).await,
        }
    }
}

fn print(service: Target, choice: Choice, settings: &Settings) -> Result<(), Failure> {
    let (service, replication) = match service {
        Target::Cassandra => (Service::Cassandra, Replication::alone()),
        Target::Keyspaces => (Service::Keyspaces, Replication::single_region()),
    };
    let schema = Schema {
        keyspace: settings.cassandra.as_ref().map_or(DEFAULT_KEYSPACE.into(), |cassandra| cassandra.keyspace.clone()),
        replication: choice.replication.unwrap_or(replication),
        layout: choice.per_day.unwrap_or_default(),
        ttl: choice.ttl.unwrap_or_default(),
    };
    line(schema.print(service).trim_end())
}

async fn apply(choice: Choice, settings: &Settings) -> Result<(), Failure> {
    let Some(cassandra) = settings.cassandra.clone() else {
        return Err(Failure::Usage(format!("name the cluster with --cassandra or {CASSANDRA}")));
    };
    let keyspace = cassandra.keyspace.clone();
    let wanted = Wanted { replication: choice.replication, layout: choice.per_day, ttl: choice.ttl };
    let changes = Cassandra::new(cassandra).apply_schema(&wanted).await?;
    if changes.is_empty() {
        note(&format!("keyspace {keyspace}: nothing to change"));
    }
    for change in changes {
        note(&change);
    }
    Ok(())
}

fn layout(text: &str) -> Result<Layout, String> {
    let pictures = text.replace([',', '_'], "").parse().map_err(|_| "use a whole number of pictures".to_owned())?;
    Layout::for_pictures_a_day(pictures)
}

/// `90d`, `36h`, `60s`; without a unit only 0, because who means days would lose records after seconds.
fn ttl(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u32 = digits.parse().map_err(|_| "use a number and d or h, as in 90d".to_owned())?;
    let seconds = match &text[digits.len()..] {
        "d" => 86_400,
        "h" => 3_600,
        "s" => 1,
        "" if number == 0 => 1,
        "" => return Err(format!("say of what: {text}d or {text}h")),
        other => return Err(format!("{other} is no unit: use d, h or s")),
    };
    number.checked_mul(seconds).filter(|ttl| *ttl <= LONGEST_TTL).ok_or_else(|| "use at most 7300d".into())
}
