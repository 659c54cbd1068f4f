//! Logs: one line an object. JSON where a machine reads them, pretty on a terminal. No text in them is without bound.

mod outcome;

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use serde_json::Value;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::util::SubscriberInitExt;

pub use self::outcome::{Context, Sample, outcome};
use crate::encoding::{visible, visible_json};

/// What `RUST_LOG` is when it is not set. What the driver of Cassandra (`scylla`) has to say is in our own errors, and
/// a failed attempt is none yet.
pub(crate) const DEFAULT_LEVELS: &str = "warn,spotter=info,scylla=off";

/// Bytes of one text in a line: a key, which has 1,024 at most, and some words. Errors may repeat what others say.
const LONGEST_TEXT: usize = 2_048;

/// How a terminal's lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// For people; few, unless `RUST_LOG` says more: commands say themselves what became of objects.
    Pretty { colours: bool },
    /// For whoever collects them; with what became of objects.
    Json,
}

/// JSON lines on stdout, where Lambda collects them. Call once.
pub fn to_json() {
    // A second call finds the first one's subscriber and leaves it.
    let _ = json(levels(DEFAULT_LEVELS), io::stdout).try_init();
}

/// Lines on stderr. What the endpoint refuses is told to whom it refuses it. Call once.
pub fn to_terminal(lines: Lines) {
    let _ = match lines {
        Lines::Json => json(levels(&format!("{DEFAULT_LEVELS},s3s=off")), io::stderr).try_init(),
        Lines::Pretty { colours } => {
            let levels = levels("error,spotter=warn,s3s=off,scylla=off,spotter::telemetry=off");
            pretty(levels, colours && io::stderr().is_terminal(), io::stderr).try_init()
        }
    };
}

fn levels(default: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into())
}

fn json<W: Write + 'static>(
    levels: EnvFilter,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(levels);
    lines.with_writer(move || Escaped(to())).finish()
}

/// A stranger's text is in fields, never in a message's format: of both, each stays on its line.
fn pretty<W: Write + 'static>(
    levels: EnvFilter,
    colours: bool,
    to: impl Fn() -> W + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let fields = debug_fn(|to, field, value| match (field.name(), visible(&shortened(&format!("{value:?}")))) {
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

fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_TEXT {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(LONGEST_TEXT)]))
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = shortened(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// A line that is too short to have a long text in it stays as it is.
fn bounded(line: &str) -> Cow<'_, str> {
    if line.len() <= LONGEST_TEXT {
        return Cow::Borrowed(line);
    }
    let Ok(mut value) = serde_json::from_str(line) else { return shortened(line) };
    shorten(&mut value);
    Cow::Owned(format!("{value}\n"))
}

/// JSON's own escapes leave out what turns the direction of text, and the control characters above ASCII.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    /// Gets a whole line at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible_json(&bounded(&String::from_utf8_lossy(bytes))).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A line of its own on stdout, whatever the levels are: CloudWatch makes metrics of it.
pub fn measured(line: String) {
    // Whole, so that no other line comes between.
    let _ = io::stdout().write_all((line + "\n").as_bytes());
}

/// One line about what keeps a process from doing its work, where nobody but the log may be told.
pub fn misconfigured(why: &str) {
    tracing::error!(outcome = "misconfigured", why);
}

/// One line about a model that cannot be had, now or ever.
pub fn no_model(why: &str) {
    tracing::error!(outcome = "no_model", why);
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
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["key"], HOSTILE, "and is the same text");
        assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    }

    #[test]
    fn strangers_text_stays_on_its_line_on_a_terminal() {
        for colours in [false, true] {
            let kept = Kept::default();
            let to = kept.clone();
            let count = log(pretty("trace".into(), colours, move || to.clone()));
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

    /// A bucket's or a database's error repeats whatever it likes; a key is whole.
    #[test]
    fn no_text_is_without_bound() {
        let (key, why) = ("\u{1b}".repeat(1_024), "é\u{202e}".repeat(100_000));
        let write = |subscriber: Box<dyn Subscriber + Send + Sync>| {
            tracing::subscriber::with_default(subscriber, || {
                let _entered = tracing::error_span!("of", why).entered();
                tracing::error!(key, why, "{why}");
            });
        };
        let kept = Kept::default();
        let to = kept.clone();
        write(Box::new(json("trace".into(), move || to.clone())));
        let line: Value = serde_json::from_str(&kept.text()).unwrap();
        assert_eq!((&line["key"], kept.text().lines().count()), (&Value::from(key.clone()), 1));
        assert!(kept.text().len() < 8 * 5 * LONGEST_TEXT, "{}", kept.text().len());
        for text in [&line["why"], &line["message"], &line["span"]["why"]] {
            let text = text.as_str().unwrap();
            assert!(text.ends_with('…') && text.len() < LONGEST_TEXT + 4 && text.starts_with("é\u{202e}é"), "{text:?}");
        }
        let kept = Kept::default();
        let to = kept.clone();
        write(Box::new(pretty("trace".into(), false, move || to.clone())));
        assert!(kept.text().len() < 8 * 5 * LONGEST_TEXT, "{}", kept.text().len());
        assert!(kept.text().contains(r"\u{1b}\u{1b}") && !kept.text().contains('\u{1b}'), "{}", kept.text());
    }
}
