//! `spotter watch`: records as they come.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::home;
use super::output::{FormatArgs, Printer, note};
use super::question::QuestionArgs;
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
/// changes. Until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    question: QuestionArgs,
    /// So many records that are there already
    #[arg(long, short = 'n', default_value_t = 10)]
    limit: usize,
    /// Look again after so long
    #[arg(long, value_parser = pause, value_name = "TIME", default_value = "2s")]
    every: Duration,
    #[command(flatten)]
    format: FormatArgs,
}

fn pause(text: &str) -> Result<Duration, String> {
    match home::duration(text)? {
        pause if pause < SHORTEST_PAUSE => Err("use 100ms or longer".into()),
        pause => Ok(pause),
    }
}

impl Watch {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let question = self.question.question(PeriodArgs { since: None, until: None }, settings)?;
        let mut printer = Printer::new(self.format.chosen())?;
        let mut signals = Signals::new()?;
        let mut known = Known::default();
        let watched = async {
            let first = first(&*records, &question, self.limit, &mut known).await?;
            print(&mut printer, first)?;
            let mut away = false;
            loop {
                tokio::time::sleep(self.every).await;
                match known.look(&*records, &question, times::now()).await {
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
    let mut newest = known.look(records, question, times::now()).await?;
    let last = newest.last().map(Cursor::of);
    newest.truncate(limit);
    let older = ask::answers(records, question.clone(), last).take(limit - newest.len());
    newest.extend(older.try_collect::<Vec<Record>>().await?);
    Ok(newest)
}

/// The rows that were there at the last look, as digests: 16 bytes each, and no more than came in in [`LATE`].
#[derive(Default)]
struct Known(HashSet<[u8; 16]>);

impl Known {
    /// What is new since the last look, newest first.
    async fn look(
        &mut self,
        records: &dyn Records,
        question: &Question,
        now: Timestamp,
    ) -> Result<Vec<Record>, RecordsError> {
        let since = Timestamp(now.0.saturating_sub_unsigned(LATE.as_millis() as u64));
        let mut rows = ask::answers(records, Question { since: Some(since), ..question.clone() }, None);
        let (mut there, mut fresh) = (HashSet::new(), Vec::new());
        while let Some(row) = rows.try_next().await? {
            let digest = digest(&row);
            if !self.0.contains(&digest) && there.insert(digest) {
                fresh.push(row);
            } else {
                there.insert(digest);
            }
        }
        self.0 = there;
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
