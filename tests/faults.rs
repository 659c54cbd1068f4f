//! The ways to the bucket and to the database go bad: each event ends in a right record, or in a failure that is told
//! in time, and what failed is recorded when it comes again.

mod toxic;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::event::EventBridgeKeys;
use spotter::function::{Answer, Function};
use spotter::local::client;
use spotter::pipeline::Outcome;
use spotter::records::Records;
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};
use spotter::records::embedded::Embedded;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::cloud::{BUCKET, Cloud, pipeline, sample};
use crate::harness::{self, Part, cassandra, needs, on_runtime};
use toxic::{Proxy, Toxic};

/// What an invocation has: enough for a second attempt, not for a byte a second.
const TIME: Duration = Duration::from_secs(3);
/// What an answer may come late on a busy machine. What hangs without a deadline hangs for good.
const GRACE: Duration = Duration::from_secs(60);
/// Invocations under each fault, and objects in each.
const INVOCATIONS: usize = 2;
const OBJECTS: usize = 2;
/// So large that its body has a middle, and what is read in it.
const PICTURE: (&str, &str) = ("8.bmp", "8");
/// In the middle of the body; with Cassandra, after the first answers of a connection.
const MIDWAY: usize = 4_000;

const TOXICS: [Toxic; 8] = [
    Toxic::Late(Duration::from_millis(200)),
    Toxic::HalfOpen,
    Toxic::Reset(0),
    Toxic::Reset(MIDWAY),
    Toxic::CutOff(MIDWAY),
    Toxic::Trickle(0),
    Toxic::Trickle(MIDWAY),
    Toxic::Garbage,
];

pub fn trials() -> Vec<Trial> {
    let to_database = |node| on_runtime(all(Way::Database(node)));
    vec![
        Trial::test("faults::a_bad_way_to_the_bucket", || on_runtime(all(Way::Bucket))),
        needs("faults::a_bad_way_to_the_database", cassandra::node(), to_database),
    ]
}

#[derive(Clone)]
enum Way {
    Bucket,
    Database(Part<String>),
}

/// All at the same time, each on a way of its own.
async fn all(way: Way) -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let picture = sample(PICTURE.0)?;
    for number in 0..TOXICS.len() * 2 * INVOCATIONS * OBJECTS {
        cloud.put(&format!("{number}.bmp"), &picture).await?;
    }
    let notifications = cloud.notifications()?;
    let records = notifications.iter().map(|one| serde_json::from_str::<Value>(&one.body));
    let records: Vec<Value> =
        records.map(|body| body.map(|body| body["Records"][0].clone())).collect::<Result<_, _>>()?;
    let mut shares = records.chunks(INVOCATIONS * OBJECTS);
    let mut sites = Vec::new();
    for toxic in TOXICS {
        // On connections that were good before, and on those that never were.
        for is_bad_from_its_start in [false, true] {
            let share = shares.next().ok_or("too few objects")?;
            sites.push(Site::new(&cloud, way.clone(), toxic, is_bad_from_its_start, share).await?);
        }
    }
    let outcomes = join_all(sites.iter().map(Site::run)).await;
    let problems: Vec<String> = outcomes.into_iter().filter_map(|outcome| outcome.err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// A function with one bad way, and its events.
struct Site {
    proxy: Proxy,
    toxic: Toxic,
    is_bad_from_its_start: bool,
    function: Function,
    /// Read past the proxy.
    records: Arc<dyn Records>,
    events: Vec<Value>,
    _folder: TempDir,
}

impl Site {
    async fn new(
        cloud: &Cloud,
        way: Way,
        toxic: Toxic,
        is_bad_from_its_start: bool,
        records: &[Value],
    ) -> Result<Site, Failed> {
        let folder = TempDir::new()?;
        let events = records.chunks(OBJECTS).map(|some| json!({ "Records": some })).collect();
        let (proxy, s3, written, records) = match way {
            Way::Bucket => {
                let proxy = Proxy::before(cloud.url.trim_start_matches("http://")).await?;
                let s3 = client(&format!("http://{}", proxy.address), &cloud.credentials);
                let records = embedded(folder.path())?;
                (proxy, s3, Arc::clone(&records), records)
            }
            Way::Database(node) => {
                let node = node.get()?;
                let keyspace = keyspace();
                let config = CassandraConfig { nodes: vec![node.clone()], keyspace, ..CassandraConfig::default() };
                Cassandra::new(config.clone()).apply_schema(&Wanted::default()).await?;
                let proxy = Proxy::before(node).await?;
                let through = CassandraConfig { nodes: vec![proxy.address.clone()], ..config.clone() };
                let written: Arc<dyn Records> = Arc::new(Cassandra::new(through));
                let records: Arc<dyn Records> = Arc::new(Cassandra::new(config));
                (proxy, cloud.s3.clone(), written, records)
            }
        };
        let function = Function::new(pipeline(s3, written)?, EventBridgeKeys::Plain);
        Ok(Site { proxy, toxic, is_bad_from_its_start, function, records, events, _folder: folder })
    }

    async fn run(&self) -> Result<(), String> {
        let name = format!("{:?}, bad from its start: {}", self.toxic, self.is_bad_from_its_start);
        let told = |problem: String| format!("{name}: {problem}");
        if !self.is_bad_from_its_start {
            self.until_recorded(&self.events[0]).await.map_err(told)?;
        }
        self.proxy.set(self.toxic);
        for event in &self.events {
            let answered = timeout(TIME + GRACE, self.function.answer(event, Instant::now() + TIME)).await;
            let answer = answered.map_err(|_| told(format!("no answer within {:?}", TIME + GRACE)))?;
            self.check(&answer).await.map_err(told)?;
        }
        self.proxy.set(Toxic::None);
        for event in &self.events {
            self.until_recorded(event).await.map_err(told)?;
        }
        Ok(())
    }

    /// As a queue would: it comes again until it is done.
    async fn until_recorded(&self, event: &Value) -> Result<(), String> {
        let end = harness::deadline();
        loop {
            let answer = self.function.answer(event, end).await;
            self.check(&answer).await?;
            match answer.body {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > end => return Err(format!("the way is good again, and still {error}")),
                Err(_) => {}
            }
        }
    }

    /// Recorded and right, or to come again with a reason.
    async fn check(&self, answer: &Answer) -> Result<(), String> {
        for (event, handled) in &answer.objects {
            let key = &event.key;
            match &handled.outcome {
                Outcome::Retry(why) if why.is_empty() => return Err(format!("{key}: a failure without a reason")),
                Outcome::Retry(_) if answer.body.is_ok() => return Err(format!("{key}: a failure that is not told")),
                Outcome::Retry(_) => {}
                Outcome::Recorded(record) if record.label.as_deref() == Some(PICTURE.1) => {
                    let rows = self.records.rows(BUCKET, key, None).await.map_err(|error| error.to_string())?;
                    if rows != [(**record).clone()] {
                        return Err(format!("{key}: acknowledged, but there is {rows:?}"));
                    }
                }
                other => return Err(format!("{key}: {other:?}")),
            }
        }
        Ok(())
    }
}

fn embedded(folder: &Path) -> Result<Arc<dyn Records>, Failed> {
    Ok(Arc::new(Embedded::open(&folder.join("records.sqlite"))?))
}

fn keyspace() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    format!("faults_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
