//! The manifest: what a network's file does not say about itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::preprocess::Preprocess;

/// `manifest.json`, beside `model.onnx`. Unknown fields are errors, so that a typo is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Lower-case letters, digits and hyphens.
    pub name: String,
    /// Counts up; records of two versions live side by side.
    pub version: u32,
    /// One an output, in the network's order.
    pub labels: Vec<String>,
    pub input: Input,
    pub preprocess: Preprocess,
    pub output: Output,
    /// Confidence from which a guess is `classified`; below it is `unsure`.
    pub threshold: f32,
    /// Of `model.onnx`, lower-case hex.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub layout: Layout,
    /// Four numbers in the order of `layout`; the batch is 1.
    pub shape: [usize; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    Nchw,
    Nhwc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Softmax is still to be done.
    Logits,
    Probabilities,
}

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("cannot read {}: {error}. A model's folder holds manifest.json and model.onnx", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{manifest}: {problem}")]
    Manifest { manifest: String, problem: String },
    #[error("{network}: {problem}")]
    Network { network: String, problem: String },
}

/// Where the digit reader comes from, in errors.
pub(super) const EMBEDDED: &str = "the binary";
const MANIFEST_FILE: &str = "manifest.json";

pub(super) fn read(folder: &Path, name: &str) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|error| ModelError::Unreadable { path, error })
}

impl ModelError {
    pub(super) fn manifest(origin: &Path, problem: impl Into<String>) -> ModelError {
        ModelError::Manifest { manifest: format!("manifest.json in {}", origin.display()), problem: problem.into() }
    }

    pub(super) fn no_onnx(origin: &Path, problem: &str) -> ModelError {
        ModelError::Network {
            network: format!("model.onnx in {}", origin.display()),
            problem: format!(
                "is no ONNX file that tract can read ({}). Export the network to one file with its weights inside, opset 9 to 18",
                problem.trim_end_matches('.')
            ),
        }
    }

    pub(super) fn shape(origin: &Path, problem: &str) -> ModelError {
        ModelError::Network {
            network: format!("model.onnx in {}", origin.display()),
            problem: format!(
                "tract cannot run it on one input of the manifest's shape ({}). Check input.layout and input.shape",
                problem.trim_end_matches('.')
            ),
        }
    }

    pub(super) fn run(model: &str, problem: String) -> ModelError {
        ModelError::Network { network: format!("model {model}"), problem }
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

/// What listings find under its status.
const RESERVED_LABELS: [&str; 5] = ["classified", "unsure", "rejected", "deleted", "version_removed"];
/// Largest input side: `seen` and the tensor stay small.
const LARGEST_SIDE: usize = 2_048;

impl Manifest {
    /// That of the digit reader in the binary.
    pub fn embedded() -> Result<Manifest, ModelError> {
        Manifest::parse(include_str!("../../model/digits/manifest.json"), Path::new(EMBEDDED))
    }

    /// `manifest.json` alone: enough to know the model's id, and quick.
    pub fn from_folder(folder: &Path) -> Result<Manifest, ModelError> {
        let text = String::from_utf8(read(folder, MANIFEST_FILE)?)
            .map_err(|_| ModelError::manifest(folder, "is not UTF-8 text"))?;
        Manifest::parse(&text, folder)
    }

    /// `name/version`, as records have it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    fn parse(text: &str, origin: &Path) -> Result<Manifest, ModelError> {
        let manifest: Manifest =
            serde_json::from_str(text).map_err(|error| ModelError::manifest(origin, error.to_string()))?;
        match manifest.problem() {
            Some(problem) => Err(ModelError::manifest(origin, problem)),
            None => Ok(manifest),
        }
    }

    fn problem(&self) -> Option<String> {
        let (channels, height, width) = self.input.dimensions();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Some(format!("name {:?} must be lower-case letters, digits and hyphens", self.name));
        }
        if self.labels.is_empty() || self.labels.iter().any(String::is_empty) {
            return Some("labels must be one non-empty text an output of the network".into());
        }
        if let Some(label) = self.labels.iter().find(|label| RESERVED_LABELS.contains(&label.as_str())) {
            return Some(format!("label {label:?} is a status: listings by label would mix the two"));
        }
        if self.input.shape[0] != 1 || !(channels == 1 || channels == 3) {
            return Some(format!("input.shape {:?} must have a batch of 1 and 1 or 3 channels", self.input.shape));
        }
        if height == 0 || width == 0 || height.max(width) > LARGEST_SIDE {
            return Some(format!("input.shape {:?} must have sides of 1 to {LARGEST_SIDE}", self.input.shape));
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Some(format!("threshold {} must be from 0 to 1", self.threshold));
        }
        match &self.preprocess {
            Preprocess::Ink { .. } if channels != 1 => Some("preprocess \"ink\" needs an input of one channel".into()),
            Preprocess::Ink { fit } if *fit == 0 || *fit > height.min(width) => {
                Some(format!("preprocess.fit {fit} must be from 1 to the input's shorter side"))
            }
            Preprocess::Resize { mean, std, .. } if mean.len() != channels || std.len() != channels => {
                Some(format!("preprocess.mean and preprocess.std must have {channels} numbers each"))
            }
            Preprocess::Resize { std, .. } if std.contains(&0.0) => Some("preprocess.std must not be 0".into()),
            _ => None,
        }
    }
}
