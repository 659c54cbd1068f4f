//! `--dry-run`: what differs, and nothing done about it.

use futures_util::TryStreamExt;
use serde::Serialize;

use super::tally::Tally;
use super::{End, Run};
use crate::backfill::{Backfill, Seen};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, csv, line, visible};

const CSV_COLUMNS: [&str; 5] = ["gap", "bucket", "key", "etag", "size"];
pub(super) const ORPHANED: &str = "orphaned";

/// A signal ends it at once: nothing is under way.
pub(super) async fn report(run: &mut Run, format: Format, tally: &mut Tally) -> Result<End, Failure> {
    tokio::select! {
        reported = all(&run.backfill, format, tally) => reported.map(|()| End::Whole),
        () = run.signals.next() => Ok(End::Aborted),
    }
}

async fn all(backfill: &Backfill, format: Format, tally: &mut Tally) -> Result<(), Failure> {
    if format == Format::Csv {
        line(&CSV_COLUMNS.join(","))?;
    }
    let mut seen = Seen::default();
    let mut checked = backfill.check();
    while let Some(object) = checked.try_next().await? {
        let listed = object.listed;
        seen.add(&backfill.bucket, &listed.key);
        tally.list(object.gap);
        if let Some(gap) = object.gap {
            let (etag, size) = (listed.etag.as_deref(), Some(listed.size));
            Line { gap: gap.as_str(), bucket: &backfill.bucket, key: &listed.key, etag, size }.print(format)?;
        }
    }
    let seen = seen.sorted();
    let mut orphans = backfill.orphans(&seen);
    while let Some(row) = orphans.try_next().await? {
        tally.orphaned += 1;
        let (etag, size) = (row.etag.as_deref(), row.size);
        Line { gap: ORPHANED, bucket: &row.bucket, key: &row.key, etag, size }.print(format)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Line<'a> {
    gap: &'a str,
    bucket: &'a str,
    key: &'a str,
    /// Of the object that is there, or of the row whose object is not.
    etag: Option<&'a str>,
    size: Option<u64>,
}

impl Line<'_> {
    /// As it is found: a table would have to know the longest of a million keys.
    fn print(&self, format: Format) -> Result<(), Failure> {
        match format {
            Format::Table => line(&visible(&format!("{:8}  s3://{}/{}", self.gap, self.bucket, self.key))),
            Format::Json => line(&serde_json::to_string(self)?),
            Format::Csv => line(&csv(self, &CSV_COLUMNS)?),
        }
    }
}
