//! `spotter list`: the newest records, by time or by label.

use clap::Args;
use futures_util::{StreamExt, TryStreamExt};

use super::failure::Failure;
use super::home;
use super::output::{FormatArgs, Printer, note};
use super::question::{self, QuestionArgs};
use super::times::PeriodArgs;
use crate::ask::{self, Question};
use crate::config::Settings;

/// Times in tables are of this machine's time zone, in json and csv UTC.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    period: PeriodArgs,
    /// Leave out what has been replaced or deleted since
    #[arg(long)]
    current: bool,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    format: FormatArgs,
}

impl List {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let question =
            Question { current: self.current, ..self.question.question(self.period, settings, &*records).await? };
        let mut rows = ask::answers(&*records, question.clone(), None).take(self.limit);
        let mut printer = Printer::new(self.format.chosen())?;
        let mut any = false;
        while let Some(row) = rows.try_next().await? {
            printer.record(&row)?;
            any = true;
        }
        if !any {
            let of_the_bucket = question::nothing_of_the_bucket(&*records, &question).await?;
            note(&of_the_bucket.unwrap_or_else(|| format!("no records{}", question::whose(&question.model))));
        }
        printer.finish()
    }
}
