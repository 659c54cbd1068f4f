//! WebP: lossy, lossless, with alpha; of an animation the first frame on its canvas.
//!
//! The decoder is shown the bare picture in a container of our making: its own ways through extended files hold up to
//! ten bytes a pixel at once, these at most six.

use image::codecs::webp::WebPDecoder;
use image::{ImageDecoder, ImageError};

use super::budget::{Budget, megapixels};
use super::canvas::Canvas;
use super::pieces::Pieces;
use super::webp_container::{self, First, Image};
use super::{Rejection, colour, orientation, webp_tables};

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let first = webp_container::read(bytes)?;
    let (width, height) = first.canvas;
    budget.check_size("WebP", width, height)?;
    let canvas = frame(&first, budget).map_err(|rejection| rejection.of(width, height))?;
    Ok(Canvas { orientation: first.exif.map_or(1, orientation::of_exif), ..canvas })
}

fn frame(first: &First, budget: &Budget) -> Result<Canvas, Rejection> {
    check_memory(first, budget)?;
    let frame = match first.image {
        Image::Lossy(data) => {
            let alpha = first.alpha.map(|data| alpha_plane(data, first.size)).transpose()?;
            Frame { samples: 3, pixels: lossy(data, first.size)?, alpha }
        }
        Image::Lossless(data) => {
            // Without its alpha bit the alpha samples mean nothing. Setting it saves the decoder a second buffer.
            let has_alpha = data[4] & 0x10 != 0;
            let mut pixels = lossless([data[0], data[1], data[2], data[3], data[4] | 0x10], &data[5..], first.size)?;
            if !has_alpha {
                pixels.chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
            }
            Frame { samples: 4, pixels, alpha: None }
        }
    };
    Ok(if first.size == first.canvas { frame.whole(first, budget) } else { frame.placed(first, budget) })
}

/// Decoded pixels, RGB or RGBA, and the alpha of RGB.
struct Frame {
    samples: usize,
    pixels: Vec<u8>,
    alpha: Option<Vec<u8>>,
}

impl Frame {
    /// As a canvas of its own size, in the same memory.
    fn whole(mut self, first: &First, budget: &Budget) -> Canvas {
        if self.samples == 4 {
            if self.pixels.chunks_exact(4).any(|pixel| pixel[3] != 255) {
                self.alpha = Some(self.pixels.chunks_exact(4).map(|pixel| pixel[3]).collect());
            }
            colour::convert_in_place(&mut self.pixels, budget.channels, |[r, g, b, _]| [r, g, b]);
        } else {
            colour::convert_in_place(&mut self.pixels, budget.channels, |rgb: [u8; 3]| rgb);
        }
        let (width, height) = first.canvas;
        let channels = budget.channels;
        Canvas { width, height, channels, colour: self.pixels, alpha: self.alpha, orientation: 1, whole: None }
    }

    /// On a larger, transparent canvas.
    fn placed(self, first: &First, budget: &Budget) -> Canvas {
        let mut canvas = Canvas::new(first.canvas.0, first.canvas.1, budget.channels, true);
        let width = first.size.0 as usize;
        for (i, pixel) in self.pixels.chunks_exact(self.samples).enumerate() {
            let (x, y) = (i % width + first.offset.0 as usize, i / width + first.offset.1 as usize);
            let alpha = pixel.get(3).copied().or(self.alpha.as_ref().map(|alpha| alpha[i])).unwrap_or(255);
            canvas.put_rgba(y * first.canvas.0 as usize + x, [pixel[0], pixel[1], pixel[2], alpha]);
        }
        canvas
    }
}

