use super::super::purge;
use super::super::session::Statements;
use super::*;

/// Data types, from the page "Supported Cassandra APIs, operations, functions, and data types" of the developer guide
/// of Amazon Keyspaces (docs.aws.amazon.com/keyspaces/latest/devguide/cassandra-apis.html).
const TYPES: [&str; 24] = [
    "ascii",
    "bigint",
    "blob",
    "boolean",
    "counter",
    "date",
    "decimal",
    "double",
    "float",
    "frozen",
    "inet",
    "int",
    "list",
    "map",
    "set",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timeuuid",
    "tinyint",
    "tuple",
    "uuid",
    "varint",
];

/// What that page and "Functional differences" say is not supported or not applicable, and what its reference of
/// statements does not have.
const UNSUPPORTED: [&str; 22] = [
    " INDEX",
    " MATERIALIZED",
    " TRIGGER",
    " FUNCTION",
    " AGGREGATE",
    "TRUNCATE",
    "compaction",
    "compression",
    "caching",
    "gc_grace_seconds",
    "bloom_filter",
    "read_repair",
    "crc_check",
    "memtable",
    "speculative_retry",
    "durable_writes",
    "GROUP BY",
    "PER PARTITION",
    "USING TIMESTAMP",
    "writetime",
    "GRANT",
    "BATCH",
];

/// Statements that its reference of SELECT does not cover: `relation ::= column_name operator term` has no comparison
/// of several columns, and `select_clause` no DISTINCT. Untested on the real service: long histories and listings, and
/// purges. This list is whole, so that no more of them come unnoticed.
const UNDOCUMENTED: [(&str, usize); 2] = [(") < (", 5), ("SELECT DISTINCT ", 2)];

fn schema(ttl: u32) -> Schema {
    Schema { keyspace: "spotter".into(), replication: Replication::single_region(), layout: Layout::default(), ttl }
}

fn every_statement() -> Vec<String> {
    let mut all = statements(&schema(7_776_000).print(Service::Keyspaces));
    all.extend(Statements::new("spotter").texts().into_iter().map(str::to_owned));
    all.extend(purge::TEXTS.map(|text| text.replace("{keyspace}", "spotter")));
    all
}

#[test]
fn keyspaces_supports_every_statement() {
    let all = every_statement();
    assert_eq!(all.len(), 7 + 14 + 8);
    for cql in &all {
        let verb = ["CREATE KEYSPACE ", "CREATE TABLE ", "INSERT INTO ", "SELECT ", "DELETE FROM "];
        assert!(verb.iter().any(|verb| cql.starts_with(verb)), "{cql}");
        for word in UNSUPPORTED {
            assert!(!cql.to_lowercase().contains(&word.to_lowercase()), "{word} in {cql}");
        }
        // A lightweight transaction.
        assert!(!cql.starts_with("INSERT") || !cql.contains("IF NOT EXISTS"), "{cql}");
    }
    for (construct, statements) in UNDOCUMENTED {
        assert_eq!(all.iter().filter(|cql| cql.contains(construct)).count(), statements, "{construct}");
    }
    assert!(all[0].contains("{'class': 'SingleRegionStrategy'}"), "{}", all[0]);
}

#[test]
fn keyspaces_supports_every_type_and_key() {
    let tables = schema(0).create_tables(false);
    assert_eq!(tables.len(), 5);
    for (table, cql) in tables {
        let (_, columns) = cql.split_once('(').unwrap();
        let mut keys = vec!["one".to_owned()];
        let mut types = BTreeMap::new();
        for line in columns.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(key) = line.strip_prefix("PRIMARY KEY ") {
                keys = key.split(',').map(|name| name.trim_matches(['(', ')', ' ']).to_owned()).collect();
            } else if let (Some((name, kind)), false) = (line.split_once(' '), line.starts_with(')')) {
                let kind = kind.trim().trim_end_matches(',').trim_end_matches("PRIMARY KEY").trim();
                let words = kind.split(['<', '>', ',', ' ']).filter(|word| !word.is_empty());
                for word in words {
                    assert!(TYPES.contains(&word), "{table}.{name} {kind}: {word}");
                }
                types.insert(name.to_owned(), kind.to_owned());
            }
        }
        for key in keys {
            // "FROZEN collections … not supported in a primary key"; a key of a plain type is.
            let kind = &types[&key];
            assert!(["text", "timestamp", "int", "blob"].contains(&kind.as_str()), "{table}.{key} {kind}");
        }
    }
}

#[test]
fn only_records_expire() {
    let schema = schema(60);
    for (table, cql) in schema.create_tables(true) {
        assert_eq!(cql.contains("default_time_to_live = 60"), EXPIRING.contains(&table.as_str()), "{table}");
        assert_eq!(cql.contains("UnifiedCompactionStrategy"), table != "layout", "{table}");
    }
    assert!(schema.create_keyspace().starts_with("CREATE KEYSPACE IF NOT EXISTS spotter "));
    assert!(schema.insert_layout().ends_with("VALUES ('layout', 24, 1, 2)"), "{}", schema.insert_layout());
}

#[test]
fn migrations_lead_to_this_version() {
    let versions: Vec<i32> = MIGRATIONS.iter().map(|(to, _)| *to).collect();
    assert_eq!(versions, (2..=SCHEMA_VERSION).collect::<Vec<_>>());
    for (_, cql) in MIGRATIONS {
        assert!(
            statements(cql).iter().all(|cql| cql.contains("{keyspace}.") && cql.contains("IF NOT EXISTS")),
            "{cql}"
        );
    }
}

#[test]
fn copies_follow_the_nodes() {
    let found = |nodes: &[&str]| Replication::found(nodes.iter().copied()).to_string();
    assert_eq!(found(&["dc1"]), "{'class': 'SimpleStrategy', 'replication_factor': 1}");
    assert_eq!(found(&["dc1", "dc1"]), "{'class': 'NetworkTopologyStrategy', 'dc1': 2}");
    assert_eq!(found(&["b", "a", "b", "b", "b"]), "{'class': 'NetworkTopologyStrategy', 'a': 1, 'b': 3}");
}

#[test]
fn a_replication_is_read_as_cql_writes_it() {
    let stored: Replication =
        "{'class': 'org.apache.cassandra.locator.NetworkTopologyStrategy', 'dc1': '3'}".parse().unwrap();
    assert_eq!("{ 'dc1' : 3, 'class':'NetworkTopologyStrategy' }".parse(), Ok(stored.clone()));
    assert_eq!(stored.to_string().parse(), Ok(stored));
    for bad in ["", "{}", "three", "{'dc1': 3}", "{'class': 'a'; DROP}", "{'class': ''}", "{'class': 'a' 'b'}"] {
        bad.parse::<Replication>().unwrap_err();
    }
}
