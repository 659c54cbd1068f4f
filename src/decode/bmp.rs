//! BMP: 1 to 32 bits, run lengths, top-down or bottom-up.

use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::budget::Budget;
use super::canvas::Canvas;
use super::{Rejection, colour};

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let damaged = |error: ImageError| damaged(error, bytes);
    let (width, height) = size(bytes).ok_or_else(|| ends(bytes))?;
    budget.check_size("BMP", width, height)?;
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|error| damaged(error).of(width, height))?;
    if decoder.dimensions() != (width, height) {
        return Err(Rejection::broken("BMP whose sizes disagree").of(width, height));
    }
    let colour_type = decoder.color_type();
    let samples = usize::from(colour_type.channel_count());
    let mut pixels = vec![0; width as usize * height as usize * samples];
    decoder.read_image(&mut pixels).map_err(|error| damaged(error).of(width, height))?;
    // Only wholly transparent pictures are common: writers that leave the fourth byte zero. Their colours count.
    let alpha = (colour_type == ColorType::Rgba8)
        .then(|| pixels.chunks_exact(4).map(|pixel| pixel[3]).collect::<Vec<u8>>())
        .filter(|alpha| alpha.iter().any(|&a| a != 0));
    match colour_type {
        ColorType::Rgba8 => colour::convert_in_place(&mut pixels, budget.channels, |[r, g, b, _]| [r, g, b]),
        ColorType::Rgb8 => colour::convert_in_place(&mut pixels, budget.channels, |rgb: [u8; 3]| rgb),
        other => return Err(Rejection::unsupported(format!("BMP as {other:?}; upload as PNG")).of(width, height)),
    }
    Ok(Canvas { width, height, channels: budget.channels, colour: pixels, alpha, orientation: 1, whole: None })
}

/// From the header; rows from top to bottom have a negative height.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let half = |at: usize| bytes.get(at..at + 2).map(|b| u32::from(u16::from_le_bytes([b[0], b[1]])));
    let word = |at: usize| bytes.get(at..at + 4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]).unsigned_abs());
    match bytes.get(14)? {
        12 => half(18).zip(half(20)),
        _ => word(18).zip(word(22)),
    }
}

fn ends(bytes: &[u8]) -> Rejection {
    Rejection::broken(format!("BMP ends at byte {}", bytes.len()))
}

fn damaged(error: ImageError, bytes: &[u8]) -> Rejection {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => ends(bytes),
        ImageError::Unsupported(error) => Rejection::unsupported(format!("{error}; upload as PNG")),
        error => Rejection::broken(format!("damaged BMP: {error}")),
    }
}
