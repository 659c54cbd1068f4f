//! Any arrival order, with any duplicates, of the true history of one key, against a bucket that is a list of
//! versions.

use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::{Failed, Trial};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use spotter::event::{Change, ObjectEvent, Timestamp};
use spotter::record::{Order, Record, Status};
use spotter::records;

use super::home::{Home, Place};
use super::{MODEL, gone, seen};
use crate::harness;

const KEY: &str = "a/key";
const MODELS: [&str; 2] = [MODEL, "digits/3"];

pub(super) fn trials(place: &Place) -> Vec<Trial> {
    let (one, two) = (place.clone(), place.clone());
    vec![
        Trial::test(format!("records::{place}::any_arrival_order_leaves_the_same_tables"), move || {
            check(&one, any_arrival_order)
        }),
        Trial::test(format!("records::{place}::a_changing_bucket_still_converges"), move || {
            check(&two, changing_bucket)
        }),
    ]
}

#[derive(Debug, Clone)]
enum Act {
    Put {
        content: u8,
    },
    Delete,
    /// Of one version or marker there is, for good; nothing on an unversioned bucket.
    Remove(Index),
}

/// How the service numbers its notifications.
#[derive(Debug, Clone, Copy)]
enum Sequencers {
    /// As S3: increasing hex of different lengths and cases; times of several servers, in no order.
    Real,
    /// As LocalStack; only the times tell.
    Constant,
    Absent,
}

#[derive(Debug, Clone)]
struct History {
    versioned: bool,
    sequencers: Sequencers,
    acts: Vec<(Act, u8)>,
    /// Deliveries beyond the first of each: which, and where they go.
    duplicates: Vec<Index>,
    first: Vec<Index>,
    second: Vec<Index>,
    /// How many deliveries come before each act, in a bucket that changes meanwhile.
    meanwhile: Vec<Index>,
}

fn history() -> impl Strategy<Value = History> {
    let act = prop_oneof![
        4 => (0..3_u8).prop_map(|content| Act::Put { content }),
        2 => Just(Act::Delete),
        3 => any::<Index>().prop_map(Act::Remove),
    ];
    let sequencers = prop_oneof![Just(Sequencers::Real), Just(Sequencers::Constant), Just(Sequencers::Absent)];
    (1..14_usize).prop_flat_map(move |count| {
        let order = || vec(any::<Index>(), 2 * count);
        let acts = vec((act.clone(), any::<u8>()), count);
        (any::<bool>(), sequencers.clone(), acts, vec(any::<Index>(), 0..=count), order(), order(), order()).prop_map(
            |(versioned, sequencers, acts, duplicates, first, second, meanwhile)| History {
                versioned,
                sequencers,
                acts,
                duplicates,
                first,
                second,
                meanwhile,
            },
        )
    })
}

/// The bucket, as far as one key goes: its versions and delete markers, oldest first.
#[derive(Default)]
struct Bucket {
    versions: Vec<Version>,
    events: Vec<ObjectEvent>,
}

struct Version {
    id: Option<String>,
    /// `None` is a delete marker.
    etag: Option<String>,
    event: usize,
}

impl Bucket {
    /// Does it, and queues its notification.
    fn act(&mut self, history: &History, name: &str, number: usize) {
        let (act, salt) = &history.acts[number];
        let id = history.versioned.then(|| format!("v{number}"));
        let event = self.events.len();
        let (change, version_id, etag) = match act {
            Act::Put { content } => {
                if !history.versioned {
                    self.versions.clear();
                }
                let etag = Some(format!("etag{content}"));
                self.versions.push(Version { id: id.clone(), etag: etag.clone(), event });
                (Change::Created, id, etag)
            }
            Act::Delete => {
                if history.versioned {
                    self.versions.push(Version { id: id.clone(), etag: None, event });
                } else {
                    self.versions.clear();
                }
                (Change::Deleted, id, None)
            }
            Act::Remove(which) => {
                if !history.versioned || self.versions.is_empty() {
                    return;
                }
                let removed = self.versions.remove(which.index(self.versions.len()));
                (Change::VersionRemoved, removed.id, None)
            }
        };
        let (sequencer, time) = match history.sequencers {
            Sequencers::Real => (Some(sequencer(number, *salt)), i64::from(*salt % 4)),
            Sequencers::Constant => (Some("0055AED6DCD90281E5".to_owned()), number as i64),
            Sequencers::Absent => (None, number as i64),
        };
        self.events.push(ObjectEvent {
            bucket: name.to_owned(),
            key: KEY.to_owned(),
            change,
            version_id,
            etag,
            size: None,
            sequencer,
            event_time: Some(Timestamp(1_700_000_000_000 + 40_000_000 * time)),
            region: None,
            account: None,
            trace_id: None,
        });
    }

