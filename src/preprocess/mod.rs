//! Pixels to the tensor that the manifest asks for. Knows no files, no network and no model.

mod blobs;
mod choose;
mod fitted;
mod ink;
mod kernel;
mod lines;
mod paper;
mod plane;
mod resize;
mod stage;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::decode::{Channels, Picture};
use ink::{Character, Ink};
pub use kernel::Filter;
pub use resize::{Mode, Resize};
pub use stage::{Stage, stages};

/// How a manifest says that a picture becomes its model's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Preprocess {
    /// For drawn characters: the ink is found under uneven light, dark on light or light on dark, cropped, fitted
    /// into a square of `fit` pixels keeping its shape, and centred by mass. Then `(pixel - mean) / std`, ink 1, paper 0.
    Ink {
        /// Pixels of the longer side of the ink, as MNIST's 20.
        fit: usize,
        /// One number, as PyTorch's example for MNIST has 0.1307; none is 0.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mean: Vec<f32>,
        /// One number, as PyTorch's example for MNIST has 0.3081; none is 1.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        std: Vec<f32>,
    },
    /// For photographs: the whole picture, or its middle.
    Resize(Resize),
}

/// The order of a colour network's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    #[default]
    Rgb,
    Bgr,
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
    /// What the model saw, before mean and standard deviation: 8 bits, interleaved, as many channels as the tensor, red
    /// first.
    pub seen: Vec<u8>,
    /// As [`Found::several`].
    pub several: bool,
}

impl Preprocess {
    /// The longer side, in pixels, of a reduced picture that may do ([`Found::is_fine`]); `None` where each pixel counts.
    pub fn least_side(&self) -> Option<u32> {
        matches!(self, Preprocess::Ink { .. }).then_some(ink::LEAST_SIDE)
    }
}

/// Makes a `channels` x `height` x `width` input of `picture`, whose channels must be as many.
pub fn prepare(picture: &Picture, how: &Preprocess, height: usize, width: usize) -> Prepared {
    find(Cow::Borrowed(picture), how, height, width).prepared()
}

/// The first half of [`prepare`]: what of `picture` the model is to see.
pub fn find<'a>(picture: Cow<'a, Picture>, how: &'a Preprocess, height: usize, width: usize) -> Found<'a> {
    let part = match how {
        Preprocess::Ink { fit, mean, std } => {
            let ink = ink::find(&picture, *fit, height, width, &mut |_, _| ());
            Part::Ink { ink, fit: *fit, mean, std }
        }
        Preprocess::Resize(resize) => Part::Whole(resize),
    };
    let several = matches!(&part, Part::Ink { ink: Ink::Found(character), .. } if character.several);
    Found { picture, part, several, order: ChannelOrder::Rgb, height, width }
}

/// A picture on its half way to a model.
pub struct Found<'a> {
    picture: Cow<'a, Picture>,
    part: Part<'a>,
    /// More than one thing was found where the model takes one: its answer is of one of them.
    pub several: bool,
    order: ChannelOrder,
    height: usize,
    width: usize,
}

enum Part<'a> {
    Ink { ink: Ink, fit: usize, mean: &'a [f32], std: &'a [f32] },
    Whole(&'a Resize),
}

impl Found<'_> {
    /// For a network whose channels stand in this order; red first without it.
    pub fn in_order(self, order: ChannelOrder) -> Self {
        Found { order, ..self }
    }

    /// Whether a larger picture of the same would make no difference to what was found.
    pub fn is_fine(&self) -> bool {
        matches!(&self.part, Part::Ink { ink: Ink::Found(character), .. } if character.is_fine())
    }

    /// What it was found in.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

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
            Ink::Found(Character { ink, .. }) => (ink.width, ink.height, ink.values.clone()),
        };
        Some(Picture { width: width as u32, height: height as u32, channels: Channels::Luma, pixels })
    }

    /// The second half of [`prepare`].
    pub fn prepared(self) -> Prepared {
        let Found { picture, part, several, order, height, width } = self;
        let channels = picture.channels.count();
        let (seen, scale, mean, std) = match part {
            Part::Ink { ink, fit, mean, std } => {
                (fitted::fitted(ink, fit, height, width, &mut |_, _| ()), 1.0 / 255.0, mean, std)
            }
            Part::Whole(resize) => (resize.pixels(&picture, height, width), resize.scale, &*resize.mean, &*resize.std),
        };
        let pixels = height * width;
        let mut values = vec![0.0; channels * pixels];
        for (channel, plane) in values.chunks_exact_mut(pixels).enumerate() {
            let of_seen = if order == ChannelOrder::Bgr { channels - 1 - channel } else { channel };
            let shift = mean.get(channel).copied().unwrap_or(0.0);
            let spread = std.get(channel).copied().unwrap_or(1.0);
            for (value, pixel) in plane.iter_mut().zip(seen.iter().skip(of_seen).step_by(channels)) {
                *value = (f32::from(*pixel) * scale - shift) / spread;
            }
        }
        Prepared { tensor: Tensor { channels, height, width, values }, seen, several }
    }
}

/// The same picture with a longer side of `side` pixels at most, for people to look at.
pub fn thumbnail(picture: &Picture, side: u32) -> Picture {
    let (width, height) = (picture.width, picture.height);
    let longer = width.max(height);
    if longer <= side {
        return picture.clone();
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longer)).max(1) as u32;
    let (width, height) = (scaled(width), scaled(height));
    let pixels = resize::stretched(picture, Filter::Box, height as usize, width as usize);
    Picture { width, height, channels: picture.channels, pixels }
}
