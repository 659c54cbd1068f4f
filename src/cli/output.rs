//! Records as a table for people, or as JSON lines or CSV for programs.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::os::fd::AsFd;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use super::failure::Failure;
use super::table::Table;
use super::times;
pub(super) use crate::encoding::visible;
use crate::encoding::visible_json;
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

/// Where a row of a table has the label.
const LABEL: usize = 2;

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

const TABLE_COLUMNS: &[&str] = &["OBJECT", "STATUS", "LABEL", "CONF", "WHY", "TIME", "MODEL", "VERSION"];

/// Prints records as they come, a table too: its columns are as wide as its first rows need.
pub(super) struct Printer {
    to: Printing,
    /// A terminal shows each line at once; what else reads us gets many at a time.
    out: BufWriter<Out>,
}

enum Printing {
    Table(Table),
    Json,
    Csv,
}

impl Printer {
    pub(super) fn new(format: Format) -> Result<Printer, Failure> {
        let mut out = BufWriter::new(stdout());
        let to = match format {
            Format::Table => Printing::Table(Table::new(TABLE_COLUMNS)),
            Format::Json => Printing::Json,
            Format::Csv => {
                writeln!(out, "{}", CSV_COLUMNS.join(","))?;
                Printing::Csv
            }
        };
        Ok(Printer { to, out })
    }

    pub(super) fn record(&mut self, record: &Record) -> Result<(), Failure> {
        match &mut self.to {
            Printing::Table(table) => table.row(&mut self.out, &table_row(record)),
            Printing::Json => Ok(writeln!(self.out, "{}", serde_json::to_string(record)?)?),
            Printing::Csv => Ok(writeln!(self.out, "{}", csv(record, &CSV_COLUMNS)?)?),
        }
    }

    /// A record and what people say that it shows.
    pub(super) fn answer(&mut self, record: &Record, corrected: Option<&str>) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Answer<'a> {
            #[serde(flatten)]
            record: &'a Record,
            corrected: Option<&'a str>,
        }
        match &mut self.to {
            Printing::Table(table) => {
                let mut row = table_row(record);
                if let Some(label) = corrected {
                    row[LABEL] = format!("{label} (was {})", row[LABEL]);
                }
                table.row(&mut self.out, &row)
            }
            Printing::Json => Ok(writeln!(self.out, "{}", serde_json::to_string(&Answer { record, corrected })?)?),
            Printing::Csv => self.record(record),
        }
    }

    /// Shows what was printed so far.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if let Printing::Table(table) = &mut self.to {
            table.flush(&mut self.out)?;
        }
        Ok(self.out.flush()?)
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

fn table_row(record: &Record) -> Vec<String> {
    let mut row = short_row(record);
    // A correction's model is the time of it: people read it as one.
    row.push(times::shown(record.corrected_at().unwrap_or(record.order.event_time)));
    row.push(if record.model.is_empty() { "–".into() } else { record.listed_model().to_owned() });
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

/// A table of rows that are all there: as wide as the widest of them.
pub(super) fn table<S: AsRef<str>>(head: &[S], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut table = Table::new(head);
    table.fits = rows.len();
    let mut out = stdout();
    rows.iter().try_for_each(|row| table.row(&mut out, row))?;
    table.flush(&mut out)
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

/// Standard output, whose errors say what could not be written. Files and pipes get what is written; a terminal is sent
/// nothing that would do something there.
pub(super) struct Out {
    to: Stdout,
    is_terminal: bool,
}

pub(super) fn stdout() -> Out {
    let to = io::stdout();
    Out { is_terminal: to.is_terminal(), to }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.to.write(bytes).map_err(of_stdout);
        }
        self.to.write_all(for_terminal(&String::from_utf8_lossy(bytes)).as_bytes()).map_err(of_stdout)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush().map_err(of_stdout)
    }
}

/// With our own colours, and nothing else that is not text.
fn for_terminal(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut shown = visible_json(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let colour = piece.find(|c: char| !c.is_ascii_digit() && c != ';').filter(|&end| piece[end..].starts_with('m'));
        shown.push_str(if colour.is_some() { "\u{1b}[" } else { "\\u001b[" });
        shown.push_str(&visible_json(piece));
    }
    shown
}

fn of_stdout(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}

/// Once nobody reads standard output any more, where that can be known: of pipes and sockets, on Linux. Elsewhere the
/// next write tells.
pub(super) async fn stdout_closed() {
    // A descriptor of our own is only waited for, never written to, so the pipe keeps its blocking mode.
    let pipe = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    match pipe {
        Ok(pipe) if pipe.ready(Interest::ERROR).await.is_ok() => {}
        // A file or a device, which cannot be waited for.
        _ => std::future::pending().await,
    }
}

/// One line on stdout.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(stdout(), "{text}")?)
}

/// One line on stderr: what is not data. That nobody reads it is no failure.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_text_and_our_colours() {
        for text in ["{\"key\":\"七 é\"}\n", "\u{1b}[31mrejected\u{1b}[0m\n", ""] {
            assert_eq!(for_terminal(text), text);
        }
        for (text, shown) in [
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u001b[2J\\u001b]0;title\\u0007"),
            ("\u{9b}31m", "\\u009b31m"),
            ("a\u{202e}gnp\r", "a\\u202egnp\\u000d"),
            ("\u{1b}[", "\\u001b["),
            ("\u{1b}[1", "\\u001b[1"),
        ] {
            assert_eq!(for_terminal(text), shown);
        }
    }
}
