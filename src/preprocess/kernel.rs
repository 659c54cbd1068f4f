//! Scaling pictures as Pillow does, and so torchvision on Pillow's pictures: antialiased, one side after the other, 8
//! bits between the two, in whole numbers. So the pixels are Pillow's to the bit, on any processor.
//!
//! The method is that of `src/libImaging/Resample.c` of Pillow 13 and, for the nearest pixel, of `Geometry.c`.

use std::f64::consts::PI;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::decode::Picture;

/// What a scaled pixel is made of. All but `nearest` widen when a picture shrinks, so that no pixel of it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Pillow's and torchvision's default for photographs: a triangle.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -0.5.
    Bicubic,
    /// A windowed sinc of three lobes.
    Lanczos,
    /// The mean of the area.
    Box,
    /// One pixel, whatever lies between.
    Nearest,
}

impl Filter {
    /// Half its width, in pixels of the larger of the two pictures' grids.
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
            Filter::Nearest => 0.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let distance = x.abs();
        match self {
            Filter::Box if x > -0.5 && x <= 0.5 => 1.0,
            Filter::Bilinear if distance < 1.0 => 1.0 - distance,
            Filter::Bicubic if distance < 1.0 => ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0,
            Filter::Bicubic if distance < 2.0 => (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            _ => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

/// A side of a picture, of which only a part is wanted after it was scaled.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// Pixels before.
    pub(super) from: usize,
    /// Pixels after.
    pub(super) to: usize,
    /// Of those the wanted ones.
    pub(super) wanted: Range<usize>,
}

/// The wanted part of the scaled picture, interleaved.
pub(super) fn scaled(picture: &Picture, filter: Filter, across: &Side, down: &Side) -> Vec<u8> {
    match (filter, picture.channels.count()) {
        (Filter::Nearest, channels) => nearest(picture, channels, across, down),
        (_, 1) => resampled::<1>(picture, filter, across, down),
        _ => resampled::<3>(picture, filter, across, down),
    }
}

fn nearest(picture: &Picture, channels: usize, across: &Side, down: &Side) -> Vec<u8> {
    let (columns, rows) = (across.nearest(), down.nearest());
    let stride = picture.width as usize * channels;
    let mut out = Vec::with_capacity(columns.len() * rows.len() * channels);
    for row in rows {
        let row = &picture.pixels[row * stride..][..stride];
        columns.iter().for_each(|&column| out.extend_from_slice(&row[column * channels..][..channels]));
    }
    out
}

fn resampled<const CHANNELS: usize>(picture: &Picture, filter: Filter, across: &Side, down: &Side) -> Vec<u8> {
    let (columns, rows) = (across.taps(filter), down.taps(filter));
    // What is done first rounds first. Older Pillows always begin across, and differ by 1 here and there.
    let (lost_across, lost_down) = (across.lost(), down.lost());
    if lost_down > 0 && lost_down > 2 * lost_across {
        down_first::<CHANNELS>(picture, &columns, &rows)
    } else {
        across_first::<CHANNELS>(picture, &columns, &rows)
    }
}

fn down_first<const CHANNELS: usize>(picture: &Picture, columns: &[Taps], rows: &[Taps]) -> Vec<u8> {
    let stride = picture.width as usize * CHANNELS;
    let mut out = vec![0; rows.len() * columns.len() * CHANNELS];
    let (mut sums, mut line) = (vec![0; stride], vec![0; stride]);
    for (taps, out) in rows.iter().zip(out.chunks_exact_mut(columns.len() * CHANNELS)) {
        sums.fill(HALF);
        for (weight, source) in taps.weights.iter().zip(picture.pixels[taps.first * stride..].chunks_exact(stride)) {
            sums.iter_mut().zip(source).for_each(|(sum, &pixel)| *sum += weight * i32::from(pixel));
        }
        line.iter_mut().zip(&sums).for_each(|(pixel, &sum)| *pixel = rounded(sum));
        across_line::<CHANNELS>(&line, columns, out);
    }
    out
}

/// Line by line, and each once: a picture may be much higher than what is made of it.
fn across_first<const CHANNELS: usize>(picture: &Picture, columns: &[Taps], rows: &[Taps]) -> Vec<u8> {
    let stride = picture.width as usize * CHANNELS;
    let width = columns.len() * CHANNELS;
    let mut sums = vec![HALF; rows.len() * width];
    let mut line = vec![0; width];
    let lines = rows.first().map_or(0, |taps| taps.first)..rows.last().map_or(0, Taps::end);
    // Rows of the scaled picture that a line of the source is part of: both ends only go down.
    let (mut begin, mut end) = (0, 0);
    for y in lines {
        across_line::<CHANNELS>(&picture.pixels[y * stride..][..stride], columns, &mut line);
        while end < rows.len() && rows[end].first <= y {
            end += 1;
        }
        while begin < end && rows[begin].end() <= y {
            begin += 1;
        }
        for (taps, sums) in rows[begin..end].iter().zip(sums[begin * width..].chunks_exact_mut(width)) {
            let Some(&weight) = y.checked_sub(taps.first).and_then(|at| taps.weights.get(at)) else { continue };
            sums.iter_mut().zip(&line).for_each(|(sum, &pixel)| *sum += weight * i32::from(pixel));
        }
    }
    sums.into_iter().map(rounded).collect()
}

fn across_line<const CHANNELS: usize>(source: &[u8], columns: &[Taps], line: &mut [u8]) {
    for (taps, out) in columns.iter().zip(line.chunks_exact_mut(CHANNELS)) {
        let mut sums = [HALF; CHANNELS];
        let pixels = source[taps.first * CHANNELS..].chunks_exact(CHANNELS);
        for (&weight, pixel) in taps.weights.iter().zip(pixels) {
            for channel in 0..CHANNELS {
                sums[channel] += weight * i32::from(pixel[channel]);
            }
        }
        for channel in 0..CHANNELS {
            out[channel] = rounded(sums[channel]);
        }
    }
}

/// Weights are whole numbers of 1 / 2^22: 255 times the sum of their absolute values, 1.6 at most, is still an i32.
const BITS: u32 = 22;
const HALF: i32 = 1 << (BITS - 1);

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// Pixels.
const LONGEST_SUM: usize = 1 << 16;

/// The source pixels that a scaled one is the weighted sum of.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

impl Side {
    fn taps(&self, filter: Filter) -> Vec<Taps> {
        let scale = self.from as f64 / self.to as f64;
        // Growing takes the filter as it is; shrinking widens it.
        let widened = scale.max(1.0);
        let support = filter.support() * widened;
        let taps = |at: usize| {
            let centre = (at as f64 + 0.5) * scale;
            let first = ((centre - support + 0.5).max(0.0) as usize).min(self.from - 1);
            let end = ((centre + support + 0.5) as usize).clamp(first + 1, self.from);
            let weight = |pixel: usize| filter.weight((pixel as f64 - centre + 0.5) / widened);
            let weights: Vec<f64> = (first..end).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            let whole = f64::from(1 << BITS) / if sum == 0.0 { 1.0 } else { sum };
            Taps { first, weights: weights.into_iter().map(|weight| (weight * whole).round() as i32).collect() }
        };
        self.wanted.clone().map(taps).collect()
    }

    /// Pixels fewer after than before.
    fn lost(&self) -> i64 {
        self.from as i64 - self.to as i64
    }

    /// The source pixel of each wanted one. Summed up as Pillow does, whose rounding errors are part of its answer; but
    /// not from the beginning of a side that no one would wait for.
    fn nearest(&self) -> Vec<usize> {
        let scale = self.from as f64 / self.to as f64;
        let begin = if self.wanted.end <= LONGEST_SUM { 0 } else { self.wanted.start };
        let steps = std::iter::successors(Some((begin as f64 + 0.5) * scale), |at| Some(at + scale));
        let wanted = steps.skip(self.wanted.start - begin).take(self.wanted.len());
        wanted.map(|at| (at as usize).min(self.from - 1)).collect()
    }
}
