//! Whether a model's folder can be used, in words that name what does not work and what usually helps.

mod foreign;
mod golden;
mod input;
mod measure;
mod operators;
mod output;
mod probes;
mod subject;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::graph::{Graph, NoGraph};
use super::{Model, ONNX_FILE};
use measure::{Loaded, Memory, size};
use subject::Subject;

/// What was looked at, and the model where pictures can be shown to it.
#[derive(Debug)]
pub struct Checked {
    /// That of the model, if there is one with a manifest of its own.
    pub folder: Option<PathBuf>,
    pub findings: Vec<Finding>,
    pub model: Option<Model>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
    /// What was measured, the unit in the name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    /// It can be used, but perhaps not as it was meant.
    Warn,
    /// It cannot be used.
    Fail,
    /// Nothing was looked at, and why.
    Skip,
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub node: String,
    pub operator: String,
    pub domain: String,
    /// Of its domain, where the file says it.
    pub opset: Option<i64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {:?} is {} of {}", self.node, self.operator, self.domain)?;
        self.opset.map_or(Ok(()), |opset| write!(f, " (opset {opset})"))
    }
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
            Level::Skip => "skip",
        }
    }
}

impl Finding {
    pub fn new(check: &'static str, level: Level, says: impl Into<String>) -> Finding {
        Finding { check, level, says: says.into(), way_out: None, place: None, figures: BTreeMap::new() }
    }

