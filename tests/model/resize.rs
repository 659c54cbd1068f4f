//! Resizing and normalising against torchvision and Pillow, whose answers `resize.py` wrote down.

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use spotter::decode::{Channels, Picture};
use spotter::preprocess::{Filter, Mode, Preprocess, Resize, prepare};

use super::unhex;
use crate::harness::root;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("model: pixels are resized as torchvision and Pillow do", pixels),
        Trial::test("model: tensors are normalised as torchvision does", normalised),
    ]
}

#[derive(Deserialize)]
struct Expected {
    /// torchvision's Resize(12), CenterCrop(10), ToTensor, Normalize of ImageNet.
    normalised: Vec<f32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    mode: Mode,
    filter: Filter,
    channels: usize,
    /// Width and height.
    from: (u32, u32),
    /// Height and width.
    to: (usize, usize),
    shorter_side: usize,
    /// In hex; of large ones their digest.
    pixels: Option<String>,
    sha256: Option<String>,
}

fn expected() -> Result<Expected, Failed> {
    Ok(serde_json::from_slice(&std::fs::read(root().join("tests/model/resize.json"))?)?)
}

/// As `drawn` of `resize.py`.
fn drawn((width, height): (u32, u32), channels: usize) -> Picture {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..channels as u32 {
                let soft = (x * 3 + y * 2 + c * 60) % 511;
                let mesh = ((x * 37) ^ (y * 91) ^ (c * 55)) % 256;
                let value = if x * 2 >= width { mesh } else { soft.min(510 - soft) };
                pixels.push(value as u8);
            }
        }
    }
    let channels = if channels == 1 { Channels::Luma } else { Channels::Rgb };
    Picture { width, height, channels, pixels }
}

fn resize(mode: Mode, shorter_side: usize) -> Resize {
    Resize {
        mode,
        shorter_side: Some(shorter_side),
        filter: Filter::Bilinear,
        pad: Some(114),
        scale: 1.0 / 255.0,
        mean: Vec::new(),
        std: Vec::new(),
    }
}

fn pixels() -> Result<(), Failed> {
    let cases = expected()?.cases;
    let mut wrong = Vec::new();
    for case in &cases {
        let Case { mode, filter, channels, from, to, shorter_side, pixels, sha256 } = case;
        let how = Preprocess::Resize(Resize { filter: *filter, ..resize(*mode, *shorter_side) });
        let ours = prepare(&drawn(*from, *channels), &how, to.0, to.1).seen;
        let what = format!("{mode:?} {filter:?} {channels} channels {from:?} to {to:?} by {shorter_side}");
        // The same to the bit, which is more than the 1/255 that is promised.
        match (pixels, sha256) {
            (Some(pixels), _) => {
                let theirs = unhex(pixels)?;
                let most = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
                if ours.len() != theirs.len() || most != Some(0) {
                    wrong.push(format!("{what}: {} bytes, {} expected, off by {most:?}", ours.len(), theirs.len()));
                }
            }
            (None, Some(theirs)) => {
                let digest: String = Sha256::digest(&ours).iter().map(|byte| format!("{byte:02x}")).collect();
                if digest != *theirs {
                    wrong.push(format!("{what}: other pixels"));
                }
            }
            (None, None) => wrong.push(format!("{what}: nothing expected")),
        }
    }
    if cases.len() < 100 {
        wrong.push(format!("{} cases are too few", cases.len()));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn normalised() -> Result<(), Failed> {
    let theirs = expected()?.normalised;
    let how = Preprocess::Resize(Resize {
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        ..resize(Mode::CentreCrop, 12)
    });
    let ours = prepare(&drawn((97, 61), 3), &how, 10, 10).tensor.values;
    let most = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    if ours.len() == theirs.len() && most < 1e-4 { Ok(()) } else { Err(format!("off by {most}").into()) }
}
