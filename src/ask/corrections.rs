//! What people say of pictures: giving it, taking it back, and what it says of a model.

use std::collections::{BTreeSet, HashSet};
use std::future::ready;
use std::time::Instant;

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{LOOKS_AT_ONCE, MOST_READ, Question, answers};
use crate::event::Timestamp;
use crate::record::{HUMAN, Order, Record, Status};
use crate::records::{self, Cursor, Records, RecordsError};

/// Sightings that a [`review`] chooses from.
const REVIEWED: usize = 5_000;

/// Corrections a row that [`labels_by_people`] passes over before it rather looks at every row.
const SIGHTINGS_A_ROW: usize = 10;

/// Sightings of a log that [`models`] looks at.
const NEWEST: usize = 20;

/// Why nothing was corrected, and of which object.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("no record of {0}")]
    Unknown(String),
    #[error("{0} was deleted: there is nothing to correct")]
    Deleted(String),
    #[error("{0} was replaced: what it is now has not been looked at")]
    Replaced(String),
    #[error("nobody corrected {0}, or it was undone: there is nothing to undo")]
    NotCorrected(String),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// Writes down that the picture that an object is now shows `label`; `None` takes back what was said before. Gives
/// back the correction that holds now, which is the one before if it said the same.
///
/// `of` is the version that was looked at: if the object is another now, nothing is written.
///
/// `at` is when it was said. A clock that is behind that of who spoke before does not make the later word the earlier.
pub async fn correct(
    records: &dyn Records,
    bucket: &str,
    key: &str,
    of: Option<&Order>,
    label: Option<&str>,
    at: Timestamp,
    deadline: Instant,
) -> Result<Record, AskError> {
    let object = || format!("s3://{bucket}/{key}");
    let Some(newest) = records::newest(records, bucket, key).await? else { return Err(AskError::Unknown(object())) };
    if newest.status == Status::Deleted {
        return Err(AskError::Deleted(object()));
    }
    if of.is_some_and(|of| *of != newest.order) {
        return Err(AskError::Replaced(object()));
    }
    let rows = down_to(records, bucket, key, &newest.order).await?;
    let said = rows.iter().filter(|row| row.order == newest.order).filter_map(Record::corrected_at).max();
    let holds = records::correction_of(rows, &newest.order);
    match (label, holds) {
        (None, None) => Err(AskError::NotCorrected(object())),
        (Some(label), Some(holds)) if holds.label.as_deref() == Some(label) => Ok(holds),
        _ => {
            let at = said.map_or(at, |said| at.max(Timestamp(said.0.saturating_add(1))));
            let correction = Record::correction(&newest, label, at);
            records.write(&correction, deadline).await?;
            Ok(correction)
        }
    }
}

/// An object's rows, newest first, down to an order and with all of that order.
async fn down_to(records: &dyn Records, bucket: &str, key: &str, order: &Order) -> Result<Vec<Record>, RecordsError> {
    records::history(records, bucket, key).try_take_while(|row| ready(Ok(row.order >= *order))).try_collect().await
}

/// Each version that people said something of and did not take back, newest first: what a model made of it, and the
/// correction, both with pictures. A version that several models saw comes once for each of them.
pub fn corrected(
    records: &dyn Records,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> BoxStream<'_, Result<(Record, Record), RecordsError>> {
    sightings(records, since, until)
        .map_ok(move |sighting| async move {
            let Record { bucket, key, order, .. } = &sighting;
            let mut rows = down_to(records, bucket, key, order).await?;
            rows.retain(|row| row.order == *order);
            let Some(correction) = records::correction_of(rows.clone(), order) else { return Ok(Vec::new()) };
            let of_models = rows.into_iter().filter(|row| !row.model.is_empty() && !row.is_correction());
            Ok(of_models.map(|row| Ok((row, correction.clone()))).collect())
        })
        .try_buffered(LOOKS_AT_ONCE)
        .map_ok(|pairs: Vec<Result<_, RecordsError>>| stream::iter(pairs))
        .try_flatten()
        .boxed()
}

/// The versions that people said anything of, newest first, each once.
fn sightings(
    records: &dyn Records,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> BoxStream<'_, Result<Record, RecordsError>> {
    let question = Question { model: HUMAN.to_owned(), since, until, ..Question::default() };
    // Several corrections of one version stand side by side.
    let mut last = None;
    answers(records, question, None)
        .try_filter(move |row| {
            let here = Some(Cursor::of(row));
            let first = here != last;
            last = here;
            ready(first)
        })
        .boxed()
}

