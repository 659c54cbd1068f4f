//! What events did not bring: a bucket's listing beside the records. What is missing or stale goes through the
//! pipeline as an observation, which any true event outranks; what is orphaned is only reported, because an absence
//! that was observed has no place in an object's order.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::event::{Change, ObjectEvent};
use crate::filter::Filter;
use crate::objects::{FetchError, Listed, Objects, Pinned};
use crate::pipeline::{Handled, Outcome, Pipeline};
use crate::record::{Record, Status};
use crate::records::{self, Listing, Records, RecordsError, object_hash};

/// Attempts at an object, for what may pass.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);
/// Rows that are read at a time, looking for orphans.
const ROWS: usize = 1_000;

/// A bucket, or the keys of it that begin with `prefix`, and the records of one model.
pub struct Backfill {
    pub objects: Arc<dyn Objects>,
    pub records: Arc<dyn Records>,
    /// As `name/version`.
    pub model: String,
    pub bucket: String,
    pub prefix: String,
    /// What it leaves out is not there.
    pub filter: Filter,
    /// Objects that are under way at once.
    pub concurrency: usize,
    pub unfinished: Unfinished,
}

/// Keys whose last outcome was a retry. Their rows may be there, while what follows a record (tags, telling others) is
/// not done: the next round does it.
#[derive(Debug, Default)]
pub struct Unfinished(Mutex<HashSet<String>>);

impl Unfinished {
    fn has(&self, key: &str) -> bool {
        self.keys().contains(key)
    }

    fn note(&self, key: &str, is_unfinished: bool) {
        if is_unfinished {
            self.keys().insert(key.to_owned());
        } else {
            self.keys().remove(key);
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// There, and not in the records.
    Missing,
    /// There, and the records know other content, or a delete.
    Stale,
}

impl Gap {
    pub fn as_str(self) -> &'static str {
        match self {
            Gap::Missing => "missing",
            Gap::Stale => "stale",
        }
    }
}

/// An object of the listing and how the records differ from it.
#[derive(Debug, Clone)]
pub struct Checked {
    pub listed: Listed,
    pub gap: Option<Gap>,
}

/// An object of the listing and what was done about it.
#[derive(Debug)]
pub struct Filled {
    pub listed: Listed,
    /// `None` where the records are right.
    pub handled: Option<(Gap, ObjectEvent, Handled)>,
}

/// The round ends: the bucket cannot be listed or the records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error(transparent)]
    Objects(#[from] FetchError),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Backfill {
    /// Every object of the bucket, in the order of keys, a page in memory: a request a thousand objects, and one read
    /// of the records an object.
    pub fn check(&self) -> BoxStream<'_, Result<Checked, BackfillError>> {
        let checked = self.listed().map_ok(move |listed| async move {
            let gap = self.gap(&listed).await?;
            Ok(Checked { listed, gap })
        });
        checked.try_buffered(self.concurrency).boxed()
    }

    /// [`Backfill::check`], and each gap through the pipeline, which has `limit` for it.
    pub fn fill<'a>(&'a self, pipeline: &'a Pipeline, limit: Duration) -> BoxStream<'a, Result<Filled, BackfillError>> {
        let filled = self.listed().map_ok(move |listed| async move {
            let gap = match self.gap(&listed).await? {
                None if self.unfinished.has(&listed.key) => Gap::Stale,
                None => return Ok(Filled { listed, handled: None }),
                Some(gap) => gap,
            };
            let event = self.observation(&listed);
            let mut handled = pipeline.handle(&event, Instant::now() + limit).await;
            for tries in 1..TRIES {
                if matches!(handled.outcome, Outcome::Retry(_)) {
                    tokio::time::sleep(PAUSE * tries).await;
                    handled = pipeline.handle(&event, Instant::now() + limit).await;
                }
            }
            self.unfinished.note(&listed.key, matches!(handled.outcome, Outcome::Retry(_)));
            Ok(Filled { listed, handled: Some((gap, event, handled)) })
        });
        filled.try_buffer_unordered(self.concurrency).boxed()
    }

