//! A bucket that bears so much at once, and a database that is away for a while.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{FutureExt, TryStreamExt};
use libtest_mimic::{Failed, Trial};
use spotter::backfill::{Backfill, Pace};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::objects::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, S3Objects, Tag, TagError, Tagged,
    Upload,
};
use spotter::pipeline::{Outcome, Pipeline};
use spotter::record::Record;
use spotter::records::{Listing, Page, Records, RecordsError};

use super::{backfill, gaps};
use crate::cloud::{Cloud, MAX_BYTES, sample};
use crate::harness::on_runtime;

const OBJECTS: usize = 300;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("backfill::faults::as_many_at_once_as_the_store_bears", || on_runtime(throttled())),
        Trial::test("backfill::faults::a_database_that_is_away_is_waited_for", || on_runtime(interrupted())),
        Trial::test("backfill::faults::a_signal_lets_end_what_is_under_way", || on_runtime(stopped())),
    ]
}

/// Answers `most` requests at once, and 503 to what comes beside them.
struct Narrow {
    bucket: S3Objects,
    most: AtomicUsize,
    now: AtomicUsize,
    peak: AtomicUsize,
    refused: AtomicUsize,
}

#[async_trait]
impl Objects for Narrow {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.peak.fetch_max(now, SeqCst);
        let answer = if now > self.most.load(SeqCst) {
            self.refused.fetch_add(1, SeqCst);
            Err(FetchError::Overloaded("503 SlowDown".into()))
        } else {
            tokio::time::sleep(Duration::from_millis(60)).await;
            self.bucket.get(pinned, max_bytes).await
        };
        self.now.fetch_sub(1, SeqCst);
        answer
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        self.bucket.head(pinned).await
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError> {
        self.bucket.list(bucket, prefix, after).await
    }

    async fn tag(&self, pinned: &Pinned, tags: &[Tag]) -> Result<Tagged, TagError> {
        self.bucket.tag(pinned, tags).await
    }

    async fn presign(&self, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError> {
        self.bucket.presign(upload, valid).await
    }
}

async fn cloud(objects: usize, content: &[u8]) -> Result<Cloud, Failed> {
    let cloud = Cloud::start().await?;
    for at in 0..objects {
        cloud.put(&format!("{at:04}.bmp"), content).await?;
    }
    Ok(cloud)
}

fn pipeline(objects: Arc<dyn Objects>, records: Arc<dyn Records>) -> Result<Pipeline, Failed> {
    Ok(Pipeline::new(objects, records, Arc::new(Model::embedded()?), Limits::default(), MAX_BYTES))
}

async fn throttled() -> Result<(), Failed> {
    // Refused without work for the processor: the store shall be the limit on a loaded machine too.
    let mut cloud = cloud(OBJECTS, b"not a picture").await?;
    let narrow = Arc::new(Narrow {
        bucket: S3Objects::new(cloud.s3.clone()),
        most: AtomicUsize::new(6),
        now: AtomicUsize::new(0),
        peak: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
    });
    let backfill = Backfill { objects: narrow.clone(), pace: Pace::new(64), ..backfill(&cloud, "") };
    let way = pipeline(narrow.clone(), cloud.records.clone())?;
    let filled: Vec<_> = backfill.fill(&way, gaps(), pending().boxed()).try_collect().await?;
    let recorded = filled.iter().filter(|filled| {
        filled.handled.as_ref().is_some_and(|(_, handled)| matches!(handled.outcome, Outcome::Recorded(_)))
    });
    assert_eq!(recorded.count(), OBJECTS, "nothing failed, some were tried again");
    let (peak, refused) = (narrow.peak.load(SeqCst), narrow.refused.load(SeqCst));
    assert!((7..=12).contains(&peak), "it found the limit of 6, and not by storming it: {peak}");
    assert!(refused > 0 && refused < OBJECTS / 4, "{refused} of {OBJECTS} were refused");
    assert_eq!(filled.iter().filter(|filled| filled.retried).count().min(1), 1);
    // The store bears more now, and gets more.
    narrow.most.store(1_000, SeqCst);
    cloud.records_anew("anew.sqlite")?;
    let backfill = Backfill { records: cloud.records.clone(), ..backfill };
    let way = pipeline(narrow.clone(), cloud.records.clone())?;
    backfill.fill(&way, gaps(), pending().boxed()).try_collect::<Vec<_>>().await?;
    assert!(backfill.pace.limit() > 12, "{}", backfill.pace.limit());
    Ok(())
}

/// Away from the tenth question on, for so long.
struct Outage {
    home: Arc<dyn Records>,
    asked: AtomicUsize,
    began: std::sync::OnceLock<Instant>,
    time: Duration,
}

impl Outage {
    fn there(&self) -> Result<(), RecordsError> {
        if self.asked.fetch_add(1, SeqCst) < 10 {
            return Ok(());
        }
        if self.began.get_or_init(Instant::now).elapsed() < self.time {
            return Err(RecordsError::Unavailable("the test says so".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl Records for Outage {
    /// As Cassandra's: tried again within the deadline.
    async fn write(&self, record: &Record, deadline: Instant) -> Result<(), RecordsError> {
        while let Err(away) = self.there() {
            if Instant::now() + Duration::from_millis(50) >= deadline {
                return Err(away);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.home.write(record, deadline).await
    }

    async fn available(&self) -> Result<(), RecordsError> {
        self.there()
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        self.there()?;
        self.home.rows(bucket, key, after).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError> {
        self.home.list(listing).await
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        self.home.served().await
    }

    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        self.home.serve(model).await
    }

    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError> {
        self.home.purge(bucket, key).await
    }
}

async fn interrupted() -> Result<(), Failed> {
    let cloud = cloud(40, &sample("8.bmp")?).await?;
    let (asked, began) = (AtomicUsize::new(0), std::sync::OnceLock::new());
    let outage = Arc::new(Outage { home: cloud.records.clone(), asked, began, time: Duration::from_secs(2) });
    let backfill = Backfill { records: outage.clone(), ..backfill(&cloud, "") };
    let way = pipeline(backfill.objects.clone(), outage.clone())?;
    let filled: Vec<_> = backfill.fill(&way, gaps(), pending().boxed()).try_collect().await?;
    let failed = filled.iter().filter(|filled| {
        filled.handled.as_ref().is_none_or(|(_, handled)| !matches!(handled.outcome, Outcome::Recorded(_)))
    });
    assert_eq!((filled.len(), failed.count()), (40, 0));
    assert!(outage.began.get().is_some(), "it was away");
    Ok(())
}

async fn stopped() -> Result<(), Failed> {
    let cloud = cloud(60, &sample("8.bmp")?).await?;
    let backfill = backfill(&cloud, "");
    let way = pipeline(backfill.objects.clone(), cloud.records.clone())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stop = Some(stop);
    let mut filled = backfill.fill(&way, gaps(), stopped.map(drop).boxed());
    let mut ended = 0;
    while let Some(object) = filled.try_next().await? {
        let (_, handled) = object.handled.ok_or("not handled")?;
        assert!(matches!(handled.outcome, Outcome::Recorded(_)), "{handled:?}");
        ended += 1;
        if ended == 10 {
            stop.take().ok_or("twice")?.send(()).map_err(|()| "nobody listens")?;
        }
    }
    // Four were under way at most.
    assert!((10..=14).contains(&ended), "{ended}");
    Ok(())
}
