//! BMP: 1 to 32 bits, run lengths, top-down or bottom-up.

use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::budget::Budget;
use super::canvas::Canvas;
use super::{Rejection, colour};

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let damaged = |error: ImageError| damaged(error, bytes);
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    budget.check_size("BMP", width, height)?;
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
    Ok(Canvas { width, height, channels: budget.channels, colour: pixels, alpha, orientation: 1 })
}

fn damaged(error: ImageError, bytes: &[u8]) -> Rejection {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Rejection::broken(format!("BMP ends at byte {}", bytes.len()))
        }
        ImageError::Unsupported(error) => Rejection::unsupported(format!("{error}; upload as PNG")),
        error => Rejection::broken(format!("damaged BMP: {error}")),
    }
}
