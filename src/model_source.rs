//! Where the model is taken from: the binary, a folder, or a bucket, where the hash of its manifest pins it.

mod pinned;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::classifier::{MANIFEST_FILE, Manifest, Model, ModelError};
use crate::objects::Objects;

pub use pinned::PinnedModel;

/// Where a layer's folder `model` is in a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html>
pub const LAYER: &str = "/opt/model";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelSource {
    /// The binary has one in it.
    #[default]
    Embedded,
    /// With `manifest.toml` and `model.onnx`.
    Folder(PathBuf),
    Bucket(PinnedModel),
}

/// Why there is no model, and what to do. It may pass: what is wrong in a bucket can be mended there.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("cannot fetch the model: {0}")]
    Fetch(String),
    #[error(
        "{object} has SHA-256 {found}, but the model's URL says {expected}: it was replaced, or the URL is of another version"
    )]
    AnotherManifest { object: String, found: String, expected: String },
}

impl ModelSource {
    /// A folder, or `s3://bucket/prefix#sha256=…` with the hash of the folder's manifest.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &OsStr) -> Result<ModelSource, String> {
        match text.to_str() {
            Some(url) if url.starts_with("s3:") => PinnedModel::parse(url).map(ModelSource::Bucket),
            Some(url) if url.contains("://") => Err("must be a folder, or s3://bucket/prefix#sha256=…".into()),
            _ => Ok(ModelSource::Folder(text.into())),
        }
    }

    /// A folder that is not absolute is one in `root`.
    pub fn relative_to(self, root: OsString) -> ModelSource {
        match self {
            ModelSource::Folder(folder) => ModelSource::Folder(PathBuf::from(root).join(folder)),
            other => other,
        }
    }

    /// Where nothing is named, the model in `layer`, if there is one.
    pub fn or_layer(self, layer: &Path) -> ModelSource {
        if self != ModelSource::Embedded || !layer.join(MANIFEST_FILE).exists() {
            return self;
        }
        tracing::info!(folder = %layer.display(), "no model is named, and a layer brings one: it is used");
        ModelSource::Folder(layer.to_owned())
    }

    /// Reads or fetches it. `bucket` is awaited only for a model in a bucket, which is kept in `cache`.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub async fn load(
        &self,
        bucket: impl Future<Output = Arc<dyn Objects>>,
        cache: &Path,
    ) -> Result<Model, SourceError> {
        match self {
            ModelSource::Embedded => aside(Model::embedded).await,
            ModelSource::Folder(folder) => {
                let folder = folder.clone();
                aside(move || Model::from_folder(&folder)).await
            }
            ModelSource::Bucket(pinned) => pinned.load(&*bucket.await, cache).await,
        }
    }

    /// Its manifest alone, as [`ModelSource::load`]: enough to know its id and its labels.
    ///
    /// # Errors
    /// As [`ModelSource::load`].
    pub async fn manifest(
        &self,
        bucket: impl Future<Output = Arc<dyn Objects>>,
        cache: &Path,
    ) -> Result<Manifest, SourceError> {
        match self {
            ModelSource::Embedded => Ok(Manifest::embedded()?),
            ModelSource::Folder(folder) => Ok(Manifest::from_folder(folder)?),
            ModelSource::Bucket(pinned) => pinned.manifest(&*bucket.await, cache).await,
        }
    }
}

/// Off this thread, which connects to what else a cold start needs meanwhile.
async fn aside<T: Send + 'static>(
    make: impl FnOnce() -> Result<T, ModelError> + Send + 'static,
) -> Result<T, SourceError> {
    let made = tokio::task::spawn_blocking(make).await;
    Ok(made.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?)
}

/// As people are told: the binary, the folder, or its URL without the hash.
impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelSource::Embedded => f.write_str("the binary"),
            ModelSource::Folder(folder) => folder.display().fmt(f),
            ModelSource::Bucket(pinned) => pinned.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn parse(text: &str) -> Result<ModelSource, String> {
        ModelSource::parse(OsStr::new(text))
    }

    #[test]
    fn what_is_no_url_is_a_folder() {
        for folder in ["models/fruit", "/opt/model", "./s3", "C:\\models", "digits/3"] {
            assert_eq!(parse(folder), Ok(ModelSource::Folder(folder.into())));
        }
        for url in ["https://models.s3.amazonaws.com/fruit", "file:///models", "S3://b/p", "s4://b/p"] {
            assert!(parse(url).unwrap_err().contains("s3://bucket/prefix#sha256="), "{url}");
        }
    }

    #[test]
    fn a_function_finds_folders_in_its_zip() {
        let in_zip = |folder| parse(folder).unwrap().relative_to("/var/task".into());
        assert_eq!(in_zip("fruit"), ModelSource::Folder("/var/task/fruit".into()));
        assert_eq!(in_zip("/opt/fruit"), ModelSource::Folder("/opt/fruit".into()));
        assert_eq!(ModelSource::Embedded.relative_to("/var/task".into()), ModelSource::Embedded);
    }

    #[test]
    fn a_layers_model_is_taken_if_no_other_is_named() {
        let layer = tempfile::tempdir().unwrap();
        assert_eq!(ModelSource::Embedded.or_layer(layer.path()), ModelSource::Embedded);
        std::fs::write(layer.path().join("manifest.toml"), "").unwrap();
        assert_eq!(ModelSource::Embedded.or_layer(layer.path()), ModelSource::Folder(layer.path().into()));
        let named = parse("fruit").unwrap();
        assert_eq!(named.clone().or_layer(layer.path()), named);
    }
}
