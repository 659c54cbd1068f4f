//! `spotter stats`: how many records of each kind, over time, and how often the model was right.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Args;

use super::failure::Failure;
use super::home;
use super::output::{Format, FormatArgs, csv, line, table};
use super::times::{self, PeriodArgs};
use crate::ask::{self, Accuracy, By, Checked};
use crate::config::Settings;
use crate::event::Timestamp;
use crate::record::Status;

const CSV_COLUMNS: [&str; 5] = ["kind", "name", "rows", "agreed", "time"];

#[derive(Debug, Args)]
pub(super) struct Stats {
    #[command(flatten)]
    period: PeriodArgs,
    /// Labels over time as well: hour or day, of UTC
    #[arg(long, value_parser = by, value_name = "PERIOD")]
    by: Option<By>,
    #[command(flatten)]
    format: FormatArgs,
}

fn by(text: &str) -> Result<By, String> {
    By::parse(text).ok_or_else(|| "use hour or day".to_owned())
}

/// One figure.
#[derive(serde::Serialize)]
struct Figure {
    kind: &'static str,
    name: String,
    rows: u64,
    /// Of the rows that people checked.
    agreed: Option<u64>,
    /// When its period begins.
    time: Option<Timestamp>,
}

impl Stats {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let model = home::asked(settings, &*records).await?.id;
        let PeriodArgs { since, until } = self.period;
        let stats = ask::stats(&*records, &model, since, until, self.by.unwrap_or(By::Day)).await?;
        match self.format.chosen() {
            Format::Json => line(&serde_json::to_string(&stats)?),
            Format::Csv => {
                line(&CSV_COLUMNS.join(","))?;
                let periods = self.by.map(|by| periods(&stats, by)).unwrap_or_default();
                figures(&stats).iter().chain(&periods).try_for_each(|figure| line(&csv(figure, &CSV_COLUMNS)?))
            }
            Format::Table => {
                line(&format!("{} rows of {model}", stats.rows))?;
                beside(counts(&stats))?;
                if stats.accuracy.checked > 0 {
                    let Accuracy { checked, agreed, .. } = stats.accuracy;
                    line(&format!("\n{checked} checked by people, who agreed with {}", share(agreed, checked)))?;
                    beside(checks(&stats.accuracy))?;
                }
                let Some(by) = self.by else { return Ok(()) };
                line("")?;
                over_time(&stats, by)
            }
        }
    }
}

/// Some columns of a table, with rows of their own.
struct Block {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Block {
    fn of(name: &'static str, counts: impl IntoIterator<Item = (String, u64)>) -> Block {
        let rows = counts.into_iter().filter(|(_, rows)| *rows > 0).map(|(name, rows)| vec![name, rows.to_string()]);
        Block { head: vec![name, "ROWS"], rows: rows.collect() }
    }

    fn of_checked(name: &'static str, of: &BTreeMap<String, Checked>) -> Block {
        let row =
            |(name, of): (&String, &Checked)| vec![name.clone(), of.checked.to_string(), share(of.agreed, of.checked)];
        Block { head: vec![name, "CHECKED", "AGREED"], rows: of.iter().map(row).collect() }
    }
}

/// Blocks side by side: each kind of figures is short.
fn beside(blocks: Vec<Block>) -> Result<(), Failure> {
    let blocks: Vec<Block> = blocks.into_iter().filter(|block| !block.rows.is_empty()).collect();
    let height = blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0);
    let cells = |block: &Block, at: usize| {
        let none = || vec![String::new(); block.head.len()];
        block.rows.get(at).cloned().unwrap_or_else(none)
    };
    let row = |at: usize| blocks.iter().flat_map(|block| cells(block, at)).collect();
    let rows: Vec<Vec<String>> = (0..height).map(row).collect();
    table(&blocks.iter().flat_map(|block| block.head.clone()).collect::<Vec<_>>(), &rows)
}

/// How many rows there are of each kind, each of them once.
fn counts(stats: &ask::Stats) -> Vec<Block> {
    let most_first = |counts: Vec<(String, u64)>| {
        let mut counts = counts;
        counts.sort_by_key(|(_, rows)| Reverse(*rows));
        counts
    };
    let statuses = stats.by_status.iter().map(|(status, rows)| (status.as_str().to_owned(), *rows));
    // What is not classified is listed under its status, which has its own column.
    let of_status = |label: &str| {
        let status = Status::parse(label).filter(|status| *status != Status::Classified);
        status.and_then(|status| stats.by_status.get(&status)).copied().unwrap_or(0)
    };
    let labels = stats.by_label.iter().map(|(label, rows)| (label.clone(), rows.saturating_sub(of_status(label))));
    let reasons = stats.by_reason.iter().map(|(reason, rows)| ((*reason).to_owned(), *rows));
    let tenths = stats.confidence.iter().enumerate().map(|(tenth, rows)| (tenth_name(tenth), *rows));
    vec![
        Block::of("STATUS", statuses),
        Block::of("LABEL", most_first(labels.collect())),
        Block::of("REASON", most_first(reasons.collect())),
        Block::of("CONFIDENCE", tenths),
    ]
}

fn checks(accuracy: &Accuracy) -> Vec<Block> {
    vec![Block::of_checked("LABEL", &accuracy.by_label), Block::of_checked("DAY (UTC)", &accuracy.by_day)]
}

