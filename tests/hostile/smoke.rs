//! The fuzz targets (`fuzz/`) without their engine: on their corpus, on the samples of the other tests, and on some
//! changes of each.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use libtest_mimic::{Failed, Trial};

use super::{mutate, seed};
use crate::harness::root;

/// Reading a network's file needs the engine of networks, which the fuzzer's build leaves out.
#[path = "../../fuzz/src/targets/onnx.rs"]
mod onnx;
#[path = "../../fuzz/src/targets/mod.rs"]
pub(super) mod targets;

/// Changed inputs of each target.
const CHANGED: usize = 4_000;
/// Larger ones take longer, and what is in them is in smaller ones too.
const LONGEST: u64 = 20_000;

type Target = fn(&[u8]);

pub(super) fn trials() -> Vec<Trial> {
    let all: [(&str, Target, &[&str], &str); 5] = [
        ("event", targets::event, &["events"], "json"),
        ("picture", targets::picture, &["tests/pictures", "tests/pictures/hostile", "samples"], ""),
        ("exif", targets::exif, &[], ""),
        ("manifest", targets::manifest, &["model/digits", "tests/model"], "toml"),
        ("onnx", onnx::onnx, &["tests/model"], "onnx"),
    ];
    all.map(|(name, target, folders, extension)| {
        Trial::test(format!("hostile::fuzz_{name}"), move || smoke(name, target, folders, extension))
    })
    .into()
}

fn smoke(name: &str, target: Target, folders: &[&str], extension: &str) -> Result<(), Failed> {
    let corpus = format!("fuzz/corpus/{name}");
    let mut seeds = Vec::new();
    for folder in folders.iter().copied().chain([corpus.as_str()]) {
        files(&root().join(folder), &mut seeds)?;
    }
    seeds.retain(|path| {
        extension.is_empty()
            || path.starts_with(root().join("fuzz"))
            || path.extension().is_some_and(|e| e == extension)
    });
    seeds.sort();
    assert!(!seeds.is_empty(), "no seeds of {name}");
    let mut small = Vec::new();
    for path in &seeds {
        let bytes = fs::read(path)?;
        told(name, target, &bytes, || path.display().to_string())?;
        if bytes.len() as u64 <= LONGEST {
            small.push(bytes);
        }
    }
    let mut chance = Rng::with_seed(seed());
    for number in 0..CHANGED {
        let of = &small[chance.usize(..small.len())];
        let bytes = mutate::bytes(&mut chance, of);
        told(name, target, &bytes, || format!("change {number} of seed {}", seed()))?;
    }
    Ok(())
}

/// A failure says which input it was, and keeps it.
fn told(name: &str, target: Target, bytes: &[u8], which: impl FnOnce() -> String) -> Result<(), Failed> {
    std::panic::catch_unwind(|| target(bytes)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        let kept = std::env::temp_dir().join(format!("spotter-{name}-finding"));
        let kept = fs::write(&kept, bytes).map_or_else(|error| error.to_string(), |()| kept.display().to_string());
        format!("{}: {said} (the input: {kept})", which()).into()
    })
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) -> Result<(), Failed> {
    let Ok(entries) = folder.read_dir() else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, out)?;
        } else if !matches!(
            path.extension().and_then(|extension| extension.to_str()),
            Some("py" | "md" | "txt" | "tsv")
        ) {
            out.push(path);
        }
    }
    Ok(())
}
