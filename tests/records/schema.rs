//! `spotter schema`: what it prints, makes and refuses, and the roles that come with it.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::{Failed, Trial};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use spotter::event::Timestamp;
use spotter::record::{HUMAN, Record};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Login, Tls, Wanted};
use spotter::records::{self, Records, RecordsError};

use super::{MODEL, everything, seen, seq};
use crate::harness::cassandra::{Secure, node, secure_node};
use crate::harness::{self, needs, on_runtime};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("records::schema::local_cql_is_what_is_printed", local),
        Trial::test("records::schema::keyspaces_gets_no_storage_options", keyspaces),
        Trial::test("records::schema::bad_wishes_are_usage_errors", bad_wishes),
        needs("records::schema::it_says_what_it_changed", node(), |node| on_runtime(says(node.get()?))),
        needs("records::schema::what_is_printed_is_what_is_applied", node(), |node| on_runtime(printed(node.get()?))),
        needs("records::schema::four_processes_at_once_make_one_schema", node(), |node| {
            on_runtime(at_once(node.get()?))
        }),
        needs("records::schema::a_person_is_asked_before_a_purge", node(), |node| on_runtime(asked(node.get()?))),
        needs("records::schema::what_is_written_under_a_ttl_expires", node(), |node| on_runtime(expires(node.get()?))),
        needs("records::schema::the_roles_can_do_what_they_need", secure_node(), |node| on_runtime(roles(node.get()?))),
    ]
}

pub(super) fn spotter(node: &str, keyspace: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spotter"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if !node.is_empty() {
        command.env("SPOTTER_CASSANDRA", node).env("SPOTTER_KEYSPACE", keyspace);
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it said, if it ended well.
pub(super) fn said(output: &Output) -> Result<String, Failed> {
    let said = text(&output.stderr);
    if output.status.success() { Ok(said) } else { Err(format!("{}: {said}", output.status).into()) }
}

pub(super) fn fresh_keyspace() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("schema_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(super) async fn session(node: &str) -> Result<Session, Failed> {
    Ok(SessionBuilder::new().known_node(node).build().await?)
}

fn local() -> Result<(), Failed> {
    let output = spotter("", "", &["schema", "print"]).output()?;
    let committed = std::fs::read_to_string(harness::root().join("schema/local.cql"))?;
    assert!(text(&output.stdout) == committed, "run: spotter schema print > schema/local.cql");
    Ok(())
}

fn keyspaces() -> Result<(), Failed> {
    let arguments = ["schema", "print", "--for", "keyspaces", "--ttl", "90d", "--per-day", "1000000"];
    let printed = text(&spotter("", "", &arguments).output()?.stdout);
    for (part, there) in [
        ("untested on the real service", true),
        ("{'class': 'SingleRegionStrategy'}", true),
        ("default_time_to_live = 7776000", true),
        ("VALUES ('layout', 1, 3, 2)", true),
        ("compaction", false),
        ("gc_grace", false),
        ("{keyspace}", false),
    ] {
        assert_eq!(printed.contains(part), there, "{part} in {printed}");
    }
    Ok(())
}

fn bad_wishes() -> Result<(), Failed> {
    for (wish, sentence) in [
        (["--replication", "three"], "write it as in CQL"),
        (["--replication", "{'class': 'X'} AND y = {}"], "write it as in CQL"),
        (["--per-day", "0"], "a day without pictures"),
        (["--per-day", "999999999"], "more than 1,024 shards"),
        (["--ttl", "0"], ""),
        (["--ttl", "90"], "say of what: 90d or 90h"),
        (["--ttl", "90y"], "y is no unit"),
        (["--ttl", "7301d"], "at most 7300d"),
    ] {
        let output = spotter("", "", &[&["schema", "print"], &wish[..]].concat()).output()?;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(if sentence.is_empty() { 0 } else { 2 }), "{wish:?}: {said}");
        assert!(said.contains(sentence), "{wish:?}: {said}");
    }
    Ok(())
}