fn share(agreed: u64, of: u64) -> String {
    format!("{agreed} ({:.1} %)", agreed as f64 * 100.0 / of as f64)
}

fn figures(stats: &ask::Stats) -> Vec<Figure> {
    let counted = |kind, name: &str, rows| Figure { kind, name: name.to_owned(), rows, agreed: None, time: None };
    let checked = |kind, name: &str, of: &Checked| {
        let Checked { checked, agreed } = *of;
        Figure { agreed: Some(agreed), ..counted(kind, name, checked) }
    };
    let mut figures = Vec::new();
    figures.extend(stats.by_status.iter().map(|(status, rows)| counted("status", status.as_str(), *rows)));
    figures.extend(stats.by_label.iter().map(|(label, rows)| counted("label", label, *rows)));
    figures.extend(stats.by_reason.iter().map(|(reason, rows)| counted("reason", reason, *rows)));
    // The least confident first; tenths that no row is in say nothing.
    let tenths = stats.confidence.iter().enumerate().filter(|(_, rows)| **rows > 0);
    figures.extend(tenths.map(|(tenth, rows)| counted("confidence", &tenth_name(tenth), *rows)));
    let accuracy = &stats.accuracy;
    if accuracy.checked > 0 {
        let all = Checked { checked: accuracy.checked, agreed: accuracy.agreed };
        figures.push(checked("checked", "all", &all));
        figures.extend(accuracy.by_label.iter().map(|(label, of)| checked("checked label", label, of)));
        figures.extend(accuracy.by_day.iter().map(|(day, of)| checked("checked day", day, of)));
    }
    figures
}

fn tenth_name(tenth: usize) -> String {
    let from = tenth as f64 / 10.0;
    format!("{from:.1}-{:.1}", from + 0.1)
}

/// Labels over time for programs: one figure each.
fn periods(stats: &ask::Stats, by: By) -> Vec<Figure> {
    let figure = |time, label: &String, rows| Figure {
        kind: by.as_str(),
        name: label.clone(),
        rows,
        agreed: None,
        time: Some(time),
    };
    let of_period = |period: &ask::Period| {
        period.labels.iter().map(|(label, rows)| figure(period.time, label, *rows)).collect::<Vec<_>>()
    };
    stats.by_time.iter().flat_map(of_period).collect()
}

/// Labels over time for people: a line a period, the labels in columns of their own.
fn over_time(stats: &ask::Stats, by: By) -> Result<(), Failure> {
    let labels: Vec<&String> = stats.by_label.keys().collect();
    let cell = |labels: &BTreeMap<String, u64>, label: &str| labels.get(label).map_or("·".into(), u64::to_string);
    let time = |period: &ask::Period| match by {
        // Days are UTC's, and have no hour to show in another zone.
        By::Day => period.time.to_string().split('T').next().unwrap_or_default().to_owned(),
        By::Hour => times::shown(period.time),
    };
    let row = |period: &ask::Period| {
        let total = period.labels.values().sum::<u64>().to_string();
        let cells = labels.iter().map(|label| cell(&period.labels, label));
        [time(period), total].into_iter().chain(cells).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = stats.by_time.iter().map(row).collect();
    let head = [if by == By::Day { "DAY (UTC)" } else { "HOUR" }, "ROWS"].map(str::to_owned);
    table(&head.into_iter().chain(labels.iter().map(|label| label.to_uppercase())).collect::<Vec<_>>(), &rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn counted(kind: &[(&str, u64)]) -> BTreeMap<String, u64> {
        kind.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    /// A model whose label is called as a status is.
    #[test]
    fn each_row_is_counted_once_and_zeros_are_left_out() {
        let stats = ask::Stats {
            by_status: [(Status::Classified, 5), (Status::Unsure, 2), (Status::Deleted, 3)].into(),
            by_label: counted(&[("1", 1), ("7", 3), ("deleted", 4), ("unsure", 2)]),
            confidence: [0, 0, 0, 0, 2, 0, 0, 0, 0, 5],
            ..ask::Stats::default()
        };
        let blocks = counts(&stats);
        let rows = |name: &str| -> Vec<(&str, &str)> {
            let block = blocks.iter().find(|block| block.head[0] == name).unwrap();
            block.rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect()
        };
        assert_eq!(rows("STATUS"), [("classified", "5"), ("unsure", "2"), ("deleted", "3")]);
        assert_eq!(rows("LABEL"), [("7", "3"), ("1", "1"), ("deleted", "1")]);
        assert_eq!(rows("REASON"), []);
        assert_eq!(rows("CONFIDENCE"), [("0.4-0.5", "2"), ("0.9-1.0", "5")]);
    }

    #[test]
    fn shares_are_rounded_to_a_tenth() {
        for (agreed, of, text) in [
            (0, 1, "0 (0.0 %)"),
            (2, 3, "2 (66.7 %)"),
            (37, 39, "37 (94.9 %)"),
            (1, 3, "1 (33.3 %)"),
            (5, 5, "5 (100.0 %)"),
        ] {
            assert_eq!(share(agreed, of), text);
        }
    }

    #[test]
    fn tenths_have_names() {
        assert_eq!(
            (tenth_name(0), tenth_name(2), tenth_name(9)),
            ("0.0-0.1".into(), "0.2-0.3".into(), "0.9-1.0".into())
        );
    }
}
