//! Each gap through the pipeline.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::pace::Turn;
use super::{Backfill, BackfillError, FIRST_PAUSE, Gap, LONGEST_PAUSE, jittered};
use crate::event::ObjectEvent;
use crate::objects::Listed;
use crate::pipeline::{Handled, Outcome, Pipeline};

/// Attempts at an object, for what may pass. An overload does not count: it is waited out until the deadline.
const TRIES: u32 = 3;

/// What one round is about.
#[derive(Debug, Clone)]
pub struct Round {
    pub scope: Scope,
    /// How long an object may take, all attempts together.
    pub limit: Duration,
}

#[derive(Debug, Clone)]
pub enum Scope {
    /// What is listed behind the key `after`, and is missing or stale in the records.
    Gaps { after: Option<String> },
    /// What is listed, whatever the records say of it.
    Everything,
    /// These objects, whatever the records say of them.
    Keys(Vec<Wanted>),
}

/// An object that is asked for by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub key: String,
    /// So that not more memory is kept free for it than it needs.
    pub size: Option<u64>,
}

/// An object and what was done about it.
#[derive(Debug)]
pub struct Filled {
    /// Its place among those of the round, from 0; they end in another order.
    pub nth: u64,
    pub key: String,
    pub gap: Option<Gap>,
    pub retried: bool,
    /// `None` where the records are right.
    pub handled: Option<(ObjectEvent, Handled)>,
}

/// An object of a round, before it is looked at.
enum Candidate {
    Compare(Listed),
    Take(Wanted),
}

impl Backfill {
    /// The objects of a round, as they are done. Once `stop` is there, those under way are finished and no more begun.
    pub fn fill<'a>(
        &'a self,
        pipeline: &'a Pipeline,
        round: Round,
        stop: BoxFuture<'a, ()>,
    ) -> BoxStream<'a, Result<Filled, BackfillError>> {
        let limit = round.limit;
        let candidates = self.candidates(round.scope).enumerate();
        // What is taken waits for its turn; where the run is stopped then, it was not begun.
        let begun =
            candidates.then(move |(nth, candidate)| async move { Ok((nth, candidate?, self.pace.turn().await)) });
        let filled = begun.take_until(stop).map_ok(move |(nth, candidate, turn)| async move {
            let filled = match candidate {
                Candidate::Compare(listed) => self.compare(pipeline, listed, limit).await?,
                Candidate::Take(wanted) => self.take(pipeline, wanted, limit).await,
            };
            end(turn, &filled);
            Ok(Filled { nth: nth as u64, ..filled.filled })
        });
        filled.try_buffer_unordered(self.pace.ceiling()).boxed()
    }

    fn candidates(&self, scope: Scope) -> BoxStream<'_, Result<Candidate, BackfillError>> {
        match scope {
            Scope::Gaps { after } => self.listed(after).map_ok(Candidate::Compare).boxed(),
            Scope::Everything => self.listed(None).map_ok(|listed| Candidate::Take(wanted(listed))).boxed(),
            Scope::Keys(keys) => stream::iter(keys).map(|wanted| Ok(Candidate::Take(wanted))).boxed(),
        }
    }

    async fn compare(&self, pipeline: &Pipeline, listed: Listed, limit: Duration) -> Result<Looked, BackfillError> {
        let read = self.read(&listed).await?;
        let Some(gap) = read.gap else {
            let filled = Filled { nth: 0, key: listed.key, gap: None, retried: false, handled: None };
            return Ok(Looked { filled, overloaded: read.overloaded });
        };
        let event = self.observation(&listed.key, Some(listed.size));
        let (observed, latest) = (&event, &read.latest);
        let tried = tried(limit, |tries, deadline| async move {
            match tries {
                0 => pipeline.observe(observed, latest, deadline).await,
                // By now the rows are of before.
                _ => pipeline.handle(observed, deadline).await,
            }
        });
        let looked = tried.await.looked(Some(gap), event);
        Ok(Looked { overloaded: looked.overloaded || read.overloaded, ..looked })
    }

    async fn take(&self, pipeline: &Pipeline, wanted: Wanted, limit: Duration) -> Looked {
        let event = self.observation(&wanted.key, wanted.size);
        let taken = &event;
        let tried = tried(limit, |_, deadline| async move { pipeline.handle(taken, deadline).await });
        tried.await.looked(None, event)
    }

    /// Records of each key that its object is gone, if it is.
    pub fn forget<'a>(
        &'a self,
        pipeline: &'a Pipeline,
        keys: Vec<String>,
        limit: Duration,
        stop: BoxFuture<'a, ()>,
    ) -> BoxStream<'a, Filled> {
        let keys = stream::iter(keys);
        let begun = keys.then(move |key| async move { (key, self.pace.turn().await) }).take_until(stop);
        let forgotten = begun.map(move |(key, turn)| async move {
            let event = self.observation(&key, None);
            let missed = &event;
            let tried = tried(limit, |_, deadline| async move { pipeline.miss(missed, deadline).await });
            let looked = tried.await.looked(None, event);
            end(turn, &looked);
            looked.filled
        });
        forgotten.buffer_unordered(self.pace.ceiling()).boxed()
    }
}

/// What was done about an object, and whether it was too much at once.
struct Looked {
    filled: Filled,
    overloaded: bool,
}

fn end(turn: Option<Turn<'_>>, looked: &Looked) {
    let Some(turn) = turn else { return };
    let waited = looked.filled.handled.as_ref().map(|(_, Handled { steps, .. })| steps.fetch + steps.write);
    turn.end(waited, looked.overloaded);
}

/// An outcome after several attempts.
struct Tried {
    handled: Handled,
    retried: bool,
    /// In any of them.
    overloaded: bool,
}

impl Tried {
    fn looked(self, gap: Option<Gap>, event: ObjectEvent) -> Looked {
        let Tried { handled, retried, overloaded } = self;
        let filled = Filled { nth: 0, key: event.key.clone(), gap, retried, handled: Some((event, handled)) };
        Looked { filled, overloaded }
    }
}

/// One deadline for all attempts: the records' home tries again by itself until then, and what it gave up then is not
/// begun anew.
async fn tried<F: Future<Output = Handled>>(limit: Duration, attempt: impl Fn(u32, Instant) -> F) -> Tried {
    let deadline = Instant::now() + limit;
    let mut overloaded = false;
    let mut tries = 0;
    let mut longest = FIRST_PAUSE;
    loop {
        let handled = attempt(tries, deadline).await;
        overloaded |= handled.overloaded;
        tries += 1;
        longest = (longest * 2).min(LONGEST_PAUSE);
        let pause = jittered(longest);
        let may_pass = matches!(handled.outcome, Outcome::Retry(_)) && (tries < TRIES || handled.overloaded);
        if !may_pass || Instant::now() + pause >= deadline {
            return Tried { handled, retried: tries > 1, overloaded };
        }
        tokio::time::sleep(pause).await;
    }
}

fn wanted(listed: Listed) -> Wanted {
    Wanted { key: listed.key, size: Some(listed.size) }
}
