//! A keyspace of another schema: this version works on a former one as it is and migrates it with its rows; a later one
//! is refused, and can be gone back from.

use libtest_mimic::{Failed, Trial};
use scylla::client::session::Session;
use spotter::event::Timestamp;
use spotter::record::{Guess, HUMAN, Record, Status};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};
use spotter::records::{self, Listing, Records};

use super::schema::{feed, fresh_keyspace, said, session, spotter};
use super::{MODEL, everything, gone, seen, seq};
use crate::harness::cassandra::node;
use crate::harness::{self, needs, on_runtime};

const OTHER: &str = "other/1";
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// Of what comes after those.
const LATER: &str = "e";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        needs("records::former::schema_1_works_as_it_is_and_is_migrated_with_its_rows", node(), |node| {
            on_runtime(migrated(node.get()?))
        }),
        needs("records::former::a_later_schema_is_refused_until_its_version_is_put_back", node(), |node| {
            on_runtime(gone_back_from(node.get()?))
        }),
    ]
}

/// One of each kind.
fn rows() -> Vec<Record> {
    let a = seen("a", &seq(1), 1, "");
    let top = ["cat", "dog"].map(|label| Guess { label: label.into(), confidence: 0.75 });
    let several = Record {
        label: Some("cat".into()),
        confidence: Some(0.75),
        why: "also dog".into(),
        top: top.into(),
        ..seen("b", &seq(2), 2, "v")
    };
    let rejected = Record { status: Status::Rejected, label: None, confidence: None, ..seen("c", &seq(3), 3, "") };
    let corrections = [("3", 5), ("4", 6)].map(|(label, at)| Record::correction(&a, Some(label), Timestamp(at)));
    let mut rows = vec![
        Record { model: OTHER.into(), ..a.clone() },
        a,
        several,
        rejected,
        seen("d", &seq(4), 4, ""),
        gone(Status::Deleted, "d", &seq(5), 5, ""),
    ];
    rows.extend(corrections);
    rows
}

/// What every kind of question answers: all rows of each object, and each log, but for what came later.
async fn answers(home: &Cassandra) -> Result<Vec<Vec<Record>>, Failed> {
    let mut answers = Vec::new();
    for key in KEYS {
        answers.push(home.rows("pictures", key, None).await?);
    }
    for model in [MODEL, OTHER, HUMAN, ""] {
        answers.push(home.list(&everything(model)).await?.records);
    }
    for label in ["7", "cat", "dog", "rejected"] {
        let listing = Listing { label: Some(label.into()), ..everything(MODEL) };
        answers.push(home.list(&listing).await?.records);
    }
    answers.iter_mut().for_each(|rows: &mut Vec<Record>| rows.retain(|row| row.key != LATER));
    let found: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert_eq!(found, [4, 1, 1, 2, 4, 1, 1, 1, 2, 1, 1, 1]);
    Ok(answers)
}

fn config(node: &str, keyspace: &str) -> CassandraConfig {
    CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.into(), ..Default::default() }
}

async fn execute(session: &Session, cql: String) -> Result<(), Failed> {
    session.query_unpaged(&*cql, ()).await.map(drop).map_err(|error| format!("{cql}: {error}").into())
}

