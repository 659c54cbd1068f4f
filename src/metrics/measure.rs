//! From one answer to what is measured.

use std::time::Duration;

use super::{
    AGE, CONFIDENCE, LABELS, Labels, Metric, OBJECTS, REASONS, RECORDS, REDELIVERIES, RETRIES, STEPS, UNREADABLE,
};
use crate::event::{Change, ObjectEvent};
use crate::function::Answer;
use crate::pipeline::{Handled, Outcome, Stage, Steps};
use crate::record::{Record, Status};

/// In the order of [`blamed`] and [`steps`].
pub(super) const BLAMED: [&str; 5] = ["bucket", "classifier", "database", "receiver", "waiting"];
pub(super) const STEP_NAMES: [&str; 5] = ["fetch", "decode", "classify", "write", "tell"];

/// Tells each measured value with the value of what the metric is counted by, which is empty where it is by nothing.
pub(super) fn measure(answer: &Answer, labels: &Labels, mut tell: impl FnMut(&'static Metric, &str, f64)) {
    for (event, handled) in &answer.objects {
        tell(&OBJECTS, handled.outcome.name(), 1.0);
        for (step, took) in steps(handled.steps) {
            tell(&STEPS, step, took.as_secs_f64());
        }
        match &handled.outcome {
            Outcome::Recorded(record) => {
                recorded(record, labels, &mut tell);
                if let Some(age) = age(event, handled) {
                    tell(&AGE, "", age);
                }
            }
            Outcome::Retry(_) => tell(&RETRIES, blamed(handled.stage), 1.0),
            Outcome::Superseded(_) | Outcome::Ignored(_) => {}
        }
    }
    for (metric, count) in [(&REDELIVERIES, answer.redelivered), (&UNREADABLE, answer.unreadable)] {
        if count > 0 {
            tell(metric, "", count as f64);
        }
    }
}

fn recorded(record: &Record, labels: &Labels, tell: &mut impl FnMut(&'static Metric, &str, f64)) {
    tell(&RECORDS, record.status.as_str(), 1.0);
    if let Some(reason) = record.reason {
        tell(&REASONS, reason.as_str(), 1.0);
    }
    if record.status == Status::Classified {
        for label in record.listed_under() {
            tell(&LABELS, labels.counted(label), 1.0);
        }
    }
    if let Some(confidence) = record.confidence {
        tell(&CONFIDENCE, "", f64::from(confidence));
    }
}

fn steps(Steps { fetch, decode, classify, write, tell }: Steps) -> impl Iterator<Item = (&'static str, Duration)> {
    STEP_NAMES.into_iter().zip([fetch, decode, classify, write, tell]).filter(|(_, took)| !took.is_zero())
}

/// Seconds. An observation is of no change, and clocks that differ make nothing younger than it is.
fn age(event: &ObjectEvent, handled: &Handled) -> Option<f64> {
    let changed = event.event_time.filter(|_| event.change != Change::Observed)?;
    Some(handled.ended.0.saturating_sub(changed.0).max(0) as f64 / 1e3)
}

/// What kept an object from its record.
fn blamed(stage: Stage) -> &'static str {
    let [bucket, classifier, database, receiver, waiting] = BLAMED;
    match stage {
        Stage::Fetch | Stage::Head => bucket,
        Stage::Classify => classifier,
        Stage::Known | Stage::Write => database,
        Stage::Tell => receiver,
        Stage::Turn | Stage::Memory => waiting,
    }
}
