//! `spotter model check`: whether a model can be used, and if not, why.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::classify::{self, Line};
use super::failure::Failure;
use super::findings::{self, counted};
use super::output::{line, visible};
use crate::classifier::{self, Checked, Finding, Level, Model};
use crate::config::Settings;
use crate::record::{self, Status, Verdict};

/// Guesses that are told of a picture.
const GUESSES: usize = 3;
/// Of the longest check's name.
const WIDTH: usize = "operators".len();
/// Less is no guess to tell.
const LEAST: f32 = 0.001;

/// Exit code 1 if something fails, 0 if there are warnings only.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The model's folder, with manifest.toml and model.onnx; or an ONNX file that has none yet
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Pictures to show to it
    pictures: Vec<PathBuf>,
    /// One object a line, with figures in numbers
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self, settings: &Settings) -> Result<(), Failure> {
        let Checked { folder, findings, model } = classifier::check(&self.path);
        let told = Told { is_json: self.json };
        findings.iter().try_for_each(|finding| told.finding(finding))?;
        let mut unread = 0;
        for picture in &self.pictures {
            unread += usize::from(!told.picture(picture, model.as_ref(), settings)?);
        }
        let (fails, warnings) = (findings::count(&findings, Level::Fail), findings::count(&findings, Level::Warn));
        if !self.json {
            let next = folder.filter(|_| fails == 0 && self.pictures.is_empty());
            summary(fails, warnings, unread, next.as_deref())?;
        }
        if fails + unread == 0 { Ok(()) } else { Err(Failure::Said) }
    }
}

struct Told {
    is_json: bool,
}

/// A picture as a line of JSON.
#[derive(Serialize)]
struct Shown<'a> {
    check: &'static str,
    level: Level,
    #[serde(flatten)]
    line: Line<'a>,
    /// From the file's bytes to the answer.
    ms: f64,
}

impl Told {
    fn finding(&self, finding: &Finding) -> Result<(), Failure> {
        if self.is_json {
            return line(&serde_json::to_string(finding)?);
        }
        findings::told(finding, WIDTH)
    }

    /// Whether there is one at this path.
    fn picture(&self, path: &Path, model: Option<&Model>, settings: &Settings) -> Result<bool, Failure> {
        let name = path.display().to_string();
        let bytes = match classify::read(path, settings.max_bytes) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.said(Level::Fail, format!("{name}: cannot be read: {error}"))?;
                return Ok(false);
            }
        };
        let Some(model) = model else {
            self.said(Level::Warn, format!("{name}: not shown to a model that does not work"))?;
            return Ok(true);
        };
        let begun = Instant::now();
        let verdict = match bytes.len() as u64 {
            size if size > settings.max_bytes => record::too_large(size, settings.max_bytes),
            _ => record::verdict(&bytes, model, settings.limits),
        };
        let ms = (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let level = if verdict.status == Status::Classified { Level::Ok } else { Level::Warn };
        match self.is_json {
            true => {
                let shown = Shown { check: "picture", level, line: Line::new(&name, &verdict), ms };
                line(&serde_json::to_string(&shown)?)?;
            }
            false => self.said(level, format!("{name}: {}, in {ms:.1} ms", answer(&verdict)))?,
        }
        Ok(true)
    }

    fn said(&self, level: Level, says: String) -> Result<(), Failure> {
        self.finding(&Finding::new("picture", level, says))
    }
}

/// The last word, and what comes next for a model in `next`.
fn summary(fails: usize, warnings: usize, unread: usize, next: Option<&Path>) -> Result<(), Failure> {
    let mut last = match (fails, warnings) {
        (0, 0) => "It works".to_owned(),
        (0, warnings) => format!("It works, with {}", counted(warnings, "warning")),
        (fails, _) => format!("It does not work: {} failed", counted(fails, "check")),
    };
    if unread > 0 {
        last.push_str(&format!("; {} cannot be read", counted(unread, "picture")));
    }
    line(&format!("\n{last}."))?;
    let Some(folder) = next else { return Ok(()) };
    let folder = visible(&folder.display().to_string());
    let folder = if folder.contains(' ') { format!("'{folder}'") } else { folder };
    line(&format!("Next  spotter model check {folder} yours.jpg"))?;
    line(&format!("      spotter --model {folder} serve"))
}

/// `7 0.998, 1 0.001`, and what speaks against it.
fn answer(verdict: &Verdict) -> String {
    let guesses = verdict.reading.iter().flat_map(|reading| &reading.top).take(GUESSES);
    let shown = guesses.enumerate().filter(|(at, guess)| *at == 0 || guess.confidence >= LEAST);
    let guesses: Vec<String> = shown.map(|(_, guess)| format!("{} {:.3}", guess.label, guess.confidence)).collect();
    let guesses = guesses.join(", ");
    match verdict.status {
        Status::Classified => guesses,
        Status::Unsure if guesses.is_empty() => format!("unsure, {}", verdict.why),
        Status::Unsure => format!("unsure, {}: {guesses}", verdict.why),
        _ => format!("{}, {}", verdict.status.as_str(), verdict.why),
    }
}
