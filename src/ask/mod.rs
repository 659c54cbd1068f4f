//! Questions to the records and their answers: the command line and the page ask the same way.
//!
//! A question is answered from one log (a model's, or one label's of a model), newest first, a page at a time: what
//! the log does not tell apart is left out on the way. So memory is flat, whatever is asked for.

mod corrections;
mod cursor;
mod diff;
mod stats;
#[cfg(all(test, feature = "cli"))]
mod tests;
mod when;

use std::future::ready;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::event::Timestamp;
use crate::record::{HUMAN, Record, Status};
use crate::records::{self, Cursor, Listing, Page, Records, RecordsError};

pub use corrections::{AskError, correct, corrected, label_by_people, labels_by_people, models, review};
pub use cursor::{cursor_text, parse_cursor};
pub use diff::{Change, Changes, Compared, compared, diff_page};
pub use stats::{Accuracy, By, Checked, Period, Stats, stats};
pub use when::when;

/// Rows of a log that are read at first; twice as many each time, until [`MOST_READ`], so that the first answers are
/// quick and a million are not slow.
const FIRST_READ: usize = 100;
const MOST_READ: usize = 1_000;
/// Rows of a log that one [`page`] reads, so that a question with rare answers does not take minutes.
const MOST_A_PAGE: usize = 10_000;
/// Objects that are looked at at once, to see whether a row is still current.
const LOOKS_AT_ONCE: usize = 16;

/// Which rows. Each field that is set leaves out the rows that differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// `name/version` of the model that is asked; empty for deletes and removals.
    pub model: String,
    /// One of [`Record::listed_under`]. Beside `status`, the best guess as well: `unsure` and `7` are the unsure sevens.
    pub label: Option<String>,
    pub status: Option<Status>,
    /// Inclusive, as is the greatest one. What has no confidence has neither.
    pub min_confidence: Option<f32>,
    pub max_confidence: Option<f32>,
    pub bucket: Option<String>,
    /// What the key begins with.
    pub prefix: Option<String>,
    /// Of the event, inclusive.
    pub since: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// Only what its object is now: no row that was replaced, deleted or written again with other content.
    pub current: bool,
    /// With the model's inputs (PNG); without, [`Record::seen`] is empty.
    pub seen: bool,
}

impl Question {
    /// The log that has the answers, and the fewest other rows.
    fn listing(&self, limit: usize, after: Option<Cursor>) -> Listing {
        // Every status but `classified` is listed under its own name.
        let status = self.status.filter(|status| *status != Status::Classified);
        let label = status.map(|status| status.as_str().to_owned()).or_else(|| self.label.clone());
        // Deletes and removals are no model's.
        let of_none = [Status::Deleted, Status::VersionRemoved].iter().any(|of| label.as_deref() == Some(of.as_str()));
        let model = if of_none { String::new() } else { self.model.clone() };
        Listing { model, label, since: self.since, until: self.until, limit, seen: self.seen, after }
    }

    /// Whether a row of the log is an answer, but for `current`.
    fn fits(&self, row: &Record) -> bool {
        let label = |label: &String| {
            row.listed_under().contains(&label.as_str())
                || (self.status.is_some() && row.label.as_deref() == Some(label.as_str()))
        };
        self.label.as_ref().is_none_or(label)
            && self.status.is_none_or(|status| row.status == status)
            && self.min_confidence.is_none_or(|least| row.confidence.is_some_and(|confidence| confidence >= least))
            && self.max_confidence.is_none_or(|most| row.confidence.is_some_and(|confidence| confidence <= most))
            && self.bucket.as_ref().is_none_or(|bucket| row.bucket == *bucket)
            && self.prefix.as_ref().is_none_or(|prefix| row.key.starts_with(prefix))
    }

    /// Whether the log itself leaves out what does not fit.
    fn is_a_log(&self) -> bool {
        *self
            == Question {
                model: self.model.clone(),
                label: self.label.clone().filter(|_| self.status.is_none()),
                status: self.status.filter(|status| *status != Status::Classified),
                since: self.since,
                until: self.until,
                seen: self.seen,
                ..Question::default()
            }
    }

