//! One round in figures.

use std::time::Duration;

use crate::backfill::{Filled, Gap, Scope};
use crate::encoding::grouped;
use crate::pipeline::Outcome;
use crate::record::Status;

#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Records are compared before anything is done.
    compares: bool,
    /// Keys were given, nothing was listed.
    named: bool,
    pub(super) looked: u64,
    missing: u64,
    stale: u64,
    pub(super) orphaned: u64,
    pub(super) deleted: u64,
    pub(super) recorded: u64,
    rejected: u64,
    retried: u64,
    superseded: u64,
    pub(super) failed: u64,
}

impl Tally {
    pub(super) fn new(scope: &Scope) -> Tally {
        let (compares, named) = (matches!(scope, Scope::Gaps { .. }), matches!(scope, Scope::Keys(_)));
        Tally { compares, named, ..Tally::default() }
    }

    pub(super) fn list(&mut self, gap: Option<Gap>) {
        self.looked += 1;
        match gap {
            Some(Gap::Missing) => self.missing += 1,
            Some(Gap::Stale) => self.stale += 1,
            None => {}
        }
    }

    /// Why the object failed, if it did.
    pub(super) fn count<'a>(&mut self, object: &'a Filled) -> Option<&'a str> {
        self.list(object.gap);
        self.outcome(object)
    }

    pub(super) fn outcome<'a>(&mut self, object: &'a Filled) -> Option<&'a str> {
        let (_, handled) = object.handled.as_ref()?;
        self.retried += u64::from(object.retried);
        match &handled.outcome {
            Outcome::Recorded(record) if record.status == Status::Deleted => self.deleted += 1,
            Outcome::Recorded(record) => {
                self.recorded += 1;
                self.rejected += u64::from(record.status == Status::Rejected);
            }
            Outcome::Superseded(_) => self.superseded += 1,
            Outcome::Ignored(_) => {}
            Outcome::Retry(why) => {
                self.failed += 1;
                return Some(why);
            }
        }
        None
    }

    /// What was done again of the round before; what failed again is among those that [`Tally::leave`] counts.
    pub(super) fn add(&mut self, again: Tally) {
        self.recorded += again.recorded;
        self.rejected += again.rejected;
        self.retried += again.retried;
        self.superseded += again.superseded;
        self.deleted += again.deleted;
    }

    /// So many are left to the next round, of whichever round they are.
    pub(super) fn leave(&mut self, failed: usize) {
        self.failed = failed as u64;
    }

    pub(super) fn summary(&self, dry_run: bool, took: Duration) -> String {
        let mut summary = format!("{}  {:.1} s", self.figures(dry_run).join(" · "), took.as_secs_f64());
        // Of a few objects it says nothing.
        if took >= Duration::from_secs(1) {
            summary += &format!(" · {}/s", grouped((self.looked as f64 / took.as_secs_f64()).round() as u64));
        }
        summary
    }

    fn figures(&self, dry_run: bool) -> Vec<String> {
        let figure = |count: u64, what: &str| format!("{} {what}", grouped(count));
        let mut figures = vec![figure(self.looked, if self.named { "named" } else { "listed" })];
        if self.compares {
            let right = self.looked - self.missing - self.stale;
            figures.extend([figure(right, "right"), figure(self.missing, "missing"), figure(self.stale, "stale")]);
        }
        if dry_run {
            figures.push(figure(self.orphaned, "orphaned"));
            return figures;
        }
        let rejected = match self.rejected {
            0 => String::new(),
            rejected => format!(" ({})", figure(rejected, "rejected")),
        };
        figures.push(format!("{}{rejected}", figure(self.recorded, "recorded")));
        let few = [
            (self.retried, "retried"),
            (self.superseded, "gone meanwhile"),
            (self.orphaned, "orphaned"),
            (self.deleted, "recorded as deleted"),
        ];
        figures.extend(few.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| figure(count, what)));
        figures.push(figure(self.failed, "failed"));
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_there_was() {
        let tally = Tally { compares: true, looked: 5_000, missing: 3, recorded: 2, failed: 1, ..Tally::default() };
        let summary = tally.summary(false, Duration::from_secs(2));
        assert_eq!(
            summary,
            "5,000 listed · 4,997 right · 3 missing · 0 stale · 2 recorded · 1 failed  2.0 s · 2,500/s"
        );
        let named = Tally { named: true, looked: 2, recorded: 2, rejected: 1, retried: 1, ..Tally::default() };
        assert_eq!(
            named.summary(false, Duration::from_millis(40)),
            "2 named · 2 recorded (1 rejected) · 1 retried · 0 failed  0.0 s"
        );
    }
}