/// The most that is held at once; the decoder copies lossy data, and its Y, U and V take 1.5 bytes a pixel.
fn check_memory(first: &First, budget: &Budget) -> Result<(), Rejection> {
    let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let frame = pixels(first.size);
    let most = budget.memory();
    // RGBA, and up to a byte a pixel for transforms.
    let as_lossless = |data: &[u8]| frame * 5 + webp_tables::bytes(data, first.size, most);
    let decoding = match (first.image, first.alpha) {
        // Alpha is decoded before the colours, as RGBA that is then cut down to one byte a pixel.
        (Image::Lossy(data), Some([flags, alpha @ ..])) if flags & 3 == 1 => {
            as_lossless(alpha).max(frame * 11 / 2 + data.len() as u64)
        }
        (Image::Lossy(data), _) => frame * 11 / 2 + data.len() as u64,
        (Image::Lossless(data), _) => as_lossless(&data[5..]),
    };
    let whole = first.size == first.canvas;
    let placing = if whole { 0 } else { pixels(first.canvas) * (budget.channels.count() as u64 + 1) };
    let what = format!("WebP of {} megapixels", megapixels(pixels(first.canvas)));
    budget.check_memory(&what, decoding.max(placing + frame * 4), "upload it as PNG, or smaller")
}

fn lossy(data: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, Rejection> {
    let mut pixels = vec![0; width as usize * height as usize * 3];
    read(&[data], b"VP8 ", &mut pixels)?;
    Ok(pixels)
}

fn lossless(head: [u8; 5], data: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, Rejection> {
    let mut pixels = vec![0; width as usize * height as usize * 4];
    read(&[&head, data], b"VP8L", &mut pixels)?;
    Ok(pixels)
}

/// Decodes one bare chunk.
fn read(data: &[&[u8]], name: &[u8; 4], pixels: &mut [u8]) -> Result<(), Rejection> {
    let length: usize = data.iter().map(|piece| piece.len()).sum();
    let word = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let head = [*b"RIFF", word(length.saturating_add(12)), *b"WEBP", *name, word(length)].concat();
    let mut pieces = vec![head.as_slice()];
    pieces.extend_from_slice(data);
    let decoder = WebPDecoder::new(Pieces::new(pieces)).map_err(damaged)?;
    if decoder.total_bytes() != pixels.len() as u64 {
        return Err(Rejection::broken("WebP whose sizes disagree"));
    }
    decoder.read_image(pixels).map_err(damaged)
}

/// The alpha plane of a lossy picture (RFC 9649, 2.7.1.2): raw or a lossless picture's green, then unfiltered.
fn alpha_plane(data: &[u8], (width, height): (u32, u32)) -> Result<Vec<u8>, Rejection> {
    let (&flags, data) = data.split_first().ok_or_else(|| Rejection::broken("WebP with an empty alpha chunk"))?;
    let mut plane = match flags & 3 {
        0 => {
            let length = width as usize * height as usize;
            data.get(..length).ok_or_else(|| Rejection::broken("WebP with a short alpha chunk"))?.to_vec()
        }
        1 => {
            let [a, b, c, d] = ((width - 1) | (height - 1) << 14 | 1 << 28).to_le_bytes();
            let mut pixels = lossless([0x2f, a, b, c, d], data, (width, height))?;
            colour::convert_in_place(&mut pixels, super::Channels::Luma, |[_, green, _, _]| [green; 3]);
            pixels
        }
        _ => return Err(Rejection::broken("WebP with an unknown alpha compression")),
    };
    unfilter(&mut plane, width as usize, flags >> 2 & 3);
    Ok(plane)
}

fn unfilter(plane: &mut [u8], width: usize, filter: u8) {
    if filter == 0 {
        return;
    }
    for i in 1..plane.len() {
        let left = if i % width > 0 { Some(plane[i - 1]) } else { None };
        let above = i.checked_sub(width).map(|j| plane[j]);
        let predicted = match (filter, left, above) {
            (3, Some(left), Some(above)) => {
                let corner = i16::from(plane[i - width - 1]);
                (i16::from(left) + i16::from(above) - corner).clamp(0, 255) as u8
            }
            (1, Some(left), _) | (2 | 3, Some(left), None) => left,
            (_, _, Some(above)) => above,
            _ => 0,
        };
        plane[i] = plane[i].wrapping_add(predicted);
    }
}

fn damaged(error: ImageError) -> Rejection {
    Rejection::broken(format!("damaged WebP: {error}"))
}
