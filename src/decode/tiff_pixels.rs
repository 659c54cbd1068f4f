//! The samples of a TIFF strip or tile to pixels (TIFF 6.0, sections 3 to 6, 16, 18, 21).

use ::tiff::ColorType;
use ::tiff::decoder::DecodingResult;

use super::canvas::Canvas;
use super::{Rejection, colour};

/// Values of ExtraSamples.
const ASSOCIATED: u16 = 1;
const UNASSOCIATED: u16 = 2;

#[derive(Debug)]
pub(super) struct Samples {
    kind: Kind,
    /// Bits a sample: 1, 2, 4, 8 or 16.
    depth: u8,
    /// Samples a pixel.
    count: usize,
    alpha: Option<Alpha>,
}

#[derive(Debug)]
enum Kind {
    Grey {
        white_is_zero: bool,
    },
    /// Colours in 16 bits: all reds, all greens, all blues.
    Palette(Vec<u16>),
    Rgb,
    Cmyk,
    YCbCr,
}

#[derive(Debug, PartialEq, Eq)]
enum Alpha {
    /// Colours are multiplied by it.
    Associated,
    Unassociated,
}

impl Samples {
    /// `None` where these samples are not read. `extra` is the first of ExtraSamples.
    pub(super) fn new(colour: ColorType, photometric: u16, extra: Option<u16>, map: Vec<u16>) -> Option<Samples> {
        let alpha = match extra {
            Some(ASSOCIATED) => Some(Alpha::Associated),
            Some(UNASSOCIATED) => Some(Alpha::Unassociated),
            _ => None,
        };
        let grey = Kind::Grey { white_is_zero: photometric == 0 };
        let (kind, depth, count, alpha) = match colour {
            ColorType::Gray(depth @ (1 | 2 | 4 | 8)) if photometric == 3 => {
                let kind = Kind::Palette(map);
                (kind, depth, 1, None)
            }
            ColorType::Gray(depth @ (1 | 2 | 4 | 8 | 16)) => (grey, depth, 1, None),
            ColorType::Multiband { bit_depth: depth @ (8 | 16), num_samples: 2 } if photometric < 2 => {
                (grey, depth, 2, alpha)
            }
            ColorType::RGB(depth @ (8 | 16)) => (Kind::Rgb, depth, 3, None),
            ColorType::RGBA(depth @ (8 | 16)) => (Kind::Rgb, depth, 4, alpha),
            ColorType::CMYK(depth @ (8 | 16)) => (Kind::Cmyk, depth, 4, None),
            ColorType::YCbCr(8) => (Kind::YCbCr, 8, 3, None),
            _ => return None,
        };
        Some(Samples { kind, depth, count, alpha })
    }

    pub(super) fn has_alpha(&self) -> bool {
        self.alpha.is_some()
    }

    /// Writes a chunk of `size` pixels with its upper left corner at `corner`.
    pub(super) fn write(
        &self,
        chunk: &DecodingResult,
        size: (usize, usize),
        corner: (usize, usize),
        canvas: &mut Canvas,
    ) -> Result<(), Rejection> {
        match (chunk, self.depth) {
            (DecodingResult::U8(samples), 8) => self.write_rows(size, corner, canvas, |i| samples.get(i).copied()),
            (DecodingResult::U16(samples), 16) => {
                self.write_rows(size, corner, canvas, |i| samples.get(i).map(|sample| (sample >> 8) as u8))
            }
            (DecodingResult::U8(packed), 1 | 2 | 4) => self.write_rows(size, corner, canvas, |i| {
                // Rows begin on a byte; one sample a pixel.
                let (depth, width) = (usize::from(self.depth), size.0);
                let bit = i % width * depth;
                let byte = packed.get(i / width * (width * depth).div_ceil(8) + bit / 8)?;
                Some((byte >> (8 - depth - bit % 8)) & (0xff >> (8 - depth)))
            }),
            _ => None,
        }
        .ok_or_else(|| Rejection::broken("TIFF with a strip or tile that is too short"))
    }

    /// `sample` gives the sample of an index, in 8 bits or less.
    fn write_rows(
        &self,
        (width, height): (usize, usize),
        (left, top): (usize, usize),
        canvas: &mut Canvas,
        sample: impl Fn(usize) -> Option<u8>,
    ) -> Option<()> {
        let mut pixel = [0; 4];
        for y in 0..height {
            for x in 0..width {
                for (i, slot) in pixel.iter_mut().enumerate().take(self.count) {
                    *slot = sample((y * width + x) * self.count + i)?;
                }
                let index = (top + y) * canvas.width as usize + left + x;
                canvas.put_rgba(index, self.rgba(pixel));
            }
        }
        Some(())
    }

    fn rgba(&self, pixel: [u8; 4]) -> [u8; 4] {
        let alpha = if self.alpha.is_some() { pixel[self.count - 1] } else { 255 };
        let [r, g, b] = match &self.kind {
            Kind::Grey { white_is_zero } => {
                let full = 0xff_u16 >> (8 - self.depth.min(8));
                let grey = (u16::from(pixel[0]) * 255 / full) as u8;
                [if *white_is_zero { 255 - grey } else { grey }; 3]
            }
            Kind::Palette(map) => {
                let size = 1 << self.depth;
                // Missing colours are black.
                [0, 1, 2].map(|c| map.get(c * size + usize::from(pixel[0])).map_or(0, |&value| (value >> 8) as u8))
            }
            Kind::Rgb => [pixel[0], pixel[1], pixel[2]],
            Kind::Cmyk => colour::cmyk_to_rgb(pixel),
            Kind::YCbCr => colour::ycbcr_to_rgb([pixel[0], pixel[1], pixel[2]]),
        };
        if self.alpha == Some(Alpha::Associated) && alpha > 0 {
            let free = |value: u8| (u16::from(value) * 255 / u16::from(alpha)).min(255) as u8;
            return [free(r), free(g), free(b), alpha];
        }
        [r, g, b, alpha]
    }
}
