//! `spotter model`: the model in use, and what another one makes of the same pictures.

use clap::Subcommand;

use super::failure::Failure;
use super::home;
use super::model_check::Check;
use super::model_diff::Diff;
use super::model_init::Init;
use super::model_prepare::Prepare;
use super::model_switch::Switch;
use super::output::{Format, FormatArgs, line, visible};
use crate::config::Settings;

/// Labels that are shown of a model.
const SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Its manifest
    Show {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Write a first manifest for a network, by what its file says
    Init(Init),
    /// Whether a model can be used: what does not work, where, and the way out; what it costs
    Check(Check),
    /// Which objects another model labels otherwise
    Diff(Diff),
    /// Whose answers are shown where nobody names a model: one row, changed and changed back
    Switch(Switch),
    /// What it sees of many pictures, as an array to train on
    Prepare(Prepare),
}

impl Command {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        match self {
            Command::Show { format } => show(format, settings).await,
            Command::Init(init) => init.run(),
            Command::Check(check) => check.run(settings),
            Command::Diff(diff) => diff.run(settings).await,
            Command::Switch(switch) => switch.run(settings).await,
            Command::Prepare(prepare) => prepare.run(settings).await,
        }
    }
}

async fn show(format: FormatArgs, settings: &Settings) -> Result<(), Failure> {
    let model = home::model(settings).await?;
    let manifest = model.manifest();
    if format.chosen() != Format::Table {
        return line(&serde_json::to_string(manifest)?);
    }
    line(&format!("model       {} in {}", model.id(), visible(&settings.model.to_string())))?;
    line(&format!("labels      {}", labels(&manifest.labels)))?;
    line(&format!("input       {}", serde_json::to_string(&manifest.input)?))?;
    line(&format!("preprocess  {}", serde_json::to_string(&manifest.preprocess)?))?;
    line(&format!("output      {}", serde_json::to_string(&manifest.output)?))?;
    line(&format!("threshold   {}", manifest.threshold))?;
    line(&format!("top_k       {}", manifest.top_k))?;
    line(&format!("sha256      {}", manifest.sha256))
}

/// The first ones of many.
fn labels(all: &[String]) -> String {
    match all.get(..SHOWN) {
        Some(first) if all.len() > SHOWN => format!("{} … ({} labels)", first.join(", "), all.len()),
        _ => all.join(", "),
    }
}
