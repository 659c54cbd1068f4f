//! `spotter stats`: how many records of each kind, over time, and how often the model was right.

use std::collections::BTreeMap;

use clap::Args;

use super::failure::Failure;
use super::output::{Format, FormatArgs, csv, line, table};
use super::times::{self, PeriodArgs};
use super::{home, question};
use crate::ask::{self, By, Checked};
use crate::config::Settings;
use crate::event::Timestamp;

const CSV_COLUMNS: [&str; 5] = ["kind", "name", "rows", "agreed", "time"];

#[derive(Debug, Args)]
pub(super) struct Stats {
    #[command(flatten)]
    period: PeriodArgs,
    /// Labels over time as well: hour or day, of UTC
    #[arg(long, value_parser = by, value_name = "PERIOD")]
    by: Option<By>,
    /// As name/version [default: the model in use]
    #[arg(long, value_parser = question::model)]
    model: Option<String>,
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
        let model = home::model_id(self.model, settings)?;
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
                let rows: Vec<Vec<String>> = figures(&stats).into_iter().map(Figure::row).collect();
                table(&["KIND", "NAME", "ROWS", "AGREED"], &rows)?;
                let Some(by) = self.by else { return Ok(()) };
                line("")?;
                over_time(&stats, by)
            }
        }
    }
}

impl Figure {
    fn row(self) -> Vec<String> {
        let agreed = self.agreed.map(|agreed| {
            let share = agreed as f64 * 100.0 / self.rows as f64;
            format!("{agreed} ({share:.1} %)")
        });
        vec![self.kind.into(), self.name, self.rows.to_string(), agreed.unwrap_or_default()]
    }
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
    use super::*;

    #[test]
    fn tenths_have_names() {
        assert_eq!(
            (tenth_name(0), tenth_name(2), tenth_name(9)),
            ("0.0-0.1".into(), "0.2-0.3".into(), "0.9-1.0".into())
        );
    }
}
