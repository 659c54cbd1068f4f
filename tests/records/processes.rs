//! Several processes on one SQLite file, and a killed one. The child is this test binary itself.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures_util::TryStreamExt;
use libtest_mimic::{Failed, Trial};
use spotter::records::embedded::Embedded;
use spotter::records::{self, Records};

use super::{seen, seq};
use crate::harness;

/// Tells a child which file it writes to, and the key.
const CHILD: &str = "SPOTTER_TEST_RECORDS_CHILD";
const ROWS: u64 = 150;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("records::sqlite::two_processes_lose_nothing", || harness::on_runtime(two_processes())),
        Trial::test("records::sqlite::what_a_killed_process_acknowledged_stays", || harness::on_runtime(killed())),
    ]
}

/// In a child: the only trial, which writes without end, or `ROWS` rows, and says which it has written.
pub(super) fn child() -> Option<Trial> {
    let task = std::env::var(CHILD).ok()?;
    Some(Trial::test("records_child", move || {
        let (key, path) = task.split_once('=').ok_or("KEY=FILE is wanted")?;
        let rows = if key == "endless" { u64::MAX } else { ROWS };
        harness::on_runtime(async {
            let home = Embedded::open(Path::new(path))?;
            let mut stdout = std::io::stdout();
            for n in 0..rows {
                home.write(&seen(key, &seq(n), n as i64, ""), harness::deadline()).await?;
                writeln!(stdout, "written {n}")?;
            }
            Ok(())
        })
    }))
}

fn start(key: &str, path: &Path) -> Result<Child, Failed> {
    let child = Command::new(std::env::current_exe()?)
        .args(["records_child", "--exact", "--test-threads=1"])
        .env(CHILD, format!("{key}={}", path.display()))
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(child)
}

async fn numbers(home: &Embedded, key: &str) -> Result<BTreeSet<i64>, Failed> {
    let rows: Vec<_> = records::history(home, "pictures", key).try_collect().await?;
    Ok(rows.iter().map(|row| row.order.event_time.0).collect())
}

async fn two_processes() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("records.sqlite");
    // Both find no file, and make it.
    let children = [start("one", &path)?, start("two", &path)?];
    for child in children {
        let done = child.wait_with_output()?;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }
    let home = Embedded::open(&path)?;
    for key in ["one", "two"] {
        assert_eq!(numbers(&home, key).await?, (0..ROWS as i64).collect(), "{key}");
    }
    Ok(())
}

async fn killed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("records.sqlite");
    let mut child = start("endless", &path)?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("the child has no output")?).lines();
    let mut written = BTreeSet::new();
    while let Some(line) = lines.next().transpose()? {
        if let Some(number) = line.strip_prefix("written ") {
            written.insert(number.parse::<i64>()?);
            // SIGKILL in the middle of its writing; what it still said until then counts too.
            if written.len() == 50 {
                child.kill()?;
            }
        }
    }
    child.wait()?;
    assert!(written.len() >= 50, "the child ended by itself after {} rows", written.len());
    let found = numbers(&Embedded::open(&path)?, "endless").await?;
    assert!(written.is_subset(&found), "lost: {:?}", written.difference(&found).collect::<Vec<_>>());
    Ok(())
}
