//! What comes between the beginning and the end of bringing a file of records up to date: others, a kill, a full disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{FIRST, left_by, records, shape, todays};
use crate::cli::spotter;
use crate::doctor::mounts;
use crate::harness::needs;

/// More than SQLite keeps in memory of a transaction: a migration writes before its end.
const ROWS: u32 = 40_000;
/// Bytes of a log of writes that has more than its head.
const WRITING: u64 = 64 * 1024;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("upgrade::four_processes_at_once_do_it_once", at_once),
        Trial::test("upgrade::a_kill_in_the_middle_leaves_the_old_file_or_the_new_one", killed),
        needs("upgrade::a_full_disk_in_the_middle_leaves_the_old_file", mounts(), |()| full_disk()),
    ]
}

/// A home whose file of the first schema has many rows.
fn crowded(home: &TempDir) -> Result<std::path::PathBuf, Failed> {
    let file = left_by(&FIRST, home)?.join("records.sqlite");
    let more = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {ROWS}) INSERT INTO records \
         SELECT bucket, i || key, seq, event_time + i, version, model, status, reason, why, label, confidence, top, width, \
         height, size, content_type, etag, version_id, x'', object_hash, listed_as FROM records, n WHERE key = '8.bmp'"
    );
    Connection::open(&file)?.execute_batch(&more)?;
    Ok(file)
}

/// Opens the file as any command does.
fn list(home: &TempDir) -> Command {
    let mut command = spotter(home);
    command.args(["list", "--model", FIRST.model, "--limit", "20", "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Up to date, and with every row that there was.
fn whole(file: &Path, before: &BTreeSet<String>) -> Result<(), Failed> {
    assert_eq!(shape(file)?, todays()?);
    assert!(records(file)? == *before, "other rows than before");
    Ok(())
}

fn at_once() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let file = crowded(&home)?;
    let before = records(&file)?;
    let children: Vec<_> = (0..4).map(|_| list(&home).spawn()).collect::<Result<_, _>>()?;
    let mut printed = BTreeSet::new();
    for child in children {
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        printed.insert(output.stdout);
    }
    assert_eq!(printed.len(), 1, "they were told different things");
    whole(&file, &before)
}

/// Killed when it has begun to write, until that was before its end a few times.
fn killed() -> Result<(), Failed> {
    let mut in_the_middle = 0;
    for _ in 0..20 {
        let home = TempDir::new()?;
        let file = crowded(&home)?;
        let (before, former) = (records(&file)?, shape(&file)?);
        let log = file.with_extension("sqlite-wal");
        let mut child = list(&home).spawn()?;
        while child.try_wait()?.is_none() && !std::fs::metadata(&log).is_ok_and(|log| log.len() > WRITING) {
            std::thread::yield_now();
        }
        child.kill()?;
        child.wait()?;
        let left = shape(&file)?;
        assert!(left == former || left == todays()?, "half of it is done: {left:?}");
        in_the_middle += u32::from(left == former);
        assert!(list(&home).output()?.status.success());
        whole(&file, &before)?;
        if in_the_middle == 3 {
            return Ok(());
        }
    }
    Err(format!("only {in_the_middle} of 20 kills were in the middle").into())
}

fn full_disk() -> Result<(), Failed> {
    let (home, small) = (TempDir::new()?, TempDir::new()?);
    let file = crowded(&home)?;
    let (before, former) = (records(&file)?, shape(&file)?);
    let megabytes = std::fs::metadata(&file)?.len() / 1_000_000 + 2;
    // What the small disk has in the end comes back: a mount is its own process's only.
    let script = format!(
        "mount -t tmpfs -o size={megabytes}m none \"$0\" && cp \"$1\" \"$0\"/ && HOME=/nowhere \"$2\" list --data \"$0\"; \
         code=$?; cp \"$0\"/records.sqlite* \"${{1%/*}}\"/ && exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(small.path()).arg(&file);
    let output = command.arg(list(&home).get_program()).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the disk is full; free some space, then try again"), "{said}");
    assert_eq!(shape(&file)?, former);
    assert!(list(&home).output()?.status.success());
    whole(&file, &before)
}
