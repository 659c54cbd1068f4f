//! What a record costs to write, and the first page of each question, as records become more.
//!
//! `cargo bench --bench growth -- [records] [at once]` fills a folder of its own; with `SPOTTER_CASSANDRA=host:port` a keyspace of its own. See
//! benches/README.md.

#![allow(clippy::print_stdout)] // figures are what it is for

mod processors;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use processors::processors;
use spotter::classifier::Guess;
use spotter::config::Settings;
use spotter::event::Timestamp;
use spotter::record::{Order, Record, Status};
use spotter::records::cassandra::{Cassandra, Layout, Wanted};
use spotter::records::embedded::Embedded;
use spotter::records::{self, Listing, Records, RecordsError};

type Failure = Box<dyn Error + Send + Sync>;

const BUCKET: &str = "pictures";
const MODEL: &str = "digits/2";
const START: i64 = 1_790_000_000_000;
/// Milliseconds between two records: a million of them are four days.
const STEP: f64 = 345.6;
const PICTURES_A_DAY: u32 = 500_000;
const PAGE: usize = 100;
const ASKED: usize = 25;
const STEPS: [usize; 8] = [1_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];

fn main() -> Result<(), Failure> {
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (records, at_once) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(32));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        let home: Arc<dyn Records> = match Settings::from_env(None)?.cassandra {
            None => Arc::new(Embedded::open(&folder.path().join("records.sqlite"))?),
            Some(mut config) => {
                config.keyspace = format!("bench_{:08x}", fastrand::u32(..));
                println!("keyspace {}", config.keyspace);
                let layout = Some(Layout::for_pictures_a_day(PICTURES_A_DAY)?);
                let cassandra = Cassandra::new(config);
                cassandra.apply_schema(&Wanted { replication: None, layout, ttl: None }).await?;
                Arc::new(cassandra)
            }
        };
        grow(&*home, records, at_once).await
    })
}

async fn grow(home: &dyn Records, records: usize, at_once: usize) -> Result<(), Failure> {
    println!(
        "| records | written/s | ms of this process's processors a record | first page: newest | a label | one object | resident |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut written = 0;
    for upto in STEPS.into_iter().filter(|upto| *upto <= records) {
        let (started, before) = (Instant::now(), processors());
        let writes = stream::iter(written..upto)
            .map(|n| async move { home.write(&record(n), Instant::now() + Duration::from_secs(60)).await });
        writes.buffer_unordered(at_once).try_collect::<()>().await?;
        let (wall, busy) = (started.elapsed().as_secs_f64(), (processors() - before).as_secs_f64());
        let count = (upto - written) as f64;
        written = upto;
        let newest = asked(async || home.list(&listing(None)).await.map(|page| page.records.len() == PAGE)).await?;
        let label = asked(async || home.list(&listing(Some("7"))).await.map(|page| page.records.len() == PAGE)).await?;
        let one = asked(async || {
            let known = record(fastrand::usize(..written));
            records::get(home, BUCKET, &known.key, MODEL).await.map(|found| found.as_ref() == Some(&known))
        })
        .await?;
        println!(
            "| {written} | {:.0} | {:.3} | {newest:.1} ms | {label:.1} ms | {one:.1} ms | {:.0} MB |",
            count / wall,
            busy * 1e3 / count,
            resident()
        );
    }
    Ok(())
}

/// Milliseconds of a question, the median; its answer says whether it is right.
async fn asked(question: impl AsyncFn() -> Result<bool, RecordsError>) -> Result<f64, Failure> {
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let started = Instant::now();
        if !question().await? {
            return Err("another answer than what was written".into());
        }
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[ASKED / 2])
}

fn listing(label: Option<&str>) -> Listing {
    let (model, label) = (MODEL.to_owned(), label.map(str::to_owned));
    Listing { model, label, since: None, until: None, limit: PAGE, seen: false, after: None }
}

/// The same one for the same number. The labels are 0 to 9 in turn.
fn record(n: usize) -> Record {
    let (label, etag) = ((n % 10).to_string(), format!("{n:032x}"));
    let mut seen = vec![0; 400];
    fastrand::Rng::with_seed(n as u64).fill(&mut seen);
    Record {
        bucket: BUCKET.into(),
        key: format!("camera-{:02}/{n:07}.png", n % 40),
        order: Order {
            seq: format!("{n:032X}"),
            event_time: Timestamp(START + (n as f64 * STEP) as i64),
            version: etag.clone(),
        },
        model: MODEL.into(),
        status: Status::Classified,
        reason: None,
        why: String::new(),
        label: Some(label.clone()),
        confidence: Some(0.98),
        top: vec![Guess { label, confidence: 0.98 }],
        dimensions: Some((640, 480)),
        size: Some(14_000),
        content_type: Some("image/png".into()),
        etag: Some(etag),
        version_id: None,
        seen,
    }
}

/// MB; 0 where there is no /proc.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1e3
}
