//! `spotter list`: the newest records, by time or by label.

use clap::Args;
use futures_util::TryStreamExt;

use super::failure::Failure;
use super::home;
use super::output::{FormatArgs, Printer, note};
use crate::config::Settings;
use crate::event::Timestamp;
use crate::record::Status;
use crate::records::{self, Listing};

/// Rows that are asked for at a time.
const PAGE: usize = 500;

#[derive(Debug, Args)]
pub(super) struct List {
    /// A label of the model, or unsure, rejected
    #[arg(long)]
    label: Option<String>,
    /// From this time on, as in 2026-11-21T00:00:00Z
    #[arg(long, value_parser = time, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = time, value_name = "TIME")]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: usize,
    /// Leave out what has been replaced or deleted since
    #[arg(long)]
    current: bool,
    /// Deletes and removed versions instead
    #[arg(long, conflicts_with_all = ["label", "model"])]
    deleted: bool,
    /// As name/version [default: the model in use]
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    format: FormatArgs,
}

impl List {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let in_use = home::model_id(self.model.clone(), settings)?;
        // Deletes are no model's.
        let model = if self.deleted { String::new() } else { in_use.clone() };
        if let (Some(label), None) = (&self.label, &self.model) {
            check_label(label, settings)?;
        }
        let limit = self.limit.min(PAGE);
        let List { label, since, until, .. } = self;
        let listing = Listing { model, label, since, until, limit, seen: false, after: None };
        let mut rows = records::listed(&*records, listing);
        let mut printer = Printer::new(self.format.chosen())?;
        let mut left = self.limit;
        while left > 0
            && let Some(row) = rows.try_next().await?
        {
            if !self.current || records::is_current(&*records, &row, &in_use).await? {
                printer.record(&row)?;
                left -= 1;
            }
        }
        if left == self.limit {
            note("no records");
        }
        printer.finish()
    }
}

/// A typo would only find nothing.
fn check_label(label: &str, settings: &Settings) -> Result<(), Failure> {
    let manifest = home::manifest(settings)?;
    let statuses = [Status::Unsure, Status::Rejected].map(Status::as_str);
    if statuses.contains(&label) || manifest.labels.iter().any(|known| known == label) {
        return Ok(());
    }
    let (labels, statuses) = (manifest.labels.join(" "), statuses.join(", "));
    Err(Failure::Usage(format!("{} says {labels}, or {statuses}; not {label}", manifest.id())))
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "use RFC 3339, as in 2026-11-21T00:00:00Z".to_owned())
}
