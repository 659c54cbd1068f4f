//! A run that is interrupted, killed, and run again: what is asked for twice, and what is there in the end.

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::records::embedded::Embedded;
use spotter::records::{Listing, Records};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{MODEL, on, said};
use crate::cloud::{Cloud, sample};
use crate::harness::{deadline, on_runtime};

const OBJECTS: usize = 600;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("backfill::resume::after_ctrl_c_and_after_kill_9", || on_runtime(killed())),
        Trial::test("backfill::resume::the_second_ctrl_c_ends_it_at_once", || on_runtime(twice())),
        Trial::test("backfill::resume::a_listing_that_breaks_off_lets_end_what_is_under_way", || on_runtime(broken())),
        Trial::test("backfill::resume::what_failed_is_kept_until_it_is_done", || on_runtime(kept())),
    ]
}

/// What is asked of the bucket, between a client and it.
struct Wire {
    address: SocketAddr,
    lists: Arc<AtomicUsize>,
    gets: Arc<AtomicUsize>,
    stalls: Arc<AtomicBool>,
    /// Pages after the first one.
    refuses_pages: Arc<AtomicBool>,
}

impl Wire {
    async fn to(upstream: &str) -> Result<Wire, Failed> {
        let upstream: SocketAddr = upstream.strip_prefix("http://").ok_or("not http")?.parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let wire = Wire {
            address: listener.local_addr()?,
            lists: Arc::default(),
            gets: Arc::default(),
            stalls: Arc::default(),
            refuses_pages: Arc::default(),
        };
        let (lists, gets, stalls) = (wire.lists.clone(), wire.gets.clone(), wire.stalls.clone());
        let refuses_pages = wire.refuses_pages.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (lists, gets) = (lists.clone(), gets.clone());
                tokio::spawn(carry(client, upstream, lists, gets, stalls.clone(), refuses_pages.clone()));
            }
        });
        Ok(wire)
    }

    /// Lists and gets since the last call.
    fn asked(&self) -> (usize, usize) {
        (self.lists.swap(0, SeqCst), self.gets.swap(0, SeqCst))
    }
}

/// A client sends a request at a time and waits for its answer: what comes at once is one request's head.
async fn carry(
    client: TcpStream,
    upstream: SocketAddr,
    lists: Arc<AtomicUsize>,
    gets: Arc<AtomicUsize>,
    stalls: Arc<AtomicBool>,
    refuses_pages: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_bucket, mut to_bucket) = TcpStream::connect(upstream).await?.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_bucket, &mut to_client).await });
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from_client.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let line = bytes[..count].split(|&byte| byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let is_later_page = line.contains("continuation-token=") || line.contains("start-after=");
        if refuses_pages.load(SeqCst)
            && is_later_page
            && let Some(at) = line.find("list-type=2")
        {
            // Not what was signed: 403.
            bytes[at + "list-type=".len()] = b'3';
        }
        if line.contains("list-type=2") {
            lists.fetch_add(1, SeqCst);
        } else if line.starts_with("GET ") {
            gets.fetch_add(1, SeqCst);
        }
        while stalls.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        to_bucket.write_all(&bytes[..count]).await?;
    }
}

fn start(home: &TempDir, cloud: &Cloud, wire: &Wire) -> Result<Child, Failed> {
    let mut command = on(home, cloud, &["s3://demo", "--concurrency", "3"]);
    command.env("AWS_ENDPOINT_URL", format!("http://{}", wire.address));
    Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
}

/// The number in the key of the bookmark.
fn bookmark(home: &TempDir) -> Option<usize> {
    let folder = std::fs::read_dir(home.path().join(".local/share/spotter/backfill")).ok()?;
    let file = folder.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "json"))?;
    let kept: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    kept["after"].as_str()?.strip_suffix(".bmp")?.parse().ok()
}

