//! `spotter demo`: the whole way of some pictures, through a real S3 API and the real function, in one process.
//! What it prints is measured and asked for, not assumed.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::net::TcpListener;

use super::failure::Failure;
use super::home;
use super::output::{line, short_row, table};
use super::samples::{self, SAMPLES, expected};
use crate::config::Settings;
use crate::filter::Filter;
use crate::function::{Answer, Function};
use crate::local::{Credentials, Endpoint, Notification, Store, client, dispatch};
use crate::model_source::ModelSource;
use crate::objects::{S3Objects, unanswered};
use crate::pipeline::Outcome;
use crate::record::{Order, Record, Status};
use crate::records::{self, Records};

/// Its own, so that `serve` may run beside it.
const OBJECTS_FOLDER: &str = "demo-objects";
const BUCKET: &str = "demo";
/// Uploaded first with another sample's content.
const OVERWRITTEN: &str = "4.gif";
const DELETED: &str = "1.png";
const DELIVERED_TWICE: usize = 5;
const CONCURRENT: usize = 4;
/// More than one demo queues.
const ALL: usize = 10_000;

const NEXT_STEPS: &str = "
Next  spotter classify yours.jpg        your own picture, no bucket
      spotter serve                     S3 endpoint and page, staying up
      cargo install --path . --locked   puts `spotter` on your PATH";

/// What the deliveries came to.
#[derive(Default)]
struct Tally {
    deliveries: usize,
    /// Which change of which key was recorded.
    recorded: HashSet<(String, Order)>,
    failures: Vec<String>,
}

pub(super) async fn run(mut settings: Settings) -> Result<(), Failure> {
    let started = Instant::now();
    // Samples never land in somebody's real bucket or cluster, and nobody is told of them.
    settings.cassandra = None;
    settings.notify = None;
    settings.tag = false;
    // The counts are of all samples.
    settings.filter = Filter::default();
    let data = home::data_folder(&settings)?;
    let (records, model) = (home::records(&settings)?, home::model(&settings).await?);
    let version = env!("CARGO_PKG_VERSION");
    let origin = if settings.model == ModelSource::Embedded { "in" } else { "from" };
    line(&format!(
        "spotter {version} · model {}, {origin} {} · records in {}",
        model.id(),
        settings.model,
        data.display()
    ))?;

    let store = empty_store(&data.join(OBJECTS_FOLDER))?;
    let credentials = Credentials::random()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let endpoint = Endpoint::start(store.clone(), listener, &credentials, Vec::new())?;
    let s3 = client(&format!("http://{address}"), &credentials);
    change_the_bucket(&s3).await.map_err(Failure::Failed)?;
    line(&format!("S3 at {address} · uploaded {} pictures, overwrote 1, deleted 1", SAMPLES.len()))?;

    let objects = Arc::new(S3Objects::new(s3));
    let function = home::function(&settings, objects, records.clone(), model.clone());
    let notifications = store.pending(ALL)?;
    let changes = notifications.len();
    line(&format!("{changes} notifications, delivered shuffled, {DELIVERED_TWICE} of them twice\n"))?;
    let tally = deliver(&store, &function, notifications).await?;
    endpoint.shutdown().await;

    let answers = ask(&*records, &model.id()).await?;
    let rows: Vec<Vec<String>> = answers.iter().map(short_row).collect();
    table(&["OBJECT", "STATUS", "LABEL", "CONF", "WHY"], &rows)?;
    conclude(&*records, &tally, &answers, changes, started).await?;
    line(NEXT_STEPS)
}

/// Without what earlier runs left; their records stay.
fn empty_store(folder: &Path) -> Result<Store, Failure> {
    // Opened first: another demo that is running keeps its objects, and this one says so.
    drop(Store::open(folder)?);
    std::fs::remove_dir_all(folder)?;
    Ok(Store::open(folder)?)
}

