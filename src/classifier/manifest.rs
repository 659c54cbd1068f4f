//! The manifest: what a network's file does not say about itself.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use super::error::ModelError;
use crate::encoding::hex;
use crate::preprocess::{ChannelOrder, Mode, Preprocess, Resize};

pub const MANIFEST_FILE: &str = "manifest.toml";
/// Beside the manifest, in a model's folder.
pub const ONNX_FILE: &str = "model.onnx";
/// Where the digit reader comes from, in errors.
pub(super) const EMBEDDED: &str = "the binary";

/// `manifest.toml`, beside `model.onnx`. Unknown fields are errors, so that a typo is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest<Labels = Vec<String>> {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// Counts up; records of two versions live side by side.
    pub version: u32,
    /// Of `model.onnx`, lower-case hex.
    pub sha256: String,
    /// One an output, in the network's order.
    pub labels: Labels,
    /// Confidence from which a label is believed; a picture without any such label is `unsure`.
    pub threshold: f32,
    /// Guesses that a record keeps.
    #[serde(default = "three")]
    pub top_k: usize,
    pub input: Input,
    pub preprocess: Preprocess,
    pub output: Output,
}

fn three() -> usize {
    3
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub layout: Layout,
    /// Four numbers in the order of `layout`; the batch is 1.
    pub shape: [usize; 4],
    #[serde(default)]
    pub order: ChannelOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    Nchw,
    Nhwc,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub kind: OutputKind,
    /// The label that stands for none of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier: Option<Outlier>,
    /// Of labels that have another threshold than the model's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<String, f32>,
}

/// What the network's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// One label a picture; softmax is still to be done.
    Logits,
    /// One label a picture; they sum to 1.
    Probabilities,
    /// Any number of labels a picture; a sigmoid each is still to be done.
    MultiLabelLogits,
    /// Any number of labels a picture, each with its probability.
    MultiLabelProbabilities,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outlier {
    pub label: String,
    /// Confidence in `label` from which a picture is an outlier, whatever the best of the other labels is.
    pub threshold: f32,
}

impl Output {
    pub fn is_multi_label(&self) -> bool {
        matches!(self.kind, OutputKind::MultiLabelLogits | OutputKind::MultiLabelProbabilities)
    }
}

impl Input {
    /// Channels, height, width.
    pub fn dimensions(&self) -> (usize, usize, usize) {
        let [_, a, b, c] = self.shape;
        match self.layout {
            Layout::Nchw => (a, b, c),
            Layout::Nhwc => (c, a, b),
        }
    }
}

