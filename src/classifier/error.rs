//! What is wrong with a model, in words.

use std::path::{Path, PathBuf};

use super::manifest::MANIFEST_FILE;

/// Why a model cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("cannot read {}: {error}. A model's folder holds {MANIFEST_FILE} and model.onnx", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{manifest}: {problem}")]
    Manifest { manifest: String, problem: String },
    #[error("{network}: {problem}")]
    Network { network: String, problem: String },
}

impl ModelError {
    pub(super) fn manifest(origin: &Path, problem: impl Into<String>) -> ModelError {
        ModelError::Manifest { manifest: format!("{MANIFEST_FILE} in {}", origin.display()), problem: problem.into() }
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