    /// Rows that are current in the records, of objects that are not there: `seen` is what a whole [`Backfill::check`]
    /// has shown. Reads every sighting of the model once, and asks the bucket itself for each suspect, which may have
    /// come since.
    pub fn orphans<'a>(&'a self, seen: &'a Seen) -> BoxStream<'a, Result<Record, BackfillError>> {
        let model = self.model.clone();
        let all = Listing { model, label: None, since: None, until: None, limit: ROWS, seen: false, after: None };
        let rows = records::listed(&*self.records, all).map_err(BackfillError::from);
        let suspects = rows.try_filter(|row| {
            let ours = row.bucket == self.bucket && row.key.starts_with(&self.prefix) && self.filter.allows(&row.key);
            std::future::ready(ours && !seen.contains(&row.bucket, &row.key))
        });
        let orphans = suspects.map_ok(move |row| async move { Ok(self.is_orphan(&row).await?.then_some(row)) });
        let orphans = orphans.try_buffered(self.concurrency);
        orphans.try_filter_map(|orphan| std::future::ready(Ok(orphan))).boxed()
    }

    fn listed(&self) -> BoxStream<'_, Result<Listed, BackfillError>> {
        let pages = stream::try_unfold(Some(None::<String>), move |from| async move {
            let Some(after) = from else { return Ok::<_, BackfillError>(None) };
            let page = self.objects.list(&self.bucket, &self.prefix, after.as_deref()).await?;
            let objects = page.objects.into_iter().filter(|listed| self.filter.allows(&listed.key)).map(Ok);
            Ok(Some((stream::iter(objects), page.next.map(Some))))
        });
        pages.try_flatten().boxed()
    }

    async fn gap(&self, listed: &Listed) -> Result<Option<Gap>, BackfillError> {
        let row = records::get(&*self.records, &self.bucket, &listed.key, &self.model).await?;
        Ok(match row {
            None => Some(Gap::Missing),
            Some(row) if is_of(&row, listed) => None,
            Some(_) => Some(Gap::Stale),
        })
    }

    /// No version and no ETag: what is there when it is fetched is what counts.
    fn observation(&self, listed: &Listed) -> ObjectEvent {
        ObjectEvent {
            bucket: self.bucket.clone(),
            key: listed.key.clone(),
            change: Change::Observed,
            version_id: None,
            etag: None,
            size: Some(listed.size),
            sequencer: None,
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        }
    }

    async fn is_orphan(&self, row: &Record) -> Result<bool, BackfillError> {
        if !records::is_current(&*self.records, row, &self.model).await? {
            return Ok(false);
        }
        let pinned = Pinned { bucket: row.bucket.clone(), key: row.key.clone(), version_id: None, etag: None };
        match self.objects.head(&pinned).await {
            Ok(_) => Ok(false),
            Err(FetchError::Superseded(_)) => Ok(true),
            // The SDK asks for no such key, so its listing is all there is to know.
            Err(FetchError::Unaddressable(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a row is of the content that is listed. Some stores have no ETags, and a key that could not be asked for
/// has none in its row: then size and time must do.
fn is_of(row: &Record, listed: &Listed) -> bool {
    match (&row.etag, &listed.etag) {
        _ if row.status == Status::Deleted => false,
        (Some(known), Some(there)) => known == there,
        // The row of a key that could not be asked for: nobody saw its ETag.
        (None, Some(_)) => row.size == Some(listed.size),
        _ => row.size == Some(listed.size) && listed.last_modified.is_none_or(|there| there <= row.order.event_time),
    }
}

/// Which keys a listing had: 16 bytes each, so a million objects take 16 MB.
#[derive(Debug, Default)]
pub struct Seen {
    hashes: Vec<[u8; 16]>,
}

impl Seen {
    pub fn add(&mut self, bucket: &str, key: &str) {
        self.hashes.push(object_hash(bucket, key));
    }

    /// To be asked from here on.
    #[must_use]
    pub fn sorted(mut self) -> Seen {
        self.hashes.sort_unstable();
        self
    }

    fn contains(&self, bucket: &str, key: &str) -> bool {
        self.hashes.binary_search(&object_hash(bucket, key)).is_ok()
    }
}
