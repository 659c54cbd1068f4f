//! The home of records: whether it answers, its schema, and whose answers it shows.

use super::{Examined, within};
use crate::classifier::{Finding, Level};
use crate::config::{CASSANDRA, CASSANDRA_PASSWORD, CASSANDRA_USER, DATA, PROGRAM, Settings};
use crate::records::cassandra::{Cassandra, CassandraConfig, Inspected};
use crate::records::{Records, RecordsError, embedded};

pub(super) async fn look(examined: &Examined, settings: &Settings) -> Vec<Finding> {
    match &settings.cassandra {
        Some(config) => cassandra(config).await,
        None => file(examined),
    }
}

async fn cassandra(config: &CassandraConfig) -> Vec<Finding> {
    let home = Cassandra::new(config.clone());
    let inspected = match home.inspect().await {
        Ok(inspected) => inspected,
        Err(error) => return vec![Finding::fail("database", error.to_string()).way_out(way_out(&error))],
    };
    let mut findings = judged(&inspected, &config.nodes.join(", "));
    if findings.iter().all(|finding| finding.level != Level::Fail) {
        findings.extend(within("served", served(&home)).await);
    }
    findings
}

fn way_out(error: &RecordsError) -> String {
    match error {
        RecordsError::Unavailable(_) => {
            format!("is {CASSANDRA} or --cassandra right, does a node run there, and may this machine reach its port?")
        }
        RecordsError::Broken(_) => {
            format!("look at {CASSANDRA}, {CASSANDRA_USER}, {CASSANDRA_PASSWORD} and SPOTTER_CASSANDRA_CA")
        }
    }
}

fn judged(inspected: &Inspected, nodes: &str) -> Vec<Finding> {
    let Inspected { release, nodes: known, connected, keyspace, replication, missing_tables, .. } = inspected;
    let says = format!("Cassandra {release} at {nodes}, {connected} of {known} nodes connected");
    let mut findings = vec![match connected == known {
        true => Finding::ok("database", says),
        false => Finding::warn("database", says).way_out("nodetool status"),
    }];
    let apply = format!("{PROGRAM} schema apply");
    let Some(replication) = replication else {
        findings.push(Finding::fail("schema", format!("there is no keyspace {keyspace}")).way_out(apply));
        return findings;
    };
    if !missing_tables.is_empty() {
        let says = format!("keyspace {keyspace} lacks {}", missing_tables.join(", "));
        findings.push(Finding::fail("schema", says).way_out(apply));
        return findings;
    }
    for (table, why) in &inspected.unreadable {
        findings.push(Finding::fail("schema", format!("table {table} cannot be read: {why}")).way_out(
            "cqlsh -f schema/roles.cql has what each login needs; a quorum needs most of the copies: nodetool status",
        ));
    }
    if inspected.unreadable.is_empty() {
        findings.push(version(inspected, replication, apply));
    }
    findings
}

fn version(inspected: &Inspected, replication: &str, apply: String) -> Finding {
    let Inspected { keyspace, layout, known_version: known, ttl, .. } = inspected;
    match layout {
        None => {
            Finding::fail("schema", format!("keyspace {keyspace} does not say how its logs are cut")).way_out(apply)
        }
        Some((_, version)) if version < known => {
            let says =
                format!("version {version} in keyspace {keyspace}, this {PROGRAM} makes {known}: it works as it is");
            Finding::warn("schema", says).way_out(apply)
        }
        Some((layout, version)) => {
            let expires = if *ttl == 0 { String::new() } else { format!(", rows expire after {ttl} s") };
            Finding::ok(
                "schema",
                format!(
                    "version {version} in keyspace {keyspace}, {layout}, {replication}{expires}; writing was not tried"
                ),
            )
        }
    }
}

/// Whose answers are shown.
async fn served(home: &dyn Records) -> Vec<Finding> {
    match home.served().await {
        Ok(Some(model)) => {
            vec![Finding::ok("served", format!("answers of {model} are shown ({PROGRAM} model switch)"))]
        }
        Ok(None) => Vec::new(),
        Err(error) => vec![Finding::fail("served", error.to_string())],
    }
}

fn shown(model: &str) -> Finding {
    Finding::ok("served", format!("answers of {model} are shown ({PROGRAM} model switch)"))
}

fn file(examined: &Examined) -> Vec<Finding> {
    let Ok(folder) = &examined.folder else {
        return vec![Finding::skip("database", "not looked at: there is no data folder")];
    };
    let path = folder.join(examined.records_file);
    let instead = format!("{CASSANDRA} or --cassandra names a Cassandra instead");
    let mut findings = Vec::new();
    let found = match embedded::inspect(&path) {
        Ok(Some(there)) => {
            findings.extend(there.served.as_deref().map(shown));
            let older =
                if there.version < there.known_version { ", brought up to date when it is next opened" } else { "" };
            let says = format!(
                "{}, schema {}{older}, {:.1} MB ({instead})",
                path.display(),
                there.version,
                there.size as f64 / 1e6
            );
            Finding::ok("database", says)
        }
        Ok(None) => Finding::ok("database", format!("{} is made with the first record ({instead})", path.display())),
        Err(error) => {
            Finding::fail("database", error.to_string()).way_out(format!("--data or {DATA} names another folder"))
        }
    };
    findings.insert(0, found);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::cassandra::Layout;

    #[test]
    fn a_node_that_is_away_is_a_warning() {
        for (connected, level) in [(3, Level::Ok), (2, Level::Warn)] {
            let inspected = Inspected {
                release: "5.0.9".into(),
                nodes: 3,
                connected,
                keyspace: "spotter".into(),
                replication: Some("{}".into()),
                missing_tables: Vec::new(),
                ttl: 0,
                layout: Some((Layout::default(), 2)),
                known_version: 2,
                unreadable: Vec::new(),
            };
            let levels: Vec<Level> = judged(&inspected, "n").into_iter().map(|finding| finding.level).collect();
            assert_eq!(levels, [level, Level::Ok]);
        }
    }
}
