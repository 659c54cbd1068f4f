//! `spotter model switch`: whose answers are shown where nobody names a model.

use clap::Args;

use super::failure::Failure;
use super::output::{line, note};
use super::{home, question};
use crate::ask::{self, Question};
use crate::config::{PROGRAM, Settings};
use crate::records::Records;

/// Without MODEL it says which one is shown. `get`, `list`, `stats`, `export`, `correct` and the page follow with their next
/// question, `watch` by itself. Nothing of the records changes: what classifies is named by --model or SPOTTER_MODEL, as
/// before.
#[derive(Debug, Args)]
pub(super) struct Switch {
    /// As name/version; it must have records
    #[arg(value_parser = question::model, value_name = "MODEL", conflicts_with = "none")]
    to: Option<String>,
    /// Each process shows the answers of its own model again
    #[arg(long)]
    none: bool,
}

impl Switch {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let was = records.served().await?;
        if self.to.is_none() && !self.none {
            return line(was.as_deref().unwrap_or(NONE));
        }
        if self.to == was {
            note(&format!("{} already", shown(was.as_deref())));
            return Ok(());
        }
        if let Some(model) = &self.to {
            has_records(&*records, model).await?;
        }
        records.serve(self.to.as_deref()).await?;
        note(&format!("{} from now on", shown(self.to.as_deref())));
        note(&format!("Back  {PROGRAM} model switch {}", was.as_deref().unwrap_or("--none")));
        Ok(())
    }
}

const NONE: &str = "none: each process shows the answers of its own model";

fn shown(served: Option<&str>) -> String {
    served.map_or("each process shows the answers of its own model".to_owned(), |model| format!("{model} is shown"))
}

/// A typo would show nothing to anybody.
async fn has_records(records: &dyn Records, model: &str) -> Result<(), Failure> {
    let any = Question { model: model.to_owned(), ..Question::default() };
    let page = ask::page(records, &any, None, 1).await?;
    if page.records.is_empty() && page.next.is_none() {
        let problem =
            format!("no record by {model}: `{PROGRAM} backfill s3://bucket --model …` with that model makes them");
        return Err(Failure::Failed(problem));
    }
    Ok(())
}
