//! A database that is not as it should be, and the command that mends it.

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use tempfile::TempDir;

use super::{Found, doctor, examine};
use crate::cli::spotter;
use crate::harness::cassandra::{Secure, node, secure_node};
use crate::harness::{needs, on_runtime, root};
use crate::records::secure_session;

pub fn trials() -> Vec<Trial> {
    vec![
        needs("doctor::each_fault_of_a_schema_is_seen_and_mended", node(), |node| {
            on_runtime(async move { schemas(node.get()?).await })
        }),
        needs("doctor::each_fault_of_a_login_is_seen", secure_node(), |node| {
            on_runtime(async move { logins(node.get()?).await })
        }),
    ]
}

fn at(home: &TempDir, node: &str, keyspace: &str) -> Command {
    let mut command = doctor(home, &["--cassandra", node]);
    command.env("SPOTTER_KEYSPACE", keyspace);
    command
}

fn apply(home: &TempDir, node: &str, keyspace: &str) -> Result<(), Failed> {
    let mut command = spotter(home);
    command.args(["schema", "apply", "--cassandra", node]).env("SPOTTER_KEYSPACE", keyspace);
    if command.output()?.status.success() { Ok(()) } else { Err("schema apply failed".into()) }
}

async fn run(session: &Session, cql: &str) -> Result<(), Failed> {
    session.query_unpaged(cql, ()).await?;
    Ok(())
}

async fn schemas(node: &str) -> Result<(), Failed> {
    let (home, keyspace) = (TempDir::new()?, format!("doctor_{}", std::process::id()));
    let session = SessionBuilder::new().known_node(node).build().await?;
    let look = || -> Result<Found, Failed> { examine(&mut at(&home, node, &keyspace)) };
    let mend = |found: &Found| -> Result<(), Failed> {
        assert_eq!(found.way_out("schema")?, "spotter schema apply");
        apply(&home, node, &keyspace)
    };
    let found = look()?;
    found.is("database", "ok", "1 of 1 nodes connected")?;
    found.fails("schema", &format!("there is no keyspace {keyspace}"))?;
    mend(&found)?;
    let found = look()?;
    found.is("schema", "ok", "version 2 in keyspace")?;
    assert_eq!(found.code, Some(0), "{:?}", found.findings);

    run(&session, &format!("DROP TABLE {keyspace}.by_label")).await?;
    let found = look()?;
    found.fails("schema", "lacks by_label")?;
    mend(&found)?;
    look()?.is("schema", "ok", "version 2")?;

    run(&session, &format!("INSERT INTO {keyspace}.layout (one, served) VALUES ('layout', 'other/1')")).await?;
    look()?.is("served", "ok", "answers of other/1 are shown")?;

    run(&session, &format!("UPDATE {keyspace}.layout SET schema_version = 9 WHERE one = 'layout'")).await?;
    look()?.fails("database", "newer spotter (schema 9")?;
    run(&session, &format!("TRUNCATE {keyspace}.layout")).await?;
    let found = look()?;
    found.fails("schema", "does not say how its logs are cut")?;
    mend(&found)?;
    look()?.is("schema", "ok", "version 2")?;
    run(&session, &format!("DROP KEYSPACE {keyspace}")).await?;

    // The schema of the first version works, and is mended all the same.
    let first = std::fs::read_to_string(root().join("tests/cassandra/schema-1.cql"))?.replace("{keyspace}", &keyspace);
    let first = first.replace("{replication}", "{'class': 'SimpleStrategy', 'replication_factor': 1}");
    let code: Vec<&str> = first.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let cut =
        format!("INSERT INTO {keyspace}.layout (one, slot_hours, shards, schema_version) VALUES ('layout', 1, 2, 1)");
    for cql in code.join("\n").split(';').map(str::trim).filter(|cql| !cql.is_empty()).chain([&*cut]) {
        run(&session, cql).await.map_err(|error| format!("{cql}: {error:?}"))?;
    }
    let found = look()?;
    found.is("schema", "warn", "version 1 in keyspace")?;
    assert_eq!(found.code, Some(0));
    mend(&found)?;
    look()?.is("schema", "ok", "version 2")?;
    run(&session, &format!("DROP KEYSPACE {keyspace}")).await
}

async fn logins(node: &'static Secure) -> Result<(), Failed> {
    let (home, keyspace) = (TempDir::new()?, format!("doctor_{}", std::process::id()));
    let with = |mut command: Command, user: &str, password: &str| {
        command.env("SPOTTER_CASSANDRA_CA", &node.ca);
        command.envs([("SPOTTER_CASSANDRA_USER", user), ("SPOTTER_CASSANDRA_PASSWORD", password)]);
        command
    };
    let look = |user: &str, password: &str| examine(&mut with(at(&home, &node.address, &keyspace), user, password));
    let found = look(node.user, "a wrong password")?;
    found.fails("database", "Provided username cassandra and/or password are incorrect")?;
    assert!(!format!("{:?}", found.findings).contains("a wrong password"));
    let mut plain = at(&home, &node.address, &keyspace);
    assert_eq!(examine(&mut plain)?.of("database")?.0, "fail", "without TLS");

    let mut apply = spotter(&home);
    apply.args(["schema", "apply", "--cassandra", &node.address]).env("SPOTTER_KEYSPACE", &keyspace);
    assert!(with(apply, node.user, node.password).output()?.status.success());
    look(node.user, node.password)?.is("schema", "ok", "version 2")?;
    let administers = secure_session(node, node.user, node.password).await?;
    let role = format!("{keyspace}_nobody");
    run(&administers, &format!("CREATE ROLE {role} WITH LOGIN = true AND PASSWORD = 'change me'")).await?;
    let found = look(&role, "change me")?;
    found.fails("schema", "cannot be read")?;
    assert!(
        found.of("schema")?.1.contains("SELECT") && found.way_out("schema")?.contains("schema/roles.cql"),
        "{found:?}",
        found = found.findings
    );
    run(&administers, &format!("DROP ROLE {role}")).await?;
    run(&administers, &format!("DROP KEYSPACE {keyspace}")).await
}
