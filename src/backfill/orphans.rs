//! Rows whose objects are gone.

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};

use super::{Backfill, BackfillError, patiently};
use crate::objects::{FetchError, Pinned};
use crate::record::Record;
use crate::records::{self, Listing, object_hash};

/// Rows that are read at a time.
const ROWS: usize = 1_000;

impl Backfill {
    /// Rows that are current in the records, of objects that are not there: `seen` is what a whole listing has shown.
    /// Reads every sighting of the model once, and asks the bucket itself for each suspect, which may have come since.
    pub fn orphans<'a>(&'a self, seen: &'a Seen) -> BoxStream<'a, Result<Record, BackfillError>> {
        let model = self.model.clone();
        let all = Listing { model, label: None, since: None, until: None, limit: ROWS, seen: false, after: None };
        let rows = records::listed(&*self.records, all).map_err(BackfillError::from);
        let suspects = rows.try_filter(|row| {
            let ours = row.bucket == self.bucket && row.key.starts_with(&self.prefix) && self.filter.allows(&row.key);
            std::future::ready(ours && !seen.contains(&row.bucket, &row.key))
        });
        let orphans = suspects.map_ok(move |row| async move { Ok(self.is_orphan(&row).await?.then_some(row)) });
        let orphans = orphans.try_buffered(self.pace.ceiling());
        orphans.try_filter_map(|orphan| std::future::ready(Ok(orphan))).boxed()
    }

    async fn is_orphan(&self, row: &Record) -> Result<bool, BackfillError> {
        let is_current = || async move { Ok(records::is_current(&*self.records, row, &self.model).await?) };
        if !patiently(is_current).await?.0 {
            return Ok(false);
        }
        let pinned = Pinned { bucket: row.bucket.clone(), key: row.key.clone(), version_id: None, etag: None };
        let pinned = &pinned;
        let is_gone = || async move {
            match self.objects.head(pinned).await {
                Ok(_) => Ok(false),
                Err(FetchError::Gone { .. } | FetchError::Superseded(_)) => Ok(true),
                // The SDK asks for no such key, so nobody says that it is gone.
                Err(FetchError::Unaddressable(_)) => Ok(false),
                Err(error) => Err(error.into()),
            }
        };
        Ok(patiently(is_gone).await?.0)
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