/// Labels as a manifest has them: here, or one a line in a file beside it.
pub(super) enum Written {
    Here(Vec<String>),
    InFile(LabelsFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelsFile {
    pub(super) file: String,
    /// Lower-case hex; needed where the file is fetched.
    pub(super) sha256: Option<String>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Written, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of labels, or the name of a file with one label a line")
            }

            fn visit_str<E>(self, name: &str) -> Result<Written, E> {
                Ok(Written::InFile(LabelsFile { file: name.to_owned(), sha256: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, file: A) -> Result<Written, A::Error> {
                LabelsFile::deserialize(MapAccessDeserializer::new(file)).map(Written::InFile)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, labels: A) -> Result<Written, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(labels)).map(Written::Here)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Written {
    fn labels(
        self,
        origin: &Path,
        read: impl FnOnce(&str) -> Result<Vec<u8>, ModelError>,
    ) -> Result<Vec<String>, ModelError> {
        let LabelsFile { file, sha256 } = match self {
            Written::Here(labels) => return Ok(labels),
            Written::InFile(file) => file,
        };
        let bytes = read(&file)?;
        if let Some(said) = sha256
            && let digest = digest(&bytes)
            && digest != said
        {
            let problem =
                format!("says sha256 {said} of {file}, but it has {digest}: put the right one into the manifest");
            return Err(ModelError::manifest(origin, problem));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| ModelError::manifest(origin, format!("{file} beside it is not UTF-8 text")))?;
        // Editors end the last line; some begin the file with a byte order mark.
        Ok(text.trim_start_matches('\u{feff}').trim_end().lines().map(|line| line.trim().to_owned()).collect())
    }
}

impl Manifest<Written> {
    /// As it is written; its labels may still be elsewhere.
    pub(super) fn written(bytes: &[u8], origin: &Path) -> Result<Manifest<Written>, ModelError> {
        let text = str::from_utf8(bytes).map_err(|_| ModelError::manifest(origin, "is not UTF-8 text"))?;
        let manifest: Manifest<Written> =
            toml::from_str(text).map_err(|error| ModelError::manifest(origin, located(text, &error)))?;
        // A manifest may be somebody else's: it reads no file but its neighbours.
        if let Written::InFile(LabelsFile { file, .. }) = &manifest.labels
            && (file.is_empty() || file.starts_with('.') || file.contains(['/', '\\', ':']))
        {
            return Err(ModelError::manifest(origin, format!("labels {file:?} must name a file in the same folder")));
        }
        Ok(manifest)
    }

    /// With its labels, and nothing wrong; `read` gets a file beside it.
    pub(super) fn resolved(
        self,
        origin: &Path,
        read: impl FnOnce(&str) -> Result<Vec<u8>, ModelError>,
    ) -> Result<Manifest, ModelError> {
        let Manifest { name, version, sha256, labels, threshold, top_k, input, preprocess, output } = self;
        let labels = labels.labels(origin, read)?;
        let manifest = Manifest { name, version, sha256, labels, threshold, top_k, input, preprocess, output };
        match manifest.problem() {
            Some(problem) => Err(ModelError::manifest(origin, problem)),
            None => Ok(manifest),
        }
    }
}

pub(super) fn read(folder: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|error| ModelError::Unreadable { path, error })
}

/// Of a model's file, as a manifest has it: lower-case hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What listings find under its status.
const RESERVED_LABELS: [&str; 5] = ["classified", "unsure", "rejected", "deleted", "version_removed"];
/// Largest input side: `seen` and the tensor stay small.
const LARGEST_SIDE: usize = 2_048;
/// Most guesses that a record keeps.
const MOST_GUESSES: usize = 10;

impl Manifest {
    /// That of the digit reader in the binary.
    pub fn embedded() -> Result<Manifest, ModelError> {
        let (toml, origin) = (include_bytes!("../../model/digits/manifest.toml"), Path::new(EMBEDDED));
        Manifest::written(toml, origin)?.resolved(origin, |name| read(origin, name))
    }

    /// `manifest.toml` alone, and its labels: enough to know the model's id, and quick.
    pub fn from_folder(folder: &Path) -> Result<Manifest, ModelError> {
        let (path, old) = (folder.join(MANIFEST_FILE), folder.join("manifest.json"));
        if !path.exists() && old.exists() {
            let problem = format!(
                "is missing, and {} is no longer read: write the same as TOML, or let `spotter model init {}` write a new one",
                old.display(),
                folder.join(ONNX_FILE).display()
            );
            return Err(ModelError::manifest(folder, problem));
        }
        Manifest::written(&read(folder, MANIFEST_FILE)?, folder)?.resolved(folder, |name| read(folder, name))
    }

    /// `name/version`, as records have it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Confidence from which `label` is believed.
    pub fn threshold_of(&self, label: &str) -> f32 {
        self.output.thresholds.get(label).copied().unwrap_or(self.threshold)
    }

    fn problem(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Some(format!("name {:?} must be lower-case letters, digits and hyphens", self.name));
        }
        if !(1..=MOST_GUESSES).contains(&self.top_k) {
            return Some(format!("top_k {} must be from 1 to {MOST_GUESSES}", self.top_k));
        }
        let problems = [Self::problem_of_labels, Self::problem_of_input, Self::problem_of_output];
        problems.iter().find_map(|problem| problem(self)).or_else(|| self.problem_of_preprocess())
    }

    fn problem_of_labels(&self) -> Option<String> {
        if self.labels.is_empty() || self.labels.iter().any(String::is_empty) {
            return Some("labels must be one non-empty text an output of the network".into());
        }
        let reserved = self.labels.iter().find(|label| RESERVED_LABELS.contains(&label.as_str()));
        reserved.map(|label| format!("label {label:?} is a status: listings by label would mix the two"))
    }

    fn problem_of_input(&self) -> Option<String> {
        let (channels, height, width) = self.input.dimensions();
        let shape = self.input.shape;
        if shape[0] != 1 || !(channels == 1 || channels == 3) {
            return Some(format!("input.shape {shape:?} must have a batch of 1 and 1 or 3 channels"));
        }
        if height == 0 || width == 0 || height.max(width) > LARGEST_SIDE {
            return Some(format!("input.shape {shape:?} must have sides of 1 to {LARGEST_SIDE}"));
        }
        let grey_bgr = channels == 1 && self.input.order == ChannelOrder::Bgr;
        grey_bgr.then(|| "input.order \"bgr\" needs an input of three channels".into())
    }

    fn problem_of_output(&self) -> Option<String> {
        let of_labels = self.output.thresholds.iter().map(|(label, threshold)| (format!("of {label:?}"), *threshold));
        let of_outlier = self.output.outlier.iter().map(|outlier| ("of output.outlier".to_owned(), outlier.threshold));
        let mut thresholds = [(String::new(), self.threshold)].into_iter().chain(of_labels).chain(of_outlier);
        if let Some((of, threshold)) = thresholds.find(|(_, threshold)| !(0.0..=1.0).contains(threshold)) {
            let of = if of.is_empty() { of } else { format!("{of} ") };
            return Some(format!("threshold {of}{threshold} must be from 0 to 1"));
        }
        if let Some(label) = self.output.thresholds.keys().find(|label| !self.labels.contains(label)) {
            return Some(format!("output.thresholds names {label:?}, which is none of the labels"));
        }
        let outlier = self.output.outlier.as_ref()?;
        if self.output.is_multi_label() {
            return Some("output.outlier needs a network that gives one label: of several, none may be right".into());
        }
        if !self.labels.contains(&outlier.label) {
            return Some(format!("output.outlier names {:?}, which is none of the labels", outlier.label));
        }
        (self.labels.iter().all(|label| *label == outlier.label))
            .then(|| "output.outlier leaves no other label to guess".into())
    }

    fn problem_of_preprocess(&self) -> Option<String> {
        let (channels, height, width) = self.input.dimensions();
        match &self.preprocess {
            Preprocess::Ink { .. } if channels != 1 => Some("preprocess \"ink\" needs an input of one channel".into()),
            Preprocess::Ink { fit, .. } if *fit == 0 || *fit > height.min(width) => {
                Some(format!("preprocess.fit {fit} must be from 1 to the input's shorter side"))
            }
            Preprocess::Ink { mean, std, .. } => problem_of_numbers(mean, std, channels),
            Preprocess::Resize(resize) => problem_of_resize(resize, channels, height.max(width)),
        }
    }
}

fn problem_of_numbers(mean: &[f32], std: &[f32], channels: usize) -> Option<String> {
    let counted = |values: &[f32]| values.is_empty() || values.len() == channels;
    if !counted(mean) || !counted(std) {
        let each = if channels == 1 { "one number".into() } else { format!("{channels} numbers") };
        return Some(format!("preprocess.mean and preprocess.std must have {each} each, or none"));
    }
    if !mean.iter().chain(std).all(|value| value.is_finite()) {
        return Some("preprocess.mean and preprocess.std must be finite".into());
    }
    std.contains(&0.0).then(|| "preprocess.std must not be 0".into())
}

fn problem_of_resize(resize: &Resize, channels: usize, longer: usize) -> Option<String> {
    let Resize { mode, shorter_side, pad, scale, mean, std, .. } = resize;
    if let Some(problem) = problem_of_numbers(mean, std, channels) {
        return Some(problem);
    }
    if !scale.is_finite() || *scale == 0.0 {
        return Some(format!("preprocess.scale {scale} must be finite and not 0"));
    }
    match (mode, shorter_side) {
        (Mode::CentreCrop, Some(side)) if !(longer..=2 * LARGEST_SIDE).contains(side) => Some(format!(
            "preprocess.shorter_side {side} must be from the input's longer side, {longer}, to {}",
            2 * LARGEST_SIDE
        )),
        (Mode::Stretch | Mode::Fit, Some(_)) => {
            Some("preprocess.shorter_side goes with mode \"centre_crop\" only".into())
        }
        _ if pad.is_some() && *mode != Mode::Fit => Some("preprocess.pad goes with mode \"fit\" only".into()),
        _ => None,
    }
}

/// In one line, for logs: where, what, and the line itself.
fn located(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else { return message };
    let line = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let written = text.lines().nth(line).map(str::trim).filter(|written| !written.is_empty());
    let written = written.map(|written| format!(": {written}")).unwrap_or_default();
    format!("line {}, column {}: {message}{written}", line + 1, column + 1)
}
