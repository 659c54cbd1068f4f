//! The whole picture or its middle at another size (kind "resize").

use serde::{Deserialize, Serialize};

use super::kernel::{self, Filter, Side};
use crate::decode::Picture;

/// How a photograph becomes its model's input: resized, then `(pixel * scale - mean) / std`, a channel at a time.
///
/// Sizes, offsets and pixels are those of torchvision's `Resize` and `CenterCrop` on a Pillow image, and of Pillow's
/// `ImageOps.pad` for [`Mode::Fit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    pub mode: Mode,
    /// Of [`Mode::CentreCrop`]: pixels of the shorter side before the middle is cut out; as many as the input's longer
    /// side if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorter_side: Option<usize>,
    #[serde(default)]
    pub filter: Filter,
    /// Of [`Mode::Fit`]: grey, 0..=255, of what the picture does not cover; 0 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad: Option<u8>,
    /// What a pixel, 0..=255, is multiplied by first.
    #[serde(default = "one_255th")]
    pub scale: f32,
    /// One a channel, in the order of the network's input; none is 0 for all.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// One a channel; none is 1 for all.
    #[serde(default)]
    pub std: Vec<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Both sides to size, whatever the shape was.
    Stretch,
    /// The whole picture, its shape kept, in the middle of a padded canvas.
    Fit,
    /// The shorter side to size, the middle kept.
    CentreCrop,
}

fn one_255th() -> f32 {
    1.0 / 255.0
}

impl Resize {
    /// `height` x `width` pixels, interleaved.
    pub(super) fn pixels(&self, picture: &Picture, height: usize, width: usize) -> Vec<u8> {
        match self.mode {
            Mode::Stretch => stretched(picture, self.filter, height, width),
            Mode::Fit => self.fitted(picture, height, width),
            Mode::CentreCrop => self.cropped(picture, height, width),
        }
    }

    /// torchvision: the longer side is cut to a whole number, the offset rounded half to even.
    fn cropped(&self, picture: &Picture, height: usize, width: usize) -> Vec<u8> {
        let (from_width, from_height) = (picture.width as usize, picture.height as usize);
        let shorter = self.shorter_side.unwrap_or(width.max(height));
        let side = |from: usize, other: usize, wanted: usize| {
            let to = if from <= other { shorter } else { shorter * from / other };
            let first = ((to - wanted) as f64 / 2.0).round_ties_even() as usize;
            Side { from, to, wanted: first..first + wanted }
        };
        let across = side(from_width, from_height, width);
        let down = side(from_height, from_width, height);
        kernel::scaled(picture, self.filter, &across, &down)
    }

    /// Pillow's `ImageOps.pad`; but a picture keeps a line at least, however narrow it is.
    fn fitted(&self, picture: &Picture, height: usize, width: usize) -> Vec<u8> {
        let (from_width, from_height) = (f64::from(picture.width), f64::from(picture.height));
        let (wide, high) = (width as f64, height as f64);
        let whole = |side: f64| side.round_ties_even().max(1.0) as usize;
        let (mut inner_width, mut inner_height) = (width, height);
        if from_width / from_height > wide / high {
            inner_height = whole(from_height / from_width * wide).min(height);
        } else {
            inner_width = whole(from_width / from_height * high).min(width);
        }
        let inner = stretched(picture, self.filter, inner_height, inner_width);
        let middle = |outer: usize, inner: usize| ((outer - inner) as f64 * 0.5).round_ties_even() as usize;
        let (left, top) = (middle(width, inner_width), middle(height, inner_height));
        let channels = picture.channels.count();
        let mut out = vec![self.pad.unwrap_or(0); height * width * channels];
        let rows = out.chunks_exact_mut(width * channels).skip(top);
        for (row, pixels) in rows.zip(inner.chunks_exact(inner_width * channels)) {
            row[left * channels..][..pixels.len()].copy_from_slice(pixels);
        }
        out
    }
}

pub(super) fn stretched(picture: &Picture, filter: Filter, height: usize, width: usize) -> Vec<u8> {
    let side = |from: u32, to: usize| Side { from: from as usize, to, wanted: 0..to };
    kernel::scaled(picture, filter, &side(picture.width, width), &side(picture.height, height))
}