async fn migrated(node: &str) -> Result<(), Failed> {
    let (keyspace, session) = (fresh_keyspace(), session(node).await?);
    let version_1 = include_str!("../cassandra/schema-1.cql")
        .replace("{keyspace}", &keyspace)
        .replace("{replication}", "{'class': 'SimpleStrategy', 'replication_factor': 1}");
    feed(&session, &version_1).await?;
    let cut = "(one, slot_hours, shards, schema_version) VALUES ('layout', 1, 2, 1)";
    execute(&session, format!("INSERT INTO {keyspace}.layout {cut}")).await?;

    // All but the switch works before it is migrated, and who wants to switch is told how.
    let deployed = Cassandra::new(config(node, &keyspace));
    for row in rows() {
        deployed.write(&row, harness::deadline()).await?;
    }
    let before = answers(&deployed).await?;
    assert_eq!(deployed.served().await?, None);
    let switch = || spotter(node, &keyspace, &["model", "switch", OTHER]).output();
    let refused = switch()?;
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && why.contains("run `spotter schema apply`, which adds it"), "{why}");

    let children: Vec<_> =
        (0..4).map(|_| spotter(node, &keyspace, &["schema", "apply"]).spawn()).collect::<Result<_, _>>()?;
    let mut changes = Vec::new();
    for child in children {
        changes.push(said(&child.wait_with_output()?)?);
    }
    assert!(changes.contains(&"migrated schema 1 → 2\n".to_owned()), "{changes:?}");
    assert!(said(&spotter(node, &keyspace, &["schema", "apply"]).output()?)?.ends_with("nothing to change\n"));
    let cql = format!("SELECT slot_hours, shards, schema_version, served FROM {keyspace}.layout");
    let layout = session.query_unpaged(cql, ()).await?.into_rows_result()?;
    assert_eq!(layout.single_row::<(i32, i32, i32, Option<String>)>()?, (1, 2, 2, None));

    // Who was connected before goes on, and whoever comes new finds the same.
    let connected_now = Cassandra::new(config(node, &keyspace));
    for home in [&deployed, &connected_now] {
        assert!(answers(home).await? == before, "other answers than before");
    }
    let row = seen(LATER, &seq(6), 6, "");
    deployed.write(&row, harness::deadline()).await?;
    assert_eq!(records::get(&connected_now, "pictures", LATER, MODEL).await?, Some(row));
    said(&switch()?)?;
    for home in [&deployed, &connected_now] {
        assert_eq!(home.served().await?.as_deref(), Some(OTHER));
    }
    // Back to the version before, and forward again.
    execute(&session, format!("UPDATE {keyspace}.layout SET schema_version = 1 WHERE one = 'layout'")).await?;
    assert_eq!(said(&spotter(node, &keyspace, &["schema", "apply"]).output()?)?, "migrated schema 1 → 2\n");
    assert_eq!(connected_now.served().await?.as_deref(), Some(OTHER));
    execute(&session, format!("DROP KEYSPACE {keyspace}")).await
}

/// As docs/upgrading.md says it: migrations only add, so the version before can do with what a later one left.
async fn gone_back_from(node: &str) -> Result<(), Failed> {
    let (keyspace, session) = (fresh_keyspace(), session(node).await?);
    let deployed = Cassandra::new(config(node, &keyspace));
    deployed.apply_schema(&Wanted::default()).await?;
    for row in rows() {
        deployed.write(&row, harness::deadline()).await?;
    }
    let before = answers(&deployed).await?;

    for table in ["by_object", "by_time", "by_label", "layout"] {
        execute(&session, format!("ALTER TABLE {keyspace}.{table} ADD later text")).await?;
    }
    let version = |number| format!("UPDATE {keyspace}.layout SET schema_version = {number} WHERE one = 'layout'");
    execute(&session, version(3)).await?;
    let row = seen(LATER, &seq(6), 6, "");
    deployed.write(&row, harness::deadline()).await?;
    assert!(answers(&deployed).await? == before, "who was connected before is told other things");
    let refused = Cassandra::new(config(node, &keyspace)).write(&row, harness::deadline()).await.unwrap_err();
    let why = refused.to_string();
    assert!(why.contains("newer spotter (schema 3, this one knows 2); update spotter"), "{why}");

    execute(&session, version(2)).await?;
    let connected_now = Cassandra::new(config(node, &keyspace));
    assert!(answers(&connected_now).await? == before, "other answers than before");
    assert_eq!(records::get(&connected_now, "pictures", LATER, MODEL).await?.as_ref(), Some(&row));
    connected_now.write(&row, harness::deadline()).await?;
    assert!(said(&spotter(node, &keyspace, &["schema", "apply"]).output()?)?.ends_with("nothing to change\n"));
    execute(&session, format!("DROP KEYSPACE {keyspace}")).await
}