async fn says(node: &str) -> Result<(), Failed> {
    let keyspace = fresh_keyspace();
    let apply = |wish: &[&str]| spotter(node, &keyspace, &[&["schema", "apply"], wish].concat()).output();
    let first = said(&apply(&["--ttl", "30d", "--per-day", "1000000"])?)?;
    assert_eq!(
        first,
        format!(
            "created keyspace {keyspace} with {{'class': 'SimpleStrategy', 'replication_factor': 1}}\n\
             created tables by_object, by_time, by_label, slots, layout, TTL 30d\n\
             cut the logs into slots of 1 h and 3 shards\n"
        )
    );
    let nothing = format!("keyspace {keyspace}: nothing to change\n");
    for wish in [&[][..], &["--per-day", "1000000"], &["--ttl", "720h"]] {
        assert_eq!(said(&apply(wish)?)?, nothing, "{wish:?}");
    }
    let session = session(node).await?;
    session.query_unpaged(format!("DROP TABLE {keyspace}.by_time"), ()).await?;
    assert_eq!(said(&apply(&[])?)?, "created tables by_time, TTL 30d\n");
    let longer = said(&apply(&["--ttl", "90d"])?)?;
    assert_eq!(longer, "TTL 30d → 90d, for rows that are written from now on\n");
    assert!(said(&apply(&["--ttl", "0"])?)?.starts_with("TTL 90d → never"));

    // Refused before a keyspace is made that nobody could read.
    let three = "{'class': 'SimpleStrategy', 'replication_factor': 3}";
    let lonely = fresh_keyspace();
    for _ in 0..2 {
        let output = spotter(node, &lonely, &["schema", "apply", "--replication", three]).output()?;
        let stderr = text(&output.stderr);
        assert!(stderr.contains("3 copies need as many nodes, and there are 1"), "{stderr}");
    }

    let refused = |wish: &[&str]| -> Result<String, Failed> {
        let output = apply(wish)?;
        assert_eq!(output.status.code(), Some(1), "{wish:?}");
        Ok(text(&output.stderr))
    };
    let other_cut = refused(&["--per-day", "10"])?;
    assert!(other_cut.contains("slots of 1 h and 3 shards, not slots of 24 h and 1 shard"), "{other_cut}");
    let copies = refused(&["--replication", "{'class': 'NetworkTopologyStrategy', 'datacenter1': 2}"])?;
    assert!(copies.contains("ALTER KEYSPACE"), "{copies}");
    session.query_unpaged(format!("UPDATE {keyspace}.layout SET schema_version = 9 WHERE one = 'layout'"), ()).await?;
    let newer = refused(&[])?;
    assert!(newer.contains("newer spotter (schema 9, this one knows 2)"), "{newer}");
    session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    Ok(())
}

/// Each sighting of a row has its time to live, so that none outlasts the others.
async fn expires(node: &str) -> Result<(), Failed> {
    let keyspace = fresh_keyspace();
    said(&spotter(node, &keyspace, &["schema", "apply", "--ttl", "30d"]).output()?)?;
    round_trip(&CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.clone(), ..Default::default() }).await?;
    let session = session(node).await?;
    for table in ["by_object", "by_time", "by_label"] {
        let cql = format!("SELECT TTL(status) FROM {keyspace}.{table}");
        let left = session.query_unpaged(cql, ()).await?.into_rows_result()?.single_row::<(Option<i32>,)>()?.0;
        let month = 30 * 24 * 60 * 60;
        assert!(left.is_some_and(|left| (month - 600..=month).contains(&left)), "{table}: {left:?}");
    }
    session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    Ok(())
}

/// Feeds a text to Cassandra as cqlsh would.
pub(super) async fn feed(session: &Session, cql: &str) -> Result<(), Failed> {
    let code: Vec<&str> = cql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    for statement in code.join("\n").split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        session.query_unpaged(statement, ()).await.map_err(|error| format!("{statement}: {error}"))?;
    }
    Ok(())
}

