//! One line an object: what became of it, what it took, and by which call it came.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::event::ObjectEvent;
use crate::pipeline::{Handled, Outcome, Steps};
use crate::record::{Order, Status};

/// What a line says of the call beside the event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Of the invocation.
    pub request_id: Option<&'a str>,
    /// X-Ray's header of the invocation, or the trace's id alone.
    /// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
    pub trace_id: Option<&'a str>,
    /// How often the event came, this time included.
    pub attempt: Option<u32>,
}

/// The share of what went well that is logged, 0 to 1. It is the same for each attempt at one change of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample(f64);

impl Default for Sample {
    fn default() -> Sample {
        Sample(1.0)
    }
}

impl Sample {
    /// `None` if it is no share.
    pub fn parse(text: &str) -> Option<Sample> {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Sample)
    }

    fn takes(self, event: &ObjectEvent, seq: &str) -> bool {
        if self == Sample::default() {
            return true;
        }
        let digest = Sha256::new().chain_update(&event.bucket).chain_update([0u8]).chain_update(&event.key);
        let digest = digest.chain_update([0u8]).chain_update(seq).finalize();
        let chance = digest[..8].iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
        (chance as f64) < self.0 * 2f64.powi(64)
    }
}

/// Nobody looks for what went as it should.
fn went_well(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Recorded(record) => !matches!(record.status, Status::Unsure | Status::Rejected),
        Outcome::Ignored(_) => true,
        Outcome::Superseded(_) | Outcome::Retry(_) => false,
    }
}

/// One line about one object's outcome. Failures, rejections and doubts are never left out.
pub fn outcome(event: &ObjectEvent, handled: &Handled, context: Context<'_>, logged: Sample) {
    let seq = Order::of(event).seq;
    let sampled = went_well(&handled.outcome);
    if sampled && !logged.takes(event, &seq) {
        return;
    }
    let (record, why) = match &handled.outcome {
        Outcome::Recorded(record) => (Some(record), record.why.as_str()),
        Outcome::Superseded(why) | Outcome::Retry(why) => (None, why.as_str()),
        Outcome::Ignored(why) => (None, *why),
    };
    let Steps { fetch, decode, classify, write, tell } = handled.steps;
    let [fetch_ms, decode_ms, classify_ms, write_ms, tell_ms] = [fetch, decode, classify, write, tell].map(ms);
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                bucket = event.bucket.as_str(),
                key = event.key.as_str(),
                seq,
                attempt = context.attempt,
                request_id = context.request_id,
                trace_id = context.trace_id.map(root),
                event_trace_id = event.trace_id.as_deref().map(root),
                outcome = handled.outcome.name(),
                status = record.map(|record| record.status.as_str()),
                reason = record.and_then(|record| record.reason).map(|reason| reason.as_str()),
                label = record.and_then(|record| record.label.as_deref()),
                confidence = record.and_then(|record| record.confidence).map(four_places),
                model = record.map(|record| record.model.as_str()).filter(|model| !model.is_empty()),
                why = (!why.is_empty()).then_some(why),
                fetch_ms,
                decode_ms,
                classify_ms,
                write_ms,
                tell_ms,
                sample = (sampled && logged != Sample::default()).then_some(logged.0),
            )
        };
    }
    match handled.outcome {
        Outcome::Recorded(_) | Outcome::Ignored(_) => line!(tracing::Level::INFO),
        Outcome::Superseded(_) => line!(tracing::Level::WARN),
        Outcome::Retry(_) => line!(tracing::Level::ERROR),
    }
}

/// The trace's id in X-Ray's header, by which traces are looked up; other ids are what they are.
fn root(header: &str) -> &str {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root=")).unwrap_or(header)
}

/// `None` of a step that was not taken.
fn ms(step: Duration) -> Option<f64> {
    (!step.is_zero()).then(|| (step.as_secs_f64() * 1e6).round() / 1e3)
}

/// As records have it, without what single precision makes of it.
fn four_places(confidence: f32) -> f64 {
    (f64::from(confidence) * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;
    use crate::event::Change;

    #[test]
    fn a_share_is_a_share_of_objects_and_the_same_at_each_attempt() {
        for bad in ["-0.1", "1.1", "NaN", "inf", "half", ""] {
            assert_eq!(Sample::parse(bad), None, "{bad}");
        }
        let event = |at: usize| ObjectEvent {
            bucket: "b".into(),
            key: format!("{at}.png"),
            change: Change::Created,
            version_id: None,
            etag: None,
            size: None,
            sequencer: None,
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        };
        let taken = |share: &str| {
            let share = Sample::parse(share).unwrap();
            (0..10_000).filter(|at| share.takes(&event(*at), "0A")).collect::<Vec<_>>()
        };
        assert_eq!((taken("0").len(), taken("1").len()), (0, 10_000));
        let (tenth, fifth) = (taken("0.1"), taken("0.2"));
        assert!((900..1_100).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, taken("0.1"));
        assert!(tenth.iter().all(|at| fifth.contains(at)), "a larger share has what a smaller one has");
    }

    #[test]
    fn a_trace_is_looked_up_by_its_root() {
        assert_eq!(
            root("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"),
            "1-5759e988-bd862e3fe1be46a994272793"
        );
        assert_eq!(root("Self=1-a; Root=1-b"), "1-b");
        assert_eq!(root("C3D13FE58DE4C810"), "C3D13FE58DE4C810");
    }
}
