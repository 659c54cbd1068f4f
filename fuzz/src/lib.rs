//! The library's parsers, from the same sources and without the rest of it: built in a minute, and coverage is theirs.

// So that the targets name `spotter` here as in the library's own tests.
extern crate self as spotter;

#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../src/encoding.rs"]
pub mod encoding;
#[path = "../../src/event/mod.rs"]
pub mod event;
#[path = "../../src/preprocess/mod.rs"]
pub mod preprocess;
pub mod targets;

pub mod classifier {
    //! Manifests; the network stays out.

    #[path = "../../../src/classifier/error.rs"]
    mod error;
    #[path = "../../../src/classifier/fetched.rs"]
    mod fetched;
    #[path = "../../../src/classifier/manifest.rs"]
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
}
