//! One way through objects: each that is done is told, counted and remembered, until all are or it is ended.

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::TryStreamExt;
use tokio::sync::oneshot;

use super::bookmark::{Bookmark, LowWater};
use super::keys::Failures;
use super::progress::{Progress, TICK};
use super::tally::Tally;
use super::{End, Left, Run, Suspects};
use crate::backfill::{Backfill, Filled, Round, Scope};
use crate::cli::failure::Failure;
use crate::cli::handled;
use crate::cli::output::note;
use crate::function::TIME_LIMIT;
use crate::pipeline::Outcome;
use crate::telemetry::{self, Context, Sample};

/// What is under way, and whether it is to be the last.
pub(super) struct Stop(Option<oneshot::Sender<()>>);

impl Stop {
    /// The future is there once nothing more shall be begun.
    pub(super) fn new() -> (Stop, BoxFuture<'static, ()>) {
        let (stop, stopped) = oneshot::channel();
        let stopped = stopped.then(|sent| async move {
            // Who sends nothing and is gone stops nothing.
            if sent.is_err() {
                std::future::pending().await
            }
        });
        (Stop(Some(stop)), stopped.boxed())
    }

    /// Whether this is the first time.
    pub(super) fn send(&mut self) -> bool {
        // After the last was begun nobody hears it any more.
        self.0.take().map(|stop| stop.send(())).is_some()
    }

    pub(super) fn was_sent(&self) -> bool {
        self.0.is_none()
    }
}

/// What is known of a pass while it goes on.
struct Pass<'a> {
    backfill: &'a Backfill,
    failures: &'a mut Failures,
    bookmark: &'a mut Bookmark,
    left: &'a mut Left,
    tally: &'a mut Tally,
    suspects: &'a mut Suspects,
    progress: Progress,
    low_water: LowWater,
    stop: Stop,
    quiet: bool,
    /// Why the bucket or the records broke it off.
    broken: Option<Failure>,
    interrupted: bool,
}

/// The objects of `scope`, until they are done, the bucket or the records fail, or a signal comes: what is under way
/// then is finished, unless a signal comes after that.
pub(super) async fn pass(
    run: &mut Run,
    scope: Scope,
    tally: &mut Tally,
    suspects: &mut Suspects,
    quiet: bool,
) -> Result<End, Failure> {
    let Run { backfill, pipeline, signals, failures, bookmark, left } = run;
    let (backfill, counts) = (&*backfill, !matches!(scope, Scope::Keys(_)));
    let after = if let Scope::Gaps { after } = &scope { after.clone() } else { None };
    let mut counting = Box::pin(super::progress::count(backfill, after).fuse());
    let mut tick = tokio::time::interval(TICK);
    let (progress, low_water) = (Progress::new(&scope), LowWater::of(&scope));
    let (stop, stopped) = Stop::new();
    let (broken, interrupted) = (None, false);
    let mut pass = Pass {
        backfill,
        failures,
        bookmark,
        left,
        tally,
        suspects,
        progress,
        low_water,
        stop,
        quiet,
        broken,
        interrupted,
    };
    let mut filled = backfill.fill(pipeline, Round { scope, limit: TIME_LIMIT }, stopped);
    loop {
        tokio::select! {
            object = filled.try_next() => match object {
                Ok(Some(object)) => pass.done(object)?,
                Ok(None) => return pass.end(),
                Err(error) => pass.break_off(error.into()),
            },
            total = &mut counting, if counts => pass.progress.count(total),
            _ = tick.tick() => pass.progress.show(pass.tally, backfill.pace.limit()),
            () = signals.next() => if !pass.interrupt()? {
                return Ok(pass.abort());
            },
        }
    }
}

impl Pass<'_> {
    fn done(&mut self, object: Filled) -> Result<(), Failure> {
        self.suspects.look(&self.backfill.bucket, &object);
        let why = self.tally.count(&object);
        self.progress.line(|| tell(&object, self.quiet))?;
        self.low_water.ended(&object, why.is_some());
        self.bookmark.keep(&self.low_water);
        // Of a record that is right nobody knows whether it was told.
        let Some((event, _)) = &object.handled else { return Ok(()) };
        if let Some(why) = why {
            self.failures.add(event, why)?;
        }
        self.left.objects.ended(&object.key, why.is_some());
        Ok(())
    }

    /// What is under way may have its row, and nobody told of it. What else fails then is of the same.
    fn break_off(&mut self, why: Failure) {
        self.broken.get_or_insert(why);
        self.stop.send();
    }

    /// Whether what is under way is still to be finished.
    fn interrupt(&mut self) -> Result<bool, Failure> {
        if !self.stop.send() {
            return Ok(false);
        }
        self.interrupted = true;
        let say = || {
            note("finishing what is under way; again, and it ends at once");
            Ok(())
        };
        self.progress.line(say)?;
        Ok(true)
    }

    fn abort(self) -> End {
        self.broken.map(Failure::report);
        End::Aborted
    }

    fn end(self) -> Result<End, Failure> {
        self.progress.end();
        if !self.stop.was_sent() {
            self.bookmark.forget(&self.low_water);
            return Ok(End::Whole);
        }
        self.bookmark.keep_now(&self.low_water);
        match self.broken {
            Some(error) if !self.interrupted => Err(error),
            broken => {
                broken.map(Failure::report);
                Ok(End::Stopped)
            }
        }
    }
}

/// A line an object on stdout; on stderr, where it failed.
pub(super) fn tell(object: &Filled, quiet: bool) -> Result<(), Failure> {
    let Some((event, handled)) = &object.handled else { return Ok(()) };
    telemetry::outcome(event, handled, Context::default(), Sample::default());
    match &handled.outcome {
        Outcome::Retry(why) => note(&format!("s3://{}/{}  failed: {why}", event.bucket, event.key)),
        _ if quiet => {}
        _ => handled::print_one(event, handled),
    }
    Ok(())
}
