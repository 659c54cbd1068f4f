//! Inputs that any picture model takes, and inputs that a model's maker wrote down.

use std::borrow::Cow;

use super::super::{Manifest, Model, ModelError};
use crate::decode::{Channels, Picture};
use crate::preprocess::{Filter, Mode, Preprocess, Resize, Tensor, find};

/// Outputs for black, white, a ramp and twice noise.
pub(super) struct Answers(pub(super) Vec<Vec<f32>>);

pub(super) fn answers(model: &Model) -> Result<Answers, ModelError> {
    let (channels, height, width) = model.manifest().input.dimensions();
    let bytes = channels * height * width;
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise = || (0..bytes).map(|_| random.u8(..)).collect::<Vec<u8>>();
    let ramp = (0..bytes).map(|at| (at * 255 / bytes) as u8).collect();
    let probes = [vec![0; bytes], vec![255; bytes], ramp, noise(), noise()];
    let answers: Result<_, _> =
        probes.into_iter().map(|pixels| model.logits(&tensor(model.manifest(), pixels))).collect();
    answers.map(Answers)
}

/// The input of what a model sees: height x width x channels bytes, red first, of the input's own size.
pub(super) fn tensor(manifest: &Manifest, seen: Vec<u8>) -> Tensor {
    let (channels, height, width) = manifest.input.dimensions();
    let to_the_same_size = match &manifest.preprocess {
        Preprocess::Ink { .. } => Resize {
            mode: Mode::Stretch,
            shorter_side: None,
            filter: Filter::Nearest,
            pad: None,
            scale: 1.0 / 255.0,
            mean: Vec::new(),
            std: Vec::new(),
        },
        Preprocess::Resize(resize) => {
            Resize { mode: Mode::Stretch, shorter_side: None, filter: Filter::Nearest, pad: None, ..resize.clone() }
        }
    };
    let channels = if channels == 1 { Channels::Luma } else { Channels::Rgb };
    let picture = Picture { width: width as u32, height: height as u32, channels, pixels: seen };
    let how = Preprocess::Resize(to_the_same_size);
    find(Cow::Borrowed(&picture), &how, height, width).in_order(manifest.input.order).prepared().tensor
}
