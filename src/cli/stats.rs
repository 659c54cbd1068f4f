//! `spotter stats`: how many records of each kind.

use clap::Args;

use super::failure::Failure;
use super::output::{Format, FormatArgs, line, table};
use super::{home, list};
use crate::ask::{self, By};
use crate::config::Settings;
use crate::event::Timestamp;

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// From this time on, as in 2026-11-21T00:00:00Z
    #[arg(long, value_parser = list::time, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = list::time, value_name = "TIME")]
    until: Option<Timestamp>,
    /// As name/version [default: the model in use]
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Stats {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let model = home::model_id(self.model, settings)?;
        let stats = ask::stats(&*records, &model, self.since, self.until, By::Day).await?;
        let statuses = stats.by_status.iter().map(|(status, count)| ("status", status.as_str(), *count));
        let labels = stats.by_label.iter().map(|(label, count)| ("label", label.as_str(), *count));
        let reasons = stats.by_reason.iter().map(|(reason, count)| ("reason", *reason, *count));
        let rows = statuses.chain(labels).chain(reasons);
        match self.format.chosen() {
            Format::Json => line(&serde_json::to_string(&stats)?),
            Format::Csv => {
                line("kind,name,rows")?;
                rows.into_iter().try_for_each(|(kind, name, count)| line(&format!("{kind},{name},{count}")))
            }
            Format::Table => {
                let rows: Vec<Vec<String>> =
                    rows.map(|(kind, name, count)| vec![kind.into(), name.into(), count.to_string()]).collect();
                line(&format!("{} rows of {model}", stats.rows))?;
                table(&["KIND", "NAME", "ROWS"], &rows)
            }
        }
    }
}
