//! `spotter correct`: what a picture shows, said by a person.

use std::time::Instant;

use clap::Args;

use super::failure::Failure;
use super::home;
use super::object_url::ObjectUrl;
use super::output::{FormatArgs, Printer};
use crate::ask;
use crate::config::Settings;
use crate::event::Timestamp;
use crate::function::TIME_LIMIT;
use crate::records::{self, Records};

/// One more row beside the model's, of the version that the object is now: no model's answer changes, and `stats` knows
/// how often it was right.
#[derive(Debug, Args)]
pub(super) struct Correct {
    /// s3://bucket/key
    object: ObjectUrl,
    /// What the picture shows: a label of the model in use
    #[arg(required_unless_present = "undo", conflicts_with = "undo")]
    label: Option<String>,
    /// Take back what was said before; prints the model's answer, which holds again
    #[arg(long)]
    undo: bool,
    /// Take a label that the model does not know
    #[arg(long, conflicts_with = "undo")]
    any_label: bool,
    #[command(flatten)]
    format: FormatArgs,
}

impl Correct {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        if let Some(label) = &self.label {
            self.check(label, settings, &*records).await?;
        }
        let ObjectUrl { bucket, key } = &self.object;
        let deadline = Instant::now() + TIME_LIMIT;
        let correction =
            ask::correct(&*records, bucket, key, None, self.label.as_deref(), Timestamp::now(), deadline).await?;
        let mut printer = Printer::new(self.format.chosen())?;
        if self.undo {
            // What holds again: the model's answer.
            let model = home::asked(settings, &*records).await?.id;
            let (answer, latest) = records::get_with_latest(&*records, bucket, key, &model).await?;
            printer.answer(&answer.or(latest.standing).unwrap_or(correction), None)?;
        } else {
            printer.record(&correction)?;
        }
        printer.finish()
    }

    /// A typo would stay in every statistic.
    async fn check(&self, label: &str, settings: &Settings, records: &dyn Records) -> Result<(), Failure> {
        if self.any_label && !label.trim().is_empty() {
            return Ok(());
        }
        let asked = home::asked(settings, records).await?;
        let Some(manifest) = asked.manifest else {
            let way_out = "name its folder, or --any-label";
            return Err(Failure::Usage(format!("the labels of {} are not known here: {way_out}", asked.id)));
        };
        if manifest.labels.iter().any(|known| known == label) {
            return Ok(());
        }
        let labels = manifest.labels.join(" ");
        Err(Failure::Usage(format!("{} says {labels}; not '{label}' (--any-label takes it)", manifest.id())))
    }
}
