//! `spotter backfill`: records what is in a bucket and not in the records.

mod bookmark;
mod delete;
mod keys;
mod progress;
mod report;
mod tally;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::{FutureExt, TryStreamExt};
use tokio::sync::oneshot;

use self::bookmark::{Bookmark, LowWater};
use self::keys::Failures;
use self::progress::Progress;
use self::tally::Tally;
use super::failure::Failure;
use super::filter::FilterArgs;
use super::object_url::PrefixUrl;
use super::output::{Format, FormatArgs, line, note};
use super::signals::Signals;
use super::{handled, home};
use crate::backfill::{self, Filled, Pace, Round, Scope, Seen, Wanted};
use crate::config::Settings;
use crate::function::TIME_LIMIT;
use crate::objects::S3Objects;
use crate::pipeline::{Outcome, Pipeline};
use crate::telemetry;

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// A run that is over sooner is not worth the requests that say how long it will take.
const COUNT_AFTER: Duration = Duration::from_secs(5);
/// Objects that are counted, a request a thousand; how long more of them take is not said.
const MOST_COUNTED: u64 = 1_000_000;
const TICK: Duration = Duration::from_millis(500);

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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["every", "delete"])]
    keys: Option<PathBuf>,
    /// Look at everything, although a run before this was interrupted
    #[arg(long)]
    from_start: bool,
    /// In the end, record as deleted what has a record and is gone
    #[arg(long)]
    delete: bool,
    /// Do not ask before --delete
    #[arg(long, requires = "delete")]
    yes: bool,
    /// Write what could not be recorded to this file, as JSON lines with the reason
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
    /// Again after so long, as in 1m, until Ctrl-C: for stores without events
    #[arg(long, value_parser = pause, value_name = "TIME", conflicts_with = "dry_run")]
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

fn pause(text: &str) -> Result<Duration, String> {
    match home::duration(text)? {
        pause if pause < SHORTEST_PAUSE => Err("use 1s or longer".into()),
        pause => Ok(pause),
    }
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
    /// With `--every`, keys that failed and are left to the next round: their rows may be there, while what follows a
    /// record (tags, telling others) is not done.
    failed: BTreeSet<String>,
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
        let (records, model) = (home::records(settings)?, home::model(settings)?);
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
        Ok(Run { backfill, pipeline, signals: Signals::new()?, failures, bookmark, failed: BTreeSet::new() })
    }

    fn scope(&self, keys: Option<Vec<Wanted>>) -> Scope {
        match keys {
            Some(keys) => Scope::Keys(keys),
            None if self.rescan => Scope::Everything,
            None => Scope::Gaps { after: None },
        }
    }

    async fn round(&self, run: &mut Run, mut scope: Scope, tally: &mut Tally) -> Result<End, Failure> {
        run.backfill.records.available().await?;
        if self.dry_run {
            return report::report(run, self.format.chosen(), tally).await;
        }
        if !run.failed.is_empty() {
            run.failures.hold();
            let keys = run.failed.iter().cloned().map(|key| Wanted { key, size: None }).collect();
            let mut again = Tally::default();
            let ended = self.pass(run, Scope::Keys(keys), &mut again, None).await;
            tally.add(again);
            tally.leave(run.failed.len());
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
        let mut seen = self.delete.then(Seen::default);
        let ended = self.pass(run, scope, tally, seen.as_mut()).await;
        if self.every.is_some() {
            tally.leave(run.failed.len());
        }
        let ended = ended?;
        match seen {
            Some(seen) if ended == End::Whole => {
                delete::delete(run, &seen.sorted(), !self.yes, self.quiet, tally).await
            }
            _ => Ok(ended),
        }
    }

    /// The objects of `scope`, until they are done, the bucket or the records fail, or a signal comes: what is under way
    /// then is finished, unless a signal comes after that.
    async fn pass(
        &self,
        run: &mut Run,
        scope: Scope,
        tally: &mut Tally,
        mut seen: Option<&mut Seen>,
    ) -> Result<End, Failure> {
        let Run { backfill, pipeline, signals, failures, bookmark, failed } = run;
        let mut progress = Progress::new(&scope);
        let mut low_water = LowWater::of(&scope);
        let after = if let Scope::Gaps { after } = &scope { after.clone() } else { None };
        let counts = !matches!(scope, Scope::Keys(_));
        let mut counting = Box::pin(count(backfill, after).fuse());
        let (stop, stopped) = oneshot::channel::<()>();
        let mut stop = Some(stop);
        // Who sends nothing and is gone stops nothing.
        let stopped = stopped
            .then(|sent| async move {
                if sent.is_err() {
                    std::future::pending().await
                }
            })
            .boxed();
        let mut filled = backfill.fill(pipeline, Round { scope, limit: TIME_LIMIT }, stopped);
        let (mut broken, mut interrupted) = (None::<Failure>, false);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                object = filled.try_next() => {
                    let object = match object {
                        Ok(Some(object)) => object,
                        Ok(None) => break,
                        // What is under way may have its row, and nobody told of it. What else fails then is of the same.
                        Err(error) => {
                            broken.get_or_insert(error.into());
                            stop.take().map(|stop| stop.send(()));
                            continue;
                        }
                    };
                    if let Some(seen) = &mut seen {
                        seen.add(&backfill.bucket, &object.key);
                    }
                    let why = tally.count(&object);
                    progress.line(|| self.tell(&object))?;
                    low_water.ended(&object, why.is_some());
                    bookmark.keep(&low_water);
                    match (why, &object.handled) {
                        (Some(why), Some((event, _))) => {
                            failures.add(event, why)?;
                            failed.extend(self.every.map(|_| object.key));
                        }
                        (None, Some(_)) => drop(failed.remove(&object.key)),
                        // Of a record that is right nobody knows whether it was told.
                        (_, None) => {}
                    }
                }
                total = &mut counting, if counts => progress.count(total),
                _ = tick.tick() => progress.show(tally, backfill.pace.limit()),
                () = signals.next() => match stop.take() {
                    None => {
                        broken.map(Failure::report);
                        return Ok(End::Aborted);
                    }
                    Some(stop) => {
                        interrupted = true;
                        let _ = stop.send(());
                        progress.line(|| { note("finishing what is under way; again, and it ends at once"); Ok(()) })?;
                    }
                },
            }
        }
        progress.end();
        if stop.is_some() {
            bookmark.forget(&low_water);
            return Ok(End::Whole);
        }
        bookmark.keep_now(&low_water);
        match broken {
            Some(error) if !interrupted => Err(error),
            broken => {
                broken.map(Failure::report);
                Ok(End::Stopped)
            }
        }
    }

    fn tell(&self, object: &Filled) -> Result<(), Failure> {
        let Some((event, handled)) = &object.handled else { return Ok(()) };
        telemetry::outcome(event, handled);
        match &handled.outcome {
            Outcome::Retry(why) => note(&format!("s3://{}/{}  failed: {why}", event.bucket, event.key)),
            _ if self.quiet => {}
            _ => handled::print_one(event, handled),
        }
        Ok(())
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

/// How many objects there are to look at, where somebody waits long enough to care; `None` where it is not found out.
async fn count(backfill: &backfill::Backfill, after: Option<String>) -> Option<u64> {
    tokio::time::sleep(COUNT_AFTER).await;
    // That the bucket cannot be listed is said by who needs the listing.
    backfill.count(after, MOST_COUNTED).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_must_not_be_a_busy_loop() {
        assert_eq!(pause("1m"), Ok(Duration::from_secs(60)));
        assert!(pause("0").unwrap_err().contains("1s or longer"));
        assert!(pause("999ms").is_err());
    }
}
