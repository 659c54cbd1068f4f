//! DuckDB, pyarrow and PySpark read what was exported; the examples of `docs/examples` are run as they stand.

use std::process::Command;
use std::thread;

use libtest_mimic::{Failed, Trial};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};

use super::{Bench, DAY, classified, fill, hostile, text};
use crate::harness::{self, Part, needs, on_runtime, root};

pub(super) fn trials() -> Vec<Trial> {
    // Each asks an interpreter to start: at the same time, since every run of the tests waits for them.
    let readers = thread::spawn(|| python("import duckdb, pyarrow"));
    let spark = thread::spawn(|| python("import pyspark").and_then(|()| runs("java", &["-version"])));
    let join = |found: thread::JoinHandle<_>| found.join().unwrap_or_else(|_| Err("looking for it panicked".into()));
    let (readers, _spark) = (join(readers), join(spark));
    let cassandra = readers.clone().and_then(|()| harness::cassandra::node());
    vec![
        needs("export::duckdb_and_pyarrow_read_what_is_listed", readers.clone(), |()| on_runtime(read_back())),
        needs("export::no_rows_are_a_file_with_columns", readers.clone(), |()| on_runtime(nothing())),
        needs("export::from_cassandra", cassandra, |node| on_runtime(from_cassandra(node))),
        needs("export::the_example_for_duckdb", readers, |()| on_runtime(duckdb_example())),
    ]
}

fn python(script: &str) -> Result<(), String> {
    runs("python3", &["-c", script])
}

fn runs(program: &str, arguments: &[&str]) -> Result<(), String> {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("`{program} {}` fails", arguments.join(" "))),
        Err(_) => Err(format!("no {program} on the PATH")),
    }
}

/// Runs Python in the folder of exports.
fn run(bench: &Bench, arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new("python3").args(arguments).current_dir(bench.exports.path()).output()?;
    let said = text(&output.stdout);
    if output.status.success() { Ok(said) } else { Err(format!("{said}{}", text(&output.stderr)).into()) }
}

fn script(path: &str) -> String {
    root().join(path).display().to_string()
}

/// `set` is what tells `spotter` where the records are.
fn read_everything_back(bench: &Bench, set: &[(&str, &str)], rows: usize) -> Result<(), Failed> {
    let spotter = |arguments: &[&str]| bench.command(arguments).envs(set.iter().copied()).output();
    std::fs::write(bench.exports.path().join("list.jsonl"), spotter(&["list", "--json", "--limit", "1000"])?.stdout)?;
    for name in ["a.jsonl", "a.csv", "a.parquet"] {
        let output = spotter(&["export", "--output", name, "--seen"])?;
        let said = text(&output.stderr);
        assert!(said.starts_with(&format!("{rows} records → {name} (")), "{said}");
    }
    let said = run(bench, &[&script("tests/export/read_back.py"), "list.jsonl", "a.jsonl", "a.csv", "a.parquet"])?;
    let values = format!("{rows} rows, {} values", rows * 19);
    assert_eq!(said.lines().filter(|line| line.ends_with(&values)).count(), 6, "{said}");
    Ok(())
}

async fn read_back() -> Result<(), Failed> {
    let bench = Bench::of(&hostile()).await?;
    read_everything_back(&bench, &[], 33)?;
    // Three row groups, and lists over the borders of what is copied at a time.
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    bench.multiply(1..45_001)?;
    bench.run(&["export", "--output", "a.parquet"])?;
    let groups =
        "import pyarrow.parquet as p; f = p.ParquetFile('a.parquet'); print(f.num_row_groups, f.metadata.num_rows)";
    assert_eq!(run(&bench, &["-c", groups])?, "3 45001\n");
    let sums = "import duckdb; print(*duckdb.sql(\"SELECT count(*), count(DISTINCT key), sum(len(top)), sum(octet_length(seen)) \
                FROM 'a.parquet'\").fetchone())";
    assert_eq!(run(&bench, &["-c", sums])?, format!("45001 45001 90002 {}\n", 45_000 * 400 + 6));
    Ok(())
}

async fn nothing() -> Result<(), Failed> {
    let bench = Bench::of(&[]).await?;
    read_everything_back(&bench, &[], 0)
}

async fn from_cassandra(node: Part<String>) -> Result<(), Failed> {
    let node = node.get()?;
    let keyspace = format!("export_{}", std::process::id());
    let config =
        CassandraConfig { nodes: vec![node.clone()], keyspace: keyspace.clone(), ..CassandraConfig::default() };
    let home = Cassandra::new(config);
    home.apply_schema(&Wanted::default()).await?;
    fill(&home, &hostile()).await?;
    let bench = Bench::of(&[]).await?;
    read_everything_back(&bench, &[("SPOTTER_CASSANDRA", node), ("SPOTTER_KEYSPACE", &keyspace)], 33)
}

async fn duckdb_example() -> Result<(), Failed> {
    let hours = [("a.png", "7", DAY), ("b.png", "7", DAY + 1), ("c.png", "3", DAY + 2), ("d.png", "7", DAY - 1)];
    let bench = Bench::of(&hours.map(|(key, label, time)| classified(key, label, time))).await?;
    bench.run(&["export", "--output", "records.parquet"])?;
    let query = "import duckdb, sys; [print(*row) for row in duckdb.sql(open(sys.argv[1]).read()).fetchall()]";
    let said = run(&bench, &["-c", query, &script("docs/examples/labels_by_hour.sql")])?;
    let expected = ["2026-11-20 23:00:00 7 1 0.912", "2026-11-21 00:00:00 3 1 0.912", "2026-11-21 00:00:00 7 2 0.912"];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    Ok(())
}
