//! The rate of a backfill beside that of a bare GET loop, on the embedded endpoint: same client, same machine, in turns.
//!
//! `cargo bench --bench backfill --profile dev -- [objects] [at once]`; see benches/README.md.

#![allow(clippy::print_stdout)] // figures are what it is for

mod endpoint;
mod processors;

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use endpoint::{Failure, load, serve};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use processors::processors;
use spotter::backfill::{Backfill, Pace, Round, Scope};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::ObjectEvent;
use spotter::filter::Filter;
use spotter::local::{Credentials, Store, client};
use spotter::objects::{Object, Objects, Pinned, S3Objects};
use spotter::pipeline::{Outcome, Pipeline, Steps};
use spotter::record::{self, Record, Subject};
use spotter::records::embedded::Embedded;
use spotter::records::{self, Records};

const BUCKET: &str = "pictures";
const MAX_BYTES: u64 = 1_000_000;
/// The bucket is walked in so many parts, each by both: what else the machine does meets both.
const PARTS: usize = 20;
/// Of so many objects each phase is measured by itself.
const SAMPLE: usize = 4_000;
const MODEL: &str = "digits/2";

fn main() -> Result<(), Failure> {
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let objects = numbers.next().unwrap_or(10_000).max(PARTS);
    let at_once = numbers.next().unwrap_or(32);
    // Loading is not what is measured: where there is a disk in memory, no flush is waited for.
    let memory = Path::new("/dev/shm");
    let store = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let records = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(objects, at_once, store.path(), records.path()))
}

async fn measure(objects: usize, at_once: usize, store: &Path, records: &Path) -> Result<(), Failure> {
    let started = Instant::now();
    let store = Store::open(store)?;
    load(&store, BUCKET, (0..objects).map(key)).await?;
    println!("{objects} PNGs of 28x28 loaded in {:.0} s", started.elapsed().as_secs_f64());
    let credentials = Credentials::random()?;
    let address = serve(store, credentials.clone())?;
    let s3: Arc<dyn Objects> = Arc::new(S3Objects::new(client(&format!("http://{address}"), &credentials)));
    let records: Arc<dyn Records> = Arc::new(Embedded::open(&records.join("records.sqlite"))?);
    let model = Arc::new(Model::embedded()?);
    let pipeline = Pipeline::new(s3.clone(), records.clone(), model.clone(), Limits::default(), MAX_BYTES);

    let (mut bare, mut filled, mut ratios) = (Took::default(), Took::default(), Vec::new());
    let (mut steps, mut sample) = (Steps::default(), Vec::new());
    // One of all parts: the first of them finds the pace, as a run does.
    let mut backfill = Backfill {
        objects: s3.clone(),
        records: records.clone(),
        model: model.id(),
        bucket: BUCKET.into(),
        prefix: String::new(),
        filter: Filter::default(),
        pace: Pace::new(at_once),
    };
    for part in 0..PARTS {
        backfill.prefix = format!("{part:02}/");
        let keys: Vec<String> = (0..objects).filter(|at| at % PARTS == part).map(key).collect();
        let (got, done) = if part % 2 == 0 {
            let got = get(&*s3, &keys, at_once).await?;
            (got, fill(&backfill, &pipeline, keys.len(), &mut steps, &mut sample).await?)
        } else {
            let done = fill(&backfill, &pipeline, keys.len(), &mut steps, &mut sample).await?;
            (get(&*s3, &keys, at_once).await?, done)
        };
        ratios.push(got.wall.as_secs_f64() / done.wall.as_secs_f64());
        bare.add(got);
        filled.add(done);
    }
    ratios.sort_by(f64::total_cmp);
    let rate = |took: Took| objects as f64 / took.wall.as_secs_f64();
    println!("bare GET loop  {:6.0}/s", rate(bare));
    println!("backfill       {:6.0}/s", rate(filled));
    println!(
        "ratio          {:.0} % (parts: {:.0} to {:.0} %, median {:.0} %)",
        100.0 * rate(filled) / rate(bare),
        100.0 * ratios[0],
        100.0 * ratios[PARTS - 1],
        100.0 * ratios[PARTS / 2]
    );
    let each = |step: Duration| step.as_secs_f64() * 1e3 / objects as f64;
    println!(
        "an object waits {:.1} ms to be fetched, {:.1} ms to be classified, {:.1} ms to be written, {at_once} at once",
        each(steps.fetch),
        each(steps.classify),
        each(steps.write)
    );
    let of_phases = phases(&*s3, &model, &sample, at_once).await?;
    println!("of the processors, client and endpoint together, an object takes");
    let named = [("a bare GET", bare, objects), ("the backfill", filled, objects)].into_iter();
    for (name, took, objects) in named.chain(of_phases.map(|(name, took)| (name, took, sample.len()))) {
        println!("  {name:14} {:.2} ms", took.processors.as_secs_f64() * 1e3 / objects as f64);
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, Default)]
struct Took {
    wall: Duration,
    processors: Duration,
}

