//! Logs: one line an object. JSON where a machine reads them, pretty on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::event::ObjectEvent;
use crate::pipeline::{Handled, Outcome, Steps};
use crate::record::Order;

/// What `RUST_LOG` is when it is not set. What the driver of Cassandra (`scylla`) has to say is in our own errors, and
/// a failed attempt is none yet.
const DEFAULT_LEVELS: &str = "warn,spotter=info,scylla=off";

/// JSON lines on stdout, where Lambda collects them. Call once.
pub fn to_json() {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_LEVELS.into());
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(levels);
    // A second call finds the first one's subscriber and leaves it.
    let _ = subscriber.try_init();
}

/// Lines for people on stderr, few unless `RUST_LOG` says more: commands say themselves what became of objects, and
/// what the endpoint refuses is told to whom it refuses it. Call once.
pub fn to_terminal(colours: bool) {
    let levels = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "error,spotter=warn,s3s=off,scylla=off,spotter::telemetry=off".into());
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours && std::io::stderr().is_terminal())
        .with_target(false)
        .with_env_filter(levels);
    let _ = subscriber.try_init();
}

/// One line about what keeps a process from doing its work, where nobody but the log may be told.
pub fn misconfigured(why: &str) {
    tracing::error!(outcome = "misconfigured", why);
}

/// One line about a model that cannot be had, now or ever.
pub fn no_model(why: &str) {
    tracing::error!(outcome = "no_model", why);
}

/// One line about one object's outcome.
pub fn outcome(event: &ObjectEvent, handled: &Handled) {
    let (bucket, key, seq) = (event.bucket.as_str(), event.key.as_str(), Order::of(event).seq);
    let trace_id = event.trace_id.as_deref();
    let Steps { fetch, classify, write, tell } = handled.steps;
    let [fetch_ms, classify_ms, write_ms, tell_ms] =
        [fetch, classify, write, tell].map(|step| step.as_secs_f64() * 1e3);
    match &handled.outcome {
        Outcome::Recorded(record) => tracing::info!(
            bucket,
            key,
            seq,
            trace_id,
            outcome = "recorded",
            status = record.status.as_str(),
            label = record.label.as_deref(),
            confidence = record.confidence.map(|confidence| (f64::from(confidence) * 1e4).round() / 1e4),
            model = record.model,
            why = record.why,
            fetch_ms,
            classify_ms,
            write_ms,
            tell_ms,
        ),
        Outcome::Superseded(why) => tracing::warn!(bucket, key, seq, trace_id, outcome = "superseded", why),
        Outcome::Ignored(why) => tracing::info!(bucket, key, seq, trace_id, outcome = "ignored", why),
        Outcome::Retry(why) => tracing::error!(bucket, key, seq, trace_id, outcome = "retry", why),
    }
}
