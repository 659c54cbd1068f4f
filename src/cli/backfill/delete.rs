//! `--delete`: what has a record and is gone is recorded as deleted, once somebody has agreed.

use std::io::{self, IsTerminal};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::oneshot;

use super::report::ORPHANED;
use super::tally::Tally;
use super::{End, Run};
use crate::backfill::Seen;
use crate::cli::failure::Failure;
use crate::cli::handled;
use crate::cli::output::{line, note, visible};
use crate::encoding::grouped;
use crate::function::TIME_LIMIT;
use crate::pipeline::Outcome;
use crate::telemetry;

/// Orphans that are shown before the question.
const SHOWN: usize = 10;

/// A run of hours must not find out at its end that nobody is there.
pub(super) fn somebody_answers() -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage("--delete asks before it writes, and nobody can answer here: add --yes".into()))
}

pub(super) async fn delete(
    run: &mut Run,
    seen: &Seen,
    ask: bool,
    quiet: bool,
    tally: &mut Tally,
) -> Result<End, Failure> {
    let Run { backfill, pipeline, signals, failures, .. } = run;
    let mut keys: Vec<String> = tokio::select! {
        keys = backfill.orphans(seen).map_ok(|row| row.key).try_collect() => keys?,
        () = signals.next() => return Ok(End::Aborted),
    };
    keys.sort_unstable();
    keys.dedup();
    tally.orphaned = keys.len() as u64;
    if keys.is_empty() {
        return Ok(End::Whole);
    }
    if ask {
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
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let mut forgotten = backfill.forget(pipeline, keys, TIME_LIMIT, stopped.map(drop).boxed());
    loop {
        tokio::select! {
            object = forgotten.next() => {
                let Some(object) = object else { break };
                let Some((event, handled)) = &object.handled else { continue };
                telemetry::outcome(event, handled);
                match tally.outcome(&object) {
                    Some(why) => {
                        note(&format!("s3://{}/{}  failed: {why}", event.bucket, event.key));
                        failures.add(event, why)?;
                    }
                    None if quiet || matches!(handled.outcome, Outcome::Ignored(_)) => {}
                    None => handled::print_one(event, handled),
                }
            }
            () = signals.next() => match stop.take() {
                Some(stop) => drop(stop.send(())),
                None => return Ok(End::Aborted),
            },
        }
    }
    Ok(if stop.is_some() { End::Whole } else { End::Stopped })
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
