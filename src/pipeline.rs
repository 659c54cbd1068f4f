//! One object's way, from its event to its outcome. Knows no envelope and no command line.

mod absence;
mod after;
mod way;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::classifier::Model;
use crate::decode::{self, Limits};
use crate::event::{Change, NULL_VERSION, ObjectEvent};
use crate::filter::Filter;
use crate::objects::{FetchError, Head, Object, Objects, Pinned};
use crate::record::{self, Order, Record, Subject};
use crate::records::{self, Latest, Records};
pub use after::After;
use way::Way;
pub use way::{Handled, Stage, Steps};

/// Bytes of objects that are in memory at once; one object may be larger.
const FETCHED_BYTES: u64 = 128_000_000;
const PERMIT_BYTES: u64 = 1_000;

/// What the way needs; made once, shared by all events.
pub struct Pipeline {
    objects: Arc<dyn Objects>,
    records: Arc<dyn Records>,
    model: Arc<Model>,
    limits: Limits,
    max_bytes: u64,
    after: After,
    filter: Filter,
    /// A permit a processor.
    classifying: Arc<Semaphore>,
    /// A permit a kilobyte of objects that are in memory.
    fetched: Semaphore,
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

impl Outcome {
    pub const NAMES: [&str; 4] = ["recorded", "superseded", "ignored", "retry"];

    pub fn name(&self) -> &'static str {
        let [recorded, superseded, ignored, retry] = Outcome::NAMES;
        match self {
            Outcome::Recorded(_) => recorded,
            Outcome::Superseded(_) => superseded,
            Outcome::Ignored(_) => ignored,
            Outcome::Retry(_) => retry,
        }
    }
}

