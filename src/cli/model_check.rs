//! `spotter model check`: whether a model can be used, and if not, why.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::classify::{self, Line};
use super::failure::Failure;
use super::output::{line, visible};
use crate::classifier::{self, Checked, Finding, Level, Model};
use crate::config::{self, Settings};
use crate::record::{self, Status, Verdict};

/// Guesses that are told of a picture.
const GUESSES: usize = 3;

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
        let Checked { findings, model } = classifier::check(&self.path);
        let mut told = Told { is_json: self.json, fails: 0, warnings: 0 };
        findings.iter().try_for_each(|finding| told.finding(finding))?;
        for picture in &self.pictures {
            match &model {
                Some(model) => told.picture(picture, model, settings)?,
                None => told.not_shown(picture)?,
            }
        }
        if !self.json {
            told.summary(&self.path, model.is_some() && self.pictures.is_empty())?;
        }
        if told.fails == 0 { Ok(()) } else { Err(Failure::Said) }
    }
}

struct Told {
    is_json: bool,
    fails: usize,
    warnings: usize,
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
    fn finding(&mut self, finding: &Finding) -> Result<(), Failure> {
        match self.is_json {
            true => {
                self.count(finding.level);
                line(&serde_json::to_string(finding)?)
            }
            false => self.words(finding.check, finding.level, &finding.says, finding.way_out.as_deref()),
        }
    }

    fn words(&mut self, check: &str, level: Level, says: &str, way_out: Option<&str>) -> Result<(), Failure> {
        self.count(level);
        line(&format!("{}  {check:<9}  {}", coloured(level), visible(says)))?;
        way_out.map_or(Ok(()), |way_out| line(&format!("{:17}→ {}", "", visible(way_out))))
    }

    fn count(&mut self, level: Level) {
        self.fails += usize::from(level == Level::Fail);
        self.warnings += usize::from(level == Level::Warn);
    }

    fn picture(&mut self, path: &Path, model: &Model, settings: &Settings) -> Result<(), Failure> {
        let name = path.display().to_string();
        let bytes = match classify::read(path, settings.max_bytes) {
            Ok(bytes) => bytes,
            Err(error) => return self.unread(&name, &format!("cannot be read: {error}")),
        };
        let begun = Instant::now();
        let verdict = match bytes.len() as u64 {
            size if size > settings.max_bytes => record::too_large(size, settings.max_bytes),
            _ => record::verdict(&bytes, model, settings.limits),
        };
        let ms = (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let level = if verdict.status == Status::Classified { Level::Ok } else { Level::Warn };
        if self.is_json {
            self.count(level);
            let shown = Shown { check: "picture", level, line: Line::new(&name, &verdict), ms };
            return line(&serde_json::to_string(&shown)?);
        }
        self.words("picture", level, &format!("{name}: {}, in {ms:.1} ms", answer(&verdict)), None)
    }

    fn not_shown(&mut self, path: &Path) -> Result<(), Failure> {
        let says = format!("{}: not shown to it, since it does not work", path.display());
        self.said("picture", Level::Warn, &says)
    }

    fn unread(&mut self, name: &str, problem: &str) -> Result<(), Failure> {
        self.said("picture", Level::Fail, &format!("{name}: {problem}"))
    }

    fn said(&mut self, check: &'static str, level: Level, says: &str) -> Result<(), Failure> {
        let (way_out, place, figures) = Default::default();
        self.finding(&Finding { check, level, says: says.into(), way_out, place, figures })
    }

    fn summary(&self, path: &Path, is_next_told: bool) -> Result<(), Failure> {
        line("")?;
        let counted = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        match (self.fails, self.warnings) {
            (0, 0) => line("It works.")?,
            (0, warnings) => line(&format!("It works, with {}.", counted(warnings, "warning")))?,
            (fails, _) => line(&format!("It does not work: {}.", counted(fails, "fail")))?,
        }
        let path = visible(&path.display().to_string());
        let path = if path.contains(' ') { format!("'{path}'") } else { path };
        if is_next_told && self.fails == 0 {
            line(&format!("Next  spotter model check {path} yours.jpg"))?;
            line(&format!("      spotter --model-folder {path} serve"))?;
        }
        Ok(())
    }
}

/// `7 0.998, then 1 0.001`, with what speaks against it.
fn answer(verdict: &Verdict) -> String {
    let guesses: Vec<String> = verdict.reading.iter().flat_map(|reading| &reading.top).take(GUESSES).enumerate()
        .map(|(at, guess)| {
            let doubt = if at == 0 && verdict.status == Status::Unsure { "?" } else { "" };
            format!("{}{doubt} {:.3}", guess.label, guess.confidence)
        })
        .collect();
    let guesses = guesses.join(", ");
    match verdict.status {
        Status::Classified => guesses,
        Status::Unsure if guesses.is_empty() => format!("unsure: {}", verdict.why),
        Status::Unsure => format!("unsure: {}; {guesses}", verdict.why),
        _ => format!("{}: {}", verdict.status.as_str(), verdict.why),
    }
}

fn coloured(level: Level) -> String {
    let word = format!("{:<4}", level.as_str());
    if !(std::io::stdout().is_terminal() && config::colours_wanted()) {
        return word;
    }
    // ECMA-48, SGR.
    let colour = match level {
        Level::Ok => "32",
        Level::Warn => "33",
        Level::Fail => "31",
    };
    format!("\u{1b}[{colour}m{word}\u{1b}[0m")
}
