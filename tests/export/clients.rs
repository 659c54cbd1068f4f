//! DuckDB, pyarrow and PySpark read what was exported; the examples of `docs/examples` are run as they stand.

use std::process::Command;
use std::thread;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::ask::{self, By};
use spotter::event::Timestamp;
use spotter::record::{Reason, Record, Status};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};
use spotter::records::embedded::Embedded;

use super::{Bench, DAY, MODEL, classified, fill, hostile, text};
use crate::harness::{self, Part, needs, on_runtime, root};

pub(super) fn trials() -> Vec<Trial> {
    // Each asks an interpreter to start: at the same time, since every run of the tests waits for them.
    let readers = thread::spawn(|| python("import duckdb, pyarrow"));
    let spark = thread::spawn(|| python("import pyspark").and_then(|()| runs("java", &["-version"])));
    let join = |found: thread::JoinHandle<_>| found.join().unwrap_or_else(|_| Err("looking for it panicked".into()));
    let (readers, spark) = (join(readers), join(spark));
    let cassandra = readers.clone().and_then(|()| harness::cassandra::node());
    vec![
        needs("export::duckdb_and_pyarrow_read_what_is_listed", readers.clone(), |()| on_runtime(read_back())),
        needs("export::no_rows_are_a_file_with_columns", readers.clone(), |()| on_runtime(nothing())),
        needs("export::from_cassandra", cassandra, |node| on_runtime(from_cassandra(node))),
        needs("export::the_example_for_duckdb", readers.clone(), |()| on_runtime(duckdb_example())),
        needs("export::what_people_checked_is_a_training_set", readers, |()| on_runtime(training_set())),
        needs("export::accuracy_by_day_with_spark", spark, |()| on_runtime(accuracy_by_day())),
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
                FROM 'a.parquet'\").fetchall()[0])";
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
    let said = run(&bench, &["-c", query, &script("docs/exports/labels_by_hour.sql")])?;
    let expected = ["2026-11-20 23:00:00 7 1 0.912", "2026-11-21 00:00:00 3 1 0.912", "2026-11-21 00:00:00 7 2 0.912"];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    Ok(())
}

/// What people said of nine pictures in two days: checked 4 and 3, agreed 3 and 1.
async fn checked() -> Result<Bench, Failed> {
    let rejected =
        Record { seen: Vec::new(), label: None, confidence: None, top: Vec::new(), ..classified("h", "", DAY + 6) };
    let rows = [
        (classified("a", "7", DAY - 1), vec![Some("7")]),
        (classified("b", "7", DAY - 2), vec![Some("1")]),
        (classified("c", "3", DAY - 3), vec![Some("3")]),
        (classified("d", "3", DAY - 86_400_000), vec![Some("3")]),
        (Record { status: Status::Unsure, ..classified("e", "8", DAY) }, vec![Some("5")]),
        (classified("f", "9", DAY + 86_399_999), vec![Some("4"), None, Some("9")]),
        (classified("g", "9", DAY + 5), vec![Some("4"), None]),
        (Record { status: Status::Rejected, reason: Some(Reason::Broken), ..rejected }, vec![Some("0")]),
        (classified("i", "2", DAY + 7), vec![]),
    ];
    let mut records = Vec::new();
    for (row, said) in rows {
        let times = (1..).map(|hour| Timestamp(DAY + hour * 3_600_000));
        records.extend(said.into_iter().zip(times).map(|(label, at)| Record::correction(&row, label, at)));
        records.push(row);
    }
    let bench = Bench::of(&records).await?;
    let said = text(&bench.run(&["export", "--corrected", "--output", "corrected.parquet"])?.stderr);
    assert!(said.starts_with("7 records → corrected.parquet ("), "{said}");
    Ok(bench)
}

async fn training_set() -> Result<(), Failed> {
    let bench = checked().await?;
    let lines = text(&bench.run(&["export", "--corrected"])?.stdout);
    let rows: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |row: &Value| format!("{} {} {} {}", row["key"], row["label"], row["model_label"], row["corrected_at"]);
    let expected = [
        r#""f" "9" "9" "2026-11-21T03:00:00.000Z""#,
        r#""h" "0" null "2026-11-21T01:00:00.000Z""#,
        r#""e" "5" "8" "2026-11-21T01:00:00.000Z""#,
        r#""a" "7" "7" "2026-11-21T01:00:00.000Z""#,
        r#""b" "1" "7" "2026-11-21T01:00:00.000Z""#,
        r#""c" "3" "3" "2026-11-21T01:00:00.000Z""#,
        r#""d" "3" "3" "2026-11-21T01:00:00.000Z""#,
    ];
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), expected);
    assert_eq!((&rows[1]["status"], &rows[1]["seen"]), (&"rejected".into(), &Value::Null));
    assert_eq!(
        (&rows[2]["status"], &rows[2]["model"], &rows[2]["seen"]),
        (&"unsure".into(), &"digits/2".into(), &"iVBORwD/".into())
    );
    let few = bench.run(&[
        "export",
        "--corrected",
        "--format=csv",
        "--since=2026-11-21T00:00:00Z",
        "--prefix=e",
        "--seen=false",
    ])?;
    assert_eq!(text(&few.stdout).lines().count(), 2, "a header and e: {}", text(&few.stdout));
    assert!(text(&few.stdout).ends_with(",640,480,8,2026-11-21T01:00:00.000Z\n"), "{}", text(&few.stdout));

    let types = "import pyarrow.parquet as p; print(*p.read_schema('corrected.parquet').names[-3:])";
    assert_eq!(run(&bench, &["-c", types])?, "model_label corrected_at seen\n");
    let said = run(&bench, &[&script("docs/exports/training_set.py"), "corrected.parquet", "training"])?;
    assert_eq!(said, "6 pictures\n");
    let folder = bench.exports.path().join("training");
    let mut counts = Vec::new();
    for label in ["1", "3", "5", "7", "9"] {
        counts.push(folder.join(label).read_dir()?.count());
    }
    assert_eq!((counts, folder.read_dir()?.count()), (vec![1, 2, 1, 1, 1], 5));
    assert_eq!(std::fs::read(folder.join("9/000000.png"))?, classified("f", "9", 0).seen);
    Ok(())
}

/// With Spark, and as `spotter stats` counts it.
async fn accuracy_by_day() -> Result<(), Failed> {
    let bench = checked().await?;
    let counted = ask::stats(&Embedded::open(&bench.file())?, MODEL, None, None, By::Day).await?.accuracy;
    let by_day = counted.by_day.iter().map(|(day, of)| format!("{day} {} {}", of.checked, of.agreed));
    assert_eq!(by_day.collect::<Vec<_>>(), ["2026-11-20 4 3", "2026-11-21 3 1"]);
    let said = run(&bench, &[&script("docs/exports/accuracy_by_day.py"), "corrected.parquet"])?;
    let rows = said
        .lines()
        .filter(|line| line.contains("2026"))
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" "));
    let expected = ["digits/2 2026-11-20 4 3 0.75", "digits/2 2026-11-21 3 1 0.3333"];
    assert_eq!(rows.collect::<Vec<_>>(), expected, "{said}");
    Ok(())
}
