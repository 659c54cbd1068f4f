//! Manifests; the network stays out.

#[path = "../../src/classifier/error.rs"]
mod error;
#[path = "../../src/classifier/fetched.rs"]
mod fetched;
#[path = "../../src/classifier/manifest.rs"]
mod manifest;

use std::path::Path;

pub use error::ModelError;
pub use fetched::FetchedManifest;
pub use manifest::{MANIFEST_FILE, Manifest, ONNX_FILE};

pub struct Model;

impl Model {
    fn new(_: Manifest, _: &[u8], _: &Path) -> Result<Model, ModelError> {
        Ok(Model)
    }
}