    pub fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Level::Ok, says)
    }

    pub fn warn(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Level::Warn, says)
    }

    pub fn fail(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Level::Fail, says)
    }

    pub fn skip(check: &'static str, says: impl Into<String>) -> Finding {
        Finding::new(check, Level::Skip, says)
    }

    pub fn way_out(self, way_out: impl Into<String>) -> Finding {
        Finding { way_out: Some(way_out.into()), ..self }
    }

    fn at(self, place: Place) -> Finding {
        Finding { place: Some(Box::new(place)), ..self }
    }

    fn figures<const N: usize>(self, figures: [(&'static str, f64); N]) -> Finding {
        Finding { figures: figures.into(), ..self }
    }

    fn is_fail(&self) -> bool {
        self.level == Level::Fail
    }
}

/// Looks at all that can be looked at, of a model's folder or of a network that is in none yet. The model can be used if
/// nothing is [`Level::Fail`].
pub fn check(path: &Path) -> Checked {
    let before = Memory::now();
    let mut subject = match Subject::find(path) {
        Ok(subject) => subject,
        Err(findings) => return Checked { folder: None, findings, model: None },
    };
    let mut findings = std::mem::take(&mut subject.findings);
    // First of all, or what else is looked at would be in the peak of memory.
    let loaded = subject.manifest.as_ref().map(|manifest| Loaded::new(&subject.onnx, manifest));
    let folder = (!subject.is_drafted).then(|| subject.folder.clone());
    let graph = match graph(&subject) {
        Ok(graph) => graph,
        Err(finding) => {
            // Of what is no network no manifest can be written, so that there is none is no news.
            findings.retain(|finding| finding.level != Level::Warn);
            findings.push(finding);
            return Checked { folder, findings, model: None };
        }
    };
    if !subject.is_drafted {
        findings.extend(checksum(&subject));
    }
    let works = matches!(loaded, Some(Ok(_)));
    findings.push(file(&graph, &subject.onnx));
    findings.extend(operators::opset(&graph, works));
    findings.extend(operators::external_weights(&graph, &subject.folder));
    findings.extend(operators::known(&graph, works));
    if let Some(manifest) = &subject.manifest {
        findings.extend(input::fits(&graph, manifest));
    }
    let mut model = None;
    match loaded {
        Some(Ok(loaded)) => {
            let of_model = of_model(&subject, &graph, &loaded, before);
            if !of_model.iter().any(Finding::is_fail) {
                model = Some(loaded.model);
            }
            findings.extend(of_model);
        }
        Some(Err(error)) if !findings.iter().any(Finding::is_fail) => {
            findings.push(why_not(&subject, &graph, &error));
        }
        Some(Err(_)) | None => {}
    }
    findings.extend(last_word(&subject, &findings));
    Checked { folder, findings, model }
}

fn graph(subject: &Subject) -> Result<Graph, Finding> {
    let Subject { name, onnx, .. } = subject;
    if let Some((what, way_out)) = foreign::format(onnx) {
        return Err(Finding::fail("file", format!("{name} {what}")).way_out(way_out));
    }
    Graph::read(onnx).map_err(|error| match error {
        NoGraph::NoProtobuf(_) => {
            let says = format!("{name} is no ONNX file, or only the first {} bytes of one ({error})", onnx.len());
            Finding::fail("file", says).way_out("Copy it again and compare its size, or export it again")
        }
        NoGraph::Empty => Finding::fail("file", format!("{name} is an ONNX file without a network"))
            .way_out("Export it again, to one file"),
    })
}

fn file(graph: &Graph, onnx: &[u8]) -> Finding {
    let opset = graph.opset().map_or("no opset".into(), |opset| format!("opset {opset}"));
    let producer = graph.producer().map(|producer| format!(", written by {producer}")).unwrap_or_default();
    Finding::ok("file", format!("ONNX of {opset}, {}{producer}", size(onnx.len() as u64)))
}

fn checksum(subject: &Subject) -> Option<Finding> {
    let manifest = subject.manifest.as_ref()?;
    let digest = &subject.digest;
    let beginning = |digest: &str| digest.chars().take(12).collect::<String>();
    if *digest == manifest.sha256 {
        let says = format!("{}…: {ONNX_FILE} is the file that the manifest means", beginning(digest));
        return Some(Finding::ok("sha256", says));
    }
    let (theirs, ours) = (beginning(&manifest.sha256), beginning(digest));
    let says = format!("the manifest means a file with sha256 {theirs}…, and {ONNX_FILE} has {ours}…");
    let way_out = format!("If this is the network that is meant, its line in the manifest is: sha256 = \"{digest}\"");
    Some(Finding::fail("sha256", says).way_out(way_out))
}

fn of_model(subject: &Subject, graph: &Graph, loaded: &Loaded, before: Option<Memory>) -> Vec<Finding> {
    let model = &loaded.model;
    let mut findings = vec![loaded.took()];
    let fits = output::fits(graph, loaded, subject.is_drafted);
    let can_run = !fits.iter().any(Finding::is_fail);
    findings.extend(fits);
    if !can_run {
        return findings;
    }
    match probes::answers(model) {
        Ok(answers) => findings.extend(output::kind(graph, model, &answers)),
        Err(error) => {
            let shape = model.manifest().input.shape;
            let place = operators::failing(graph, shape).or_else(|| operators::not_finite(graph, shape));
            findings.push(place.unwrap_or_else(|| Finding::fail("output", format!("it cannot be run: {error}"))));
            return findings;
        }
    }
    findings.extend(golden::compared(&subject.folder, &subject.digest, model));
    findings.extend(measure::time(model));
    // Making a draft of a manifest loads the network too.
    findings.extend(before.filter(|_| !subject.is_drafted).and_then(|before| loaded.memory(before)));
    findings
}

/// Each operator by itself is known, and yet tract cannot use the network.
fn why_not(subject: &Subject, graph: &Graph, error: &str) -> Finding {
    let Some(manifest) = &subject.manifest else { return Finding::fail("load", error) };
    let turned = input::takes_the_other_layout(graph, manifest);
    let shape = manifest.input.shape;
    output::of_a_detector(graph)
        .or(turned)
        .or_else(|| operators::failing(graph, shape))
        .or_else(|| operators::not_finite(graph, shape))
        .unwrap_or_else(|| Finding::fail("load", error))
}

/// What `serve` and the function would say: a check that passed must not be a promise that breaks.
fn last_word(subject: &Subject, findings: &[Finding]) -> Option<Finding> {
    if subject.is_drafted || findings.iter().any(Finding::is_fail) {
        return None;
    }
    let error = Model::from_folder(&subject.folder).err()?;
    Some(Finding::fail("load", error.to_string()))
}
