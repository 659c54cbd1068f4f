//! `spotter export`: files that other people's programs read, whole or not there at all.

mod clients;

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use rusqlite::Connection;
use spotter::event::Timestamp;
use spotter::record::{Guess, Order, Reason, Record, Status};
use spotter::records::embedded::Embedded;
use spotter::records::{self, Records};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::{deadline, needs, on_runtime};

const MODEL: &str = "digits/2";
/// 2026-11-21T00:00:00Z.
const DAY: i64 = 1_795_219_200_000;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("export::json_lines_are_those_of_list", || on_runtime(as_listed())),
        Trial::test("export::the_name_says_the_format", || on_runtime(formats())),
        Trial::test("export::a_file_is_replaced_by_a_whole_one", || on_runtime(replaced())),
        Trial::test("export::what_cannot_be_written_is_told", || on_runtime(told())),
        Trial::test("export::ctrl_c_leaves_what_was_there", || on_runtime(interrupted())),
        needs("export::memory_does_not_grow_with_the_rows", procfs(), |()| on_runtime(memory())),
    ];
    trials.extend(clients::trials());
    trials
}

/// A home of records on this machine, and an empty folder for exports.
struct Bench {
    home: TempDir,
    exports: TempDir,
}

impl Bench {
    async fn of(records: &[Record]) -> Result<Bench, Failed> {
        let bench = Bench { home: TempDir::new()?, exports: TempDir::new()? };
        fill(&Embedded::open(&bench.file())?, records).await?;
        Ok(bench)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join("records.sqlite")
    }

