//! `spotter classify`: pictures from files, no bucket, no record.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::home;
use super::output::{self, Format, FormatArgs, csv, line, note, table};
use crate::config::Settings;
use crate::record::{self, Verdict};

const CSV_COLUMNS: [&str; 6] = ["path", "status", "reason", "why", "label", "confidence"];

#[derive(Debug, Args)]
pub(super) struct Classify {
    /// Picture files; - is stdin
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Classify {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let model = home::model(settings)?;
        let format = self.format.chosen();
        let mut rows = Vec::new();
        let mut unreadable = false;
        if format == Format::Csv {
            line(&CSV_COLUMNS.join(","))?;
        }
        for file in &self.files {
            let bytes = match read(file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    note(&format!("spotter: cannot read {}: {error}", file.display()));
                    unreadable = true;
                    continue;
                }
            };
            let path = file.display().to_string();
            let verdict = record::verdict(&bytes, &model, settings.limits)?;
            match format {
                Format::Json => line(&json(&path, &verdict).to_string())?,
                Format::Csv => line(&csv(&json(&path, &verdict), &CSV_COLUMNS))?,
                Format::Table => rows.push(output::verdict_row(path, &verdict)),
            }
        }
        if !rows.is_empty() {
            table(&["FILE", "STATUS", "LABEL", "CONF", "WHY"], &rows)?;
        }
        if unreadable { Err(Failure::Said) } else { Ok(()) }
    }
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file);
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn json(path: &str, verdict: &Verdict) -> Value {
    let top = verdict.reading.as_ref().map(|reading| &reading.top[..]).unwrap_or_default();
    json!({
        "path": path,
        "status": verdict.status,
        "reason": verdict.reason,
        "why": verdict.why,
        "label": top.first().map(|guess| &guess.label),
        "confidence": top.first().map(|guess| guess.confidence),
        "top": top,
        "logits": verdict.reading.as_ref().map(|reading| &reading.logits),
    })
}
