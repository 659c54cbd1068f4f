//! Pixels to the tensor that the manifest asks for. Knows no files, no network and no model.

mod blobs;
mod ink;
mod plane;
mod resize;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::decode::Picture;

/// How a manifest says that a picture becomes its model's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Preprocess {
    /// For drawn characters: the ink is found under uneven light, dark on light or light on dark, cropped, fitted
    /// into a square of `fit` pixels keeping its shape, and centred by mass. Input: ink 1, paper 0.
    Ink {
        /// Pixels of the longer side of the ink, as MNIST's 20.
        fit: usize,
    },
    /// For photographs: the whole picture, scaled with an area filter.
    Resize {
        fit: Fit,
        /// Subtracted from each channel, on the scale 0..1.
        mean: Vec<f32>,
        /// Divides each channel afterwards.
        std: Vec<f32>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Both sides to size, whatever the shape was.
    Stretch,
    /// The shorter side to size, the middle kept.
    CentreCrop,
}

/// Channels x height x width, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

/// The model's input, and the same as people can look at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    pub tensor: Tensor,
    /// What the model saw, before mean and standard deviation: 8 bits, interleaved, as many channels as the tensor.
    pub seen: Vec<u8>,
}

/// Makes a `channels` x `height` x `width` input of `picture`, whose channels must be as many.
pub fn prepare(picture: &Picture, how: &Preprocess, height: usize, width: usize) -> Prepared {
    let channels = picture.channels.count();
    let (seen, mean, std) = match how {
        Preprocess::Ink { fit } => (ink::prepare(picture, *fit, height, width), &[][..], &[][..]),
        Preprocess::Resize { fit, mean, std } => {
            (resize::prepare(picture, *fit, height, width), mean.as_slice(), std.as_slice())
        }
    };
    let pixels = height * width;
    let mut values = vec![0.0; channels * pixels];
    for (channel, plane) in values.chunks_exact_mut(pixels).enumerate() {
        let shift = mean.get(channel).copied().unwrap_or(0.0);
        let scale = std.get(channel).copied().unwrap_or(1.0);
        for (value, pixel) in plane.iter_mut().zip(seen.iter().skip(channel).step_by(channels)) {
            *value = (f32::from(*pixel) / 255.0 - shift) / scale;
        }
    }
    Prepared { tensor: Tensor { channels, height, width, values }, seen }
}
