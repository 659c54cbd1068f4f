//! Pixels to the tensor that the manifest asks for. Knows no files, no network and no model.

mod blobs;
mod ink;
mod plane;
mod resize;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::decode::{Channels, Picture};
use ink::Ink;

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
    find(picture, how, height, width).prepared()
}

/// The first half of [`prepare`]: what of `picture` the model is to see.
pub fn find<'a>(picture: &'a Picture, how: &'a Preprocess, height: usize, width: usize) -> Found<'a> {
    let part = match how {
        Preprocess::Ink { fit } => Part::Ink { ink: ink::find(picture, *fit, height, width), fit: *fit },
        Preprocess::Resize { fit, mean, std } => Part::Whole { fit: *fit, mean, std },
    };
    Found { picture, part, height, width }
}

/// A picture on its half way to a model.
pub struct Found<'a> {
    picture: &'a Picture,
    part: Part<'a>,
    height: usize,
    width: usize,
}

enum Part<'a> {
    Ink { ink: Ink, fit: usize },
    Whole { fit: Fit, mean: &'a [f32], std: &'a [f32] },
}

impl Found<'_> {
    /// Whether ink was looked for.
    pub fn is_ink(&self) -> bool {
        matches!(self.part, Part::Ink { .. })
    }

    /// The ink, cropped, light on dark; `None` where there is none, or none was looked for.
    pub fn ink(&self) -> Option<Picture> {
        let Part::Ink { ink, .. } = &self.part else { return None };
        let (width, height, pixels) = match ink {
            Ink::None => return None,
            Ink::Fitted(pixels) => (self.width, self.height, pixels.clone()),
            Ink::Found(plane) => (plane.width, plane.height, plane.values.iter().map(|value| byte(*value)).collect()),
        };
        Some(Picture { width: width as u32, height: height as u32, channels: Channels::Luma, pixels })
    }

    /// The second half of [`prepare`].
    pub fn prepared(self) -> Prepared {
        let Found { picture, part, height, width } = self;
        let channels = picture.channels.count();
        let (seen, mean, std) = match part {
            Part::Ink { ink, fit } => (ink::fitted(ink, fit, height, width), &[][..], &[][..]),
            Part::Whole { fit, mean, std } => (resize::prepare(picture, fit, height, width), mean, std),
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
}

/// The same picture with a longer side of `side` pixels at most, for people to look at.
#[cfg(feature = "page")]
pub fn thumbnail(picture: &Picture, side: u32) -> Picture {
    let (width, height) = (picture.width, picture.height);
    let longer = width.max(height);
    if longer <= side {
        return picture.clone();
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longer)).max(1) as u32;
    let (width, height) = (scaled(width), scaled(height));
    let pixels = resize::prepare(picture, Fit::Stretch, height as usize, width as usize);
    Picture { width, height, channels: picture.channels, pixels }
}

fn byte(value: f32) -> u8 {
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}