    /// `spotter …` in the folder of exports.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = spotter(&self.home);
        command
            .args(arguments)
            .arg("--data")
            .arg(self.home.path())
            .current_dir(self.exports.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output, Failed> {
        Ok(self.command(arguments).output()?)
    }

    fn names(&self) -> Result<Vec<String>, Failed> {
        let names = self.exports.path().read_dir()?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failed> {
        Ok(std::fs::read(self.exports.path().join(name))?)
    }

    /// Writes the first row again, under so many other keys and times. By way of SQL: each write of a home is flushed.
    fn multiply(&self, numbers: Range<u32>) -> Result<(), Failed> {
        let mut file = Connection::open(self.file())?;
        let transaction = file.transaction()?;
        let names = transaction.prepare("SELECT name FROM pragma_table_info('records')")?;
        let names = { names }.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let other = names.iter().map(|name| match name.as_str() {
            "key" => "?1",
            "event_time" => "event_time - ?2",
            "object_hash" => "?3",
            "seen" => "randomblob(400)",
            same => same,
        });
        let (other, names) = (other.collect::<Vec<_>>().join(", "), names.join(", "));
        let insert = format!("INSERT INTO records ({names}) SELECT {other} FROM records WHERE rowid = 1");
        for number in numbers {
            let key = format!("{number}.png");
            let hash = records::object_hash("pictures", &key);
            transaction.prepare_cached(&insert)?.execute((key, number, hash))?;
        }
        Ok(transaction.commit()?)
    }
}

async fn fill(home: &dyn Records, records: &[Record]) -> Result<(), Failed> {
    for record in records {
        home.write(record, deadline()).await?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn classified(key: &str, label: &str, event_time: i64) -> Record {
    let confidence = 0.9123;
    Record {
        bucket: "pictures".into(),
        key: key.into(),
        order: Order { seq: String::new(), event_time: Timestamp(event_time), version: "v1".into() },
        model: MODEL.into(),
        status: Status::Classified,
        reason: None,
        why: String::new(),
        label: Some(label.into()),
        confidence: Some(confidence),
        top: vec![Guess { label: label.into(), confidence }, Guess { label: "0".into(), confidence: 0.0001 }],
        dimensions: Some((640, 480)),
        size: Some(5_000_000_000),
        content_type: Some("image/png".into()),
        etag: Some("1ae9b9ec4bf90257c8fe9dc6d67b9f5b".into()),
        version_id: Some("v1".into()),
        seen: vec![0x89, b'P', b'N', b'G', 0, 0xff],
    }
}

/// Keys that spreadsheets, shells and parsers get wrong, every kind of row of a model, and rows with nothing in them.
fn hostile() -> Vec<Record> {
    let long = "é".repeat(512);
    let keys = [
        "plain.png",
        "\"quoted\".png",
        "\"",
        "it's, \"said\", they.png",
        "line\nbreak.png",
        "carriage\rreturn\r\n.png",
        "\n",
        "tab\tand\\backslash\\.png",
        "🙂/日本/e\u{301}.png",
        "\u{202e}gnp.rtl",
        "\u{feff}bom.png",
        "\u{1}\u{7f}\u{85}control.png",
        "=HYPERLINK(\"http://example.com\")",
        "+1",
        "-1",
        "@SUM(A1)",
        " leading and trailing ",
        "null",
        "NULL",
        "NaN",
        "true",
        "007",
        "1e5",
        "2026-11-21",
        "'; DROP TABLE records; --",
        "{\"a\": [1]}",
        "a;b|c#d",
        "%2B+%20.png",
        "<img src=x onerror=alert(1)>.png",
        &long,
    ];
    let mut rows: Vec<Record> = keys
        .iter()
        .zip(0..)
        .map(|(key, n)| Record { label: Some(format!("{}", n % 10)), ..classified(key, "7", DAY + n * 1_001) })
        .collect();
    let rejected = Record {
        status: Status::Rejected,
        reason: Some(Reason::Broken),
        why: "JPEG ends at byte 512, \"early\"\n".into(),
        label: None,
        confidence: None,
        top: Vec::new(),
        dimensions: None,
        seen: Vec::new(),
        ..classified("rejected.jpg", "7", 0)
    };
    let bare = Record {
        order: Order { seq: String::new(), event_time: Timestamp(-1), version: String::new() },
        size: None,
        content_type: None,
        etag: None,
        version_id: None,
        ..Record { key: "bare.jpg".into(), ..rejected.clone() }
    };
    let unsure = Record {
        order: Order { seq: "0055AED6DCD90281E500000000000000".into(), ..classified("", "", DAY - 1).order },
        status: Status::Unsure,
        reason: Some(Reason::BelowThreshold),
        why: "below threshold 0.80".into(),
        confidence: Some(0.4123),
        dimensions: Some((u32::MAX, 1)),
        size: Some(i64::MAX as u64),
        content_type: Some("text/html; charset=\"é\", <b>".into()),
        seen: (0..=255).collect(),
        ..classified("unsure.png", "8", 0)
    };
    rows.extend([rejected, bare, unsure]);
    rows
}

async fn as_listed() -> Result<(), Failed> {
    let bench = Bench::of(&hostile()).await?;
    let listed = bench.run(&["list", "--json", "--limit", "1000"])?;
    let exported = bench.run(&["export"])?;
    assert_eq!(text(&exported.stderr), "33 records\n");
    assert_eq!(text(&exported.stdout), text(&listed.stdout));
    let arguments = ["--label", "7", "--since", "2026-11-21T00:00:10Z"];
    let listed = bench.run(&[&["list", "--json"], arguments.as_slice()].concat())?;
    let exported = bench.run(&[&["export", "-o", "sevens.jsonl"], arguments.as_slice()].concat())?;
    assert!(text(&exported.stderr).starts_with("2 records → sevens.jsonl ("), "{}", text(&exported.stderr));
    assert_eq!(text(&bench.read("sevens.jsonl")?), text(&listed.stdout));
    let exported = bench.run(&["export", "s3://pictures/uns", "--status=unsure", "--max-confidence=0.5"])?;
    assert_eq!(text(&exported.stderr), "1 record\n");
    let listed = bench.run(&["list", "--json", "--limit", "5"])?;
    let exported = bench.run(&["export", "--limit", "5"])?;
    assert_eq!((text(&exported.stdout), &*text(&exported.stderr)), (text(&listed.stdout), "5 records\n"));
    let exported = bench.run(&["export", "-n", "5", "-o", "five.parquet"])?;
    assert!(text(&exported.stderr).starts_with("5 records → five.parquet ("), "{}", text(&exported.stderr));
    Ok(())
}

async fn formats() -> Result<(), Failed> {
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    for (arguments, name, start) in [
        (["--output", "a.parquet", "--seen"], "a.parquet", "PAR1"),
        (["--output", "a.csv", "--seen"], "a.csv", "bucket,key,status,"),
        (["--output", "a.jsonl", "--seen"], "a.jsonl", "{\"bucket\":\"pictures\","),
        (["--output", "a.ndjson", "--seen=false"], "a.ndjson", "{\"bucket\":\"pictures\","),
        (["--output", "b.jsonl", "--format=csv"], "b.jsonl", "bucket,key,status,"),
    ] {
        let output = bench.run(&[&["export"], arguments.as_slice()].concat())?;
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "data went to the file");
        let said = text(&output.stderr);
        let contradicts = said.contains("b.jsonl is named as JSON Lines and will be CSV, as --format says");
        assert_eq!(contradicts, name == "b.jsonl", "{said}");
        let file = text(&bench.read(name)?);
        assert!(file.starts_with(start), "{arguments:?}: {file}");
        let seen = ["iVBORwD/", "\u{fffd}PNG\0\u{fffd}"].iter().any(|seen| file.contains(seen));
        assert_eq!(seen, arguments[2] == "--seen", "{arguments:?}: {file}");
    }
    let output = bench.run(&["export", "--format", "parquet"])?;
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"), "on stdout, which is a pipe");
    let output = bench.run(&["export", "--format", "csv", "--label", "9"])?;
    assert_eq!((text(&output.stdout).lines().count(), &*text(&output.stderr)), (1, "0 records\n"));
    Ok(())
}

async fn replaced() -> Result<(), Failed> {
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    std::fs::write(bench.exports.path().join("a.csv"), "yesterday's, which is longer than today's".repeat(100))?;
    let output = bench.run(&["export", "--output", "a.csv"])?;
    let said = text(&output.stderr);
    assert!(said.starts_with("1 record → a.csv (") && said.ends_with(" B)\n"), "{said}");
    assert_eq!(text(&bench.read("a.csv")?).lines().count(), 2);
    assert_eq!(bench.names()?, ["a.csv"]);
    Ok(())
}

async fn told() -> Result<(), Failed> {
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    std::fs::create_dir(bench.exports.path().join("folder.csv"))?;
    for (name, code, sentence) in [
        ("a.txt", 2, "a.txt does not end in .parquet, .csv or .jsonl: say which with --format"),
        ("folder.csv", 1, "cannot write folder.csv: it is a folder"),
        ("no/such/a.csv", 1, "cannot write no/such/a.csv: No such file or directory"),
        ("/dev/full", 2, "/dev/full does not end in"),
    ] {
        let output = bench.run(&["export", "--output", name])?;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(sentence), "{name}: {said}");
    }
    if Path::new("/dev/full").exists() {
        for format in ["parquet", "csv", "jsonl"] {
            let output = bench.run(&["export", "--output", "/dev/full", "--format", format])?;
            assert_eq!(output.status.code(), Some(1));
            assert!(text(&output.stderr).contains("cannot write /dev/full: No space left"), "{}", text(&output.stderr));
        }
    }
    assert_eq!(bench.names()?, ["folder.csv"]);
    Ok(())
}

/// Whether or not the signal comes before the end, what is there is whole.
async fn interrupted() -> Result<(), Failed> {
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    bench.multiply(1..100_000)?;
    for name in ["a.parquet", "a.csv", "a.jsonl"] {
        std::fs::write(bench.exports.path().join(name), "before")?;
        let mut child = bench.command(&["export", "--output", name]).stderr(Stdio::piped()).spawn()?;
        wait_for_the_start(&bench, &mut child)?;
        Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
        let code = child.wait()?.code();
        let mut said = String::new();
        child.stderr.take().ok_or("stderr")?.read_to_string(&mut said)?;
        assert_eq!((code, said), (Some(1), format!("spotter: interrupted; {name} is as it was\n")));
        assert_eq!(bench.read(name)?, b"before");
    }
    assert_eq!(bench.names()?, ["a.csv", "a.jsonl", "a.parquet"]);
    Ok(())
}

fn wait_for_the_start(bench: &Bench, child: &mut Child) -> Result<(), Failed> {
    while !bench.names()?.iter().any(|name| name.ends_with(".unfinished")) {
        if let Some(status) = child.try_wait()? {
            return Err(format!("ended before it was interrupted: {status}").into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn procfs() -> Result<(), String> {
    Path::new("/proc/self/status").exists().then_some(()).ok_or_else(|| "there is no /proc here".to_owned())
}

/// 20,000 rows are a row group.
async fn memory() -> Result<(), Failed> {
    let bench = Bench::of(&[classified("a.png", "7", DAY)]).await?;
    let mut peaks = Vec::new();
    for numbers in [1..25_000, 25_000..100_000] {
        bench.multiply(numbers)?;
        peaks.push(peak(&bench)?);
    }
    assert!(peaks[1] < peaks[0] + 16_000, "kB at 25,000 rows and at 100,000: {peaks:?}");
    Ok(())
}

/// The most memory, in kB, that an export to Parquet had at one time.
fn peak(bench: &Bench) -> Result<u64, Failed> {
    // With an arena a thread the peak depends on which threads have read: up to 17 MB more on a busy machine.
    let arguments = ["export", "--output", "a.parquet"];
    let mut child = bench.command(&arguments).env("MALLOC_ARENA_MAX", "1").stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        thread::sleep(Duration::from_millis(5));
    }
    if peak == 0 { Err("it ended before it was looked at".into()) } else { Ok(peak) }
}
