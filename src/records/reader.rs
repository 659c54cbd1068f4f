//! From rows to answers: what an object is now, its history, what a listing holds, and how much of each.
//!
//! Rows arrive in any order and twice; an answer depends only on which rows there are.

use std::collections::{BTreeMap, HashSet};

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use serde::Serialize;

use super::{Listing, Records, RecordsError};
use crate::event::Timestamp;
use crate::record::{Record, Status};

/// What S3 calls the version of an object that was written while its bucket kept no versions.
const NULL_VERSION: &str = "null";
/// Rows that [`stats`] asks for at a time.
const STATS_PAGE: usize = 1_000;

/// What an object is to `model`, from its rows, newest first: the newest row of that model, or the newest delete,
/// whose version was not removed since. `None`: nothing known, or every version is gone.
pub fn current(newest_first: impl IntoIterator<Item = Record>, model: &str) -> Option<Record> {
    let mut walk = Walk::new(model);
    newest_first.into_iter().find(|row| walk.answers(row))
}

/// The walk behind [`current`], a row at a time.
struct Walk<'a> {
    model: &'a str,
    /// Versions that newer rows say are gone for good. Removing a delete marker is an undelete.
    removed: HashSet<String>,
}

impl<'a> Walk<'a> {
    fn new(model: &'a str) -> Walk<'a> {
        Walk { model, removed: HashSet::new() }
    }

    fn answers(&mut self, row: &Record) -> bool {
        let version = &row.order.version;
        match row.status {
            Status::VersionRemoved => {
                // A removal that names no version removes none: '' is also the version of every plain delete.
                if !version.is_empty() {
                    self.removed.insert(version.clone());
                }
                false
            }
            _ if self.removed.contains(version) || self.is_removed_null(row) => false,
            Status::Deleted => true,
            Status::Classified | Status::Unsure | Status::Rejected => row.model == self.model,
        }
    }

    /// A picture that was written while its bucket kept no versions is the null version, whatever orders it.
    fn is_removed_null(&self, row: &Record) -> bool {
        row.version_id.is_none() && row.status != Status::Deleted && self.removed.contains(NULL_VERSION)
    }
}

/// [`current`] of one object, read page by page, no further than needed.
pub async fn get(records: &dyn Records, bucket: &str, key: &str, model: &str) -> Result<Option<Record>, RecordsError> {
    let mut walk = Walk::new(model);
    let mut rows = history(records, bucket, key);
    while let Some(row) = rows.try_next().await? {
        if walk.answers(&row) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Every row of one object, every model, newest first, a page at a time.
pub fn history<'a>(
    records: &'a dyn Records,
    bucket: &'a str,
    key: &'a str,
) -> BoxStream<'a, Result<Record, RecordsError>> {
    let pages = stream::try_unfold(None::<Record>, move |after| async move {
        let page = records.rows(bucket, key, after.as_ref()).await?;
        Ok(page.last().cloned().map(|last| (rows_of(page), Some(last))))
    });
    pages.try_flatten().boxed()
}

/// Every sighting of a listing from `listing.after` on, `listing.limit` rows a page: only what is taken is read.
pub fn listed<'a>(records: &'a dyn Records, listing: Listing) -> BoxStream<'a, Result<Record, RecordsError>> {
    let pages = stream::try_unfold(Some(listing), move |listing| async move {
        let Some(listing) = listing else { return Ok(None) };
        let page = records.list(&listing).await?;
        let rest = page.next.map(|next| Listing { after: Some(next), ..listing });
        Ok(Some((rows_of(page.records), rest)))
    });
    pages.try_flatten().boxed()
}

fn rows_of(page: Vec<Record>) -> impl stream::Stream<Item = Result<Record, RecordsError>> {
    stream::iter(page.into_iter().map(Ok))
}

/// Whether a listed row is still what its object is to `model`. A row that was written again with other content
/// (a model whose threshold changed under the same version) is not.
pub async fn is_current(records: &dyn Records, row: &Record, model: &str) -> Result<bool, RecordsError> {
    Ok(get(records, &row.bucket, &row.key, model).await?.as_ref() == Some(row))
}

/// How many rows of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub rows: u64,
    pub by_status: BTreeMap<Status, u64>,
    /// As [`Record::listed_as`].
    pub by_label: BTreeMap<String, u64>,
    /// As [`crate::record::Reason::as_str`].
    pub by_reason: BTreeMap<&'static str, u64>,
}

impl Stats {
    fn count(&mut self, row: &Record) {
        self.rows += 1;
        *self.by_status.entry(row.status).or_default() += 1;
        *self.by_label.entry(row.listed_as().to_owned()).or_default() += 1;
        if let Some(reason) = row.reason {
            *self.by_reason.entry(reason.as_str()).or_default() += 1;
        }
    }
}

/// Counts the sightings of one model, and all deletes and removals beside them, from `since` (inclusive) to `until`
/// (exclusive). Reads them all, a page at a time.
pub async fn stats(
    records: &dyn Records,
    model: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Stats, RecordsError> {
    let mut stats = Stats::default();
    let models = if model.is_empty() { vec![""] } else { vec![model, ""] };
    for model in models {
        let listing = Listing { model: model.to_owned(), label: None, since, until, limit: STATS_PAGE, after: None };
        let mut rows = listed(records, listing);
        while let Some(row) = rows.try_next().await? {
            stats.count(&row);
        }
    }
    Ok(stats)
}