/// What is known of an object before it is fetched.
enum Known<'a> {
    /// Not yet read.
    Unread,
    Latest(&'a Latest),
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
        let classifying = Arc::new(Semaphore::new(processors));
        let fetched = Semaphore::new((FETCHED_BYTES / PERMIT_BYTES) as usize);
        let (after, filter) = (After::default(), Filter::default());
        Pipeline { objects, records, model, limits, max_bytes, after, filter, classifying, fetched }
    }

    /// What happens once a record is written.
    pub fn followed_by(self, after: After) -> Pipeline {
        after.warn_of_unknown_labels(self.model.manifest());
        Pipeline { after, ..self }
    }

    /// What `filter` leaves out is neither fetched nor recorded, its removal neither.
    pub fn filtered(self, filter: Filter) -> Pipeline {
        Pipeline { filter, ..self }
    }

    /// The outcome comes by `deadline`: what hangs until then may pass.
    pub async fn handle(&self, event: &ObjectEvent, deadline: Instant) -> Handled {
        let mut way = Way::until(deadline);
        let gone = timeout_at(deadline.into(), self.go(event, Known::Unread, &mut way)).await;
        way.end(event, gone.ok())
    }

    /// [`Pipeline::handle`] of an observation, by who has just read the object's rows.
    pub async fn observe(&self, event: &ObjectEvent, latest: &Latest, deadline: Instant) -> Handled {
        let mut way = Way::until(deadline);
        let gone = timeout_at(deadline.into(), self.go(event, Known::Latest(latest), &mut way)).await;
        way.end(event, gone.ok())
    }

    async fn go(&self, event: &ObjectEvent, known: Known<'_>, way: &mut Way) -> Outcome {
        match event.change {
            Change::Test => Outcome::Ignored("a test event"),
            Change::Other => Outcome::Ignored("not a change of an object's content"),
            _ if !self.filter.allows(&event.key) => Outcome::Ignored("left out by the filters"),
            Change::Deleted | Change::VersionRemoved => self.write(record::of_removal(event), way).await,
            Change::Created | Change::Observed => self.look(event, known, way).await.unwrap_or_else(|outcome| outcome),
        }
    }

    async fn look(&self, event: &ObjectEvent, known: Known<'_>, way: &mut Way) -> Result<Outcome, Outcome> {
        let pinned = Pinned {
            bucket: event.bucket.clone(),
            key: event.key.clone(),
            version_id: event.version_id.clone(),
            etag: event.etag.clone(),
        };
        way.stage = Stage::Known;
        let read;
        let known = match known {
            Known::Latest(latest) => latest,
            Known::Unread => {
                read = self.known(event, way).await?;
                &read
            }
        };
        if let Some(head) = self.announced_too_large(event) {
            let verdict = record::too_large(head.size, self.max_bytes);
            let subject = Subject { order: order(event, &head, known), event: event.clone(), head };
            return Ok(self.write(record::of_verdict(&subject, &self.model, verdict), way).await);
        }
        way.stage = Stage::Memory;
        let expected = event.size.unwrap_or(self.max_bytes).min(self.max_bytes).min(FETCHED_BYTES);
        // The semaphore is never closed.
        let _in_memory = self.fetched.acquire_many(expected.div_ceil(PERMIT_BYTES) as u32).await.ok();
        way.stage = Stage::Fetch;
        let started = Instant::now();
        let fetched = self.objects.get(&pinned, self.max_bytes).await;
        way.steps.fetch = started.elapsed();
        let (head, bytes) = match fetched {
            Ok(Object { head, bytes }) => (head, Ok(bytes)),
            Err(FetchError::TooLarge { head, max_bytes }) => {
                let verdict = record::too_large(head.size, max_bytes);
                // As if the event had announced it: another event of this version writes the same row.
                (Head { content_type: None, ..*head }, Err(verdict))
            }
            Err(FetchError::Unaddressable(why)) => (announced(event), Err(record::unaddressable(why))),
            Err(error @ (FetchError::Superseded(_) | FetchError::Gone { .. })) => {
                return Err(self.supersede(event, error.to_string(), way).await);
            }
            Err(error @ (FetchError::Denied(_) | FetchError::Retry(_) | FetchError::Overloaded(_))) => {
                return Err(way.refused(&error));
            }
        };
        let subject = Subject { order: order(event, &head, known), event: event.clone(), head };
        let record = match bytes {
            Ok(bytes) => self.classify(subject, bytes, way).await?,
            Err(verdict) => record::of_verdict(&subject, &self.model, verdict),
        };
        Ok(self.write(record, way).await)
    }

    /// What the event says of an object that it says is too large: nobody has to ask the bucket. An observation without
    /// a time is asked for all the same: its order needs Last-Modified.
    fn announced_too_large(&self, event: &ObjectEvent) -> Option<Head> {
        let has_order = event.change == Change::Created || event.event_time.is_some();
        (has_order && event.size? > self.max_bytes).then(|| announced(event))
    }

    /// What is known of an observed object: of the version that is asked for, else of the newest. Read before the object
    /// is: what is fetched afterwards is never older than it.
    async fn known(&self, event: &ObjectEvent, way: &mut Way) -> Result<Latest, Outcome> {
        let (bucket, key) = (&event.bucket, &event.key);
        if event.change != Change::Observed {
            return Ok(Latest::default());
        }
        if let Some(version) = &event.version_id {
            let row = records::of_version(&*self.records, bucket, key, version).await;
            if let Some(row) = row.map_err(|error| way.unrecorded(&error))? {
                return Ok(Latest { place: Some(row.order.clone()), standing: Some(row) });
            }
        }
        records::latest(&*self.records, bucket, key).await.map_err(|error| way.unrecorded(&error))
    }

    /// An attempt before this one may have recorded it, and nobody could be told: then that row is written and told
    /// again, which nothing else would do.
    async fn supersede(&self, event: &ObjectEvent, why: String, way: &mut Way) -> Outcome {
        if event.change != Change::Created || !self.after.tells() {
            return Outcome::Superseded(why);
        }
        way.stage = Stage::Known;
        let (order, model) = (Order::of(event), self.model.id());
        match records::of_order(&*self.records, &event.bucket, &event.key, &order, &model).await {
            Ok(Some(row)) => self.write(row, way).await,
            Ok(None) => Outcome::Superseded(why),
            Err(error) => way.unrecorded(&error),
        }
    }

    async fn classify(&self, subject: Subject, bytes: Vec<u8>, way: &mut Way) -> Result<Record, Outcome> {
        way.stage = Stage::Classify;
        let (model, limits) = (Arc::clone(&self.model), self.limits);
        let is_brief = self.model.is_brief() && decode::is_brief(&bytes);
        let work = move || {
            let started = Instant::now();
            let look = record::look(&bytes, &model, limits);
            let decode = started.elapsed();
            let record = record::of_picture(&subject, look, &model);
            (record, decode, started.elapsed().saturating_sub(decode))
        };
        let (record, decode, classify) = if is_brief { work() } else { self.aside(work).await? };
        way.steps = Steps { decode, classify, ..way.steps };
        Ok(record)
    }

    /// On a thread of its own, as many of which as there are processors.
    async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Outcome> {
        let permit = Arc::clone(&self.classifying).acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        work.await.map_err(|error| Outcome::Retry(format!("classifying stopped: {error}")))
    }

    async fn write(&self, record: Record, way: &mut Way) -> Outcome {
        way.stage = Stage::Write;
        let started = Instant::now();
        let written = self.records.write(&record, way.deadline).await;
        way.steps.write = started.elapsed();
        if let Err(error) = written {
            return way.unrecorded(&error);
        }
        if !self.after.is_asked_for() {
            return Outcome::Recorded(Box::new(record));
        }
        way.stage = Stage::Tell;
        let started = Instant::now();
        let followed = self.after.follow(&*self.objects, &record, way.deadline).await;
        way.steps.tell = started.elapsed();
        match followed {
            Ok(()) => Outcome::Recorded(Box::new(record)),
            Err(why) => Outcome::Retry(why),
        }
    }
}

