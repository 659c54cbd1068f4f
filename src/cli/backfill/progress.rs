//! How far a backfill is: a bar where stderr is a terminal, else a line now and then.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::Tally;
use crate::backfill::{Backfill, Scope};
use crate::cli::failure::Failure;
use crate::cli::output::note;
use crate::encoding::grouped;

/// Between looks at how far it is.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// Between lines.
const PAUSE: Duration = Duration::from_secs(10);
/// A run that is over sooner is not worth the requests that say how long it will take.
const COUNT_AFTER: Duration = Duration::from_secs(5);
/// Objects that are counted, a request a thousand; how long more of them take is not said.
const MOST_COUNTED: u64 = 1_000_000;
/// The rate is that of the last minute.
const MARKS: usize = 120;

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    said_at: Instant,
    total: Option<u64>,
    /// How many were looked at when, oldest first.
    marks: VecDeque<(Instant, u64)>,
}

impl Progress {
    pub(super) fn new(scope: &Scope) -> Progress {
        let total = match scope {
            Scope::Keys(keys) => Some(keys.len() as u64),
            _ => None,
        };
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            bar.set_style(style(total.is_some()));
            bar
        });
        Progress { bar, said_at: Instant::now(), total, marks: VecDeque::new() }
    }

    /// Something else is written: above the bar.
    pub(super) fn line(&self, write: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    pub(super) fn count(&mut self, total: Option<u64>) {
        self.total = total;
        if let (Some(bar), Some(total)) = (&self.bar, total) {
            bar.set_length(total);
            bar.set_style(style(true));
        }
    }

    pub(super) fn show(&mut self, tally: &Tally, at_once: usize) {
        self.marks.push_back((Instant::now(), tally.looked));
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
        let text = self.text(tally, at_once);
        match &self.bar {
            Some(bar) => {
                bar.set_position(tally.looked);
                bar.set_message(text);
            }
            None if self.said_at.elapsed() >= PAUSE => {
                self.said_at = Instant::now();
                note(&text);
            }
            None => {}
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn text(&self, tally: &Tally, at_once: usize) -> String {
        let of = self.total.map_or(String::new(), |total| format!(" of {}", grouped(total)));
        let looked = format!("{}{of} looked at", grouped(tally.looked));
        let mut text = format!("{looked} · {} recorded · {} failed", grouped(tally.recorded), grouped(tally.failed));
        if let Some(rate) = self.rate() {
            text += &format!(" · {}/s, {at_once} at once", grouped(rate.round() as u64));
            let left = self.total.map(|total| total.saturating_sub(tally.looked) as f64 / rate);
            text += &left.map_or(String::new(), |left| format!(" · {} left", duration(left)));
        }
        text
    }

    /// Objects a second.
    fn rate(&self) -> Option<f64> {
        let ((from, before), (to, now)) = (self.marks.front()?, self.marks.back()?);
        let seconds = to.duration_since(*from).as_secs_f64();
        (seconds > 0.0 && now > before).then(|| (now - before) as f64 / seconds)
    }
}

/// How many objects there are to look at, where somebody waits long enough to care; `None` where it is not found out.
pub(super) async fn count(backfill: &Backfill, after: Option<String>) -> Option<u64> {
    tokio::time::sleep(COUNT_AFTER).await;
    // That the bucket cannot be listed is said by who needs the listing.
    backfill.count(after, MOST_COUNTED).await.ok().flatten()
}

fn style(has_total: bool) -> ProgressStyle {
    let template = if has_total { "{bar:24} {percent:>3} %  {msg}" } else { "{spinner} {msg}" };
    // A template that is wrong, which a test would find, is no reason to stop.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Of seconds: `50 s`, `7 min`, `3 h 20 min`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rate_of_the_last_minute() {
        let mut progress = Progress { bar: None, said_at: Instant::now(), total: None, marks: VecDeque::new() };
        let mut tally = Tally::default();
        tally.looked = 50;
        assert_eq!(progress.text(&tally, 4), "50 looked at · 0 recorded · 0 failed");
        let start = Instant::now();
        progress.marks.extend([(start, 0), (start + Duration::from_secs(10), 2_000)]);
        tally.looked = 2_000;
        assert!(progress.text(&tally, 4).ends_with("0 failed · 200/s, 4 at once"));
        progress.count(Some(100_000));
        let text = progress.text(&tally, 4);
        assert!(text.starts_with("2,000 of 100,000 looked at") && text.ends_with("4 at once · 8 min left"), "{text}");
    }

    #[test]
    fn times_are_short() {
        for (seconds, text) in [(0.4, "0 s"), (59.0, "59 s"), (420.0, "7 min"), (12_000.0, "3 h 20 min")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn the_templates_are_right() {
        for template in ["{bar:24} {percent:>3} %  {msg}", "{spinner} {msg}"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
