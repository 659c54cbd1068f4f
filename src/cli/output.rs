//! Records as a table for people, or as JSON lines or CSV for programs.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::failure::Failure;
use crate::record::{Reason, Record, Status, Verdict};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Table,
    /// One object a line
    Json,
    Csv,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct FormatArgs {
    /// Default: table on a terminal, else json
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatArgs {
    pub(super) fn chosen(self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.json || !io::stdout().is_terminal() => Format::Json,
            None => Format::Table,
        }
    }
}

/// Columns of [`Format::Csv`], named as the fields of the JSON.
const CSV_COLUMNS: [&str; 12] = [
    "bucket",
    "key",
    "status",
    "reason",
    "why",
    "label",
    "confidence",
    "model",
    "event_time",
    "version_id",
    "etag",
    "size",
];

/// Prints records as they come; a table is printed at the end, because its columns need to know the widest.
pub(super) struct Printer {
    format: Format,
    rows: Vec<Vec<String>>,
}

impl Printer {
    pub(super) fn new(format: Format) -> Result<Printer, Failure> {
        if format == Format::Csv {
            line(&CSV_COLUMNS.join(","))?;
        }
        Ok(Printer { format, rows: Vec::new() })
    }

    pub(super) fn record(&mut self, record: &Record) -> Result<(), Failure> {
        match self.format {
            Format::Table => self.rows.push(table_row(record)),
            Format::Json => line(&serde_json::to_string(record)?)?,
            Format::Csv => line(&csv(record, &CSV_COLUMNS)?)?,
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        if self.format == Format::Table && !self.rows.is_empty() {
            table(&["OBJECT", "STATUS", "LABEL", "CONF", "WHY", "TIME", "MODEL", "VERSION"], &self.rows)?;
        }
        Ok(())
    }
}

fn table_row(record: &Record) -> Vec<String> {
    let mut row = short_row(record);
    row.push(record.order.event_time.to_string());
    row.push(if record.model.is_empty() { "–".into() } else { record.model.clone() });
    row.push(record.order.version.clone());
    row
}

/// Object, status, label, confidence, why.
pub(super) fn short_row(record: &Record) -> Vec<String> {
    let best = record.label.as_deref().zip(record.confidence);
    row(format!("s3://{}/{}", record.bucket, record.key), record.status, best, record.reason, &record.why)
}

/// Path, status, label, confidence, why.
pub(super) fn verdict_row(path: String, verdict: &Verdict) -> Vec<String> {
    let best = verdict.reading.as_ref().and_then(|reading| reading.top.first());
    let best = best.map(|guess| (guess.label.as_str(), guess.confidence));
    row(path, verdict.status, best, verdict.reason, &verdict.why)
}

fn row(name: String, status: Status, best: Option<(&str, f32)>, reason: Option<Reason>, why: &str) -> Vec<String> {
    let doubt = if status == Status::Unsure { "?" } else { "" };
    let why = match reason {
        Some(reason) if status == Status::Rejected => format!("{}: {why}", reason.as_str().replace('_', " ")),
        _ => why.to_owned(),
    };
    vec![
        name,
        status.as_str().into(),
        best.map_or("–".into(), |(label, _)| format!("{label}{doubt}")),
        best.map_or("–".into(), |(_, confidence)| format!("{confidence:.3}")),
        why,
    ]
}

/// Columns as wide as their widest cell. Control characters of keys are shown, not sent to the terminal.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, name)| rows.iter().map(|row| row[column].width()).max().unwrap_or(0).max(name.width()))
        .collect();
    let mut out = io::stdout().lock();
    let head = head.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(cell);
            text.push_str(&" ".repeat(width - cell.width() + 2));
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

/// Control characters (of keys, say) as escapes, so that they cannot write to the terminal.
pub(super) fn visible(text: &str) -> String {
    let shown = |c: char| {
        // Right-to-left overrides would rewrite the line around them.
        let misleading = c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if misleading { c.escape_unicode().to_string() } else { c.to_string() }
    };
    text.chars().map(shown).collect()
}

/// The named fields of what is an object in JSON, as one line of CSV.
pub(super) fn csv(row: &impl Serialize, columns: &[&str]) -> Result<String, Failure> {
    // By way of text: as a `Value`, an f32 would get the digits of an f64.
    let object: serde_json::Value = serde_json::from_str(&serde_json::to_string(row)?)?;
    Ok(columns.iter().map(|column| csv_field(&object[column])).collect::<Vec<_>>().join(","))
}

fn csv_field(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // RFC 4180.
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// One line on stdout.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// One line on stderr: what is not data. That nobody reads it is no failure.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}