/// What the event says of an object that is not asked for.
fn announced(event: &ObjectEvent) -> Head {
    Head {
        size: event.size.unwrap_or(0),
        etag: event.etag.clone(),
        version_id: event.version_id.clone(),
        content_type: None,
        last_modified: None,
    }
}

/// A true event carries its own order. An observation takes that of the row that it finds to be of the same version.
/// Another version stands just after what was known before it was fetched (a removal too: the null version comes
/// again), unless it was asked for by its id and is older. A later true event wins, by its sequencer.
fn order(event: &ObjectEvent, head: &Head, known: &Latest) -> Order {
    let own = Order::of(event);
    let version = if own.version.is_empty() { head.version() } else { own.version };
    let modified = event.event_time.or(head.last_modified).unwrap_or_default();
    if let Some(row) = known.standing.as_ref().filter(|row| is_of(row, head, &version)) {
        return row.order.clone();
    }
    let asked_for = event.version_id.is_some() && version != NULL_VERSION;
    let before = match &known.standing {
        Some(row) if asked_for => Some(&row.order).filter(|order| modified >= order.event_time.whole_second()),
        None if asked_for => None,
        _ => known.place.as_ref(),
    };
    let Some(before) = before else { return Order { seq: own.seq, event_time: modified, version } };
    let event_time = modified.max(before.event_time.just_after());
    Order { seq: before.seq.clone(), event_time, version }
}

