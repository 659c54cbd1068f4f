//! `spotter export`: the records as a file for other programs.

use std::ffi::OsStr;
use std::fmt;
use std::future::ready;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use indicatif::{DecimalBytes, HumanCount, HumanFloatCount, ProgressBar, ProgressState, ProgressStyle};

use super::failure::Failure;
use super::home;
use super::output::{note, stdout};
use super::question::QuestionArgs;
use super::signals::Signals;
use super::times::PeriodArgs;
use crate::ask::{self, Question};
use crate::config::Settings;
use crate::export::{self, Row, Shape, Target};
use crate::record::Record;
use crate::records::{Records, RecordsError};

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
    /// Only what people have corrected or agreed with: `label` is theirs, `model_label` the model's. With `seen`
    #[arg(long, conflicts_with_all = ["label", "status", "min_confidence", "max_confidence", "current", "deleted"])]
    corrected: bool,
    /// The model's input as a PNG [default: true for Parquet and --corrected]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    seen: Option<bool>,
    #[command(flatten)]
    question: QuestionArgs,
    #[command(flatten)]
    period: PeriodArgs,
    /// Leave out what has been replaced or deleted since
    #[arg(long)]
    current: bool,
    /// At most so many [default: all]
    #[arg(long, short = 'n')]
    limit: Option<usize>,
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
        let Export { output, corrected, seen, question, period, current, limit, .. } = self;
        let seen = seen.unwrap_or(corrected || format == Format::Parquet);
        let records = home::records_to_ask(settings)?;
        let question = Question { current, seen, ..question.question(period, settings, &*records).await? };
        let rows = if corrected { labelled(&*records, question) } else { answered(&*records, question) };
        let rows = rows.take(limit.unwrap_or(usize::MAX)).boxed();
        let mut signals = Signals::new()?;
        tokio::select! {
            done = write_to(&output, format.into(), Shape { seen, corrected }, rows) => done,
            () = signals.next() => Err(Failure::Failed(match is_stdout(&output) {
                true => "interrupted".into(),
                false => format!("interrupted; {} is as it was", output.display()),
            })),
        }
    }

    /// What is asked for, or what the file's name says.
    fn format(&self) -> Result<Format, Failure> {
        let named = named(&self.output);
        let format = match (self.format, named) {
            (Some(format), _) => format,
            (None, _) if is_stdout(&self.output) => Format::Jsonl,
            (None, Some(named)) => named,
            (None, None) => {
                let path = self.output.display();
                let problem = format!("{path} does not end in .parquet, .csv or .jsonl: say which with --format");
                return Err(Failure::Usage(problem));
            }
        };
        if let Some(named) = named.filter(|named| *named != format) {
            let path = self.output.display();
            note(&format!("{path} is named as {named} and will be {format}, as --format says"));
        }
        if format == Format::Parquet && is_stdout(&self.output) && io::stdout().is_terminal() {
            return Err(Failure::Usage("Parquet is not for a terminal: name a file with --output".into()));
        }
        Ok(format)
    }
}

fn is_stdout(output: &Path) -> bool {
    output == Path::new(STDOUT)
}

fn answered(records: &dyn Records, question: Question) -> Rows<'_> {
    ask::answers(records, question, None).map_ok(Row::from).boxed()
}

/// What people say of what a model saw.
fn labelled(records: &dyn Records, question: Question) -> Rows<'_> {
    let Question { model, bucket, prefix, since, until, .. } = question;
    let fits = move |row: &Record| {
        row.model == model
            && bucket.as_ref().is_none_or(|bucket| row.bucket == *bucket)
            && prefix.as_ref().is_none_or(|prefix| row.key.starts_with(prefix))
    };
    ask::corrected(records, since, until)
        .try_filter(move |(row, _)| ready(fits(row)))
        .map_ok(|(row, correction)| Row::corrected(row, correction))
        .boxed()
}

async fn write_to(output: &Path, format: export::Format, shape: Shape, rows: Rows<'_>) -> Result<(), Failure> {
    if is_stdout(output) {
        let (mut stdout, count) = write(format, shape, rows, stdout(), Failure::from).await?;
        stdout.flush()?;
        note(&records(count));
        return Ok(());
    }
    let path = output.display();
    let failed = |error: io::Error| Failure::Failed(format!("cannot write {path}: {error}"));
    let target = Target::create(output).map_err(failed)?;
    let (target, count) = write(format, shape, rows, target, failed).await?;
    let bytes = target.finish().map_err(failed)?;
    note(&format!("{} → {path} ({})", records(count), DecimalBytes(bytes)));
    Ok(())
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
        let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A bar that cannot be drawn is no failure.
            let _ = write!(out, "{:.0}/s", HumanFloatCount(state.per_sec()));
        };
        let style = ProgressStyle::with_template("{spinner} {human_pos} records  {rate}  {elapsed_precise}");
        let bar = ProgressBar::new_spinner();
        Progress(match style {
            Ok(style) => bar.with_style(style.with_key("rate", rate)),
            Err(_) => bar,
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a file's name says that it is.
fn named(path: &Path) -> Option<Format> {
    match path.extension().and_then(OsStr::to_str)? {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Parquet => "Parquet",
            Format::Csv => "CSV",
            Format::Jsonl => "JSON Lines",
        })
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
