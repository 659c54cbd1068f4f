//! `spotter model prepare`: what the model sees of many pictures, as one array. Training on it agrees with serving.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use clap::Args;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::classify;
use super::failure::Failure;
use super::home;
use super::output::{note, visible};
use super::signals::Signals;
use crate::classifier::Model;
use crate::config::Settings;
use crate::decode::Limits;
use crate::export::Target;
use crate::record::{Reason, Verdict, look};

/// Pictures that are prepared between two writes; what is kept of them is some bytes each.
const AT_ONCE: usize = 512;

/// What the model sees of each picture, as a NumPy array of bytes: N x height x width, x 3 where it sees colour.
/// Sorted by path; FILE.txt beside FILE.npy has a line for each: path, tab, and ok, none (no ink), several (characters)
/// or why it is no picture, whose row is zeros.
#[derive(Debug, Args)]
pub(super) struct Prepare {
    /// Picture files, and folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[arg(long, short, value_name = "FILE.npy")]
    out: PathBuf,
}

impl Prepare {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Prepare { paths, out } = self;
        if out.extension().is_none_or(|extension| extension != "npy") {
            return Err(Failure::Usage(format!("--out {} must end in .npy", out.display())));
        }
        let files = files(&paths)?;
        let run = Run {
            model: home::model(settings).await?,
            limits: settings.limits,
            max_bytes: settings.max_bytes,
            stopped: Arc::new(AtomicBool::new(false)),
        };
        let (stopped, shown) = (Arc::clone(&run.stopped), out.display().to_string());
        let mut writing = tokio::task::spawn_blocking(move || run.write(&files, &out));
        let mut signals = Signals::new()?;
        let written = tokio::select! {
            written = &mut writing => written,
            () = signals.next() => {
                stopped.store(true, Ordering::Relaxed);
                // So that the unfinished file goes away.
                let _ = writing.await;
                return Err(Failure::Failed(format!("interrupted; {shown} is as it was")));
            }
        };
        written.map_err(|error| Failure::Failed(format!("cannot prepare: {error}")))?
    }
}

/// The files themselves and those in the folders, sorted as text, each once.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut files).map_err(|error| cannot_read(path, &error))?;
        } else {
            files.push(path.clone());
        }
    }
    files.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    files.dedup();
    if files.is_empty() { Err(Failure::Failed("no files in what was named".into())) } else { Ok(files) }
}

/// A linked folder is left out: it may lead back to where it is.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

struct Run {
    model: Arc<Model>,
    limits: Limits,
    max_bytes: u64,
    stopped: Arc<AtomicBool>,
}

struct Row {
    seen: Vec<u8>,
    /// As in FILE.txt.
    outcome: &'static str,
}

impl Run {
    fn write(&self, files: &[PathBuf], out: &Path) -> Result<(), Failure> {
        let list = out.with_extension("txt");
        let (channels, height, width) = self.model.manifest().input.dimensions();
        let mut array = Output::create(out)?;
        let mut lines = Output::create(&list)?;
        array.write(&npy_header(files.len(), height, width, channels))?;
        let (progress, mut unusable) = (progress(files.len()), 0);
        for files in files.chunks(AT_ONCE) {
            for (file, row) in files.iter().zip(self.rows(files)) {
                let Row { seen, outcome } = row?;
                array.write(&seen)?;
                lines.write(format!("{}\t{outcome}\n", visible(&file.display().to_string())).as_bytes())?;
                unusable += u64::from(outcome != "ok");
            }
            if self.stopped.load(Ordering::Relaxed) {
                return Err(Failure::Said);
            }
            progress.inc(files.len() as u64);
        }
        array.finish()?;
        lines.finish()?;
        progress.finish_and_clear();
        note(&format!(
            "{} rows → {}, {} of them not ok: {} says why",
            HumanCount(files.len() as u64),
            out.display(),
            HumanCount(unusable),
            list.display()
        ));
        Ok(())
    }

    /// One a file, in their order, made on all cores.
    fn rows(&self, files: &[PathBuf]) -> Vec<Result<Row, Failure>> {
        let made: Vec<OnceLock<Result<Row, Failure>>> = files.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((file, row)) = Some(next.fetch_add(1, Ordering::Relaxed))
                .and_then(|at| files.get(at).zip(made.get(at)))
                .filter(|_| !self.stopped.load(Ordering::Relaxed))
            {
                let _ = row.set(self.row(file));
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(files.len()) {
                scope.spawn(work);
            }
        });
        made.into_iter().map(|row| row.into_inner().unwrap_or(Err(Failure::Said))).collect()
    }

    fn row(&self, file: &Path) -> Result<Row, Failure> {
        let bytes = classify::read(file, self.max_bytes).map_err(|error| cannot_read(file, &error))?;
        let looked = match bytes.len() as u64 > self.max_bytes {
            true => return Ok(self.no_row(Reason::TooLarge)),
            false => look(&bytes, &self.model, self.limits),
        };
        let found = match looked {
            Ok(look) => look.found,
            Err(rejection) => return Ok(self.no_row(Verdict::from(rejection).reason.unwrap_or(Reason::Broken))),
        };
        let outcome = match () {
            () if found.is_ink() && found.ink().is_none() => "none",
            () if found.several => "several",
            () => "ok",
        };
        Ok(Row { seen: found.prepared().seen, outcome })
    }

    fn no_row(&self, reason: Reason) -> Row {
        let (channels, height, width) = self.model.manifest().input.dimensions();
        Row { seen: vec![0; channels * height * width], outcome: reason.as_str() }
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot read {}: {error}", path.display()))
}

/// A file of its own name once it is whole.
struct Output<'a> {
    path: &'a Path,
    out: BufWriter<Target>,
}

impl Output<'_> {
    fn create(path: &Path) -> Result<Output<'_>, Failure> {
        let target = Target::create(path).map_err(|error| Failure::cannot_write(path, &error))?;
        Ok(Output { path, out: BufWriter::new(target) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| Failure::cannot_write(self.path, &error))
    }

    fn finish(self) -> Result<(), Failure> {
        let target = self.out.into_inner().map_err(|error| Failure::cannot_write(self.path, error.error()))?;
        target.finish().map_err(|error| Failure::cannot_write(self.path, &error))?;
        Ok(())
    }
}

/// NumPy's format 1.0 (`numpy.lib.format`): magic, version, the header's length, a Python literal padded to 64 bytes.
fn npy_header(rows: usize, height: usize, width: usize, channels: usize) -> Vec<u8> {
    const BEFORE: usize = 10;
    let colour = if channels == 1 { String::new() } else { format!(", {channels}") };
    let mut literal =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, {height}, {width}{colour}), }}");
    let whole = (BEFORE + literal.len() + 1).next_multiple_of(64);
    literal.push_str(&" ".repeat(whole - BEFORE - literal.len() - 1));
    literal.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(literal.len() as u16).to_le_bytes());
    header.extend_from_slice(literal.as_bytes());
    header
}

/// Seen on stderr where that is a terminal.
fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    match ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} pictures  {elapsed_precise}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
