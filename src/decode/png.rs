//! PNG, row by row: all colour types and depths, interlaced or not. An animated PNG gives its still picture.

use std::io::Cursor;

use ::png::{ColorType, Decoder, DecodingError, Limits, Reader, Transformations};

use super::budget::Budget;
use super::canvas::Canvas;
use super::sniff::{Format, sniff};
use super::{Rejection, colour, orientation};

const SIGNATURE: usize = 8;

/// For the decoder's rows and the chunks that it keeps; text and colour profiles are skipped.
const BUFFERS: usize = 4_000_000;

/// Bytes of compressed pixels that are no bomb, however small the picture.
const SMALL: usize = 4_096;

/// The passes of Adam7: first column, column step, first row, row step (PNG 3rd edition, 8).
const PASSES: [(usize, usize, usize, usize); 7] =
    [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)];

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let (width, height) = header(bytes)?;
    budget.check_size("PNG", width, height)?;
    pixels(bytes, budget).map_err(|rejection| rejection.of(width, height))
}

/// What its header says; `None` of what is no PNG.
pub(super) fn pixels_of(bytes: &[u8]) -> Option<u64> {
    let (width, height) = header(bytes).ok().filter(|_| matches!(sniff(bytes), Ok(Format::Png)))?;
    Some(u64::from(width) * u64::from(height))
}

/// The size, from the chunk that is always first.
fn header(bytes: &[u8]) -> Result<(u32, u32), Rejection> {
    let word = |at: usize| bytes.get(at..at + 4).map(|w| u32::from_be_bytes([w[0], w[1], w[2], w[3]]));
    match (bytes.get(SIGNATURE + 4..SIGNATURE + 8), word(SIGNATURE + 8), word(SIGNATURE + 12)) {
        (Some(b"IHDR"), Some(width), Some(height)) => Ok((width, height)),
        (Some(b"CgBI"), ..) => Err(Rejection::unsupported("PNG made for iOS apps (CgBI); upload as ordinary PNG")),
        (Some(_), Some(_), Some(_)) => Err(Rejection::broken("PNG without a header")),
        _ => Err(ends(bytes)),
    }
}

/// What a walk over the chunks finds.
struct Chunks<'a> {
    /// The Exif block, which may follow the pixels.
    exif: Option<&'a [u8]>,
    /// Bytes of compressed pixels.
    compressed: usize,
}

/// Walks the chunks to the end: a picture that ends before it is not complete.
fn chunks(bytes: &[u8]) -> Result<Chunks<'_>, Rejection> {
    let mut chunks = Chunks { exif: None, compressed: 0 };
    let mut at = SIGNATURE;
    loop {
        let head = bytes.get(at..at + 8).ok_or_else(|| ends(bytes))?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let body = at + 8;
        // Four bytes of checksum follow.
        if bytes.len() - body < length.saturating_add(4) {
            return Err(ends(bytes));
        }
        match &head[4..] {
            b"eXIf" => chunks.exif = chunks.exif.or(bytes.get(body..body + length)),
            b"IDAT" => chunks.compressed += length,
            b"IEND" => return Ok(chunks),
            _ => {}
        }
        at = body + length + 4;
    }
}

fn pixels(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let Chunks { exif, compressed } = chunks(bytes)?;
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: BUFFERS });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height, interlaced) = (reader.info().width, reader.info().height, reader.info().interlaced);
    // Incompressible pixels grow by a few bytes in 65,536; what follows the last row is never inflated.
    if compressed > 2 * reader.info().raw_bytes() + SMALL {
        return Err(Rejection::too_large("PNG with far more data than its pixels need"));
    }
    let (samples, _) = reader.output_color_type();
    let alpha = matches!(samples, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let orientation = exif.map_or(1, orientation::of_exif);
    let by = budget.reduction(width, height);
    if by > 1 && !interlaced && !alpha {
        let luma = match samples {
            ColorType::Grayscale => reduced(&mut reader, by, |[grey]| grey)?,
            _ => reduced(&mut reader, by, |[r, g, b]| colour::luma(r, g, b))?,
        };
        return Ok(Canvas::reduced(width, height, by, luma, orientation));
    }
    let mut canvas = Canvas::new(width, height, budget.channels, alpha);
    canvas.orientation = orientation;
    if interlaced {
        for pass in PASSES {
            read_pass(&mut reader, &mut canvas, samples, pass)?;
        }
    } else {
        read_pass(&mut reader, &mut canvas, samples, (0, 1, 0, 1))?;
    }
    Ok(canvas)
}