    async fn answered_by(&self, records: &dyn Records, row: Record) -> Result<Option<Record>, RecordsError> {
        Ok((!self.current || is_current(records, &row, &self.model).await?).then_some(row))
    }
}

/// As [`records::is_current`]; but whether a delete is the last word, or what people say of what is there now, is not
/// one model's to say.
async fn is_current(records: &dyn Records, row: &Record, model: &str) -> Result<bool, RecordsError> {
    if !model.is_empty() && model != HUMAN {
        return records::is_current(records, row, model).await;
    }
    let Some(newest) = records::newest(records, &row.bucket, &row.key).await? else { return Ok(false) };
    if model.is_empty() {
        return Ok(newest == *row);
    }
    Ok(newest.order == row.order && row.label.is_some() && label_by_people(records, row).await? == row.label)
}

/// Whose answers are shown to who names no model: the served one, else the asking process's own.
pub async fn served(records: &dyn Records, own: &str) -> Result<String, RecordsError> {
    Ok(records.served().await?.unwrap_or_else(|| own.to_owned()))
}

/// Every answer after a place, newest first. Only what is taken is read.
pub fn answers(
    records: &dyn Records,
    question: Question,
    after: Option<Cursor>,
) -> BoxStream<'_, Result<Record, RecordsError>> {
    let question = Arc::new(question);
    let fitting = Arc::clone(&question);
    log(records, question.listing(FIRST_READ, after))
        .try_filter(move |row| ready(fitting.fits(row)))
        .map_ok(move |row| {
            let question = Arc::clone(&question);
            async move { question.answered_by(records, row).await }
        })
        .try_buffered(LOOKS_AT_ONCE)
        .try_filter_map(|row| ready(Ok(row)))
        .boxed()
}

/// Every row of a log from `listing.after` on. Reads more at a time the more are taken.
fn log(records: &dyn Records, listing: Listing) -> impl Stream<Item = Result<Record, RecordsError>> + Send {
    let pages = stream::try_unfold(Some(listing), move |listing| async move {
        let Some(listing) = listing else { return Ok(None) };
        let page = records.list(&listing).await?;
        let limit = (listing.limit * 2).min(MOST_READ);
        let rest = page.next.map(|next| Listing { after: Some(next), limit, ..listing });
        Ok(Some((stream::iter(page.records.into_iter().map(Ok)), rest)))
    });
    pages.try_flatten()
}

/// At most `limit` answers (at least one) after a place. There may be more if the page says where to go on, even if
/// it has fewer than `limit` or none: it reads at most 10,000 rows or so.
pub async fn page(
    records: &dyn Records,
    question: &Question,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Page, RecordsError> {
    let limit = limit.max(1);
    let first = if question.is_a_log() { limit } else { limit.max(FIRST_READ) };
    let mut listing = question.listing(first, after);
    let mut answers = Vec::new();
    let mut left = MOST_A_PAGE;
    loop {
        let read = records.list(&listing).await?;
        left = left.saturating_sub(read.records.len());
        let last = read.records.last().map(Cursor::of);
        let fitting = read.records.into_iter().filter(|row| question.fits(row));
        let mut looked_at = stream::iter(fitting).map(|row| question.answered_by(records, row)).buffered(LOOKS_AT_ONCE);
        while let Some(answer) = looked_at.try_next().await? {
            answers.extend(answer);
            if answers.len() == limit {
                // What is left of the rows that were read is read again.
                let here = answers.last().map(Cursor::of);
                let next = if here == last { read.next } else { here };
                return Ok(Page { records: answers, next });
            }
        }
        if read.next.is_none() || left == 0 {
            return Ok(Page { records: answers, next: read.next });
        }
        let limit = (listing.limit * 2).min(MOST_READ).min(left);
        listing = Listing { after: read.next, limit, ..listing };
    }
}
