//! What events did not bring: a bucket's listing beside the records. What is missing or stale goes through the
//! pipeline as an observation, which any true event outranks; so does what is orphaned, where that is asked for.

mod fill;
mod orphans;
mod pace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use crate::event::{Change, ObjectEvent};
use crate::filter::Filter;
use crate::objects::{FetchError, ListAfter, Listed, Objects};
use crate::record::{Record, Status};
use crate::records::{self, Latest, Records, RecordsError};
pub use fill::{Filled, Round, Scope, Wanted};
pub use orphans::Seen;
pub use pace::Pace;

/// How long an overload of the bucket or the records is waited out, before the round ends with it.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

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
    pub pace: Pace,
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
        let checked = self.listed(None).map_ok(move |listed| async move {
            let Read { gap, .. } = self.read(&listed).await?;
            Ok(Checked { listed, gap })
        });
        checked.try_buffered(self.pace.ceiling()).boxed()
    }

    /// How many objects are listed behind the key `after`; `None` if they are more than `most`.
    pub async fn count(&self, after: Option<String>, most: u64) -> Result<Option<u64>, BackfillError> {
        let mut listed = self.listed(after);
        let mut count = 0;
        while listed.try_next().await?.is_some() {
            count += 1;
            if count > most {
                return Ok(None);
            }
        }
        Ok(Some(count))
    }

    fn listed(&self, after: Option<String>) -> BoxStream<'_, Result<Listed, BackfillError>> {
        let start = after.map(ListAfter::Key);
        let pages = stream::try_unfold(Some(start), move |from| async move {
            let Some(after) = from else { return Ok::<_, BackfillError>(None) };
            let after = after.as_ref();
            let page = patiently(|| async move { Ok(self.objects.list(&self.bucket, &self.prefix, after).await?) });
            let (page, _) = page.await?;
            let objects = page.objects.into_iter().filter(|listed| self.filter.allows(&listed.key)).map(Ok);
            Ok(Some((stream::iter(objects), page.next.map(Some))))
        });
        pages.try_flatten().boxed()
    }

    async fn read(&self, listed: &Listed) -> Result<Read, BackfillError> {
        let Backfill { records, bucket, model, .. } = self;
        let read = || async move { Ok(records::get_with_latest(&**records, bucket, &listed.key, model).await?) };
        let ((row, latest), overloaded) = patiently(read).await?;
        let gap = match row {
            None => Some(Gap::Missing),
            Some(row) if is_of(&row, listed) => None,
            Some(_) => Some(Gap::Stale),
        };
        Ok(Read { gap, latest, overloaded })
    }

    /// No version and no ETag: what is there when it is fetched is what counts.
    fn observation(&self, key: &str, size: Option<u64>) -> ObjectEvent {
        ObjectEvent {
            bucket: self.bucket.clone(),
            key: key.to_owned(),
            change: Change::Observed,
            version_id: None,
            etag: None,
            size,
            sequencer: None,
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        }
    }
}

/// What the records know of a listed object.
struct Read {
    gap: Option<Gap>,
    latest: Latest,
    /// It took several attempts.
    overloaded: bool,
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

impl BackfillError {
    fn is_overload(&self) -> bool {
        matches!(
            self,
            BackfillError::Objects(FetchError::Overloaded(_)) | BackfillError::Records(RecordsError::Unavailable(_))
        )
    }
}

/// Tries again while it is an overload, for [`PATIENCE`]; says whether it was one.
async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<(T, bool), BackfillError>
where
    F: Future<Output = Result<T, BackfillError>>,
{
    let end = Instant::now() + PATIENCE;
    let mut longest = FIRST_PAUSE;
    let mut overloaded = false;
    loop {
        match attempt().await {
            Err(error) if error.is_overload() && Instant::now() + longest < end => {
                overloaded = true;
                tokio::time::sleep(jittered(longest)).await;
                longest = (longest * 2).min(LONGEST_PAUSE);
            }
            done => return done.map(|done| (done, overloaded)),
        }
    }
}

/// Half of it is chance, so that not all come back at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}
