//! `spotter invoke`: an event from a file, handled as the function would.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::filter::FilterArgs;
use super::home;
use super::output::{Format, FormatArgs, csv, line, note, table};
use crate::config::Settings;
use crate::event::{self, Change, DryRun, ObjectEvent};
use crate::function::{Answer, FunctionError, TIME_LIMIT};
use crate::objects::S3Objects;
use crate::pipeline::Outcome;

/// Prints the function's answer. Exit code 1 if any object must come again.
#[derive(Debug, Args)]
pub(super) struct Invoke {
    /// An event in any envelope, as in events/; - is stdin
    file: PathBuf,
    /// Say what the event would do, one object a line (the format is for this), and touch nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    format: FormatArgs,
}

const CSV_COLUMNS: [&str; 8] = ["bucket", "key", "version_id", "etag", "size", "sequencer", "event_time", "action"];

impl Invoke {
    pub(super) async fn run(self, mut settings: Settings) -> Result<(), Failure> {
        self.filter.replace(&mut settings.filter);
        let payload = self.payload()?;
        if self.dry_run {
            return dry_run(&payload, &settings, self.format.chosen());
        }
        let objects = Arc::new(S3Objects::connect(&settings.s3).await);
        let function = home::function(&settings, objects, home::records(&settings)?, home::model(&settings).await?);
        let Answer { body, objects, .. } = function.answer(&payload, Instant::now() + TIME_LIMIT).await;
        for (event, handled) in &objects {
            note(&format!("s3://{}/{}  {}", event.bucket, event.key, summary(&handled.outcome)));
        }
        let body = body.map_err(|error| match error {
            FunctionError::Event(error) => Failure::Failed(format!("{}: {error}", self.file.display())),
            // Each was told above.
            FunctionError::Retry { failed, all, .. } => Failure::Failed(format!("{failed} of {all} must come again")),
        })?;
        line(&body.to_string())?;
        let failed = objects.iter().any(|(_, handled)| matches!(handled.outcome, Outcome::Retry(_)));
        let unread = body["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty());
        if failed || unread { Err(Failure::Said) } else { Ok(()) }
    }

    fn payload(&self) -> Result<Value, Failure> {
        let name = self.file.display();
        let text = if self.file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(&self.file)
        };
        let text = text.map_err(|error| Failure::Failed(format!("cannot read {name}: {error}")))?;
        serde_json::from_str(&text).map_err(|error| Failure::Failed(format!("{name} is not JSON: {error}")))
    }
}

fn dry_run(payload: &Value, settings: &Settings, format: Format) -> Result<(), Failure> {
    let delivery =
        event::parse(payload, settings.eventbridge_keys).map_err(|error| Failure::Failed(error.to_string()))?;
    let mut rows = Vec::new();
    let mut unreadable = false;
    if format == Format::Csv {
        line(&CSV_COLUMNS.join(","))?;
    }
    for item in &delivery.items {
        for event in &item.events {
            match event {
                Ok(event) if format == Format::Table => rows.push(vec![
                    told(event, settings).action.to_owned(),
                    format!("s3://{}/{}", event.bucket, event.key),
                    event.version_id.clone().or_else(|| event.etag.clone()).unwrap_or_default(),
                ]),
                Ok(event) if format == Format::Csv => line(&csv(&told(event, settings), &CSV_COLUMNS)?)?,
                Ok(event) => line(&serde_json::to_string(&told(event, settings))?)?,
                Err(error) => {
                    note(&format!("{}: {error}", item.id));
                    unreadable = true;
                }
            }
        }
    }
    if format == Format::Table {
        table(&["ACTION", "OBJECT", "VERSION OR ETAG"], &rows)?;
    }
    if unreadable { Err(Failure::Said) } else { Ok(()) }
}

fn told<'a>(event: &'a ObjectEvent, settings: &Settings) -> DryRun<'a> {
    let action = match event.change {
        Change::Test | Change::Other => event.change.action(),
        _ if !settings.filter.allows(&event.key) => "left_out",
        _ => event.change.action(),
    };
    DryRun { action, ..event.dry_run() }
}

fn summary(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Recorded(record) => {
            let label = record.label.as_deref().unwrap_or("–");
            format!("recorded  {}  {label}  {}", record.status.as_str(), record.why)
        }
        Outcome::Superseded(why) => format!("superseded  {why}; nothing written"),
        Outcome::Ignored(why) => format!("ignored  {why}"),
        Outcome::Retry(why) => format!("retry  {why}"),
    }
}