/// What people say that each of some rows shows, if they say so; in the order of the rows.
pub async fn labels_by_people(records: &dyn Records, rows: &[Record]) -> Result<Vec<Option<String>>, RecordsError> {
    let spoken_of = spoken_of(records, rows).await?;
    let label = |row: Record| {
        let place = (row.bucket.clone(), row.key.clone(), row.order.clone());
        let look = spoken_of.as_ref().is_none_or(|spoken_of| spoken_of.contains(&place));
        async move { if look { label_by_people(records, &row).await } else { Ok(None) } }
    };
    // Without the pictures: only the place matters.
    let places: Vec<Record> = rows.iter().map(|row| Record { seen: Vec::new(), ..row.clone() }).collect();
    stream::iter(places).map(label).buffered(LOOKS_AT_ONCE).try_collect().await
}

/// Which of some rows people said anything of, from one look at the log; `None` if it has too much between them.
async fn spoken_of(
    records: &dyn Records,
    rows: &[Record],
) -> Result<Option<HashSet<(String, String, Order)>>, RecordsError> {
    let times = || rows.iter().map(|row| row.order.event_time);
    let until = times().max().and_then(|newest| newest.0.checked_add(1)).map(Timestamp);
    let ours: HashSet<[u8; 16]> = rows.iter().map(|row| Cursor::of(row).object_hash).collect();
    let most = rows.len().saturating_mul(SIGHTINGS_A_ROW);
    let mut spoken_of = HashSet::new();
    if let Some(oldest) = times().min() {
        let mut sightings = sightings(records, Some(oldest), until).enumerate();
        while let Some((n, row)) = sightings.next().await {
            let row = row?;
            if n == most {
                return Ok(None);
            }
            if ours.contains(&Cursor::of(&row).object_hash) {
                spoken_of.insert((row.bucket, row.key, row.order));
            }
        }
    }
    Ok(Some(spoken_of))
}

/// What people say that one row's picture shows.
pub async fn label_by_people(records: &dyn Records, row: &Record) -> Result<Option<String>, RecordsError> {
    let rows = down_to(records, &row.bucket, &row.key, &row.order).await?;
    Ok(records::correction_of(rows, &row.order).and_then(|correction| correction.label))
}

/// What a person should look at: of the newest 5,000 sightings of a model at most `limit` that are current, classified
/// or unsure, and that nobody corrected; the least confident first, with pictures.
pub async fn review(records: &dyn Records, model: &str, limit: usize) -> Result<Vec<Record>, RecordsError> {
    let question = Question { model: model.to_owned(), ..Question::default() };
    let mut sightings: Vec<Record> = answers(records, question, None)
        .take(REVIEWED)
        .try_filter(|row| ready(matches!(row.status, Status::Classified | Status::Unsure)))
        .try_collect()
        .await?;
    // Where there is no confidence there is least of it. Of the same confidence the newest is first.
    sightings.sort_by(|a, b| a.confidence.unwrap_or(0.0).total_cmp(&b.confidence.unwrap_or(0.0)));
    stream::iter(sightings)
        .map(|row| async move {
            // First whether it is current: of a key that is overwritten often only the newest rows are read.
            let current = records::get(records, &row.bucket, &row.key, model).await?;
            let Some(current) = current.filter(|current| is(current, &row)) else { return Ok(None) };
            Ok(label_by_people(records, &current).await?.is_none().then_some(current))
        })
        .buffered(LOOKS_AT_ONCE)
        .try_filter_map(|row| ready(Ok(row)))
        .take(limit)
        .try_collect()
        .await
}

/// Whether a row is the one that was listed without its picture.
fn is(row: &Record, listed: &Record) -> bool {
    (&row.order, row.status, &row.label, row.confidence)
        == (&listed.order, listed.status, &listed.label, listed.confidence)
}

/// The models that are known to have records, besides `model` itself, which is first: those that saw the objects of
/// the newest sightings of that model, of deletes and of corrections. No home can list all models without reading all
/// there is.
pub async fn models(records: &dyn Records, model: &str) -> Result<Vec<String>, RecordsError> {
    let mut known = BTreeSet::new();
    for log in [model, "", HUMAN] {
        let question = Question { model: log.to_owned(), ..Question::default() };
        let newest: Vec<Record> = answers(records, question, None).take(NEWEST).try_collect().await?;
        let mut rows = stream::iter(newest)
            .map(|row| async move {
                let rows = records::history(records, &row.bucket, &row.key).take(MOST_READ);
                rows.map_ok(|row| row.listed_model().to_owned()).try_collect::<Vec<String>>().await
            })
            .buffer_unordered(LOOKS_AT_ONCE);
        while let Some(models) = rows.try_next().await? {
            known.extend(models);
        }
    }
    let others = known.into_iter().filter(|name| !name.is_empty() && name != HUMAN && name != model);
    Ok(std::iter::once(model.to_owned()).chain(others).collect())
}