/// The luma of the means of `by` x `by` pixels of `N` samples, of which rows are held no longer than they are summed up.
fn reduced<const N: usize>(
    reader: &mut Reader<Cursor<&[u8]>>,
    by: usize,
    luma: impl Fn([u8; N]) -> u8,
) -> Result<Vec<u8>, Rejection> {
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let mut out = Vec::with_capacity(width.div_ceil(by) * height.div_ceil(by));
    let mut sums = vec![0_u16; width * N];
    for top in (0..height).step_by(by) {
        let rows = by.min(height - top);
        sums.fill(0);
        for _ in 0..rows {
            let row = next_row(reader, sums.len())?;
            sums.iter_mut().zip(row).for_each(|(sum, &sample)| *sum += u16::from(sample));
        }
        out.extend(sums.chunks(by * N).map(|block| {
            let count = (rows * block.len() / N) as u32;
            let mut mean = [count / 2; N];
            for pixel in block.chunks_exact(N) {
                mean.iter_mut().zip(pixel).for_each(|(sum, &sample)| *sum += u32::from(sample));
            }
            luma(mean.map(|sum| (sum / count) as u8))
        }));
    }
    Ok(out)
}

fn next_row<'a>(reader: &'a mut Reader<Cursor<&[u8]>>, length: usize) -> Result<&'a [u8], Rejection> {
    let row = reader.next_row().map_err(damaged)?.ok_or_else(|| Rejection::broken("PNG with rows missing"))?;
    if row.data().len() != length {
        return Err(Rejection::broken("PNG with a row of the wrong length"));
    }
    Ok(row.data())
}

/// Reads the rows of one pass to where they belong.
fn read_pass(
    reader: &mut Reader<Cursor<&[u8]>>,
    canvas: &mut Canvas,
    colour: ColorType,
    (first_column, columns, first_row, rows): (usize, usize, usize, usize),
) -> Result<(), Rejection> {
    let (width, height) = (canvas.width as usize, canvas.height as usize);
    let samples = colour.samples();
    let count = width.saturating_sub(first_column).div_ceil(columns);
    if count == 0 {
        // A pass without columns has no rows in the file either.
        return Ok(());
    }
    for y in (first_row..height).step_by(rows) {
        for (i, pixel) in next_row(reader, count * samples)?.chunks_exact(samples).enumerate() {
            let index = y * width + first_column + i * columns;
            match *pixel {
                [grey] => canvas.put(index, [grey; 3]),
                [grey, alpha] => canvas.put_rgba(index, [grey, grey, grey, alpha]),
                [r, g, b] => canvas.put(index, [r, g, b]),
                [r, g, b, alpha] => canvas.put_rgba(index, [r, g, b, alpha]),
                _ => return Err(Rejection::broken("PNG with an unknown colour type")),
            }
        }
    }
    Ok(())
}

fn ends(bytes: &[u8]) -> Rejection {
    Rejection::broken(format!("PNG ends at byte {}", bytes.len()))
}

fn damaged(error: DecodingError) -> Rejection {
    match error {
        DecodingError::LimitsExceeded => Rejection::too_large("PNG with metadata of several MB; upload without them"),
        error => Rejection::broken(format!("damaged PNG: {error}")),
    }
}