pub(super) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), Failed> {
    let end = deadline();
    while !is_so() {
        if std::time::Instant::now() > end {
            return Err(format!("in vain: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub(super) fn signal(child: &Child, name: &str) -> Result<(), Failed> {
    let status = std::process::Command::new("kill").args([name, &child.id().to_string()]).status()?;
    if status.success() { Ok(()) } else { Err("kill failed".into()) }
}

async fn rows(home: &TempDir) -> Result<usize, Failed> {
    let records = Embedded::open(&home.path().join(".local/share/spotter/records.sqlite"))?;
    let (model, limit) = (MODEL.into(), 2 * OBJECTS);
    let all = Listing { model, label: None, since: None, until: None, limit, seen: false, after: None };
    Ok(records.list(&all).await?.records.len())
}

async fn killed() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    let picture = sample("8.bmp")?;
    for at in 0..OBJECTS {
        cloud.put(&format!("{at:04}.bmp"), &picture).await?;
    }
    let wire = Wire::to(&cloud.url).await?;

    let child = start(&home, &cloud, &wire)?;
    until("the bookmark is kept", || bookmark(&home).is_some_and(|at| at >= 20)).await?;
    signal(&child, "-INT")?;
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("finishing what is under way"), "{err}");
    let first = rows(&home).await?;
    // Everything that was begun has its row, and is in the summary.
    let summary = out.lines().last().unwrap_or_default();
    assert!(summary.starts_with(&format!("{first} listed · 0 right · {first} missing")), "{summary}");
    assert!(err.contains(&format!("the same command goes on after s3://demo/{:04}.bmp", first - 1)), "{err}");
    assert_eq!(wire.asked(), (1, first));

    let mut child = start(&home, &cloud, &wire)?;
    until("the bookmark is moved", || bookmark(&home).is_some_and(|at| at >= first + 20)).await?;
    signal(&child, "-KILL")?;
    child.wait()?;
    let (killed_at, second) = (bookmark(&home).ok_or("no bookmark")?, rows(&home).await?);
    assert!(first < second && second < OBJECTS, "{first}, {second}");
    let (lists, gets) = wire.asked();
    assert!(lists == 1 && gets >= second - first && gets <= second - first + 3, "{gets} gets for {second} rows");

    let child = start(&home, &cloud, &wire)?;
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains(&format!("going on after s3://demo/{killed_at:04}.bmp")), "{err}");
    let (listed, missing) = (OBJECTS - killed_at - 1, OBJECTS - second);
    let right = listed - missing;
    let summary = out.lines().last().unwrap_or_default();
    let figures =
        format!("{listed} listed · {right} right · {missing} missing · 0 stale · {missing} recorded · 0 failed");
    assert!(summary.starts_with(&figures), "{summary}");
    // Nothing was fetched that had its row. The second listing is the count of a run that takes its time.
    let (lists, gets) = wire.asked();
    assert!((1..=2).contains(&lists) && gets == missing, "{lists} lists, {gets} gets, {missing} missing");
    assert_eq!(rows(&home).await?, OBJECTS, "each once");
    assert_eq!(bookmark(&home), None, "a whole run leaves none");

    // Of records that were removed a bookmark says nothing, and neither does one of another prefix.
    let (_, _, err) = said(on(&home, &cloud, &["s3://demo/00", "--from-start", "--quiet"]))?;
    assert!(!err.contains("going on"), "{err}");
    Ok(())
}

async fn twice() -> Result<(), Failed> {
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for at in 0..10 {
        cloud.put(&format!("{at:04}.bmp"), &sample("8.bmp")?).await?;
    }
    let wire = Wire::to(&cloud.url).await?;
    wire.stalls.store(true, SeqCst);
    let mut child = start(&home, &cloud, &wire)?;
    until("the bucket is asked", || wire.lists.load(SeqCst) > 0).await?;
    wire.stalls.store(false, SeqCst);
    until("objects are asked for", || wire.gets.load(SeqCst) > 0).await?;
    wire.stalls.store(true, SeqCst);
    until("no answer comes", || wire.gets.load(SeqCst) > 0).await?;
    signal(&child, "-INT")?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(&child, "-INT")?;
    until("it has ended", || child.try_wait().is_ok_and(|ended| ended.is_some())).await?;
    assert_eq!(child.wait()?.code(), Some(1));
    Ok(())
}

async fn broken() -> Result<(), Failed> {
    const PAGE: usize = 1_000;
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for at in 0..PAGE + 10 {
        cloud.put(&format!("{at:04}.bmp"), b"no picture").await?;
    }
    let wire = Wire::to(&cloud.url).await?;
    let run = || -> Result<_, Failed> {
        let mut command = on(&home, &cloud, &["s3://demo", "--quiet"]);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", wire.address));
        Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    };
    wire.refuses_pages.store(true, SeqCst);
    let child = run()?;
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(err.contains("s3://demo"), "{err}");
    // All that was begun is done, is in the summary, and need not be looked at again.
    let figures = "1,000 listed · 0 right · 1,000 missing · 0 stale · 1,000 recorded (1,000 rejected) · 0 failed";
    assert!(out.starts_with(figures), "{out}{err}");
    assert_eq!((rows(&home).await?, bookmark(&home)), (PAGE, Some(PAGE - 1)));

    wire.refuses_pages.store(false, SeqCst);
    let child = run()?;
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await??;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(err.contains("going on after s3://demo/0999.bmp"), "{err}");
    assert!(out.starts_with("10 listed · 0 right · 10 missing"), "{out}");
    Ok(())
}

async fn kept() -> Result<(), Failed> {
    const FAILED: usize = 3;
    let (cloud, home) = (Cloud::start().await?, TempDir::new()?);
    for at in 0..FAILED {
        cloud.put(&format!("{at:04}.bmp"), &sample("8.bmp")?).await?;
    }
    let file = home.path().join("failed.jsonl");
    let name = file.to_str().ok_or("no text")?;
    let said_to = home.path().join("said");
    let said = || std::fs::read_to_string(&said_to).unwrap_or_default();
    let mut command = on(&home, &cloud, &["s3://demo", "--every", "1s", "--concurrency", "1", "--failures", name]);
    command.env("SPOTTER_NOTIFY", "http://127.0.0.1:1/").stdout(std::fs::File::create(&said_to)?);
    let mut child = command.stderr(Stdio::null()).spawn()?;
    until("a first round", || said().contains(" 3 missing · 0 stale · 0 recorded · 3 retried · 3 failed")).await?;
    // Their records are right, and nobody is told: they are failures still.
    until("a second round", || {
        said().contains("3 listed · 3 right · 0 missing · 0 stale · 0 recorded · 3 retried · 3 failed")
    })
    .await?;
    // Wherever the next round is ended.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    signal(&child, "-INT")?;
    until("it has ended", || child.try_wait().is_ok_and(|ended| ended.is_some())).await?;
    let failed = std::fs::read_to_string(&file)?;
    let keys: std::collections::BTreeSet<String> = failed
        .lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["key"].as_str().ok_or("no key")?.to_owned()))
        .collect::<Result<_, Failed>>()?;
    assert_eq!(keys.len(), FAILED, "{failed}");
    Ok(())
}
