//! A model's files that came one by one, from elsewhere than a folder. Whoever knows the manifest's hash knows the
//! others' by it.

use std::path::PathBuf;

use super::manifest::{LabelsFile, Written};
use super::{Manifest, Model, ModelError};

/// A manifest that was fetched; its labels may still be in another file.
pub struct FetchedManifest {
    written: Manifest<Written>,
    /// Where the folder is, for errors.
    origin: PathBuf,
}

impl FetchedManifest {
    /// Reads the bytes of a `manifest.toml`.
    ///
    /// # Errors
    /// They are no manifest, or name a file of labels without its hash.
    pub fn read(toml: &[u8], origin: &str) -> Result<FetchedManifest, ModelError> {
        let origin = PathBuf::from(origin);
        let written = Manifest::written(toml, &origin)?;
        if let Written::InFile(LabelsFile { file, sha256: None }) = &written.labels {
            let problem = format!(
                "labels are in {file:?}, whose hash is not known, so that nobody would see it change: write \
                 labels = {{ file = {file:?}, sha256 = \"…\" }}"
            );
            return Err(ModelError::manifest(&origin, problem));
        }
        Ok(FetchedManifest { written, origin })
    }

    /// The file of labels, which is beside the manifest.
    pub fn labels_file(&self) -> Option<&str> {
        match &self.written.labels {
            Written::InFile(LabelsFile { file, .. }) => Some(file),
            Written::Here(_) => None,
        }
    }

    /// The whole manifest; `labels` are the bytes of [`FetchedManifest::labels_file`].
    ///
    /// # Errors
    /// As [`Manifest::from_folder`].
    pub fn manifest(self, labels: &[u8]) -> Result<Manifest, ModelError> {
        self.written.resolved(&self.origin, |_| Ok(labels.to_vec()))
    }

    /// The model, whose network is `onnx`.
    ///
    /// # Errors
    /// As [`Model::from_folder`].
    pub fn model(self, labels: &[u8], onnx: &[u8]) -> Result<Model, ModelError> {
        let origin = self.origin.clone();
        Model::new(self.manifest(labels)?, onnx, &origin)
    }
}
