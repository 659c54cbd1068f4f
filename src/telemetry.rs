//! Logs: one line an object. JSON where a machine reads them, pretty on a terminal.

use std::io::{self, IsTerminal, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::util::SubscriberInitExt;

use crate::encoding::{visible, visible_json};
use crate::event::ObjectEvent;
use crate::pipeline::{Handled, Outcome, Steps};
use crate::record::Order;

/// What `RUST_LOG` is when it is not set. What the driver of Cassandra (`scylla`) has to say is in our own errors, and
/// a failed attempt is none yet.
const DEFAULT_LEVELS: &str = "warn,spotter=info,scylla=off";

/// JSON lines on stdout, where Lambda collects them. Call once.
pub fn to_json() {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_LEVELS.into());
    // A second call finds the first one's subscriber and leaves it.
    let _ = json(levels, io::stdout).try_init();
}

/// Lines for people on stderr, few unless `RUST_LOG` says more: commands say themselves what became of objects, and
/// what the endpoint refuses is told to whom it refuses it. Call once.
pub fn to_terminal(colours: bool) {
    let levels = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "error,spotter=warn,s3s=off,scylla=off,spotter::telemetry=off".into());
    let colours = colours && io::stderr().is_terminal();
    let _ = lines(levels, colours, io::stderr).try_init();
}

fn json<W: Write + 'static>(
    levels: EnvFilter,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(levels);
    lines.with_writer(move || Escaped(to())).finish()
}

/// A stranger's text is in fields, never in a message's format: of both, each stays on its line.
fn lines<W: Write + 'static>(
    levels: EnvFilter,
    colours: bool,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let fields = debug_fn(|to, field, value| match (field.name(), visible(&format!("{value:?}"))) {
        ("message", value) => write!(to, "{value}"),
        (name, value) => write!(to, "{name}={value}"),
    });
    tracing_subscriber::fmt()
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(fields.delimited(" "))
        .with_env_filter(levels)
        .with_writer(to)
        .finish()
}

/// JSON's own escapes leave out what turns the direction of text, and the control characters above ASCII.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible_json(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use std::sync::{Arc, Mutex};

    use super::*;

    /// What a stranger may have put into a key, and a log reader would take for more than text.
    const HOSTILE: &str =
        "a\n2026-11-21 ERROR forged\r\u{1b}[2J\u{1b}]0;x\u{7}\u{85}\u{9b}31m\u{202e}\u{2028}\u{2066}\u{7f}\u{0}七";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// One line in each way that a field can be recorded.
    fn log(subscriber: impl Subscriber + Send + Sync) -> usize {
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(HOSTILE);
            let span = tracing::error_span!("of", key = HOSTILE, shown = %HOSTILE);
            let _entered = span.enter();
            tracing::error!(key = HOSTILE, "text");
            tracing::error!(%error, "shown");
            tracing::error!(?error, "debugged");
            tracing::error!(error = &error as &dyn std::error::Error, "an error");
            tracing::error!("in the message: {HOSTILE}");
            tracing::error!(keys = ?[HOSTILE, HOSTILE], outcome = %format!("{HOSTILE:?}"));
        });
        6
    }

    fn is_text(c: char) -> bool {
        c == '\n' || !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    #[test]
    fn strangers_text_stays_on_its_line_of_json() {
        let kept = Kept::default();
        let to = kept.clone();
        let lines = log(json("trace".into(), move || to.clone()));
        let text = kept.text();
        assert!(text.chars().all(is_text), "{text:?}");
        assert_eq!(text.lines().count(), lines);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["key"], HOSTILE, "and is the same text");
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    }

    #[test]
    fn strangers_text_stays_on_its_line_on_a_terminal() {
        for colours in [false, true] {
            let kept = Kept::default();
            let to = kept.clone();
            let count = log(lines("trace".into(), colours, move || to.clone()));
            let text = kept.text();
            assert_eq!(text.lines().count(), count, "{text:?}");
            // The colours are ours: digits, and no other of a terminal's commands.
            let plain =
                text.split("\u{1b}[").map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
            let plain: String = if colours { plain.collect() } else { text.clone() };
            assert!(plain.chars().all(is_text) && text.contains('七'), "{text:?}");
            assert!(!text.contains("\u{1b}[2J") && !text.contains("\u{1b}]"), "{text:?}");
        }
    }
}