impl Took {
    fn add(&mut self, other: Took) {
        self.wall += other.wall;
        self.processors += other.processors;
    }
}

struct Watch {
    started: Instant,
    processors: Duration,
}

impl Watch {
    fn start() -> Watch {
        Watch { started: Instant::now(), processors: processors() }
    }

    fn took(&self) -> Took {
        Took { wall: self.started.elapsed(), processors: processors().saturating_sub(self.processors) }
    }
}

/// What a backfill does beside the GET, each for itself.
async fn phases(
    s3: &dyn Objects,
    model: &Arc<Model>,
    sample: &[(ObjectEvent, Record)],
    at_once: usize,
) -> Result<[(&'static str, Took); 4], Failure> {
    let watch = Watch::start();
    let mut listed = 0;
    for part in 0..PARTS {
        let mut next = None;
        while listed < sample.len() {
            let page = s3.list(BUCKET, &format!("{part:02}/"), next.as_ref()).await?;
            listed += page.objects.len();
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    let list = watch.took();

    let folder = tempfile::tempdir()?;
    let home = Embedded::open(&folder.path().join("records.sqlite"))?;
    let home = &home;
    let watch = Watch::start();
    let looks = stream::iter(sample).map(|(event, _)| records::get_with_latest(home, &event.bucket, &event.key, MODEL));
    looks.buffer_unordered(at_once).try_for_each(|_| async { Ok(()) }).await?;
    let look = watch.took();

    let mut pictures = Vec::new();
    for (event, record) in sample {
        let pinned = Pinned { bucket: event.bucket.clone(), key: event.key.clone(), version_id: None, etag: None };
        let Object { head, bytes } = s3.get(&pinned, MAX_BYTES).await?;
        pictures.push((Subject { event: event.clone(), order: record.order.clone(), head }, bytes));
    }
    let watch = Watch::start();
    for ((subject, bytes), (_, record)) in pictures.iter().zip(sample) {
        if record::of_verdict(subject, model, record::verdict(bytes, model, Limits::default())) != *record {
            return Err("another record".into());
        }
    }
    let classify = watch.took();

    let watch = Watch::start();
    let end = Instant::now() + Duration::from_secs(600);
    let writes = stream::iter(sample).map(|(_, record)| home.write(record, end));
    writes.buffer_unordered(at_once).try_for_each(|()| async { Ok(()) }).await?;
    Ok([("- listing", list), ("- looking up", look), ("- classifying", classify), ("- writing", watch.took())])
}

fn key(at: usize) -> String {
    format!("{:02}/{at:06}.png", at % PARTS)
}

async fn get(s3: &dyn Objects, keys: &[String], at_once: usize) -> Result<Took, Failure> {
    let watch = Watch::start();
    let gets = stream::iter(keys.to_vec()).map(|key| async move {
        let pinned = Pinned { bucket: BUCKET.into(), key, version_id: None, etag: None };
        s3.get(&pinned, MAX_BYTES).await
    });
    let got: Vec<_> = gets.buffer_unordered(at_once).try_collect().await?;
    if got.len() == keys.len() { Ok(watch.took()) } else { Err("objects are missing".into()) }
}

async fn fill(
    backfill: &Backfill,
    pipeline: &Pipeline,
    objects: usize,
    sum: &mut Steps,
    sample: &mut Vec<(ObjectEvent, Record)>,
) -> Result<Took, Failure> {
    let watch = Watch::start();
    let round = Round { scope: Scope::Gaps { after: None }, limit: Duration::from_secs(60) };
    let mut filled = backfill.fill(pipeline, round, pending().boxed());
    let mut recorded = 0;
    while let Some(object) = filled.try_next().await? {
        let (event, handled) = object.handled.ok_or("it had a record")?;
        sum.fetch += handled.steps.fetch;
        sum.classify += handled.steps.decode + handled.steps.classify;
        sum.write += handled.steps.write;
        let Outcome::Recorded(record) = handled.outcome else { continue };
        recorded += 1;
        if sample.len() < SAMPLE {
            sample.push((event, *record));
        }
    }
    if recorded == objects { Ok(watch.took()) } else { Err(format!("{recorded} of {objects}").into()) }
}
