//! Scaling with an area filter: what photographs get, and the last step of what ink gets.

use super::Fit;
use super::plane::Plane;
use crate::decode::Picture;

/// `height` x `width` pixels, interleaved, of the whole picture or its middle.
pub(super) fn prepare(picture: &Picture, fit: Fit, height: usize, width: usize) -> Vec<u8> {
    let channels = picture.channels.count();
    let source = (picture.width as usize, picture.height as usize);
    let (mut scale_x, mut scale_y) = (width as f32 / source.0 as f32, height as f32 / source.1 as f32);
    if fit == Fit::CentreCrop {
        scale_x = scale_x.max(scale_y);
        scale_y = scale_x;
    }
    let across = Taps::centred(source.0, width, scale_x);
    let down = Taps::centred(source.1, height, scale_y);
    let stride = source.0 * channels;
    let mut out = vec![0; height * width * channels];
    let mut line = vec![0.0; stride];
    for (y, row) in out.chunks_exact_mut(width * channels).enumerate() {
        line.fill(0.0);
        for (source_y, weight) in down.of(y) {
            for (sum, &pixel) in line.iter_mut().zip(&picture.pixels[source_y * stride..]) {
                *sum += weight * f32::from(pixel);
            }
        }
        for (i, value) in row.iter_mut().enumerate() {
            let (x, channel) = (i / channels, i % channels);
            let sum: f32 = across.of(x).map(|(source_x, weight)| weight * line[source_x * channels + channel]).sum();
            *value = sum.round().clamp(0.0, 255.0) as u8;
        }
    }
    out
}

/// `source` scaled by `scale` onto a `width` x `height` canvas of zeros, so that the point `centre` of the source
/// (in pixels, from its corner) lands on the point `onto` of the canvas.
pub(super) fn placed(
    source: &Plane,
    scale: f32,
    centre: (f32, f32),
    onto: (f32, f32),
    width: usize,
    height: usize,
) -> Plane {
    let across = Taps::new(source.width, width, scale, onto.0 - centre.0 * scale, false);
    let down = Taps::new(source.height, height, scale, onto.1 - centre.1 * scale, false);
    let mut out = Plane::new(width, height);
    let mut line = vec![0.0; source.width];
    for (y, row) in out.values.chunks_exact_mut(width).enumerate() {
        line.fill(0.0);
        for (source_y, weight) in down.of(y) {
            for (sum, value) in line.iter_mut().zip(source.row(source_y)) {
                *sum += weight * value;
            }
        }
        for (x, value) in row.iter_mut().enumerate() {
            *value = across.of(x).map(|(source_x, weight)| weight * line[source_x]).sum();
        }
    }
    out
}

/// For each pixel of a scaled line: which source pixels it is the weighted mean of.
struct Taps {
    first: Vec<usize>,
    weights: Vec<Vec<f32>>,
}

impl Taps {
    fn centred(source: usize, target: usize, scale: f32) -> Taps {
        Taps::new(source, target, scale, (target as f32 - source as f32 * scale) / 2.0, true)
    }

    /// Shrinking weighs by covered area, growing interpolates linearly. Outside the source is its edge (`clamped`)
    /// or nothing.
    fn new(source: usize, target: usize, scale: f32, offset: f32, clamped: bool) -> Taps {
        let mut taps = Taps { first: Vec::with_capacity(target), weights: Vec::with_capacity(target) };
        for x in 0..target {
            let from = (x as f32 - offset) / scale;
            let to = (x as f32 + 1.0 - offset) / scale;
            let middle = (from + to) / 2.0;
            let (low, high) = if scale < 1.0 { (from, to) } else { (middle - 1.0, middle + 1.0) };
            let mut first = (low.floor().max(0.0) as usize).min(source);
            let last = (high.ceil().max(0.0) as usize).min(source);
            let weight = |i: usize| {
                if scale < 1.0 {
                    ((i as f32 + 1.0).min(to) - (i as f32).max(from)).max(0.0)
                } else {
                    (1.0 - (i as f32 + 0.5 - middle).abs()).max(0.0)
                }
            };
            let mut weights: Vec<f32> = (first..last).map(weight).collect();
            let full = if scale < 1.0 { 1.0 / scale } else { 1.0 };
            let sum: f32 = weights.iter().sum();
            if clamped && sum <= 0.0 {
                first = first.min(source - 1);
                weights = vec![full];
            }
            let whole = if clamped { weights.iter().sum() } else { full };
            weights.iter_mut().for_each(|weight| *weight /= whole);
            taps.first.push(first);
            taps.weights.push(weights);
        }
        taps
    }

    fn of(&self, x: usize) -> impl Iterator<Item = (usize, f32)> {
        self.weights[x].iter().enumerate().map(move |(i, &weight)| (self.first[x] + i, weight))
    }
}