    /// What the pipeline writes for a delivery now: nothing where the version is gone or replaced.
    fn deliver(&self, event: &ObjectEvent) -> Vec<Record> {
        let order = Order::of(event);
        let (seq, time, version) = (&*order.seq, order.event_time.0, &*order.version);
        let rows = match event.change {
            Change::Deleted => vec![gone(Status::Deleted, KEY, seq, time, version)],
            Change::VersionRemoved => vec![gone(Status::VersionRemoved, KEY, seq, time, version)],
            _ if !self.versions.iter().any(|there| there.id == event.version_id && there.etag == event.etag) => vec![],
            _ => MODELS.map(|model| Record { model: model.into(), ..seen(KEY, seq, time, version) }).into(),
        };
        let of_event = |row: Record| Record {
            bucket: event.bucket.clone(),
            version_id: event.version_id.clone(),
            etag: event.etag.clone(),
            ..row
        };
        rows.into_iter().map(of_event).collect()
    }

    /// The order of the object there is now.
    fn current(&self) -> Option<Order> {
        let last = self.versions.last().filter(|version| version.etag.is_some())?;
        Some(Order::of(&self.events[last.event]))
    }
}

/// Grows with `number` once padded, whatever its length.
fn sequencer(number: usize, salt: u8) -> String {
    let whole = format!("0055AED6{number:04X}{salt:02X}00");
    match salt % 3 {
        0 => whole,
        1 => whole.trim_end_matches('0').to_owned(),
        _ => whole.to_lowercase(),
    }
}

/// All events and some of them again, each taken from a random place of what is left.
fn shuffled(count: usize, duplicates: &[Index], order: &[Index]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..count).chain(duplicates.iter().map(|which| which.index(count.max(1)))).collect();
    if count == 0 {
        left.clear();
    }
    let mut arrived = Vec::new();
    for place in order {
        if !left.is_empty() {
            arrived.push(left.swap_remove(place.index(left.len())));
        }
    }
    arrived.extend(left);
    arrived
}

/// On a bucket that stays as it is, two arrival orders leave the same bytes, and the bucket's own answer.
async fn any_arrival_order(homes: &[Home; 2], name: &str, history: History) -> Result<(), TestCaseError> {
    let mut bucket = Bucket::default();
    for number in 0..history.acts.len() {
        bucket.act(&history, name, number);
    }
    for (home, order) in homes.iter().zip([&history.first, &history.second]) {
        for event in shuffled(bucket.events.len(), &history.duplicates, order) {
            write(home, &bucket.deliver(&bucket.events[event])).await?;
        }
        check_answers(home, &bucket, name).await?;
    }
    prop_assert_eq!(homes[0].dump(name).await, homes[1].dump(name).await);
    Ok(())
}

/// Notifications are delivered while the bucket changes: each at least once, the late ones at the end.
async fn changing_bucket(homes: &[Home; 2], name: &str, history: History) -> Result<(), TestCaseError> {
    let mut bucket = Bucket::default();
    let mut arrivals = history.first.iter();
    let mut undelivered = Vec::new();
    for number in 0..history.acts.len() {
        let before = bucket.events.len();
        bucket.act(&history, name, number);
        undelivered.extend(before..bucket.events.len());
        for _ in 0..history.meanwhile[number].index(3) {
            let (Some(place), false) = (arrivals.next(), bucket.events.is_empty()) else { break };
            // Any event so far: at once, late, or again.
            let event = place.index(bucket.events.len());
            undelivered.retain(|other| *other != event);
            write(&homes[0], &bucket.deliver(&bucket.events[event])).await?;
        }
    }
    for event in shuffled(undelivered.len(), &[], &history.second) {
        write(&homes[0], &bucket.deliver(&bucket.events[undelivered[event]])).await?;
    }
    check_answers(&homes[0], &bucket, name).await
}

async fn write(home: &Home, rows: &[Record]) -> Result<(), TestCaseError> {
    for row in rows {
        home.records.write(row, harness::deadline()).await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    Ok(())
}

async fn check_answers(home: &Home, bucket: &Bucket, name: &str) -> Result<(), TestCaseError> {
    for model in MODELS {
        let answer = records::get(&*home.records, name, KEY, model).await;
        let answer = answer.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let there = answer.filter(|row| row.status != Status::Deleted);
        prop_assert!(there.as_ref().is_none_or(|row| row.model == model));
        prop_assert_eq!(there.map(|row| row.order), bucket.current(), "{}", model);
    }
    Ok(())
}

/// Runs a property on two fresh homes, each case in a bucket of its own. The cases are the same in every run;
/// PROPTEST_CASES makes them more.
fn check(
    place: &Place,
    property: impl AsyncFn(&[Home; 2], &str, History) -> Result<(), TestCaseError>,
) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let homes = runtime.block_on(async { Ok::<_, Failed>([place.fresh().await?, place.fresh().await?]) })?;
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = place.cases();
    }
    let case = AtomicU64::new(0);
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)).run(&history(), |history| {
        let name = format!("bucket-{}", case.fetch_add(1, Ordering::Relaxed));
        runtime.block_on(property(&homes, &name, history))
    })?;
    runtime.block_on(async { homes[0].end().await.and(homes[1].end().await) })
}
