//! `spotter classify`: pictures from files, no bucket, no record.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::explain::Explanations;
use super::failure::Failure;
use super::home;
use super::output::{self, Format, FormatArgs, csv, line, note, table};
use crate::config::Settings;
use crate::record::{self, Guess, Reason, Status, Verdict};

const CSV_COLUMNS: [&str; 6] = ["path", "status", "reason", "why", "label", "confidence"];

#[derive(Debug, Args)]
pub(super) struct Classify {
    /// Picture files; - is stdin
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write a picture of each step on the way to the model, in a folder a file, into this folder
    #[arg(long, value_name = "DIR")]
    explain: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

impl Classify {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let model = home::model(settings).await?;
        let format = self.format.chosen();
        let mut explanations = self.explain.as_deref().map(Explanations::new).transpose()?;
        let mut rows = Vec::new();
        let mut unreadable = false;
        if format == Format::Csv {
            line(&CSV_COLUMNS.join(","))?;
        }
        for file in &self.files {
            let bytes = match read(file, settings.max_bytes) {
                Ok(bytes) => bytes,
                Err(error) => {
                    note(&format!("spotter: cannot read {}: {error}", file.display()));
                    unreadable = true;
                    continue;
                }
            };
            let path = file.display().to_string();
            let verdict = match bytes.len() as u64 {
                size if size > settings.max_bytes => record::too_large(size, settings.max_bytes),
                _ => record::verdict(&bytes, &model, settings.limits),
            };
            if let (Some(explanations), Some(_)) = (&mut explanations, &verdict.reading)
                && let Ok(look) = record::look(&bytes, &model, settings.limits)
            {
                explanations.write(file, &model.stages(look.found.picture()))?;
            }
            match format {
                Format::Json => line(&serde_json::to_string(&Line::new(&path, &verdict))?)?,
                Format::Csv => line(&csv(&Line::new(&path, &verdict), &CSV_COLUMNS)?)?,
                Format::Table => rows.push(output::verdict_row(path, &verdict)),
            }
        }
        if !rows.is_empty() {
            table(&["FILE", "STATUS", "LABEL", "CONF", "WHY"], &rows)?;
        }
        if unreadable { Err(Failure::Said) } else { Ok(()) }
    }
}

/// At most one byte more than `max_bytes`, which then is too large.
pub(super) fn read(file: &Path, max_bytes: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = max_bytes.saturating_add(1);
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// One line of JSON.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    path: &'a str,
    status: Status,
    reason: Option<Reason>,
    why: Option<&'a str>,
    label: Option<&'a str>,
    confidence: Option<f32>,
    top: &'a [Guess],
    /// As the network gave them, one a label.
    logits: Option<&'a [f32]>,
}

impl<'a> Line<'a> {
    pub(super) fn new(path: &'a str, verdict: &'a Verdict) -> Line<'a> {
        let reading = verdict.reading.as_ref();
        let top = reading.map(|reading| &reading.top[..]).unwrap_or_default();
        Line {
            path,
            status: verdict.status,
            reason: verdict.reason,
            why: Some(verdict.why.as_str()).filter(|why| !why.is_empty()),
            label: top.first().map(|best| best.label.as_str()),
            confidence: top.first().map(|best| best.confidence),
            top,
            logits: reading.map(|reading| &reading.logits[..]),
        }
    }
}
