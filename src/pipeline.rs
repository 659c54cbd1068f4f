//! One object's way, from its event to its outcome. Knows no envelope and no command line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::classifier::Model;
use crate::decode::Limits;
use crate::event::{Change, ObjectEvent, Timestamp};
use crate::objects::{FetchError, Head, Object, Objects, Pinned};
use crate::record::{self, Order, Record, Subject};
use crate::records::{self, Records};

/// What the way needs; made once, shared by all events.
pub struct Pipeline {
    objects: Arc<dyn Objects>,
    records: Arc<dyn Records>,
    model: Arc<Model>,
    limits: Limits,
    max_bytes: u64,
    /// Classifying is bound by processors and by memory, fetching is not.
    classifying: Arc<Semaphore>,
}

/// What became of one object's event.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Recorded(Box<Record>),
    /// The version that fired is gone or replaced: nothing to write, and said.
    Superseded(String),
    /// Nothing for Spotter to do.
    Ignored(&'static str),
    /// May pass: the event must come again.
    Retry(String),
}

/// An outcome and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    pub outcome: Outcome,
    pub steps: Steps,
}

/// How long each step took; zero where it was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps {
    pub fetch: Duration,
    /// Decoding, preprocessing and the model.
    pub classify: Duration,
    pub write: Duration,
}

impl Pipeline {
    pub fn new(
        objects: Arc<dyn Objects>,
        records: Arc<dyn Records>,
        model: Arc<Model>,
        limits: Limits,
        max_bytes: u64,
    ) -> Pipeline {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Pipeline { objects, records, model, limits, max_bytes, classifying: Arc::new(Semaphore::new(processors)) }
    }

    pub async fn handle(&self, event: &ObjectEvent) -> Handled {
        let mut steps = Steps::default();
        let outcome = match event.change {
            Change::Test => Outcome::Ignored("a test event"),
            Change::Other => Outcome::Ignored("not a change of an object's content"),
            Change::Deleted | Change::VersionRemoved => self.write(record::of_removal(event), &mut steps).await,
            Change::Created | Change::Observed => self.look(event, &mut steps).await.unwrap_or_else(|outcome| outcome),
        };
        Handled { outcome, steps }
    }

    async fn look(&self, event: &ObjectEvent, steps: &mut Steps) -> Result<Outcome, Outcome> {
        let pinned = Pinned {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            etag: event.etag.clone(),
        };
        let known = self.known(event).await?;
        let started = Instant::now();
        let fetched = self.objects.get(&pinned, self.max_bytes).await;
        steps.fetch = started.elapsed();
        let (head, bytes) = match fetched {
            Ok(Object { head, bytes }) => (head, Ok(bytes)),
            Err(FetchError::TooLarge { head, max_bytes }) => (*head, Err(max_bytes)),
            Err(FetchError::Superseded(why)) => return Err(Outcome::Superseded(why)),
            Err(FetchError::Retry(why)) => return Err(Outcome::Retry(why)),
        };
        let subject = Subject { order: order(event, &head, known.as_ref()), event: event.clone(), head };
        let record = match bytes {
            Ok(bytes) => self.classify(subject, bytes, steps).await?,
            Err(max_bytes) => record::too_many_bytes(&subject, &self.model, max_bytes),
        };
        Ok(self.write(record, steps).await)
    }

    /// What is known of an observed object: the row of the version that is asked for, else the newest that stands.
    /// Read before the object is: what is fetched afterwards is never older than it.
    async fn known(&self, event: &ObjectEvent) -> Result<Option<Record>, Outcome> {
        let (bucket, key) = (&event.bucket, &event.key);
        let known = match (event.change, &event.version_id) {
            (Change::Observed, Some(version)) => records::of_version(&*self.records, bucket, key, version).await,
            (Change::Observed, None) => records::newest(&*self.records, bucket, key).await,
            _ => return Ok(None),
        };
        known.map_err(|error| Outcome::Retry(error.to_string()))
    }

    async fn classify(&self, subject: Subject, bytes: Vec<u8>, steps: &mut Steps) -> Result<Record, Outcome> {
        let (model, limits) = (Arc::clone(&self.model), self.limits);
        let permit = Arc::clone(&self.classifying).acquire_owned().await;
        let started = Instant::now();
        let record = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            record::of_picture(&subject, &bytes, &model, limits)
        });
        let record = record.await;
        steps.classify = started.elapsed();
        match record {
            Ok(Ok(record)) => Ok(record),
            Ok(Err(error)) => Err(Outcome::Retry(error.to_string())),
            Err(error) => Err(Outcome::Retry(format!("classifying stopped: {error}"))),
        }
    }

    async fn write(&self, record: Record, steps: &mut Steps) -> Outcome {
        let started = Instant::now();
        let written = self.records.write(&record).await;
        steps.write = started.elapsed();
        match written {
            Ok(()) => Outcome::Recorded(Box::new(record)),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

/// A true event carries its own order. An observation takes that of the row that it finds to be of the same version;
/// another version stands just after what was known before it was fetched. A later true event wins, by its sequencer.
fn order(event: &ObjectEvent, head: &Head, known: Option<&Record>) -> Order {
    let own = Order::of(event);
    let version = if own.version.is_empty() { head.version() } else { own.version };
    let modified = event.event_time.or(head.last_modified).unwrap_or_default();
    match known {
        Some(row) if row.order.version == version || (row.is_unversioned() && row.etag == head.etag) => {
            row.order.clone()
        }
        Some(row) => {
            let just_after = Timestamp(row.order.event_time.0.saturating_add(1));
            Order { seq: row.order.seq.clone(), event_time: modified.max(just_after), version }
        }
        None => Order { seq: own.seq, event_time: modified, version },
    }
}
