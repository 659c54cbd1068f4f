//! A convolution of square pictures without padding, by the widest vectors that the processor has.
//!
//! Direct, as in Zhang, Franchetti, Low 2018 (<https://arxiv.org/abs/1809.10170>): no matrix of patches is made. A
//! pixel's channels lie side by side, so that what a row of the kernel covers is one run of floats, and the sums of a
//! few pixels for a few outputs stay in registers until they are whole.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, f32x16};

/// Outputs that are summed side by side.
const LANES: usize = 16;
/// Floats of a run between two looks at its bounds.
const STEP: usize = 4;

/// One weight of each of so many outputs; in one line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes([f32; LANES]);

pub(super) struct Convolution {
    /// Rows of the kernel.
    rows: usize,
    /// Floats that a row of the kernel covers.
    run: usize,
    /// Floats from one row of the input to the next.
    pitch: usize,
    /// Where in the input each pixel of the output begins.
    patches: Vec<usize>,
    /// Of each `LANES` outputs: row by row of the kernel, float by float of the run.
    weights: Vec<Lanes>,
    biases: Vec<Lanes>,
    /// Each output is at least so much.
    least: f32,
}

/// Squares, one after the other, each row by row, each pixel channel by channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Squares {
    pub(super) count: usize,
    pub(super) side: usize,
    pub(super) channels: usize,
}

/// As ONNX has it: little-endian floats, `weights` of outputs × channels × kernel × kernel.
pub(super) struct Layer<'a> {
    pub(super) weights: &'a [[u8; 4]],
    pub(super) biases: &'a [[u8; 4]],
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) relu: bool,
}

impl Convolution {
    /// With what it makes of such squares: as many channels as outputs, filled up to a multiple of 16. `None` if the
    /// layer does not fit them.
    pub(super) fn new(layer: &Layer, input: Squares) -> Option<(Convolution, Squares)> {
        let Squares { count, side, channels } = input;
        let (kernel, outputs) = (layer.kernel, layer.biases.len());
        let (run, pitch) = (kernel * channels, side * channels);
        let (area, of_output) = (kernel * kernel, run * kernel);
        let fits = (1..=side).contains(&kernel) && layer.stride > 0 && run.is_multiple_of(STEP);
        if !fits || layer.weights.len() != outputs * of_output {
            return None;
        }
        let blocks = outputs.div_ceil(LANES);
        let mut weights = vec![Lanes([0.0; LANES]); blocks * of_output];
        for (block, given) in weights.chunks_exact_mut(of_output).zip(layer.weights.chunks(LANES * of_output)) {
            for channel in 0..channels {
                for place in 0..area {
                    let lanes = &mut block[place * channels + channel].0;
                    let of_lanes = given[channel * area + place..].iter().step_by(of_output);
                    lanes.iter_mut().zip(of_lanes).for_each(|(lane, weight)| *lane = f32::from_le_bytes(*weight));
                }
            }
        }
        let mut biases = vec![Lanes([0.0; LANES]); blocks];
        for (output, bias) in layer.biases.iter().enumerate() {
            biases[output / LANES].0[output % LANES] = f32::from_le_bytes(*bias);
        }
        let output = Squares { count, side: (side - kernel) / layer.stride + 1, channels: blocks * LANES };
        let begins = |at: usize| at * layer.stride;
        let patches = (0..count * output.side)
            .flat_map(|row| (0..output.side).map(move |x| (row / output.side, row % output.side, x)))
            .map(|(square, y, x)| square * side * pitch + begins(y) * pitch + begins(x) * channels)
            .collect();
        let least = if layer.relu { 0.0 } else { f32::NEG_INFINITY };
        Some((Convolution { rows: kernel, run, pitch, patches, weights, biases, least }, output))
    }

    /// The squares that [`Convolution::new`] said, of those it was made for.
    pub(super) fn apply(&self, level: Level, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; self.patches.len() * self.biases.len() * LANES];
        dispatch!(level, simd => self.in_tiles(simd, input, &mut output));
        output
    }

    #[inline(always)]
    fn in_tiles<S: Simd>(&self, simd: S, input: &[f32], output: &mut [f32]) {
        // As many sums as registers hold beside a pixel's weights and a float of the input. AVX-512 has 32: 9 × 2 sums,
        // 2 of weights, 1. AVX2 has 16 of half as many lanes, so that each counts twice: 6 × 1 sums, 1 of weights, 1.
        if S::f32s::LEN >= LANES {
            self.blocks::<S, 9, 2>(simd, input, output);
        } else {
            self.blocks::<S, 6, 1>(simd, input, output);
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const PIXELS: usize, const BLOCKS: usize>(&self, simd: S, input: &[f32], output: &mut [f32]) {
        let in_full = self.biases.len() - self.biases.len() % BLOCKS;
        for first in (0..in_full).step_by(BLOCKS) {
            self.pixels::<S, PIXELS, BLOCKS>(simd, first, input, output);
        }
        for first in in_full..self.biases.len() {
            self.pixels::<S, PIXELS, 1>(simd, first, input, output);
        }
    }

    /// All pixels of the outputs in `BLOCKS` blocks from the `first` on.
    #[inline(always)]
    fn pixels<S: Simd, const PIXELS: usize, const BLOCKS: usize>(
        &self,
        simd: S,
        first: usize,
        input: &[f32],
        output: &mut [f32],
    ) {
        let least = f32x16::splat(simd, self.least);
        let channels = self.biases.len() * LANES;
        for (patches, pixels) in self.patches.chunks(PIXELS).zip(output.chunks_mut(PIXELS * channels)) {
            // The last few are filled up by repeating one.
            let patches: [usize; PIXELS] = std::array::from_fn(|pixel| patches[pixel.min(patches.len() - 1)]);
            let sums = simd.vectorize(
                #[inline(always)]
                || self.tile::<S, PIXELS, BLOCKS>(simd, first, input, patches),
            );
            for (pixel, sums) in pixels.chunks_exact_mut(channels).zip(sums) {
                for (lanes, sum) in pixel[first * LANES..].chunks_exact_mut(LANES).zip(sums) {
                    sum.max(least).store_slice(lanes);
                }
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const PIXELS: usize, const BLOCKS: usize>(
        &self,
        simd: S,
        first: usize,
        input: &[f32],
        patches: [usize; PIXELS],
    ) -> [[f32x16<S>; BLOCKS]; PIXELS] {
        let biases = std::array::from_fn(|block| f32x16::from_slice(simd, &self.biases[first + block].0));
        let mut sums: [[f32x16<S>; BLOCKS]; PIXELS] = [biases; PIXELS];
        let steps = self.run / STEP;
        for row in 0..self.rows {
            let runs =
                patches.map(|patch| &input[patch + row * self.pitch..][..self.run].as_chunks::<STEP>().0[..steps]);
            let weights: [&[[Lanes; STEP]]; BLOCKS] = std::array::from_fn(|block| {
                let at = ((first + block) * self.rows + row) * self.run;
                &self.weights[at..][..self.run].as_chunks::<STEP>().0[..steps]
            });
            for at in 0..steps {
                for step in 0..STEP {
                    let weights = weights.map(|weights| f32x16::from_slice(simd, &weights[at][step].0));
                    for (run, sums) in runs.iter().zip(&mut sums) {
                        let value = f32x16::splat(simd, run[at][step]);
                        for (weight, sum) in weights.iter().zip(sums) {
                            *sum = value.mul_add(*weight, *sum);
                        }
                    }
                }
            }
        }
        sums
    }
}
