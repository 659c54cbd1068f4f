//! The asking commands as people use them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::event::Timestamp;
use spotter::record::{Record, Status};
use spotter::records::embedded::Embedded;
use spotter::records::{self, Listing, Records};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::{self, needs};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("ask::filters_find_what_they_say", filters),
        Trial::test("ask::a_table_has_local_times_and_data_utc", times),
        Trial::test("ask::wrong_filters_are_told", wrong_filters),
        Trial::test("ask::a_correction_is_seen_everywhere_and_undone", corrections),
        Trial::test("ask::stats_tell_labels_over_time", stats),
        Trial::test("ask::watch_shows_what_comes_late_and_changed_once_each", watch),
        Trial::test("ask::watch_ends_with_whoever_reads_it", watch_closed),
        Trial::test("ask::a_bucket_without_records_is_told", no_such_bucket),
        Trial::test("ask::a_history_is_newest_first", history),
        needs("ask::a_full_disk_is_told_by_its_name", dev_full(), full),
        Trial::test("ask::models_are_compared", model_diff),
        Trial::test("ask::a_listing_streams_into_a_pipe_that_closes", closed_pipe),
    ]
}

/// A home after `spotter demo`.
fn home() -> Result<TempDir, Failed> {
    let home = TempDir::new()?;
    spotter(&home).arg("demo").stdout(Stdio::null()).status()?;
    Ok(home)
}

fn run(home: &TempDir, arguments: &str) -> Result<Output, Failed> {
    let zone = Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists();
    let zone = if zone { "Asia/Tokyo" } else { "JST-9" };
    Ok(spotter(home).args(arguments.split(' ')).env("TZ", zone).stdin(Stdio::null()).output()?)
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The objects of a listing's JSON lines.
fn listed(home: &TempDir, arguments: &str) -> Result<Vec<Value>, Failed> {
    let output = run(home, arguments)?;
    assert_eq!(output.status.code(), Some(0), "{arguments}: {}", stderr(&output));
    stdout(&output).lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn records_of(home: &TempDir) -> Result<Embedded, Failed> {
    Ok(Embedded::open(&home.path().join(".local/share/spotter/records.sqlite"))?)
}

fn filters() -> Result<(), Failed> {
    let home = home()?;
    let all = listed(&home, "ls --limit 1000")?;
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|row| wanted(row)).count();
    let key = |row: &Value| row["key"].as_str().unwrap_or_default().to_owned();
    for (arguments, expected) in [
        ("list --status rejected", count(&|row| row["status"] == "rejected")),
        ("list --min-confidence 0.98", count(&|row| row["confidence"].as_f64() >= Some(0.98))),
        ("list --max-confidence 0.9", count(&|row| row["confidence"].as_f64().is_some_and(|is| is <= 0.9))),
        ("list s3://demo/photos/", count(&|row| key(row).starts_with("photos/"))),
        ("list --prefix photos/", count(&|row| key(row).starts_with("photos/"))),
        ("list s3://demo --label 7", count(&|row| row["label"] == "7" && row["status"] == "classified")),
        ("list --since 1h", all.len()),
        ("list -n 3", 3),
    ] {
        assert!(expected > 0, "{arguments} would prove nothing");
        assert_eq!(listed(&home, arguments)?.len(), expected, "{arguments}");
    }
    for nothing in ["list --until 1h", "list s3://demo/photos --label 0"] {
        let output = run(&home, nothing)?;
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("", "no records by digits/2\n"), "{nothing}");
    }
    let current = listed(&home, "list --current")?;
    assert!(!current.is_empty() && current.len() < all.len(), "{} of {}", current.len(), all.len());
    assert!(listed(&home, "list --deleted")?.iter().all(|row| row["status"] == "deleted"));
    Ok(())
}

fn times() -> Result<(), Failed> {
    let home = home()?;
    let utc = listed(&home, "list -n 1")?[0]["event_time"].as_str().unwrap_or_default().to_owned();
    let at = Timestamp::parse_rfc3339(&utc).ok_or(utc.clone())?;
    assert!(utc.ends_with('Z'), "{utc}");
    // Nine hours ahead of UTC, all year.
    let here = Timestamp(at.0 + 9 * 3_600_000).to_string()[..19].replace('T', " ");
    let table = stdout(&run(&home, "list -n 1 --format table")?);
    assert!(table.contains(&here) && table.starts_with("OBJECT"), "{table} {utc}");
    assert!(!table.contains('\u{1b}'), "no colours where there is no terminal: {table:?}");
    let day = &here[..10];
    assert!(!listed(&home, &format!("list --since {day}"))?.is_empty());
    let output = spotter(&home).args(["list", "--json", "--until", &here]).env("TZ", "JST-9").output()?;
    let older = stdout(&output).lines().count();
    assert!(older < listed(&home, "list")?.len(), "what a table shows is a time: {}", stderr(&output));
    Ok(())
}

