//! `spotter export`: the records as a file for other programs.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::home;
use super::list::time;
use super::output::note;
use super::signals::Signals;
use crate::config::Settings;
use crate::event::Timestamp;
use crate::export::{self, Row, Shape, Target};
use crate::records::{self, Listing, RecordsError};

/// Rows that are asked for at a time.
const PAGE: usize = 1_000;
const STDOUT: &str = "-";

/// Every record that fits, newest first. A file appears once it is whole, and replaces one of its name.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file; `-` is stdout
    #[arg(long, short, value_name = "FILE", default_value = STDOUT)]
    output: PathBuf,
    /// [default: as the file is named; jsonl on stdout]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The model's input as a PNG too, in base64; Parquet always has it, unless --seen=false
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    seen: Option<bool>,
    /// A label of the model, or unsure, rejected
    #[arg(long)]
    label: Option<String>,
    /// From this time on, as in 2026-11-21T00:00:00Z
    #[arg(long, value_parser = time, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_parser = time, value_name = "TIME")]
    until: Option<Timestamp>,
    /// As name/version [default: the model in use]
    #[arg(long)]
    model: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Parquet,
    Csv,
    /// One object a line, as `list --json`
    Jsonl,
}

type Rows<'a> = BoxStream<'a, Result<Row, RecordsError>>;

impl Export {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let format = self.format()?;
        let shape = Shape { seen: self.seen.unwrap_or(format == Format::Parquet), corrected: false };
        let records = home::records_to_ask(settings)?;
        let model = home::model_id(self.model.clone(), settings)?;
        let listing = Listing {
            model,
            label: self.label.clone(),
            since: self.since,
            until: self.until,
            limit: PAGE,
            after: None,
        };
        let rows: Rows<'_> = records::listed(&*records, listing).map_ok(Row::from).boxed();
        let mut signals = Signals::new()?;
        tokio::select! {
            done = self.write(format.into(), shape, rows) => done,
            () = signals.next() => Err(Failure::Failed(match self.to_stdout() {
                true => "interrupted".into(),
                false => format!("interrupted; {} is as it was", self.output.display()),
            })),
        }
    }

    /// What is asked for, or what the file's name says.
    fn format(&self) -> Result<Format, Failure> {
        let format = match (self.format, self.to_stdout()) {
            (Some(format), _) => format,
            (None, true) => Format::Jsonl,
            (None, false) => by_name(&self.output)?,
        };
        if format == Format::Parquet && self.to_stdout() && io::stdout().is_terminal() {
            return Err(Failure::Usage("Parquet is not for a terminal: name a file with --output".into()));
        }
        Ok(format)
    }

    fn to_stdout(&self) -> bool {
        self.output == Path::new(STDOUT)
    }

    async fn write(&self, format: export::Format, shape: Shape, rows: Rows<'_>) -> Result<(), Failure> {
        if self.to_stdout() {
            let (mut stdout, count) = write(format, shape, rows, io::stdout(), Failure::from).await?;
            stdout.flush()?;
            note(&records(count));
            return Ok(());
        }
        let path = self.output.display();
        let failed = |error: io::Error| Failure::Failed(format!("cannot write {path}: {error}"));
        let target = Target::create(&self.output).map_err(failed)?;
        let (target, count) = write(format, shape, rows, target, failed).await?;
        let bytes = target.finish().map_err(failed)?;
        note(&format!("{} → {path} ({})", records(count), DecimalBytes(bytes)));
        Ok(())
    }
}

async fn write<W: Write + Send>(
    format: export::Format,
    shape: Shape,
    mut rows: Rows<'_>,
    out: W,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(W, u64), Failure> {
    let progress = Progress::start();
    let mut export = export::Export::new(format, shape, out).map_err(&failed)?;
    while let Some(row) = rows.try_next().await? {
        export.push(row).map_err(&failed)?;
        progress.0.inc(1);
    }
    let out = export.finish().map_err(&failed)?;
    Ok((out, progress.0.position()))
}

fn records(count: u64) -> String {
    format!("{} {}", HumanCount(count), if count == 1 { "record" } else { "records" })
}

/// Seen on stderr where that is a terminal. How many there will be is not known.
struct Progress(ProgressBar);

impl Progress {
    fn start() -> Progress {
        let style = ProgressStyle::with_template("{spinner} {human_pos} records  {per_sec:.0}  {elapsed_precise}");
        let bar = ProgressBar::new_spinner();
        Progress(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn by_name(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(OsStr::to_str) {
        Some("parquet") => Ok(Format::Parquet),
        Some("csv") => Ok(Format::Csv),
        Some("jsonl" | "ndjson") => Ok(Format::Jsonl),
        _ => {
            let path = path.display();
            Err(Failure::Usage(format!("{path} does not end in .parquet, .csv or .jsonl: say which with --format")))
        }
    }
}

impl From<Format> for export::Format {
    fn from(format: Format) -> export::Format {
        match format {
            Format::Parquet => export::Format::Parquet,
            Format::Csv => export::Format::Csv,
            Format::Jsonl => export::Format::JsonLines,
        }
    }
}
