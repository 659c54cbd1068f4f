//! `spotter get`: what one object is now, or all that is known of it.

use std::cmp::Ordering;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::TryStreamExt;

use super::failure::Failure;
use super::object_url::ObjectUrl;
use super::output::{FormatArgs, Printer, note, visible};
use super::{home, times};
use crate::ask;
use crate::config::Settings;
use crate::record::Record;
use crate::records::{self, Records};

/// Pause between two looks of `--wait`.
const PAUSE: Duration = Duration::from_millis(20);

/// Where a person corrected the model's answer, both are shown. Exit code 1 if there is no record.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// s3://bucket/key
    object: ObjectUrl,
    /// Every row, newest first: versions and deletes; of a version what people said, then what each model saw
    #[arg(long)]
    history: bool,
    /// Wait so long for a first record, as in 5s (after an overwrite, the old one is there at once)
    #[arg(long, value_parser = times::duration, value_name = "TIME")]
    wait: Option<Duration>,
    /// With --history: remove every row of the object, as people may ask for; the object itself stays
    #[arg(long, requires = "history", conflicts_with_all = ["wait", "model"])]
    purge: bool,
    /// With --purge: do not ask
    #[arg(long, requires = "purge")]
    yes: bool,
    #[command(flatten)]
    format: FormatArgs,
}

impl Get {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        if self.purge {
            return self.purge(&*records).await;
        }
        let model = home::asked(settings, &*records).await?.id;
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
            if self.history {
                printer.record(record)?;
            } else {
                let corrected = ask::label_by_people(&*records, record).await?;
                printer.answer(record, corrected.as_deref())?;
            }
        }
        printer.finish()
    }

    async fn purge(&self, records: &dyn Records) -> Result<(), Failure> {
        let ObjectUrl { bucket, key } = &self.object;
        let object = format!("s3://{bucket}/{key}");
        if !self.yes {
            if !io::stdin().is_terminal() {
                return Err(Failure::Usage(format!("to remove the rows of {object} without being asked, add --yes")));
            }
            let rows = records::history(records, bucket, key).try_fold(0_u64, |rows, _| async move { Ok(rows + 1) });
            ask(&format!("remove {} of {object}?", counted(rows.await?)))?;
        }
        match records.purge(bucket, key).await? {
            0 => Err(Failure::Failed(format!("no record of {object}"))),
            rows => {
                note(&format!("removed {} of {object}", counted(rows)));
                Ok(())
            }
        }
    }

    async fn look(&self, records: &dyn Records, model: &str) -> Result<Vec<Record>, Failure> {
        let ObjectUrl { bucket, key } = &self.object;
        if self.history {
            let mut rows: Vec<Record> = records::history(records, bucket, key).try_collect().await?;
            rows.sort_by(newest_first);
            return Ok(rows);
        }
        Ok(records::get(records, bucket, key, model).await?.into_iter().collect())
    }
}

/// As homes give them, but for the corrections of a version: whoever spoke last stands first, before the models.
fn newest_first(a: &Record, b: &Record) -> Ordering {
    b.order
        .cmp(&a.order)
        // What removes a version stands before it.
        .then_with(|| b.model.is_empty().cmp(&a.model.is_empty()))
        .then_with(|| b.corrected_at().cmp(&a.corrected_at()))
        .then_with(|| a.model.cmp(&b.model))
}

fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// An error unless the answer is yes.
fn ask(question: &str) -> Result<(), Failure> {
    write!(io::stderr(), "{} [y/N] ", visible(question))?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was removed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::record::{Order, Status};

    fn row(model: &str, order: i64) -> Record {
        Record {
            bucket: "b".into(),
            key: "k".into(),
            order: Order { seq: String::new(), event_time: Timestamp(order), version: String::new() },
            model: model.into(),
            status: Status::Classified,
            reason: None,
            why: String::new(),
            label: None,
            confidence: None,
            top: Vec::new(),
            dimensions: None,
            size: None,
            content_type: None,
            etag: None,
            version_id: None,
            seen: Vec::new(),
        }
    }

    #[test]
    fn a_removal_then_people_then_models() {
        let [earlier, later] = [999, 1_000].map(|at| Record::correction(&row("", 5), Some("1"), Timestamp(at)).model);
        let expected = [("x/1", 6), ("", 5), (&later, 5), (&earlier, 5), ("digits/2", 5), ("letters/1", 5), ("x/1", 4)];
        let mut rows: Vec<Record> = expected.map(|(model, order)| row(model, order)).into();
        rows.sort_by(|a, b| (&b.order, &a.model).cmp(&(&a.order, &b.model)));
        rows.sort_by(newest_first);
        let models: Vec<_> = rows.iter().map(|row| (row.model.as_str(), row.order.event_time.0)).collect();
        assert_eq!(models, expected);
    }
}
