//! `spotter watch`: records as they come.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::home::{self, Asked};
use super::output::{FormatArgs, Printer, note, stdout_closed};
use super::question::{self, QuestionArgs};
use super::signals::Signals;
use super::times::{self, PeriodArgs};
use crate::ask::{self, Question};
use crate::config::{PROGRAM, Settings};
use crate::event::Timestamp;
use crate::record::Record;
use crate::records::{Cursor, Records, RecordsError};

/// How late a record may come and still be seen. Rows are ordered by their event, not by when they were written.
const LATE: Duration = Duration::from_secs(15 * 60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The newest records, then each that comes, also if it comes up to 15 minutes after its event, and again if it
/// changes. Follows `model switch`, unless --model names one. Until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    question: QuestionArgs,
    /// So many records that are there already
    #[arg(long, short = 'n', default_value_t = 10)]
    limit: usize,
    /// Look again after so long
    #[arg(long, value_parser = |text: &str| times::pause(text, SHORTEST_PAUSE), value_name = "TIME", default_value = "2s")]
    every: Duration,
    #[command(flatten)]
    format: FormatArgs,
}

impl Watch {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let Asked { id, unless_served, .. } = self.question.asked(settings, &*records).await?;
        let mut question = self.question.about(id, PeriodArgs { since: None, until: None })?;
        let mut printer = Printer::new(self.format.chosen())?;
        let mut signals = Signals::new()?;
        let mut known = Known::default();
        let watched = async {
            let first = first(&*records, &question, self.limit, &mut known).await?;
            if first.is_empty()
                && let Some(nothing) = question::nothing_of_the_bucket(&*records, &question).await?
            {
                note(&nothing);
            }
            print(&mut printer, first)?;
            let mut away = false;
            loop {
                tokio::time::sleep(self.every).await;
                match fresh(&*records, &mut question, unless_served.as_deref(), self.limit, &mut known).await {
                    Ok(fresh) => {
                        away = false;
                        print(&mut printer, fresh)?;
                    }
                    // It comes back, and what came meanwhile is shown then.
                    Err(RecordsError::Unavailable(why)) => {
                        if !away {
                            note(&format!("{PROGRAM}: {why}; still trying"));
                        }
                        away = true;
                    }
                    Err(broken) => return Err(broken.into()),
                }
            }
        };
        tokio::select! {
            ended = watched => ended,
            () = signals.next() => Ok(()),
            // Who has enough may go long before there is something to write.
            () = stdout_closed() => Err(Failure::ClosedPipe),
        }
    }
}

/// Oldest first, as they would have come.
fn print(printer: &mut Printer, newest_first: Vec<Record>) -> Result<(), Failure> {
    newest_first.iter().rev().try_for_each(|row| printer.record(row))?;
    printer.flush()
}

/// The newest `limit` answers; all that may come again is known from then on.
async fn first(
    records: &dyn Records,
    question: &Question,
    limit: usize,
    known: &mut Known,
) -> Result<Vec<Record>, RecordsError> {
    let mut newest = known.look(records, question, Timestamp::now(), limit).await?;
    let last = newest.last().map(Cursor::of);
    let older = ask::answers(records, question.clone(), last).take(limit - newest.len());
    newest.extend(older.try_collect::<Vec<Record>>().await?);
    Ok(newest)
}

/// What is new; where another model is shown by now, its newest, as at the beginning.
async fn fresh(
    records: &dyn Records,
    question: &mut Question,
    unless_served: Option<&str>,
    limit: usize,
    known: &mut Known,
) -> Result<Vec<Record>, RecordsError> {
    if let Some(own) = unless_served {
        let model = ask::served(records, own).await?;
        if model != question.model {
            let (switched, mut anew) = (Question { model, ..question.clone() }, Known::default());
            let newest = first(records, &switched, limit, &mut anew).await?;
            note(&format!("{} is shown from now on", switched.model));
            (*question, *known) = (switched, anew);
            return Ok(newest);
        }
    }
    known.look(records, question, Timestamp::now(), usize::MAX).await
}