fn wrong_filters() -> Result<(), Failed> {
    let home = home()?;
    for (arguments, sentence) in [
        ("list --since yesterday", "'yesterday' is no time: write an age (90s, 15m, 2h, 7d)"),
        ("list --since 5", "'5' has no unit"),
        ("list --status unsur", "use one of classified, unsure, rejected, deleted, version_removed"),
        ("list --min-confidence 80%", "use a number from 0 to 1"),
        ("list demo", "did you mean s3://demo?"),
        ("list s3://demo/a --prefix b", "two prefixes, a and b"),
        ("list --deleted --label 7", "cannot be used with"),
        ("watch --label seven", "digits/2 says 0 1 2 3 4 5 6 7 8 9 no-digit"),
        ("watch --every 1ms", "use 100ms or longer"),
        ("stats --by week", "use hour or day"),
        ("correct s3://demo/8.bmp", "LABEL"),
        (
            "correct s3://demo/8.bmp seven",
            "digits/2 says 0 1 2 3 4 5 6 7 8 9 no-digit; not 'seven' (--any-label takes it)",
        ),
        ("correct s3://demo/8.bmp 7 --undo", "cannot be used with"),
    ] {
        let output = run(&home, arguments)?;
        assert_eq!(output.status.code(), Some(2), "{arguments}: {}", stdout(&output));
        assert!(stderr(&output).contains(sentence), "{arguments}: {}", stderr(&output));
    }
    for (arguments, sentence) in [
        ("correct s3://demo/none.png 7", "no record of s3://demo/none.png"),
        ("correct s3://demo/8.bmp --undo", "nobody corrected s3://demo/8.bmp"),
        ("model diff digits/2 none/1", "no record by none/1"),
    ] {
        let output = run(&home, arguments)?;
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments}");
        assert!(stderr(&output).contains(sentence), "{arguments}: {}", stderr(&output));
    }
    Ok(())
}

fn corrections() -> Result<(), Failed> {
    let home = home()?;
    let before = listed(&home, "get s3://demo/8.bmp")?;
    assert_eq!((&before[0]["label"], &before[0]["corrected"]), (&Value::from("8"), &Value::Null));
    let correction = listed(&home, "correct s3://demo/8.bmp 3")?;
    assert_eq!(correction[0]["label"], "3");
    assert!(correction[0]["model"].as_str().is_some_and(|model| model.starts_with("human@20")), "{correction:?}");

    let after = listed(&home, "get s3://demo/8.bmp")?;
    assert_eq!((&after[0]["label"], &after[0]["corrected"]), (&Value::from("8"), &Value::from("3")));
    assert_eq!(after[0].as_object().map(serde_json::Map::len), Some(19));
    assert!(stdout(&run(&home, "get s3://demo/8.bmp --format table")?).contains("3 (was 8)"));
    assert_eq!(listed(&home, "get s3://demo/8.bmp --history")?.len(), 2);
    let people = listed(&home, "list --model human --current")?;
    assert_eq!((people.len(), &people[0]["key"]), (1, &Value::from("8.bmp")));
    let accuracy = &listed(&home, "stats")?[0]["accuracy"];
    assert_eq!((&accuracy["checked"], &accuracy["agreed"]), (&Value::from(1), &Value::from(0)));
    let table = stdout(&run(&home, "stats --format table")?);
    assert!(
        table.contains("\n1 checked by people, who agreed with 0 (0.0 %)\nLABEL  CHECKED  AGREED     DAY (UTC) "),
        "{table}"
    );
    assert!(table.contains("\n8      1        0 (0.0 %)  20"), "{table}");

    assert_eq!(listed(&home, "correct s3://demo/8.bmp --undo")?, before, "what holds again");
    assert_eq!(listed(&home, "get s3://demo/8.bmp")?, before);
    assert_eq!(listed(&home, "stats")?[0]["accuracy"]["checked"], 0);
    assert!(listed(&home, "correct s3://demo/8.bmp eight --any-label")?[0]["label"] == "eight");
    Ok(())
}

