//! A process that is frozen between two writes, as a function is. The child is this test binary itself.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use spotter::records::Records;
use spotter::records::cassandra::{Cassandra, CassandraConfig};

use super::home::{At, Home, Place};
use super::proxy::Proxy;
use super::{seen, seq};
use crate::harness;

/// Tells a child its keyspace and the way there, `KEYSPACE=HOST:PORT`.
const CHILD: &str = "SPOTTER_TEST_FROZEN_CHILD";
const FREEZES: u64 = 50;
/// Longer than the gap after which a session checks itself.
const FROZEN: Duration = Duration::from_millis(600);
/// Of one write, as of an invocation.
const TIME: Duration = Duration::from_secs(20);

pub(super) fn trials(place: &Place) -> Vec<Trial> {
    let (one, two) = (place.clone(), place.clone());
    vec![
        Trial::test(format!("records::{place}::each_write_after_a_freeze_succeeds"), move || {
            harness::on_runtime(between_writes(one))
        }),
        Trial::test(format!("records::{place}::a_freeze_while_it_connects_is_survived"), move || {
            harness::on_runtime(while_connecting(two))
        }),
    ]
}

/// In a child: connects as INIT does, then writes a row a line that it reads, and says how long the call took.
pub(super) fn child() -> Option<Trial> {
    let task = std::env::var(CHILD).ok()?;
    Some(Trial::test("frozen_child", move || {
        let (keyspace, node) = task.split_once('=').ok_or("KEYSPACE=HOST:PORT is wanted")?;
        let config =
            CassandraConfig { nodes: vec![node.into()], keyspace: keyspace.into(), ..CassandraConfig::default() };
        harness::on_runtime(async {
            let home = Arc::new(Cassandra::new(config));
            let connecting = Arc::clone(&home);
            tokio::spawn(async move { connecting.connect().await });
            for line in std::io::stdin().lines() {
                let row = seen("frozen", &seq(line?.parse()?), 1, "");
                let started = Instant::now();
                let written = home.write(&row, started + TIME).await;
                let took = started.elapsed().as_micros();
                let mut stdout = std::io::stdout();
                match written {
                    Ok(()) => writeln!(stdout, "written {took}")?,
                    Err(error) => writeln!(stdout, "failed {error}")?,
                }
            }
            Ok(())
        })
    }))
}

/// A child, which is ended with its handle.
struct Writer {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(home: &Home, node: &str) -> Result<Writer, Failed> {
        let At::Cassandra { config, .. } = &home.at else { return Err("not Cassandra".into()) };
        let mut child = Command::new(std::env::current_exe()?)
            .args(["frozen_child", "--exact", "--test-threads=1"])
            .env(CHILD, format!("{}={node}", config.keyspace))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("the child has no input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("the child has no output")?).lines();
        Ok(Writer { child, orders, answers })
    }

    fn signal(&self, name: &str) -> Result<(), Failed> {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill {name}: {status}").into()) }
    }

    /// How long the write took.
    fn write(&mut self, number: u64) -> Result<Duration, Failed> {
        writeln!(self.orders, "{number}")?;
        for line in &mut self.answers {
            let line = line?;
            if let Some(took) = line.strip_prefix("written ") {
                return Ok(Duration::from_micros(took.parse()?));
            }
            if line.starts_with("failed ") {
                return Err(format!("write {number} {line}").into());
            }
        }
        Err("the child ended".into())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn between_writes(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let proxy = Proxy::before(place.node()?).await?;
    let mut writer = Writer::start(&home, &proxy.address)?;
    tokio::task::block_in_place(|| writer.write(0))?;
    let (mut noticed, mut alive, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=FREEZES {
        let goes_silent = number % 2 == 0;
        writer.signal("-STOP")?;
        if goes_silent {
            proxy.silence();
        }
        tokio::time::sleep(FROZEN).await;
        writer.signal("-CONT")?;
        let (before, asked) = (proxy.connections(), Instant::now());
        let took = tokio::task::block_in_place(|| writer.write(number))?;
        if goes_silent {
            // That it connects anew shows when it had noticed.
            let came = proxy.came(before).ok_or("a write passed over dead sockets")?;
            noticed.push(came.saturating_duration_since(asked));
            dead.push(took);
        } else {
            alive.push(took);
        }
    }
    let rows = home.history("frozen").await;
    assert_eq!(rows.len() as u64, FREEZES + 1);
    eprintln!(
        "after a freeze: dead sockets noticed in {}; writes took {} on live sockets, {} on dead ones",
        Figures::of(&mut noticed),
        Figures::of(&mut alive),
        Figures::of(&mut dead)
    );
    // The driver by itself takes 5 s and more.
    assert!(noticed[noticed.len() / 2] < Duration::from_secs(2), "{noticed:?}");
    drop(writer);
    home.end().await
}

async fn while_connecting(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let proxy = Proxy::before(place.node()?).await?;
    proxy.silence_new(true);
    let mut writer = Writer::start(&home, &proxy.address)?;
    let started = Instant::now();
    while proxy.connections() == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "the child does not connect");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writer.signal("-STOP")?;
    tokio::time::sleep(FROZEN).await;
    proxy.silence_new(false);
    writer.signal("-CONT")?;
    tokio::task::block_in_place(|| writer.write(1))?;
    assert_eq!(home.history("frozen").await.len(), 1);
    drop(writer);
    home.end().await
}

struct Figures {
    median: Duration,
    longest: Duration,
}

impl Figures {
    fn of(times: &mut [Duration]) -> Figures {
        times.sort();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Figures { median: at(times.len() / 2), longest: at(times.len().saturating_sub(1)) }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ms (median, at most {})", self.median.as_millis(), self.longest.as_millis())
    }
}
