//! What two models make of the same pictures.

use std::cmp::Ordering;

use futures_util::stream::{self, BoxStream, Fuse, StreamExt, TryStreamExt};
use serde::Serialize;

use super::{LOOKS_AT_ONCE, MOST_A_PAGE, Question, answers};
use crate::record::{Record, Status};
use crate::records::{self, Cursor, Records, RecordsError};

/// An object of which two models now say different things: another label or another status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub bucket: String,
    pub key: String,
    pub a: Record,
    pub b: Record,
}

/// What became of one version in two models' logs.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    Changed(Box<Change>),
    /// What both say, as logs list it.
    Alike(String),
    /// They differ in a version that was replaced or deleted since.
    Past,
    /// Only one has seen it.
    OnlyA,
    OnlyB,
}

/// One page of changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    pub changes: Vec<Change>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
}

/// At most `limit` changes (at least one) after a place. There may be more if the page says where to go on, even if
/// it has fewer than `limit` or none: it compares at most 10,000 versions.
pub async fn diff_page(
    records: &dyn Records,
    a: &str,
    b: &str,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Changes, RecordsError> {
    let mut changes = Vec::new();
    let mut steps = compared(records, a, b, after).take(MOST_A_PAGE).enumerate();
    while let Some((step, compared)) = steps.next().await {
        let (here, compared) = compared?;
        if let Compared::Changed(change) = compared {
            changes.push(*change);
        }
        if changes.len() >= limit.max(1) || step + 1 == MOST_A_PAGE {
            return Ok(Changes { changes, next: Some(here) });
        }
    }
    Ok(Changes { changes, next: None })
}

/// Every version that one of two models has seen, newest first, and where it stands in the logs. Both logs are read
/// side by side, since both are in the same order; an object is looked at where the models differ.
pub fn compared<'a>(
    records: &'a dyn Records,
    a: &str,
    b: &str,
    after: Option<Cursor>,
) -> BoxStream<'a, Result<(Cursor, Compared), RecordsError>> {
    let models = [a.to_owned(), b.to_owned()];
    let log = |model: &str| {
        let question = Question { model: model.to_owned(), ..Question::default() };
        Log { rows: answers(records, question, after.clone()).fuse(), head: None }
    };
    let logs = (log(a), log(b));
    stream::try_unfold(logs, |(mut a, mut b)| async move {
        futures_util::try_join!(a.fill(), b.fill())?;
        let pair = match (a.place(), b.place()) {
            (None, None) => return Ok(None),
            (place, other) => match place.cmp(&other) {
                Ordering::Equal => (a.head.take(), b.head.take()),
                Ordering::Greater => (a.head.take(), None),
                Ordering::Less => (None, b.head.take()),
            },
        };
        Ok(Some((pair, (a, b))))
    })
    .map_ok(move |pair| {
        let models = models.clone();
        async move {
            match pair {
                (Some(a), Some(b)) => Ok((Cursor::of(&a), compare(records, &a, &b, &models).await?)),
                (Some(a), None) => Ok((Cursor::of(&a), Compared::OnlyA)),
                (None, Some(b)) => Ok((Cursor::of(&b), Compared::OnlyB)),
                (None, None) => Err(RecordsError::Broken("a comparison of nothing".to_owned())),
            }
        }
    })
    .try_buffered(LOOKS_AT_ONCE)
    .boxed()
}

/// A model's log and its next row.
struct Log<'a> {
    rows: Fuse<BoxStream<'a, Result<Record, RecordsError>>>,
    head: Option<Record>,
}

impl Log<'_> {
    async fn fill(&mut self) -> Result<(), RecordsError> {
        if self.head.is_none() {
            self.head = self.rows.try_next().await?;
        }
        Ok(())
    }

    /// `None`, which is less than all, at the end.
    fn place(&self) -> Option<Cursor> {
        self.head.as_ref().map(Cursor::of)
    }
}

async fn compare(
    records: &dyn Records,
    a: &Record,
    b: &Record,
    models: &[String; 2],
) -> Result<Compared, RecordsError> {
    if !differ(a, b) {
        return Ok(Compared::Alike(a.listed_as().to_owned()));
    }
    // A look ends at what replaced the version, however many came after it.
    let [of_a, of_b] = models;
    let (bucket, key, order) = (&a.bucket, &a.key, &a.order);
    let current = |model| async move {
        let current = records::get(records, bucket, key, model).await?;
        Ok::<_, RecordsError>(current.filter(|row| row.order == *order))
    };
    let Some(a) = current(of_a).await? else { return Ok(Compared::Past) };
    let Some(b) = current(of_b).await? else { return Ok(Compared::Past) };
    // A log may have an older content of a row.
    if !differ(&a, &b) {
        return Ok(Compared::Alike(a.listed_as().to_owned()));
    }
    Ok(Compared::Changed(Box::new(Change { bucket: a.bucket.clone(), key: a.key.clone(), a, b })))
}

fn differ(a: &Record, b: &Record) -> bool {
    let said = |row: &Record| {
        let mut names: Vec<String> = row.listed_under().into_iter().map(str::to_owned).collect();
        // Which of several labels is the surest makes no difference.
        names.sort_unstable();
        (row.status, row.label.clone().filter(|_| row.status != Status::Classified), names)
    };
    said(a) != said(b)
}
