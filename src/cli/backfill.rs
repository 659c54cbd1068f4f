//! `spotter backfill`: records what is in a bucket and not in the records.

mod bookmark;
mod delete;
mod keys;
mod left;
mod pass;
mod progress;
mod report;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use self::bookmark::Bookmark;
use self::delete::Suspects;
use self::keys::Failures;
use self::left::Left;
use self::pass::pass;
use self::tally::Tally;
use super::failure::Failure;
use super::filter::FilterArgs;
use super::object_url::PrefixUrl;
use super::output::{Format, FormatArgs, line, note};
use super::signals::Signals;
use super::{home, times};
use crate::backfill::{self, Pace, Scope, Wanted};
use crate::config::Settings;
use crate::objects::S3Objects;
use crate::pipeline::Pipeline;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// An object whose record is of the same content is left alone, so an interrupted run goes on where it was.
/// Exit code 1 if an object could not be recorded.
#[derive(Debug, Args)]
pub(super) struct Backfill {
    /// s3://bucket or s3://bucket/prefix
    place: PrefixUrl,
    /// Say what is missing, stale or orphaned, and change nothing
    #[arg(long, conflicts_with_all = ["rescan", "keys", "delete", "failures"])]
    dry_run: bool,
    /// Every object, whether or not it has a record
    #[arg(long, conflicts_with = "keys")]
    rescan: bool,
    /// Only these objects, whether or not they have records: JSON lines with "key", as --failures and
    /// --dry-run --json write them; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "every")]
    keys: Option<PathBuf>,
    /// Look at everything, although a run before this was interrupted
    #[arg(long)]
    from_start: bool,
    /// In the end, record as deleted what has a record and is gone; with --keys, of those keys
    #[arg(long)]
    delete: bool,
    /// Do not ask before --delete
    #[arg(long, requires = "delete")]
    yes: bool,
    /// Write what could not be recorded to this file, as JSON lines with the reason
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
    /// Again after so long, as in 1m, until Ctrl-C: for stores without events
    #[arg(long, value_parser = |text: &str| times::pause(text, SHORTEST_PAUSE), value_name = "TIME", conflicts_with = "dry_run")]
    every: Option<Duration>,
    /// The most objects that are under way at once; as many are as the store and the database bear
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    concurrency: u16,
    /// No line an object
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// How a round ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// What was under way was finished.
    Stopped,
    /// It was not.
    Aborted,
}

/// What the rounds of a run share.
struct Run {
    backfill: backfill::Backfill,
    pipeline: Pipeline,
    signals: Signals,
    failures: Failures,
    bookmark: Bookmark,
    left: Left,
}

impl Backfill {
    pub(super) async fn run(self, mut settings: Settings) -> Result<(), Failure> {
        self.filter.replace(&mut settings.filter);
        if self.delete && !self.yes {
            delete::somebody_answers()?;
        }
        let keys = keys::read(self.keys.as_deref(), self.failures.as_deref(), &self.place)?;
        let mut run = self.start(&settings).await?;
        let mut scope = self.scope(keys);
        loop {
            let started = Instant::now();
            let mut tally = Tally::new(&scope);
            let ended = self.round(&mut run, scope, &mut tally).await;
            // Nothing listed because listing failed is no answer.
            let failed_at_once = ended.is_err() && tally.looked == 0;
            if !failed_at_once && !matches!(ended, Err(Failure::ClosedPipe)) {
                self.summarize(&tally, started.elapsed())?;
            }
            let Some(every) = self.every else { return self.ended_once(&run, ended, &tally) };
            match ended {
                Ok(End::Stopped | End::Aborted) => return Ok(()),
                Err(Failure::ClosedPipe) => return Err(Failure::ClosedPipe),
                // The next round may do better.
                Err(failure) => drop(failure.report()),
                Ok(End::Whole) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = run.signals.next() => return Ok(()),
            }
            scope = self.scope(None);
        }
    }

