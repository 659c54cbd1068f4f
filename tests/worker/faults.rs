//! Ports that fail or are slow when they are told to.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use spotter::objects::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, S3Objects, Tag, TagError, Tagged,
    Upload,
};
use spotter::record::Record;
use spotter::records::embedded::Embedded;
use spotter::records::{Listing, Page, Records, RecordsError};

/// A home of records that goes away after some writes, and comes back.
pub struct Flaky {
    pub home: Embedded,
    pub is_away: AtomicBool,
    pub writes: AtomicUsize,
    /// Goes away at this write.
    pub last_write: AtomicUsize,
}

impl Flaky {
    pub fn new(home: Embedded, last_write: usize) -> Arc<Flaky> {
        let (is_away, writes) = (AtomicBool::new(last_write == 0), AtomicUsize::new(0));
        Arc::new(Flaky { home, is_away, writes, last_write: AtomicUsize::new(last_write) })
    }

    fn there(&self) -> Result<(), RecordsError> {
        if self.is_away.load(Relaxed) { Err(RecordsError::Unavailable("the test says so".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Records for Flaky {
    async fn write(&self, record: &Record, deadline: Instant) -> Result<(), RecordsError> {
        self.there()?;
        if self.writes.fetch_add(1, Relaxed) + 1 == self.last_write.load(Relaxed) {
            self.is_away.store(true, Relaxed);
        }
        self.home.write(record, deadline).await
    }

    async fn available(&self) -> Result<(), RecordsError> {
        self.there()
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
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

/// A bucket that takes its time, and what it was asked for.
pub struct Slow {
    pub bucket: S3Objects,
    pub time: Duration,
    pub asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Objects for Slow {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        self.asked.lock().unwrap().push(pinned.key.clone());
        tokio::time::sleep(self.time).await;
        self.bucket.get(pinned, max_bytes).await
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
