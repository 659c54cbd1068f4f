//! How far one object has come, and what it took.

use std::time::{Duration, Instant};

use super::Outcome;
use crate::event::{ObjectEvent, Timestamp};
use crate::objects::FetchError;
use crate::records::RecordsError;

/// An outcome and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Handled {
    pub outcome: Outcome,
    pub steps: Steps,
    /// What was done last; of a retry, what failed or was still being done.
    pub stage: Stage,
    /// Of a retry: the bucket or the records did not answer in time, or said that they cannot keep up.
    pub overloaded: bool,
    /// When it came to that. For logs and metrics: no record knows of it.
    pub ended: Timestamp,
}

/// How long each step took; zero where it was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Steps {
    pub fetch: Duration,
    /// And preprocessing, up to the model's input.
    pub decode: Duration,
    /// The model.
    pub classify: Duration,
    pub write: Duration,
    /// Tags and telling others.
    pub tell: Duration,
}

/// What is being done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Turn,
    Known,
    Memory,
    Fetch,
    Head,
    Classify,
    Write,
    Tell,
}

impl Stage {
    fn in_words(self) -> &'static str {
        match self {
            Stage::Turn => "waiting for its turn",
            Stage::Known => "reading what is known of it",
            Stage::Memory => "waiting for memory",
            Stage::Fetch => "fetching it",
            Stage::Head => "asking for it",
            Stage::Classify => "classifying it",
            Stage::Write => "writing its record",
            Stage::Tell => "telling of its record",
        }
    }
}

pub(super) struct Way {
    pub(super) deadline: Instant,
    pub(super) stage: Stage,
    pub(super) steps: Steps,
    overloaded: bool,
}

impl Way {
    pub(super) fn until(deadline: Instant) -> Way {
        Way { deadline, stage: Stage::Turn, steps: Steps::default(), overloaded: false }
    }

    /// `None` is an outcome that did not come in time.
    pub(super) fn end(self, event: &ObjectEvent, outcome: Option<Outcome>) -> Handled {
        let Way { stage, steps, .. } = self;
        let overloaded = self.overloaded || outcome.is_none();
        let outcome = outcome.unwrap_or_else(|| {
            let ObjectEvent { bucket, key, .. } = event;
            Outcome::Retry(format!("s3://{bucket}/{key}: the time was up while still {}", stage.in_words()))
        });
        Handled { outcome, steps, stage, overloaded, ended: Timestamp::now() }
    }

    pub(super) fn refused(&mut self, error: &FetchError) -> Outcome {
        self.overloaded = matches!(error, FetchError::Overloaded(_));
        Outcome::Retry(error.to_string())
    }

    pub(super) fn unrecorded(&mut self, error: &RecordsError) -> Outcome {
        self.overloaded = matches!(error, RecordsError::Unavailable(_));
        Outcome::Retry(error.to_string())
    }
}