/// What the last look that succeeded found.
#[derive(Default)]
struct Known {
    /// Digests, 16 bytes a row: of what came in in [`LATE`] before the look before, and since.
    rows: HashSet<[u8; 16]>,
    looked: Option<Timestamp>,
}

impl Known {
    /// What is new since the last look, the newest `most` of it, newest first. The rest is known from then on as well.
    async fn look(
        &mut self,
        records: &dyn Records,
        question: &Question,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<Record>, RecordsError> {
        let since = Timestamp(self.looked.unwrap_or(now).0.saturating_sub_unsigned(LATE.as_millis() as u64));
        let mut rows = ask::answers(records, Question { since: Some(since), ..question.clone() }, None);
        let (mut there, mut fresh) = (HashSet::new(), Vec::new());
        while let Some(row) = rows.try_next().await? {
            let digest = digest(&row);
            let first = there.insert(digest);
            if first && !self.rows.contains(&digest) && fresh.len() < most {
                fresh.push(row);
            }
        }
        *self = Known { rows: there, looked: Some(now) };
        Ok(fresh)
    }
}

/// Of the row's place and all its content.
fn digest(row: &Record) -> [u8; 16] {
    let digest = Sha256::digest(format!("{row:?}"));
    let mut start = [0; 16];
    start.copy_from_slice(&digest[..16]);
    start
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use std::time::Instant;

    use super::*;
    use crate::record::{Order, Status};
    use crate::records::embedded::Embedded;

    const HOUR: i64 = 3_600_000;
    const MODEL: &str = "digits/2";

    fn seen(key: &str, at: Timestamp) -> Record {
        Record {
            bucket: "pictures".into(),
            key: key.into(),
            order: Order { seq: String::new(), event_time: at, version: String::new() },
            model: MODEL.into(),
            status: Status::Classified,
            reason: None,
            why: String::new(),
            label: Some("7".into()),
            confidence: Some(0.9),
            top: Vec::new(),
            dimensions: None,
            size: None,
            content_type: None,
            etag: None,
            version_id: None,
            seen: Vec::new(),
        }
    }

    async fn write(home: &Embedded, key: &str, at: Timestamp) {
        home.write(&seen(key, at), Instant::now() + Duration::from_secs(60)).await.unwrap();
    }

    fn keys(rows: Vec<Record>) -> Vec<String> {
        rows.into_iter().map(|row| row.key).collect()
    }

    fn question() -> Question {
        Question { model: MODEL.into(), ..Question::default() }
    }

    #[tokio::test]
    async fn however_long_ago_the_last_look_was_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
        let mut known = Known::default();
        let noon = Timestamp(1_795_226_400_000);
        let later = |hours: i64| Timestamp(noon.0 + hours * HOUR);
        write(&home, "before", Timestamp(noon.0 - 60_000)).await;
        assert_eq!(keys(known.look(&home, &question(), noon, usize::MAX).await.unwrap()), ["before"]);
        write(&home, "late", Timestamp(noon.0 - 120_000)).await;
        write(&home, "meanwhile", Timestamp(noon.0 + 60_000)).await;
        let fresh = known.look(&home, &question(), later(5), usize::MAX).await.unwrap();
        assert_eq!(keys(fresh), ["meanwhile", "late"]);
        for hours in [5, 6] {
            assert!(known.look(&home, &question(), later(hours), usize::MAX).await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn what_the_first_look_leaves_out_is_known_too() {
        let folder = tempfile::tempdir().unwrap();
        let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
        let now = Timestamp::now();
        for (key, ago) in [("a", 1), ("b", 2), ("c", 3), ("d", 24 * HOUR), ("e", 25 * HOUR)] {
            write(&home, key, Timestamp(now.0 - ago)).await;
        }
        for (limit, expected) in [(0, ""), (2, "ab"), (3, "abc"), (4, "abcd"), (9, "abcde")] {
            let mut known = Known::default();
            let shown = keys(first(&home, &question(), limit, &mut known).await.unwrap());
            assert_eq!(shown.concat(), expected, "{limit}");
            let fresh = known.look(&home, &question(), Timestamp::now(), usize::MAX).await.unwrap();
            assert!(fresh.is_empty(), "{limit}");
        }
    }
}
