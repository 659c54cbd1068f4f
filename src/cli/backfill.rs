//! `spotter backfill`: records what is in a bucket and not in the records.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::TryStreamExt;
use serde::Serialize;

use super::failure::Failure;
use super::filter::FilterArgs;
use super::object_url::PrefixUrl;
use super::output::{Format, FormatArgs, csv, line, note, visible};
use super::signals::Signals;
use super::{handled, home};
use crate::backfill::{self, Gap, Seen, Unfinished};
use crate::config::Settings;
use crate::function::TIME_LIMIT;
use crate::objects::S3Objects;
use crate::pipeline::{Outcome, Pipeline};
use crate::telemetry;

const CSV_COLUMNS: [&str; 5] = ["gap", "bucket", "key", "etag", "size"];
const ORPHANED: &str = "orphaned";
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// An object whose record is of the same content is left alone, so an interrupted run goes on where it was.
/// Exit code 1 if an object could not be recorded.
#[derive(Debug, Args)]
pub(super) struct Backfill {
    /// s3://bucket or s3://bucket/prefix
    place: PrefixUrl,
    /// Say what is missing, stale or orphaned, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Again after so long, as in 1m, until Ctrl-C: for stores without events
    #[arg(long, value_parser = pause, value_name = "TIME", conflicts_with = "dry_run")]
    every: Option<Duration>,
    /// Objects that are under way at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    format: FormatArgs,
}

fn pause(text: &str) -> Result<Duration, String> {
    match home::duration(text)? {
        pause if pause < SHORTEST_PAUSE => Err("use 1s or longer".into()),
        pause => Ok(pause),
    }
}

/// One round in figures.
#[derive(Debug, Default)]
struct Tally {
    listed: u64,
    missing: u64,
    stale: u64,
    orphaned: u64,
    recorded: u64,
    superseded: u64,
    failed: u64,
}

impl Backfill {
    pub(super) async fn run(self, mut settings: Settings) -> Result<(), Failure> {
        self.filter.replace(&mut settings.filter);
        let objects = Arc::new(S3Objects::connect(&settings.s3).await);
        let (records, model) = (home::records(&settings)?, home::model(&settings)?);
        let PrefixUrl { bucket, prefix } = self.place.clone();
        let backfill = backfill::Backfill {
            objects: objects.clone(),
            records: records.clone(),
            model: model.id(),
            bucket,
            prefix,
            filter: settings.filter.clone(),
            concurrency: usize::from(self.concurrency),
            unfinished: Unfinished::default(),
        };
        let pipeline = home::pipeline(&settings, objects, records, model);
        let mut signals = Signals::new()?;
        loop {
            let started = Instant::now();
            let mut tally = Tally::default();
            let ended = tokio::select! {
                ended = self.round(&backfill, &pipeline, &mut tally) => Some(ended),
                () = signals.next() => None,
            };
            // Nothing listed because listing failed is no answer.
            let failed_at_once = matches!(ended, Some(Err(_))) && tally.listed == 0;
            if !failed_at_once && !matches!(ended, Some(Err(Failure::ClosedPipe))) {
                self.summarize(&tally, started.elapsed())?;
            }
            let Some(every) = self.every else { return ended_once(ended, &tally) };
            match ended {
                None => return Ok(()),
                Some(Err(Failure::ClosedPipe)) => return Err(Failure::ClosedPipe),
                // The next round may do better.
                Some(Err(failure)) => drop(failure.report()),
                Some(Ok(())) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = signals.next() => return Ok(()),
            }
        }
    }

    async fn round(
        &self,
        backfill: &backfill::Backfill,
        pipeline: &Pipeline,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        backfill.records.available().await?;
        if self.dry_run { self.report(backfill, tally).await } else { fill(backfill, pipeline, tally).await }
    }

    async fn report(&self, backfill: &backfill::Backfill, tally: &mut Tally) -> Result<(), Failure> {
        let format = self.format.chosen();
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

    fn summarize(&self, tally: &Tally, took: Duration) -> Result<(), Failure> {
        let summary = format!("{}  {:.1} s", tally.figures(self.dry_run).join(" · "), took.as_secs_f64());
        // Beside data for a program it is a remark.
        if self.dry_run && self.format.chosen() != Format::Table {
            note(&summary);
            return Ok(());
        }
        line(&summary)
    }
}

async fn fill(backfill: &backfill::Backfill, pipeline: &Pipeline, tally: &mut Tally) -> Result<(), Failure> {
    let mut filled = backfill.fill(pipeline, TIME_LIMIT);
    while let Some(object) = filled.try_next().await? {
        tally.list(object.handled.as_ref().map(|(gap, ..)| *gap));
        let Some((_, event, handled)) = &object.handled else { continue };
        telemetry::outcome(event, handled);
        match &handled.outcome {
            Outcome::Recorded(_) => tally.recorded += 1,
            Outcome::Superseded(_) => tally.superseded += 1,
            Outcome::Ignored(_) => {}
            Outcome::Retry(why) => {
                tally.failed += 1;
                note(&format!("s3://{}/{}  failed: {why}", event.bucket, event.key));
                continue;
            }
        }
        handled::print_one(event, handled);
    }
    Ok(())
}

/// Of a run without `--every`; `None` is an interrupted one.
fn ended_once(ended: Option<Result<(), Failure>>, tally: &Tally) -> Result<(), Failure> {
    match ended {
        None => Err(Failure::Failed("interrupted; run it again to go on from here".into())),
        Some(Ok(())) if tally.failed > 0 => Err(Failure::Said),
        Some(ended) => ended,
    }
}

impl Tally {
    fn list(&mut self, gap: Option<Gap>) {
        self.listed += 1;
        match gap {
            Some(Gap::Missing) => self.missing += 1,
            Some(Gap::Stale) => self.stale += 1,
            None => {}
        }
    }

    fn figures(&self, dry_run: bool) -> Vec<String> {
        let figure = |count: u64, what: &str| format!("{} {what}", grouped(count));
        let mut figures =
            vec![figure(self.listed, "listed"), figure(self.missing, "missing"), figure(self.stale, "stale")];
        if dry_run {
            figures.push(figure(self.orphaned, ORPHANED));
            return figures;
        }
        figures.push(figure(self.recorded, "recorded"));
        if self.superseded > 0 {
            figures.push(figure(self.superseded, "gone meanwhile"));
        }
        figures.push(figure(self.failed, "failed"));
        figures
    }
}

/// `1,204`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What differs, for `--dry-run`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_204, "1,204"), (1_000_000, "1,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_round_must_not_be_a_busy_loop() {
        assert_eq!(pause("1m"), Ok(Duration::from_secs(60)));
        assert!(pause("0").unwrap_err().contains("1s or longer"));
        assert!(pause("999ms").is_err());
    }
}
