//! What only Cassandra can do: be away, be empty, be another version's.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Layout, Login, Wanted};
use spotter::records::{Records, RecordsError};

use super::home::{At, Place, cut};
use super::{MODEL, everything, seen, seq};
use crate::harness;

/// These need no Cassandra.
pub(super) fn trials_without() -> Vec<Trial> {
    vec![
        Trial::test("records::cassandra::nobody_at_the_port_may_pass", || harness::on_runtime(nobody())),
        Trial::test("records::cassandra::a_node_that_never_answers_may_pass", || harness::on_runtime(silent())),
        Trial::test("records::cassandra::a_bad_configuration_is_named_at_first_use", || harness::on_runtime(bad())),
        Trial::test("records::cassandra::a_password_is_not_shown", || {
            let login = Login { user: "spotter".into(), password: "hunter2".into() };
            let shown = format!("{:?}", CassandraConfig { login: Some(login), ..at("node:9042", "pictures") });
            assert!(shown.contains("spotter") && !shown.contains("hunter2"), "{shown}");
            Ok(())
        }),
    ]
}

pub(super) fn trials(place: &Place) -> Vec<Trial> {
    let [one, two, three, four] = [place, place, place, place].map(Place::clone);
    vec![
        Trial::test(format!("records::{place}::a_keyspace_without_tables_says_so_until_it_has_them"), move || {
            harness::on_runtime(no_tables(one))
        }),
        Trial::test(format!("records::{place}::a_layout_stays"), move || harness::on_runtime(layout_stays(two))),
        Trial::test(format!("records::{place}::the_logs_are_written_before_the_answer"), move || {
            harness::on_runtime(logs_first(three))
        }),
        Trial::test(format!("records::{place}::a_node_that_hangs_is_gone_round"), move || {
            harness::on_runtime(one_hangs(four))
        }),
    ]
}

fn at(node: &str, keyspace: &str) -> CassandraConfig {
    CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.into(), ..CassandraConfig::default() }
}

fn message(error: RecordsError, may_pass: bool) -> String {
    match (error, may_pass) {
        (RecordsError::Unavailable(message), true) | (RecordsError::Broken(message), false) => message,
        (other, _) => panic!("of the wrong kind: {other:?}"),
    }
}

async fn nobody() -> Result<(), Failed> {
    let node = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let home = Cassandra::new(at(&node, "pictures"));
    let row = seen("a", "", 1, "");
    let soon = Instant::now() + Duration::from_secs(1);
    for outcome in join_all((0..50).map(|_| home.write(&row, soon))).await {
        let message = message(outcome.unwrap_err(), true);
        assert!(message.starts_with(&format!("Cassandra at {node} cannot be reached: ")), "{message}");
        assert!(message.contains("refused") && message.contains("; tried "), "{message}");
    }
    Ok(())
}

async fn silent() -> Result<(), Failed> {
    // The system accepts for it; nobody reads.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let node = listener.local_addr()?.to_string();
    let message = message(Cassandra::new(at(&node, "pictures")).connect().await.unwrap_err(), true);
    assert!(message.contains(&node) && message.contains("answer"), "{message}");
    Ok(())
}

async fn bad() -> Result<(), Failed> {
    for keyspace in ["", "Pictures", "7up", "a-b", "a; DROP", &"k".repeat(49)] {
        let message = message(Cassandra::new(at("127.0.0.1:1", keyspace)).connect().await.unwrap_err(), false);
        assert!(message.starts_with(&format!("'{keyspace}' cannot be a keyspace")), "{message}");
    }
    let nowhere = CassandraConfig { nodes: vec![], ..at("", "pictures") };
    let message = message(Cassandra::new(nowhere).connect().await.unwrap_err(), false);
    assert_eq!(message, "no Cassandra node is named; name one as host:9042");
    Ok(())
}

/// The driver by itself waits without end for a node that takes its connection and says nothing.
async fn one_hangs(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let At::Cassandra { config, .. } = &home.at else { return Err("not Cassandra".into()) };
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let nodes = vec![silent.local_addr()?.to_string(), config.nodes[0].clone()];
    // The driver takes them in random order.
    for number in 0..6 {
        let home = Cassandra::new(CassandraConfig { nodes: nodes.clone(), ..config.clone() });
        home.connect().await?;
        home.write(&seen("a", &seq(number), 1, ""), harness::deadline()).await?;
        home.available().await?;
    }
    assert_eq!(home.history("a").await.len(), 6);
    home.end().await
}

async fn no_tables(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let At::Cassandra { session, config } = &home.at else { return Err("not Cassandra".into()) };
    home.end().await?;
    let row = seen("a", &seq(1), 1, "");
    let early = message(home.records.write(&row, harness::deadline()).await.unwrap_err(), false);
    assert!(early.contains(&config.nodes[0]) && early.contains("run `spotter schema apply`"), "{early}");

    Cassandra::new(config.clone()).apply_schema(&cut(Layout::default())).await?;
    home.records.write(&row, harness::deadline()).await?;
    assert_eq!(home.history("a").await, [row]);

    let later = format!("UPDATE {}.layout SET schema_version = 7 WHERE one = 'layout'", config.keyspace);
    session.query_unpaged(later, ()).await?;
    let newer = message(home.again().list(&everything(MODEL)).await.unwrap_err(), false);
    assert!(newer.contains("newer spotter (schema 7, this one knows 2)"), "{newer}");
    home.end().await
}

async fn layout_stays(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let At::Cassandra { config, .. } = &home.at else { return Err("not Cassandra".into()) };
    let layout = place.layout();
    let row = seen("a", &seq(1), 1, "");
    home.records.write(&row, harness::deadline()).await?;
    let other = Cassandra::new(config.clone());
    assert!(other.apply_schema(&cut(layout)).await?.is_empty());
    assert!(other.apply_schema(&Wanted::default()).await?.is_empty());
    let refused = other.apply_schema(&cut(Layout { shards: layout.shards + 1, ..layout })).await.unwrap_err();
    assert!(message(refused, false).contains("cut otherwise already"));
    assert_eq!(home.listed(everything(MODEL)).await, [row]);
    home.end().await
}

/// Whatever fails on the way, what is found is listed.
async fn logs_first(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let At::Cassandra { session, config } = &home.at else { return Err("not Cassandra".into()) };
    let (first, second) = (seen("a", &seq(1), 1, ""), seen("a", &seq(2), 2, ""));
    home.records.write(&first, harness::deadline()).await?;
    for table in ["by_label", "slots"] {
        session.query_unpaged(format!("DROP TABLE {}.{table}", config.keyspace), ()).await?;
        let other: Arc<dyn Records> = home.again();
        other.write(&second, harness::deadline()).await.unwrap_err();
        assert_eq!(home.history("a").await, std::slice::from_ref(&first));
        Cassandra::new(config.clone()).apply_schema(&cut(place.layout())).await?;
    }
    home.again().write(&second, harness::deadline()).await?;
    assert_eq!(home.history("a").await, [second, first]);
    home.end().await
}
