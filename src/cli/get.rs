//! `spotter get`: what one object is now, or all that is known of it.

use std::time::{Duration, Instant};

use clap::Args;
use futures_util::TryStreamExt;

use super::failure::Failure;
use super::home;
use super::object_url::ObjectUrl;
use super::output::{FormatArgs, Printer};
use crate::config::Settings;
use crate::record::Record;
use crate::records::{self, Records};

/// Pause between two looks of `--wait`.
const PAUSE: Duration = Duration::from_millis(20);

/// Exit code 1 if there is no record.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// s3://bucket/key
    object: ObjectUrl,
    /// Every row, newest first: versions, deletes, other models
    #[arg(long)]
    history: bool,
    /// Wait so long for a first record, as in 5s (after an overwrite, the old one is there at once)
    #[arg(long, value_parser = home::duration, value_name = "TIME")]
    wait: Option<Duration>,
    /// As name/version [default: the model in use]
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Get {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let model = home::model_id(self.model.clone(), settings)?;
        let deadline = Instant::now() + self.wait.unwrap_or_default();
        let mut found = self.look(&*records, &model).await?;
        while found.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(PAUSE).await;
            found = self.look(&*records, &model).await?;
        }
        if found.is_empty() {
            let ObjectUrl { bucket, key } = &self.object;
            return Err(Failure::Failed(format!("no record of s3://{bucket}/{key} by {model}")));
        }
        let mut printer = Printer::new(self.format.chosen())?;
        for record in &found {
            printer.record(record)?;
        }
        printer.finish()
    }

    async fn look(&self, records: &dyn Records, model: &str) -> Result<Vec<Record>, Failure> {
        let ObjectUrl { bucket, key } = &self.object;
        if self.history {
            return Ok(records::history(records, bucket, key).try_collect().await?);
        }
        Ok(records::get(records, bucket, key, model).await?.into_iter().collect())
    }
}