fn stats() -> Result<(), Failed> {
    let home = home()?;
    let stats = &listed(&home, "stats --by hour")?[0];
    let rows: u64 = stats["by_time"]
        .as_array()
        .ok_or("by_time")?
        .iter()
        .flat_map(|period| period["labels"].as_object().into_iter().flatten())
        .filter_map(|(_, rows)| rows.as_u64())
        .sum();
    assert_eq!(stats["rows"], rows);
    let table = stdout(&run(&home, "stats --format table")?);
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("19 rows of digits/2"));
    assert!(lines.next().is_some_and(|head| head.starts_with("STATUS      ROWS  LABEL  ROWS  REASON")), "{table}");
    assert_eq!(table.matches("deleted").count(), 1, "{table}");
    assert_eq!(table.lines().count(), 12, "as long as the most labels are: {table}");
    let table = stdout(&run(&home, "stats --by day --format table")?);
    let head = table.lines().find(|line| line.starts_with("DAY (UTC)")).ok_or(table.clone())?;
    assert!(head.contains("ROWS") && head.contains("REJECTED"), "{table}");
    let csv = stdout(&run(&home, "stats --by hour --format csv")?);
    assert!(csv.starts_with("kind,name,rows,agreed,time\nstatus,classified,"), "{csv}");
    assert!(csv.lines().any(|line| line.starts_with("hour,7,") && line.ends_with(":00:00.000Z")), "{csv}");
    assert_eq!(listed(&home, "stats --until 1h")?[0]["rows"], 0);
    Ok(())
}

