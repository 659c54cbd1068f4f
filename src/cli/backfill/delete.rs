//! `--delete`: what has a record and is gone is recorded as deleted, once somebody has agreed.

use std::io::{self, IsTerminal};

use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use super::pass::{Stop, tell};
use super::report::ORPHANED;
use super::tally::Tally;
use super::{End, Run};
use crate::backfill::{Backfill, Filled, Scope, Seen};
use crate::cli::failure::Failure;
use crate::cli::output::{line, note, visible};
use crate::encoding::grouped;
use crate::function::TIME_LIMIT;
use crate::pipeline::Outcome;
use crate::records;

/// Orphans that are shown before the question.
const SHOWN: usize = 10;

/// A run of hours must not find out at its end that nobody is there.
pub(super) fn somebody_answers() -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage("--delete asks before it writes, and nobody can answer here: add --yes".into()))
}

/// What may be gone, as far as a pass has seen.
pub(super) enum Suspects {
    /// Nobody wants to know.
    Nothing,
    /// What has a record and is not among these, of a whole listing.
    Unlisted(Seen),
    /// Of the keys that were named.
    Missed(Vec<String>),
}

impl Suspects {
    pub(super) fn of(scope: &Scope) -> Suspects {
        match scope {
            Scope::Keys(_) => Suspects::Missed(Vec::new()),
            Scope::Gaps { .. } | Scope::Everything => Suspects::Unlisted(Seen::default()),
        }
    }

    pub(super) fn look(&mut self, bucket: &str, object: &Filled) {
        let outcome = object.handled.as_ref().map(|(_, handled)| &handled.outcome);
        match (self, outcome) {
            (Suspects::Unlisted(seen), _) => seen.add(bucket, &object.key),
            (Suspects::Missed(keys), Some(Outcome::Superseded(_))) => keys.push(object.key.clone()),
            _ => {}
        }
    }

    /// In order, each once.
    async fn orphans(self, backfill: &Backfill) -> Result<Vec<String>, Failure> {
        let mut keys = match self {
            Suspects::Nothing => Vec::new(),
            Suspects::Unlisted(seen) => {
                let seen = seen.sorted();
                backfill.orphans(&seen).map_ok(|row| row.key).try_collect().await?
            }
            Suspects::Missed(keys) => {
                let mut known = Vec::new();
                for key in keys {
                    if records::newest(&*backfill.records, &backfill.bucket, &key).await?.is_some() {
                        known.push(key);
                    }
                }
                known
            }
        };
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

pub(super) async fn delete(
    run: &mut Run,
    suspects: Suspects,
    ask: bool,
    quiet: bool,
    tally: &mut Tally,
) -> Result<End, Failure> {
    let Run { backfill, signals, .. } = run;
    let keys = tokio::select! {
        keys = suspects.orphans(backfill) => keys?,
        () = signals.next() => return Ok(End::Aborted),
    };
    tally.orphaned = keys.len() as u64;
    if ask && !keys.is_empty() {
        for key in keys.iter().take(SHOWN) {
            line(&visible(&format!("{ORPHANED:8}  s3://{}/{key}", backfill.bucket)))?;
        }
        let question =
            format!("{} objects have a record and are gone. Record them as deleted? [y/N]", grouped(tally.orphaned));
        let agreed = tokio::select! {
            answer = answer(&question) => answer,
            () = signals.next() => return Ok(End::Aborted),
        };
        if !agreed {
            return Ok(End::Whole);
        }
    }
    forget(run, keys, quiet, tally).await
}

/// Records of each key that its object is gone, if it is, and tells it.
pub(super) async fn forget(run: &mut Run, keys: Vec<String>, quiet: bool, tally: &mut Tally) -> Result<End, Failure> {
    let Run { backfill, pipeline, signals, failures, left, .. } = run;
    let (mut stop, stopped) = Stop::new();
    let mut forgotten = backfill.forget(pipeline, keys, TIME_LIMIT, stopped);
    loop {
        tokio::select! {
            object = forgotten.next() => {
                let Some(object) = object else { break };
                let Some((event, handled)) = &object.handled else { continue };
                let why = tally.outcome(&object);
                tell(&object, quiet || matches!(handled.outcome, Outcome::Ignored(_)))?;
                if let Some(why) = why {
                    failures.add(event, why)?;
                }
                left.absences.ended(&object.key, why.is_some());
            }
            () = signals.next() => if !stop.send() {
                return Ok(End::Aborted);
            },
        }
    }
    Ok(if stop.was_sent() { End::Stopped } else { End::Whole })
}

/// On a thread of its own: the runtime would wait for one that reads at its end.
async fn answer(question: &str) -> bool {
    note(question);
    let (said, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let yes = matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
        let _ = said.send(read.is_ok() && yes);
    });
    answer.await.unwrap_or(false)
}
