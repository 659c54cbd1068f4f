//! From rows to answers: what an object is now, its history, and what a listing holds.
//!
//! Rows arrive in any order and twice; an answer depends only on which rows there are.

use std::collections::HashSet;

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{Listing, Records, RecordsError};
use crate::event::NULL_VERSION;
use crate::record::{Order, Record, Status};

/// What an object is to `model`, from its rows, newest first: the newest row of that model, or the newest delete,
/// whose version was not removed since. `None`: nothing known, or every version is gone.
pub fn current(newest_first: impl IntoIterator<Item = Record>, model: &str) -> Option<Record> {
    let mut removals = Removals::default();
    newest_first.into_iter().find(|row| removals.leave(row) && answers(row, model))
}

fn answers(row: &Record, model: &str) -> bool {
    row.status == Status::Deleted || row.model == model
}

/// What people say last of one version, from its object's rows in any order; `None` where they say nothing, or took
/// it back.
pub fn correction_of(rows: impl IntoIterator<Item = Record>, order: &Order) -> Option<Record> {
    let corrections = rows.into_iter().filter(|row| row.is_correction() && row.order == *order);
    corrections.max_by_key(Record::corrected_at).filter(|last| last.label.is_some())
}

/// Versions that the rows seen so far, which are newer, say are gone for good. Removing a delete marker is an undelete.
#[derive(Default)]
struct Removals(HashSet<String>);

impl Removals {
    /// Whether `row`, the next older one, still stands.
    fn leave(&mut self, row: &Record) -> bool {
        let version = &row.order.version;
        if row.status != Status::VersionRemoved {
            let removed = self.0.contains(version) || (row.is_unversioned() && self.0.contains(NULL_VERSION));
            return !removed;
        }
        // A removal that names no version removes none: '' is also the version of every plain delete.
        if !version.is_empty() {
            self.0.insert(version.clone());
        }
        false
    }
}

/// [`current`] of one object, read page by page, no further than needed.
pub async fn get(records: &dyn Records, bucket: &str, key: &str, model: &str) -> Result<Option<Record>, RecordsError> {
    let mut removals = Removals::default();
    first(records, bucket, key, |row| removals.leave(row) && answers(row, model)).await
}

/// The newest row that stands, whichever model's; corrections aside.
pub async fn newest(records: &dyn Records, bucket: &str, key: &str) -> Result<Option<Record>, RecordsError> {
    Ok(latest(records, bucket, key).await?.standing)
}

/// The newest of what is known of an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latest {
    /// The newest row that stands, as [`newest`].
    pub standing: Option<Record>,
    /// The place of the newest change: that of a removal, too.
    pub place: Option<Order>,
}

impl Latest {
    fn pass(&mut self, row: &Record, stands: bool) {
        self.place.get_or_insert_with(|| row.order.clone());
        if stands && self.standing.is_none() && !row.is_correction() {
            self.standing = Some(row.clone());
        }
    }
}

/// [`Latest`], and nothing that is older is read.
pub async fn latest(records: &dyn Records, bucket: &str, key: &str) -> Result<Latest, RecordsError> {
    let (mut removals, mut latest) = (Removals::default(), Latest::default());
    let passed = first(records, bucket, key, |row| {
        latest.pass(row, removals.leave(row));
        latest.standing.is_some()
    });
    passed.await?;
    Ok(latest)
}

/// What an object is to `model`, as [`get`], and its [`latest`], in one read.
pub async fn get_with_latest(
    records: &dyn Records,
    bucket: &str,
    key: &str,
    model: &str,
) -> Result<(Option<Record>, Latest), RecordsError> {
    let (mut removals, mut latest) = (Removals::default(), Latest::default());
    let answer = first(records, bucket, key, |row| {
        let stands = removals.leave(row);
        latest.pass(row, stands);
        stands && answers(row, model)
    });
    Ok((answer.await?, latest))
}

/// The newest row of one version, whichever model's; corrections aside.
pub async fn of_version(
    records: &dyn Records,
    bucket: &str,
    key: &str,
    version: &str,
) -> Result<Option<Record>, RecordsError> {
    let of_version =
        |row: &Record| row.status != Status::VersionRemoved && !row.is_correction() && row.order.version == version;
    first(records, bucket, key, of_version).await
}

/// One model's row of one change. Reads nothing that is older.
pub async fn of_order(
    records: &dyn Records,
    bucket: &str,
    key: &str,
    order: &Order,
    model: &str,
) -> Result<Option<Record>, RecordsError> {
    let it_or_older = |row: &Record| row.order < *order || (row.order == *order && row.model == model);
    Ok(first(records, bucket, key, it_or_older).await?.filter(|row| row.order == *order))
}

async fn first(
    records: &dyn Records,
    bucket: &str,
    key: &str,
    mut wanted: impl FnMut(&Record) -> bool,
) -> Result<Option<Record>, RecordsError> {
    let mut rows = history(records, bucket, key);
    while let Some(row) = rows.try_next().await? {
        if wanted(&row) {
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
/// (a model whose threshold changed under the same version) is not. `seen`, which a listing may leave out, does not
/// count.
pub async fn is_current(records: &dyn Records, row: &Record, model: &str) -> Result<bool, RecordsError> {
    let current = get(records, &row.bucket, &row.key, model).await?;
    Ok(current.is_some_and(|current| Record { seen: row.seen.clone(), ..current } == *row))
}
