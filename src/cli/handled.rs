//! What became of each object, as it happens: the lines of `serve`, `worker` and `backfill`.

use time::OffsetDateTime;

use super::output::{line, note, short_row, visible};
use crate::event::ObjectEvent;
use crate::function::Answer;
use crate::pipeline::{Handled, Outcome, Steps};

/// One line an object on stdout.
pub(super) fn print(answer: &Answer) {
    for (event, handled) in &answer.objects {
        print_one(event, handled);
    }
    if let (Err(error), true) = (&answer.body, answer.objects.is_empty()) {
        note(&format!("spotter: {error}"));
    }
}

pub(super) fn print_one(event: &ObjectEvent, Handled { outcome, steps, .. }: &Handled) {
    let told = match outcome {
        Outcome::Recorded(record) => format!("{}  {}", short_row(record).join("  "), took(steps)),
        Outcome::Superseded(why) => format!("superseded: {why}"),
        Outcome::Ignored(why) => format!("s3://{}/{}  ignored: {why}", event.bucket, event.key),
        Outcome::Retry(why) => format!("s3://{}/{}  will be tried again: {why}", event.bucket, event.key),
    };
    let now = OffsetDateTime::now_utc();
    // The terminal may be gone; the work goes on.
    let time = format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second());
    let _ = line(&format!("{time}  {}", visible(&told)));
}

fn took(steps: &Steps) -> String {
    let Steps { fetch, decode, classify, write, tell } = *steps;
    let classify = decode + classify; // for people the same
    let whole = (fetch + classify + write + tell).as_secs_f64() * 1e3;
    let [fetch, classify, write, tell] = [fetch, classify, write, tell].map(|step| step.as_secs_f64() * 1e3);
    let told = if tell >= 0.05 { format!(", tell {tell:.1}") } else { String::new() };
    format!("{whole:.0} ms (fetch {fetch:.1}, classify {classify:.1}, write {write:.1}{told})")
}