async fn change_the_bucket(s3: &Client) -> Result<(), String> {
    s3.create_bucket().bucket(BUCKET).send().await.map_err(|error| unanswered(&error))?;
    // Every version stays readable, so that the overwritten and the deleted picture are classified too.
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versioning);
    request.send().await.map_err(|error| unanswered(&error))?;
    let (_, other_content) = SAMPLES[0];
    samples::upload(s3, BUCKET, &(OVERWRITTEN, other_content)).await?;
    samples::upload_all(s3, BUCKET).await?;
    s3.delete_object().bucket(BUCKET).key(DELETED).send().await.map_err(|error| unanswered(&error))?;
    Ok(())
}

async fn deliver(store: &Store, function: &Function, notifications: Vec<Notification>) -> Result<Tally, Failure> {
    let mut random = Random(RandomState::new().build_hasher().finish() | 1);
    let mut deliveries: Vec<&Notification> = notifications.iter().collect();
    random.shuffle(&mut deliveries);
    deliveries.extend_from_within(..DELIVERED_TWICE.min(notifications.len()));
    random.shuffle(&mut deliveries);
    let mut tally = Tally { deliveries: deliveries.len(), ..Tally::default() };
    let mut answers = stream::iter(deliveries)
        .map(|notification| dispatch::deliver(function, &notification.body, 1))
        .buffer_unordered(CONCURRENT);
    while let Some(Answer { body, objects, .. }) = answers.next().await {
        tally.failures.extend(body.err().map(|error| error.to_string()));
        tally.recorded.extend(objects.into_iter().filter_map(|(_, handled)| match handled.outcome {
            Outcome::Recorded(record) => Some((record.key, record.order)),
            _ => None,
        }));
    }
    for notification in &notifications {
        store.done(notification.id)?;
    }
    Ok(tally)
}

/// What the records say now of each sample.
async fn ask(records: &dyn Records, model: &str) -> Result<Vec<Record>, Failure> {
    let mut answers = Vec::new();
    for (name, _) in SAMPLES {
        answers.extend(records::get(records, BUCKET, name, model).await?);
    }
    Ok(answers)
}

/// Counts what is in the records now against what happened in the bucket.
async fn conclude(
    records: &dyn Records,
    tally: &Tally,
    answers: &[Record],
    changes: usize,
    started: Instant,
) -> Result<(), Failure> {
    let mut rows_of_change: BTreeMap<(String, Order), usize> = BTreeMap::new();
    for (name, _) in SAMPLES {
        let rows: Vec<Record> = records::history(records, BUCKET, name).try_collect().await?;
        for row in rows {
            *rows_of_change.entry((row.key, row.order)).or_default() += 1;
        }
    }
    let rows = |change: &(String, Order)| rows_of_change.get(change).copied().unwrap_or(0);
    let kept = tally.recorded.iter().filter(|change| rows(change) > 0).count();
    let twice = tally.recorded.iter().filter(|change| rows(change) > 1).count();
    let digits = SAMPLES.iter().filter(|(name, _)| has_digit(name)).count();
    let right = answers.iter().filter(|answer| has_digit(&answer.key) && is_right(answer)).count();
    let lost = changes - kept;
    line(&format!(
        "{} deliveries → {kept} records · {right} of {digits} digits right · {lost} lost · {twice} twice   {:.1} s",
        tally.deliveries,
        started.elapsed().as_secs_f64()
    ))?;
    let wrong: Vec<&str> =
        answers.iter().filter(|answer| !is_right(answer)).map(|answer| answer.key.as_str()).collect();
    if lost + twice > 0 || answers.len() < SAMPLES.len() || !wrong.is_empty() || !tally.failures.is_empty() {
        let failures = tally.failures.join("; ");
        let wrong = if wrong.is_empty() { "no answer".to_owned() } else { wrong.join(", ") };
        return Err(Failure::Failed(format!("the demo did not go as it should; wrong: {wrong}; {failures}")));
    }
    Ok(())
}

fn has_digit(name: &str) -> bool {
    name != DELETED && expected(name).is_some_and(|(_, label)| label.is_some())
}

fn is_right(answer: &Record) -> bool {
    if answer.key == DELETED {
        return answer.status == Status::Deleted;
    }
    expected(&answer.key)
        .is_some_and(|(status, label)| answer.status == status && (label.is_none() || answer.label.as_deref() == label))
}

/// xorshift64 (Marsaglia 2003): each run another order.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
