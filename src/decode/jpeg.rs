//! JPEG: baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::budget::{Budget, megapixels};
use super::canvas::Canvas;
use super::jpeg_markers::{self, Structure};
use super::{Channels, Rejection, colour, jpeg_reduced, orientation};

/// Coefficients that all scans may go over, by the limit of pixels: libjpeg's scans are 5 to 9 of each pixel (of CMYK 15),
/// mozjpeg's 11 at most. A decoder takes some nanoseconds for one, whether or not there are data for it.
const COEFFICIENTS_PER_PIXEL: u64 = 16;

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let structure = jpeg_markers::read(bytes)?;
    let (width, height) = (structure.width, structure.height);
    budget.check_size("JPEG", width, height)?;
    check_work(&structure, budget)
        .and_then(|()| pixels(&structure, budget))
        .map_err(|rejection| rejection.of(width, height))
}

fn pixels(structure: &Structure, budget: &Budget) -> Result<Canvas, Rejection> {
    if let Some(reduced) = reduced(structure, budget) {
        return Ok(reduced);
    }
    let bytes = structure.clean();
    let mut decoder = decoder(&bytes)?;
    let input = decoder.input_colorspace().ok_or_else(|| Rejection::broken("JPEG without a colour space"))?;
    let output = output(input, structure, budget.channels)?;
    check_memory(structure, output, budget)?;
    decoder.set_options(options().jpeg_set_out_colorspace(output));
    let mut samples = decoder.decode().map_err(damaged)?;
    drop(decoder);

    match (output, budget.channels) {
        (ColorSpace::CMYK, channels) => {
            let invert = if structure.adobe { 255 } else { 0 };
            colour::convert_in_place(&mut samples, channels, |ink: [u8; 4]| {
                colour::cmyk_to_rgb(ink.map(|i| i ^ invert))
            });
        }
        (ColorSpace::RGB, Channels::Luma) => colour::convert_in_place(&mut samples, Channels::Luma, |rgb: [u8; 3]| rgb),
        _ => {}
    }
    Ok(Canvas {
        width: structure.width,
        height: structure.height,
        channels: budget.channels,
        colour: samples,
        alpha: None,
        whole: None,
        orientation: structure.exif.map_or(1, orientation::of_exif),
    })
}

/// Where a smaller picture is enough and can be had.
fn reduced(structure: &Structure, budget: &Budget) -> Option<Canvas> {
    let (width, height) = (structure.width, structure.height);
    let by = budget.reduction(width, height);
    if by == 1 {
        return None;
    }
    let head = structure.head()?;
    let input = decoder(&head).ok()?.input_colorspace()?;
    if output(input, structure, budget.channels).ok()? != ColorSpace::Luma {
        return None;
    }
    let luma = jpeg_reduced::luma(structure, by)?;
    Some(Canvas::reduced(width, height, by, luma, structure.exif.map_or(1, orientation::of_exif)))
}

/// Strict: a scan that ends early is an error, not grey.
fn options() -> DecoderOptions {
    DecoderOptions::default().set_strict_mode(true).set_max_width(65_535).set_max_height(65_535)
}

fn decoder(bytes: &[u8]) -> Result<JpegDecoder<ZCursor<&[u8]>>, Rejection> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().map_err(damaged)?;
    Ok(decoder)
}

/// The samples of a sequential picture as they are stored, interleaved, without a conversion of colours.
pub(super) fn stored_samples(structure: &Structure) -> Result<Vec<u8>, Rejection> {
    let bytes = structure.clean();
    let mut decoder = decoder(&bytes)?;
    let input = decoder.input_colorspace().ok_or_else(|| Rejection::broken("JPEG without a colour space"))?;
    decoder.set_options(options().jpeg_set_out_colorspace(input));
    decoder.decode().map_err(damaged)
}

/// What the decoder shall give: the Y of YCbCr as it is, the inks of CMYK untouched, RGB otherwise.
fn output(input: ColorSpace, structure: &Structure, channels: Channels) -> Result<ColorSpace, Rejection> {
    // The decoder gives Y alone only where no other component is finer.
    let luma_is_finest =
        structure.sampling.iter().all(|&(h, v)| h <= structure.sampling[0].0 && v <= structure.sampling[0].1);
    match (input, channels) {
        (ColorSpace::Luma, Channels::Luma) => Ok(ColorSpace::Luma),
        (ColorSpace::YCbCr, Channels::Luma) if luma_is_finest => Ok(ColorSpace::Luma),
        (ColorSpace::Luma | ColorSpace::YCbCr | ColorSpace::RGB | ColorSpace::YCCK, _) => Ok(ColorSpace::RGB),
        (ColorSpace::CMYK, _) => Ok(ColorSpace::CMYK),
        _ => Err(Rejection::unsupported("JPEG with an unusual colour space; upload as RGB or grey")),
    }
}

/// A scan of a few bytes may go over all pixels.
fn check_work(structure: &Structure, budget: &Budget) -> Result<(), Rejection> {
    let limit = COEFFICIENTS_PER_PIXEL.saturating_mul(budget.pixels());
    if !structure.progressive || structure.coefficients <= limit {
        return Ok(());
    }
    Err(Rejection::too_large(format!(
        "progressive JPEG with {} million coefficients in its scans, and the limit is {}; save it as baseline, or smaller",
        megapixels(structure.coefficients),
        limit as f64 / 1e6
    )))
}

/// Where not all components come in one scan, the decoder holds every coefficient (two bytes) beside the output.
fn check_memory(structure: &Structure, output: ColorSpace, budget: &Budget) -> Result<(), Rejection> {
    let pixels = u64::from(structure.width) * u64::from(structure.height);
    let mut bytes = pixels * output.num_components() as u64 + structure.clean_bytes() as u64;
    let whole = structure.progressive || structure.first_scan != structure.sampling.len();
    if whole {
        bytes += 2 * padded_samples(structure, output);
    }
    let kind = if structure.progressive { "progressive " } else { "" };
    let what = format!("{kind}JPEG of {} megapixels", megapixels(pixels));
    budget.check_memory(&what, bytes, "save it as baseline, or smaller")
}

/// Samples of all components, with their padding to whole blocks.
fn padded_samples(structure: &Structure, output: ColorSpace) -> u64 {
    let h_max = structure.sampling.iter().map(|&(h, _)| u64::from(h)).max().unwrap_or(1);
    let v_max = structure.sampling.iter().map(|&(_, v)| u64::from(v)).max().unwrap_or(1);
    let across = u64::from(structure.width).div_ceil(8 * h_max);
    let mut down = u64::from(structure.height).div_ceil(8 * v_max);
    if output == ColorSpace::Luma && v_max > h_max {
        // The decoder's own reserve for pictures that are subsampled vertically only.
        down *= v_max.div_ceil(h_max);
    }
    structure.sampling.iter().map(|&(h, v)| across * down * 64 * u64::from(h) * u64::from(v)).sum()
}

fn damaged(error: zune_jpeg::errors::DecodeErrors) -> Rejection {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim();
    Rejection::broken(format!("damaged JPEG: {first}"))
}