/// Whether a row is of what was fetched. The null version is overwritten in place, and an object from before versioning
/// becomes it: only their ETags tell one content from the next.
fn is_of(row: &Record, head: &Head, version: &str) -> bool {
    let is_its_version = row.order.version == version;
    if is_its_version && version != NULL_VERSION {
        return true;
    }
    let is_null = head.version_id.as_deref().is_none_or(|version| version == NULL_VERSION);
    (is_its_version || (is_null && row.is_unversioned())) && row.etag == head.etag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::record::Status;

    fn event(change: Change, version_id: Option<&str>) -> ObjectEvent {
        ObjectEvent {
            bucket: "b".into(),
            key: "k".into(),
            change,
            version_id: version_id.map(str::to_owned),
            etag: None,
            size: None,
            sequencer: None,
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        }
    }

    fn head(version_id: Option<&str>, etag: &str, modified: i64) -> Head {
        let (version_id, etag) = (version_id.map(str::to_owned), Some(etag.to_owned()));
        Head { size: 1, etag, version_id, content_type: None, last_modified: Some(Timestamp(modified)) }
    }

    /// A row of an unversioned picture, or of a version.
    fn row(seq: &str, time: i64, version_id: Option<&str>, etag: &str) -> Record {
        let deleted = record::of_removal(&event(Change::Deleted, version_id));
        let version = version_id.unwrap_or(etag).to_owned();
        Record {
            order: Order { seq: seq.into(), event_time: Timestamp(time), version },
            status: Status::Classified,
            etag: Some(etag.into()),
            ..deleted
        }
    }

    fn latest(standing: &Record) -> Latest {
        Latest { standing: Some(standing.clone()), place: Some(standing.order.clone()) }
    }

    #[test]
    fn an_observation_of_a_known_version_is_the_same_row() {
        let unpinned = event(Change::Observed, None);
        let known = row("0A", 1_500, None, "e");
        assert_eq!(order(&unpinned, &head(None, "e", 1_000), &latest(&known)), known.order);
        // Versioning was enabled since.
        assert_eq!(order(&unpinned, &head(Some("null"), "e", 1_000), &latest(&known)), known.order);
        let known = row("0A", 1_500, Some("v"), "e");
        assert_eq!(
            order(&event(Change::Observed, Some("v")), &head(Some("v"), "e", 1_000), &latest(&known)),
            known.order
        );
    }

    #[test]
    fn what_is_fetched_after_a_row_was_read_is_newer_than_it() {
        let known = row("0A", 1_500, None, "e");
        let observed = order(&event(Change::Observed, None), &head(None, "f", 1_000), &latest(&known));
        assert!(observed > known.order && observed.seq == "0A", "{observed:?}");
    }

    #[test]
    fn one_null_version_is_not_the_next() {
        let unpinned = event(Change::Observed, None);
        let known = row("0A", 1_500, Some("null"), "e");
        assert_eq!(order(&unpinned, &head(Some("null"), "e", 1_000), &latest(&known)), known.order);
        let next = order(&unpinned, &head(Some("null"), "f", 1_000), &latest(&known));
        assert!(next > known.order && next.version == "null", "{next:?}");
        // The same content as a version of its own is another row.
        let version = order(&unpinned, &head(Some("v"), "e", 1_000), &latest(&known));
        assert!(version > known.order && version.version == "v", "{version:?}");
    }

    #[test]
    fn a_null_version_stands_after_its_removal() {
        let older = row("0A", 1_500, Some("v"), "e");
        let removal = Order { seq: "0C".into(), event_time: Timestamp(1_700), version: "null".into() };
        let known = Latest { standing: Some(older), place: Some(removal.clone()) };
        let observed = order(&event(Change::Observed, None), &head(Some("null"), "f", 1_000), &known);
        assert!(observed > removal, "{observed:?}");
    }

    #[test]
    fn an_old_version_that_is_asked_for_stays_old() {
        let newest = row("0A", 5_500, Some("w"), "e");
        let pinned = event(Change::Observed, Some("v"));
        assert!(order(&pinned, &head(Some("v"), "f", 4_000), &latest(&newest)) < newest.order);
        // Its event was lost, but nothing known is newer.
        assert!(order(&pinned, &head(Some("v"), "f", 5_000), &latest(&newest)) > newest.order);
    }

    #[test]
    fn a_true_event_keeps_its_own_order() {
        let mut created = event(Change::Created, Some("v"));
        created.sequencer = Some("0b".into());
        created.event_time = Some(Timestamp(7));
        let order = order(&created, &head(Some("v"), "e", 1_000), &Latest::default());
        assert_eq!(
            (order.seq.as_str(), order.event_time, order.version.as_str()),
            (&*format!("{:0<32}", "0B"), Timestamp(7), "v")
        );
    }
}