    async fn start(&self, settings: &Settings) -> Result<Run, Failure> {
        let objects = Arc::new(S3Objects::connect(&settings.s3).await);
        let (records, model) = (home::records(settings)?, home::model(settings).await?);
        let PrefixUrl { bucket, prefix } = self.place.clone();
        let bookmark = Bookmark::of(settings, &self.place, &model.id())?;
        let backfill = backfill::Backfill {
            objects: objects.clone(),
            records: records.clone(),
            model: model.id(),
            bucket,
            prefix,
            filter: settings.filter.clone(),
            pace: Pace::new(usize::from(self.concurrency)),
        };
        let pipeline = home::pipeline(settings, objects, records, model);
        let failures = Failures::to(self.failures.clone())?;
        let left = Left::new(self.every.is_some());
        Ok(Run { backfill, pipeline, signals: Signals::new()?, failures, bookmark, left })
    }

    fn scope(&self, keys: Option<Vec<Wanted>>) -> Scope {
        match keys {
            Some(keys) => Scope::Keys(keys),
            None if self.rescan => Scope::Everything,
            None => Scope::Gaps { after: None },
        }
    }

    async fn round(&self, run: &mut Run, scope: Scope, tally: &mut Tally) -> Result<End, Failure> {
        run.backfill.records.available().await?;
        if self.dry_run {
            return report::report(run, self.format.chosen(), tally).await;
        }
        let ended = self.mend(run, scope, tally).await;
        if self.every.is_some() {
            tally.leave(run.left.count());
        }
        ended
    }

    async fn mend(&self, run: &mut Run, mut scope: Scope, tally: &mut Tally) -> Result<End, Failure> {
        if run.left.count() > 0 {
            run.failures.hold();
            let mut again = Tally::default();
            let ended = self.again(run, &mut again).await;
            tally.add(again);
            let ended = ended?;
            if ended != End::Whole {
                return Ok(ended);
            }
        }
        run.failures.begin()?;
        // Orphans are what a whole listing has not shown.
        if let (Scope::Gaps { after }, false, false) = (&mut scope, self.from_start, self.delete) {
            *after = run.bookmark.resume(&run.backfill).await?;
        }
        let mut suspects = if self.delete { Suspects::of(&scope) } else { Suspects::Nothing };
        let ended = pass(run, scope, tally, &mut suspects, self.quiet).await?;
        if ended != End::Whole {
            return Ok(ended);
        }
        delete::delete(run, suspects, !self.yes, self.quiet, tally).await
    }

    /// What the round before left.
    async fn again(&self, run: &mut Run, tally: &mut Tally) -> Result<End, Failure> {
        let objects = Scope::Keys(run.left.objects.wanted());
        let ended = pass(run, objects, tally, &mut Suspects::Nothing, self.quiet).await?;
        if ended != End::Whole {
            return Ok(ended);
        }
        let absences = run.left.absences.all();
        delete::forget(run, absences, self.quiet, tally).await
    }

    fn summarize(&self, tally: &Tally, took: Duration) -> Result<(), Failure> {
        let summary = tally.summary(self.dry_run, took);
        // Beside data for a program it is a remark.
        if self.dry_run && self.format.chosen() != Format::Table {
            note(&summary);
            return Ok(());
        }
        line(&summary)
    }

    /// Of a run without `--every`.
    fn ended_once(&self, run: &Run, ended: Result<End, Failure>, tally: &Tally) -> Result<(), Failure> {
        match ended? {
            End::Stopped | End::Aborted => Err(Failure::Failed(match run.bookmark.place() {
                Some(place) if !self.rescan => format!("interrupted; the same command goes on after {place}"),
                _ => "interrupted".into(),
            })),
            End::Whole if tally.failed == 0 => Ok(()),
            End::Whole => {
                note(match self.failures {
                    Some(_) => "what failed is in the file that --failures names; --keys takes it",
                    None => "--failures FILE keeps what failed, --keys FILE tries it again",
                });
                Err(Failure::Said)
            }
        }
    }
}
