//! A model's manifest, which may be somebody else's.

use spotter::classifier::{FetchedManifest, Manifest};
use spotter::decode::{Channels, Picture};
use spotter::preprocess::prepare;

/// Larger inputs take the same way, slowly.
const LARGEST_SIDE: usize = 64;

/// Bytes that may be a `manifest.toml`: one that is taken can be used.
pub fn manifest(bytes: &[u8]) {
    let read = FetchedManifest::read(bytes, "fuzz").and_then(|fetched| fetched.manifest(b"a\nb\n"));
    match read {
        Ok(manifest) => is_usable(&manifest),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn is_usable(manifest: &Manifest) {
    assert!(manifest.labels.iter().all(|label| (0.0..=1.0).contains(&manifest.threshold_of(label))));
    let (channels, height, width) = manifest.input.dimensions();
    if height.max(width) > LARGEST_SIDE {
        return;
    }
    let channels = if channels == 1 { Channels::Luma } else { Channels::Rgb };
    for (width_of, height_of) in [(1, 1), (7, 300), (300, 7), (64, 64)] {
        let pixels = (0..width_of * height_of * channels.count()).map(|at| (at * 7 % 251) as u8).collect();
        let picture = Picture { width: width_of as u32, height: height_of as u32, channels, pixels };
        let prepared = prepare(&picture, &manifest.preprocess, height, width);
        assert_eq!(prepared.seen.len(), height * width * channels.count());
        assert_eq!(prepared.tensor.values.len(), height * width * channels.count());
    }
}