fn watch() -> Result<(), Failed> {
    let home = home()?;
    let mut watch = spotter(&home);
    watch.args(["watch", "--every", "100ms", "-n", "2", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watch.spawn()?;
    let lines = harness::lines(&mut child)?;
    let next = || -> Result<(String, String), Failed> {
        let line: Value = serde_json::from_str(&lines.recv_timeout(Duration::from_secs(60))?)?;
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        Ok((text("key"), text("label")))
    };
    let tail = listed(&home, "list -n 2")?;
    let begun = [next()?.0, next()?.0];
    assert_eq!(begun, [&tail[1]["key"], &tail[0]["key"]].map(|key| key.as_str().unwrap_or_default().to_owned()));

    let records = records_of(&home)?;
    harness::on_runtime(async {
        let listing = Listing {
            model: "digits/2".into(),
            label: Some("7".into()),
            since: None,
            until: None,
            limit: 1,
            seen: true,
            after: None,
        };
        let seven = records.list(&listing).await?.records.swap_remove(0);
        let write = async |key: &str, ago: i64, label: &str| {
            let mut row = Record { key: key.into(), label: Some(label.into()), ..seven.clone() };
            row.order.event_time.0 -= ago;
            records.write(&row, harness::deadline()).await
        };
        write("new", 0, "7").await?;
        assert_eq!(next()?, ("new".into(), "7".into()));
        // Ten minutes late: other rows stand before it.
        write("late", 600_000, "7").await?;
        assert_eq!(next()?, ("late".into(), "7".into()));
        write("too late", 3_600_000, "7").await?;
        write("late", 600_000, "1").await?;
        assert_eq!(next()?, ("late".into(), "1".into()), "once each, and again when it changed");
        Ok(())
    })?;
    // As Ctrl-C does.
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(lines.try_recv().is_err(), "nothing twice");
    Ok(())
}

fn watch_closed() -> Result<(), Failed> {
    let home = home()?;
    let mut watch = spotter(&home);
    watch.args(["watch", "--every", "1h", "-n", "1", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watch.spawn()?;
    let mut first = String::new();
    BufReader::new(child.stdout.take().ok_or("stdout")?).read_line(&mut first)?;
    assert!(!first.is_empty());
    // Nobody reads any more, and no record comes.
    let end = harness::deadline();
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            child.kill()?;
            return Err("it goes on for nobody".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    Ok(())
}

fn no_such_bucket() -> Result<(), Failed> {
    let home = home()?;
    let nothing = "no record of bucket nope by digits/2 yet\n";
    for arguments in ["list s3://nope", "list s3://nope/in --label 7 --since 1h"] {
        let output = run(&home, arguments)?;
        assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("", nothing), "{arguments}");
    }
    let output = run(&home, "list s3://demo --model none/1")?;
    assert_eq!(stderr(&output), "no record of bucket demo by none/1 yet\n");
    for (place, said) in [("s3://nope", nothing), ("s3://demo/none", "")] {
        let mut watch = spotter(&home);
        watch.args(["watch", place]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = watch.spawn()?;
        let mut first = String::new();
        if !said.is_empty() {
            BufReader::new(child.stderr.as_mut().ok_or("stderr")?).read_line(&mut first)?;
        }
        // It ends as nobody reads it.
        drop(child.stdout.take());
        let output = child.wait_with_output()?;
        assert_eq!((output.status.code(), first + &stderr(&output)), (Some(0), said.to_owned()), "{place}");
    }
    Ok(())
}

fn history() -> Result<(), Failed> {
    let home = home()?;
    let records = records_of(&home)?;
    harness::on_runtime(async {
        let row = records::get(&records, "demo", "8.bmp", "digits/2").await?.ok_or("8.bmp")?;
        // Their clocks were wrong: long before the picture came.
        for (label, at) in [("1", 0), ("2", 86_400_000)] {
            records.write(&Record::correction(&row, Some(label), Timestamp(at)), harness::deadline()).await?;
        }
        Ok(())
    })?;
    listed(&home, "correct s3://demo/8.bmp 3")?;
    let said = |row: &Value| (row["label"].as_str().unwrap_or_default().to_owned(), row["model"] == "digits/2");
    let rows: Vec<_> = listed(&home, "get s3://demo/8.bmp --history")?.iter().map(said).collect();
    let expected = [("3", false), ("2", false), ("1", false), ("8", true)];
    assert_eq!(rows, expected.map(|(label, is_model)| (label.to_owned(), is_model)));
    let table = stdout(&run(&home, "get s3://demo/8.bmp --history --format table")?);
    for (line, time) in [(2, "1970-01-02 09:00:00  human "), (3, "1970-01-01 09:00:00  human ")] {
        assert!(table.lines().nth(line).is_some_and(|line| line.contains(time)), "the time of correction: {table}");
    }
    Ok(())
}

fn dev_full() -> Result<(), String> {
    Path::new("/dev/full").exists().then_some(()).ok_or_else(|| "there is no /dev/full here".to_owned())
}

fn full((): ()) -> Result<(), Failed> {
    let home = home()?;
    for arguments in [
        "list --json",
        "list --format csv",
        "list --format table",
        "get s3://demo/8.bmp",
        "stats --format table",
        "stats --json",
        "classify samples/8.bmp",
        "export --format parquet",
        "export --format csv",
        "export --format jsonl",
    ] {
        let disk = std::fs::File::options().write(true).open("/dev/full")?;
        let output = spotter(&home).args(arguments.split(' ')).stdout(disk).stderr(Stdio::piped()).output()?;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        assert!(said.starts_with("spotter: cannot write to standard output: No space left"), "{arguments}: {said}");
    }
    Ok(())
}

fn model_diff() -> Result<(), Failed> {
    let home = home()?;
    let records = records_of(&home)?;
    harness::on_runtime(async {
        for (key, label) in [("8.bmp", "3"), ("photos/7 phone.jpg", "7")] {
            let row = records::get(&records, "demo", key, "digits/2").await?.ok_or(key)?;
            let row = Record { model: "digits/3".into(), label: Some(label.into()), status: Status::Classified, ..row };
            records.write(&row, harness::deadline()).await?;
        }
        Ok(())
    })?;
    let changes = listed(&home, "model diff digits/2 digits/3 --json")?;
    assert_eq!((changes.len(), &changes[0]["key"]), (1, &Value::from("8.bmp")));
    assert_eq!((&changes[0]["a"]["label"], &changes[0]["b"]["label"]), (&Value::from("8"), &Value::from("3")));
    let table = run(&home, "model diff digits/2 digits/3 --format table")?;
    let head = stdout(&table).lines().next().unwrap_or_default().to_owned();
    let columns = ["OBJECT", "digits/2", "CONF", "digits/3", "CONF", "TIME", "VERSION"];
    assert!(head.split_whitespace().eq(columns), "{head}");
    let summary = stderr(&table);
    assert!(summary.contains("1 changed · 1 alike") && summary.contains("8 → 3  1"), "{summary}");
    let csv = stdout(&run(&home, "model diff digits/2 digits/3 --format csv")?);
    assert!(csv.lines().nth(1).is_some_and(|line| line.starts_with("demo,8.bmp,classified,8,")), "{csv}");
    Ok(())
}

fn closed_pipe() -> Result<(), Failed> {
    let home = home()?;
    let records = records_of(&home)?;
    harness::on_runtime(async {
        let row = records::get(&records, "demo", "8.bmp", "digits/2").await?.ok_or("8.bmp")?;
        for n in 0..300 {
            let row = Record { key: format!("{n}{}", "long".repeat(200)), ..row.clone() };
            records.write(&row, harness::deadline()).await?;
        }
        Ok(())
    })?;
    for format in ["json", "csv", "table"] {
        let mut list = spotter(&home);
        list.args(["list", "--limit", "1000", "--format", format]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = list.spawn()?;
        let mut first = String::new();
        BufReader::new(child.stdout.take().ok_or("stdout")?).read_line(&mut first)?;
        let output = child.wait_with_output()?;
        assert!(!first.is_empty());
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{format}");
    }
    let table = stdout(&run(&home, "list --limit 1000 --format table")?);
    assert_eq!(table.lines().filter(|line| line.starts_with("OBJECT")).count(), 1);
    assert!(table.lines().count() > 301, "{}", table.lines().count());
    Ok(())
}