async fn printed(node: &str) -> Result<(), Failed> {
    let keyspace = fresh_keyspace();
    let output = spotter(node, &keyspace, &["schema", "print"]).output()?;
    let session = session(node).await?;
    for _ in 0..2 {
        feed(&session, &text(&output.stdout)).await?;
    }
    let apply = said(&spotter(node, &keyspace, &["schema", "apply"]).output()?)?;
    assert_eq!(apply, format!("keyspace {keyspace}: nothing to change\n"));
    round_trip(&CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.clone(), ..Default::default() }).await?;
    // Another cut that is there stays, whatever is printed.
    session.query_unpaged(format!("INSERT INTO {keyspace}.layout (one, shards) VALUES ('layout', 3)"), ()).await?;
    feed(&session, &text(&output.stdout)).await?;
    let cut = session.query_unpaged(format!("SELECT shards FROM {keyspace}.layout"), ()).await?.into_rows_result()?;
    assert_eq!(cut.single_row::<(i32,)>()?, (3,));
    session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    Ok(())
}

/// Writes a row and finds it by each table.
async fn round_trip(config: &CassandraConfig) -> Result<(), Failed> {
    let home = Cassandra::new(config.clone());
    let row = seen("a", &seq(1), 1, "");
    home.write(&row, harness::deadline()).await?;
    assert_eq!(records::get(&home, "pictures", "a", MODEL).await?, Some(row.clone()));
    for label in [None, Some("7".to_owned())] {
        let page = home.list(&records::Listing { label, ..everything(MODEL) }).await?;
        assert_eq!(page.records, std::slice::from_ref(&row));
    }
    Ok(())
}

async fn at_once(node: &str) -> Result<(), Failed> {
    let session = session(node).await?;
    for _ in 0..3 {
        let keyspace = fresh_keyspace();
        let children: Vec<_> = (0..4)
            .map(|_| spotter(node, &keyspace, &["schema", "apply", "--per-day", "1000000"]).spawn())
            .collect::<Result<_, _>>()?;
        for child in children {
            said(&child.wait_with_output()?)?;
        }
        let cql = format!("SELECT count(*) FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
        let tables = session.query_unpaged(cql, ()).await?.into_rows_result()?.single_row::<(i64,)>()?;
        assert_eq!(tables, (5,));
        round_trip(&CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.clone(), ..Default::default() })
            .await?;
        session.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    }
    Ok(())
}

async fn asked(node: &str) -> Result<(), Failed> {
    let keyspace = fresh_keyspace();
    let config = CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.clone(), ..Default::default() };
    let home = Cassandra::new(config.clone());
    home.apply_schema(&Wanted::default()).await?;
    round_trip(&config).await?;
    let get = |more: &[&str]| spotter(node, &keyspace, &[&["get", "s3://pictures/a"], more].concat()).output();
    for (more, sentence) in [
        (&["--purge", "--yes"][..], "--history"),
        (&["--history", "--yes"], "--purge"),
        (&["--history", "--purge"], "add --yes"),
    ] {
        let output = get(more)?;
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(text(&output.stderr).contains(sentence), "{}", text(&output.stderr));
    }
    assert!(records::get(&home, "pictures", "a", MODEL).await?.is_some());
    assert_eq!(said(&get(&["--history", "--purge", "--yes"])?)?, "removed 1 row of s3://pictures/a\n");
    let again = get(&["--history", "--purge", "--yes"])?;
    assert_eq!((again.status.code(), text(&again.stderr)), (Some(1), "spotter: no record of s3://pictures/a\n".into()));
    session(node).await?.query_unpaged(format!("DROP KEYSPACE {keyspace}"), ()).await?;
    Ok(())
}

pub(crate) async fn secure_session(node: &Secure, user: &str, password: &str) -> Result<Session, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&node.ca)?)?;
    let tls =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
    let session = SessionBuilder::new().known_node(&node.address).user(user, password).tls_context(Some(tls));
    Ok(session.build().await?)
}

