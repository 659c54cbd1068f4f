//! How much of each kind there is, over time, and how sure the model was.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use serde::Serialize;

use super::{Question, answers, corrected};
use crate::event::Timestamp;
use crate::record::{Record, Status};
use crate::records::{Records, RecordsError};

/// How many rows of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub model: String,
    pub rows: u64,
    pub by_status: BTreeMap<Status, u64>,
    /// As [`Record::listed_under`]: a picture that shows several labels counts once for each.
    pub by_label: BTreeMap<String, u64>,
    /// As [`crate::record::Reason::as_str`].
    pub by_reason: BTreeMap<&'static str, u64>,
    /// Oldest first; where nothing came in there is none.
    pub by_time: Vec<Period>,
    /// Of what is classified or unsure, by tenths: 0 to under 0.1 first, from 0.9 to 1 last.
    pub confidence: [u64; 10],
    pub accuracy: Accuracy,
}

/// What came in in an hour or a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Period {
    /// Its beginning.
    pub time: Timestamp,
    /// As [`Record::listed_under`].
    pub labels: BTreeMap<String, u64>,
}

/// The periods of [`Stats::by_time`], of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Hour,
    Day,
}

/// How often a model was right, as far as people said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Accuracy {
    pub checked: u64,
    pub agreed: u64,
    /// What the model said: its best guess, else its status.
    pub by_label: BTreeMap<String, Checked>,
    /// Of the event, UTC: `2026-11-21`.
    pub by_day: BTreeMap<String, Checked>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub checked: u64,
    pub agreed: u64,
}

impl Accuracy {
    fn count(&mut self, row: &Record, agrees: bool) {
        let time = row.order.event_time.to_string();
        let day = time.split('T').next().unwrap_or_default().to_owned();
        // The best guess counts, sure or not; what has none said its status.
        let said = row.label.as_deref().unwrap_or(row.status.as_str()).to_owned();
        let agreed = u64::from(agrees);
        self.checked += 1;
        self.agreed += agreed;
        for of in [self.by_label.entry(said), self.by_day.entry(day)] {
            let of = of.or_default();
            of.checked += 1;
            of.agreed += agreed;
        }
    }
}

impl By {
    pub const ALL: [By; 2] = [By::Hour, By::Day];

    pub fn as_str(self) -> &'static str {
        match self {
            By::Hour => "hour",
            By::Day => "day",
        }
    }

    pub fn parse(text: &str) -> Option<By> {
        By::ALL.into_iter().find(|by| by.as_str() == text)
    }

    /// The beginning of the period that a time is in.
    fn beginning(self, at: Timestamp) -> Timestamp {
        let milliseconds = match self {
            By::Hour => 3_600_000,
            By::Day => 86_400_000,
        };
        Timestamp(at.0.div_euclid(milliseconds).saturating_mul(milliseconds))
    }
}

/// While rows are counted.
struct Tally {
    stats: Stats,
    by: By,
    periods: BTreeMap<Timestamp, BTreeMap<String, u64>>,
}

impl Tally {
    fn count(&mut self, row: &Record) {
        let stats = &mut self.stats;
        stats.rows += 1;
        *stats.by_status.entry(row.status).or_default() += 1;
        let period = self.periods.entry(self.by.beginning(row.order.event_time)).or_default();
        for name in row.listed_under() {
            add(&mut stats.by_label, name);
            add(period, name);
        }
        if let Some(reason) = row.reason {
            *stats.by_reason.entry(reason.as_str()).or_default() += 1;
        }
        if let (Status::Classified | Status::Unsure, Some(confidence)) = (row.status, row.confidence) {
            // Kept to 1e-4, which no f32 is exactly: 0.3 is the fourth tenth's.
            let tenth = (f64::from(confidence) * 1e4).round() / 1e3;
            stats.confidence[(tenth as usize).min(9)] += 1;
        }
    }

    fn done(mut self) -> Stats {
        self.stats.by_time = self.periods.into_iter().map(|(time, labels)| Period { time, labels }).collect();
        self.stats
    }
}

/// Without an allocation for a name that is there already.
fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

/// Counts the sightings of one model, and all deletes and removals beside them, from `since` (inclusive) to `until`
/// (exclusive). Reads them all, a page at a time.
pub async fn stats(
    records: &dyn Records,
    model: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    by: By,
) -> Result<Stats, RecordsError> {
    let (stats, accuracy) =
        futures_util::try_join!(counts(records, model, since, until, by), accuracy(records, model, since, until),)?;
    Ok(Stats { accuracy, ..stats })
}

async fn counts(
    records: &dyn Records,
    model: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    by: By,
) -> Result<Stats, RecordsError> {
    let stats = Stats { model: model.to_owned(), ..Stats::default() };
    let mut tally = Tally { stats, by, periods: BTreeMap::new() };
    let models = if model.is_empty() { vec![""] } else { vec![model, ""] };
    for model in models {
        let question = Question { model: model.to_owned(), since, until, ..Question::default() };
        let mut rows = answers(records, question, None);
        while let Some(row) = rows.try_next().await? {
            tally.count(&row);
        }
    }
    Ok(tally.done())
}

/// By what people said of the pictures.
async fn accuracy(
    records: &dyn Records,
    model: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Accuracy, RecordsError> {
    let mut accuracy = Accuracy::default();
    let mut pairs = corrected(records, since, until);
    while let Some((row, correction)) = pairs.try_next().await? {
        if row.model == model {
            let found = correction.label.as_deref().is_some_and(|label| row.listed_under().contains(&label));
            accuracy.count(&row, found || row.label == correction.label);
        }
    }
    Ok(accuracy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_or_before_any_time() {
        for at in [i64::MIN, -1, 0, 1, 3_599_999, 3_600_000, 1_795_226_584_567, i64::MAX] {
            for by in By::ALL {
                let beginning = by.beginning(Timestamp(at));
                assert!(beginning <= Timestamp(at), "{at}");
                assert_eq!(by.beginning(beginning), beginning, "{at}");
            }
        }
        assert_eq!(By::Day.beginning(Timestamp(-1)), Timestamp(-86_400_000));
        assert_eq!(By::Hour.beginning(Timestamp(1_795_226_584_567)).to_string(), "2026-11-21T02:00:00.000Z");
    }

    #[test]
    fn periods_have_names() {
        assert!(By::ALL.into_iter().all(|by| By::parse(by.as_str()) == Some(by)));
        assert_eq!(By::parse("week"), None);
    }
}
