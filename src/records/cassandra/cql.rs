//! The schema as text: what `spotter schema print` shows and `apply` executes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::schema::{Layout, SCHEMA_VERSION};

const SCHEMA: &str = include_str!("../../../schema/cassandra.cql");

/// What leads to a version of the schema from the one before; each may run again.
pub(super) const MIGRATIONS: [(i32, &str); 1] = [(2, include_str!("../../../schema/migrations/2.cql"))];

/// The records expire; slots and layout do not.
pub(super) const EXPIRING: [&str; 3] = ["by_object", "by_time", "by_label"];

/// Rows come in the order of time and are hardly ever changed. The grace is Cassandra's default, written down because
/// a shorter one brings purged rows back from a replica that was away for longer.
const STORAGE: &str = "\n  AND compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'}\
                       \n  AND gc_grace_seconds = 864000";

/// Whatever was written is newer: run again, the printed schema changes no layout that is there.
const STAYS: &str = " USING TIMESTAMP 1";

const KEYSPACES: &str = "\
-- For Amazon Keyspaces; untested on the real service.
-- It makes keyspaces and tables in the background: run one statement at a time, and wait until
-- system_schema_mcs.keyspaces, then system_schema_mcs.tables, has it (ACTIVE).
-- Its reference names no comparison of several columns, as in (a, b) < (?, ?), which lists and long histories use.

";

/// Who shall understand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Apache Cassandra 5.
    Cassandra,
    Keyspaces,
}

/// What the texts leave open.
#[derive(Debug, Clone)]
pub struct Schema {
    pub keyspace: String,
    pub replication: Replication,
    pub layout: Layout,
    /// Seconds until a record expires; 0: never.
    pub ttl: u32,
}

impl Schema {
    /// Everything that Spotter needs, for cqlsh.
    pub fn print(&self, service: Service) -> String {
        match service {
            Service::Cassandra => self.fill(&SCHEMA.replace("{stays}", STAYS), true),
            Service::Keyspaces => {
                let text = self.fill(SCHEMA, false);
                format!("{KEYSPACES}{}", text.replacen("Apache Cassandra 5", "Amazon Keyspaces", 1))
            }
        }
    }

    /// `CREATE KEYSPACE`.
    pub(super) fn create_keyspace(&self) -> String {
        statements(&self.fill(SCHEMA, true)).swap_remove(0)
    }

    /// Each table's name and its `CREATE TABLE`.
    pub(super) fn create_tables(&self, storage: bool) -> Vec<(String, String)> {
        let name = |cql: &str| {
            let rest = cql.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
            Some(rest.split_once('.')?.1.split_once(' ')?.0.to_owned())
        };
        statements(&self.fill(SCHEMA, storage)).into_iter().filter_map(|cql| Some((name(&cql)?, cql))).collect()
    }

    /// The row that says how the logs are cut.
    pub(super) fn insert_layout(&self) -> String {
        statements(&self.fill(SCHEMA, true)).pop().unwrap_or_default()
    }

    /// `storage`: with the options that neither Cassandra 4 nor Amazon Keyspaces has.
    fn fill(&self, text: &str, storage: bool) -> String {
        let ttl = if self.ttl == 0 { String::new() } else { format!("\n  AND default_time_to_live = {}", self.ttl) };
        text.replace("{keyspace}", &self.keyspace)
            .replace("{replication}", &self.replication.to_string())
            .replace("{stays}", "")
            .replace("{storage}", if storage { STORAGE } else { "" })
            .replace("{ttl}", &ttl)
            .replace("{slot_hours}", &self.layout.slot_hours.to_string())
            .replace("{shards}", &self.layout.shards.to_string())
            .replace("{version}", &SCHEMA_VERSION.to_string())
    }
}

/// The statements of a text, without comments.
pub(super) fn statements(cql: &str) -> Vec<String> {
    let code = cql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    code.split(';').map(|cql| cql.trim().to_owned()).filter(|cql| !cql.is_empty()).collect()
}

/// CQL's map of a replication strategy and its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// Without its package.
    class: String,
    options: BTreeMap<String, String>,
}

impl Replication {
    /// Of one node.
    pub fn alone() -> Replication {
        Replication::of("SimpleStrategy", [("replication_factor".to_owned(), "1".to_owned())])
    }

    /// The only one that Amazon Keyspaces has for one region: three copies.
    pub fn single_region() -> Replication {
        Replication::of("SingleRegionStrategy", [])
    }

    /// Three copies in each data centre, or as many as it has nodes.
    pub(super) fn found<'a>(datacenter_of_each_node: impl IntoIterator<Item = &'a str>) -> Replication {
        let mut nodes = BTreeMap::<&str, usize>::new();
        for datacenter in datacenter_of_each_node {
            *nodes.entry(datacenter).or_default() += 1;
        }
        if nodes.values().sum::<usize>() <= 1 {
            return Replication::alone();
        }
        let copies = nodes.into_iter().map(|(datacenter, nodes)| (datacenter.to_owned(), nodes.min(3).to_string()));
        Replication::of("NetworkTopologyStrategy", copies)
    }

    /// What is wrong with it in a cluster whose nodes are in these data centres.
    pub(super) fn lacks_nodes(&self, datacenters: &[String]) -> Option<String> {
        self.options.iter().find_map(|(place, copies)| {
            let copies: usize = copies.parse().ok()?;
            let everywhere = place == "replication_factor";
            let nodes = datacenters.iter().filter(|datacenter| everywhere || *datacenter == place).count();
            let of_them = if everywhere { String::new() } else { format!(" in {place}") };
            (copies > nodes).then(|| format!("{copies} copies need as many nodes, and there are {nodes}{of_them}"))
        })
    }

    /// Of `system_schema.keyspaces`.
    pub(super) fn stored(mut map: BTreeMap<String, String>) -> Option<Replication> {
        let class = map.remove("class")?;
        Some(Replication { class: class.rsplit('.').next().unwrap_or_default().to_owned(), options: map })
    }

    fn of(class: &str, options: impl IntoIterator<Item = (String, String)>) -> Replication {
        Replication { class: class.to_owned(), options: options.into_iter().collect() }
    }
}

impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{'class': '{}'", self.class)?;
        for (name, value) in &self.options {
            match value.parse::<u32>() {
                Ok(number) => write!(f, ", '{name}': {number}")?,
                Err(_) => write!(f, ", '{name}': '{value}'")?,
            }
        }
        f.write_str("}")
    }
}

impl FromStr for Replication {
    type Err = String;

    fn from_str(text: &str) -> Result<Replication, String> {
        let bad = || format!("{text} is no replication: write it as in CQL, {}", Replication::alone());
        let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(bad)?;
        let word = |text: &str| {
            let text = text.trim();
            let bare = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text);
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
            (!bare.is_empty() && bare.chars().all(plain)).then(|| bare.to_owned())
        };
        let pair = |text: &str| text.split_once(':').and_then(|(name, value)| Some((word(name)?, word(value)?)));
        let map = inner.split(',').map(|text| pair(text).ok_or_else(bad)).collect::<Result<_, _>>()?;
        Replication::stored(map).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests;