async fn roles(node: &'static Secure) -> Result<(), Failed> {
    let keyspace = fresh_keyspace();
    let config = |user: &str, password: &str| CassandraConfig {
        nodes: vec![node.address.clone()],
        keyspace: keyspace.clone(),
        login: Some(Login { user: user.into(), password: password.into() }),
        tls: Some(Tls::Ca(node.ca.clone())),
        ..Default::default()
    };
    let administrator = Cassandra::new(config(node.user, node.password));
    administrator.apply_schema(&Wanted::default()).await?;
    let roles = std::fs::read_to_string(harness::root().join("schema/roles.cql"))?
        .replace("TABLE spotter.", &format!("TABLE {keyspace}."))
        .replace("spotter_", &format!("{keyspace}_"));
    let administers = secure_session(node, node.user, node.password).await?;
    feed(&administers, &roles).await?;

    let function = config(&format!("{keyspace}_function"), "change me");
    let reader = config(&format!("{keyspace}_reader"), "change me");
    round_trip(&function).await?;
    let row = seen("b", &seq(1), 1, "");
    let corrects = Cassandra::new(function.clone());
    let correction = Record::correction(&seen("a", &seq(1), 1, ""), Some("1"), Timestamp(1));
    corrects.write(&correction, harness::deadline()).await?;
    let reads = Cassandra::new(reader.clone());
    assert_eq!(reads.list(&everything(HUMAN)).await?.records.len(), 1);
    assert!(records::get(&reads, "pictures", "a", MODEL).await?.is_some());
    assert_eq!(reads.list(&everything(MODEL)).await?.records.len(), 1);
    // Who has seen that it may not write is not available for it, until it may.
    reads.available().await?;
    reads.write(&row, harness::deadline()).await.unwrap_err();
    let away = reads.available().await.unwrap_err().to_string();
    assert!(away.contains("MODIFY") && away.contains("schema/roles.cql"), "{away}");
    for (verb, preposition, may) in [("GRANT", "TO", true), ("REVOKE", "FROM", false)] {
        let grant = format!("{verb} MODIFY ON KEYSPACE {keyspace} {preposition} {keyspace}_reader");
        administers.query_unpaged(grant, ()).await?;
        // Permissions are cached for a moment.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while reads.write(&row, harness::deadline()).await.is_ok() != may {
            assert!(std::time::Instant::now() < end, "{verb} is not felt");
        }
        assert_eq!(reads.available().await.is_ok(), may, "{verb}");
    }
    let RecordsError::Broken(refused) = reads.purge("pictures", "a").await.unwrap_err() else {
        return Err("a reader's purge may pass".into());
    };
    assert!(refused.contains("MODIFY") && refused.contains("schema/roles.cql"), "{refused}");
    let erases = Cassandra::new(config(&format!("{keyspace}_eraser"), "change me"));
    assert!(erases.purge("pictures", "a").await? >= 1);
    assert!(records::get(&reads, "pictures", "a", MODEL).await?.is_none());

    for login in ["function", "reader", "eraser"] {
        let session = secure_session(node, &format!("{keyspace}_{login}"), "change me").await?;
        for cql in [
            format!("CREATE TABLE {keyspace}.mine (a int PRIMARY KEY)"),
            format!("DROP TABLE {keyspace}.by_time"),
            format!("ALTER TABLE {keyspace}.by_time WITH default_time_to_live = 1"),
            format!("DROP KEYSPACE {keyspace}"),
            format!(
                "CREATE KEYSPACE {keyspace}_2 WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
            ),
            "SELECT * FROM system_auth.roles".to_owned(),
        ] {
            let error = feed(&session, &cql).await.unwrap_err().message().unwrap_or_default().to_owned();
            assert!(error.contains("permission"), "{cql}: {error}");
        }
    }
    let elsewhere = Cassandra::new(CassandraConfig { keyspace: format!("{keyspace}_2"), ..function });
    let refused = elsewhere.apply_schema(&Wanted::default()).await.unwrap_err().to_string();
    assert!(refused.contains("needs an administrator's login"), "{refused}");
    feed(&administers, &format!("DROP KEYSPACE {keyspace}")).await?;
    Ok(())
}
