//! TIFF and BigTIFF: the first picture, in strips or tiles, 1 to 16 bits; grey, RGB, palette, CMYK, YCbCr in JPEG.

use ::tiff::decoder::ifd::Value;
use ::tiff::decoder::{Decoder, Limits};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};

use super::budget::{Budget, megapixels};
use super::canvas::Canvas;
use super::pieces::Pieces;
use super::tiff_pixels::Samples;
use super::{Rejection, ifd, orientation, tiff_jpeg};

/// More values than a tag of any sane picture has; the decoder takes some 40 bytes for each.
const VALUES: u64 = 65_536;

/// Pixels of all strips or tiles, with their padding, by the limit of pixels: tiles far larger than the picture cost
/// their own size, not the picture's.
const PADDED: u64 = 2;

const BLACK_IS_ZERO: u16 = 1;
const JPEG: u16 = 7;
const CONTIGUOUS: u16 = 1;
const UNSIGNED: u16 = 1;

type Source<'a> = Decoder<Pieces<'a>>;

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let directory = ifd::first(bytes)?;
    if directory.entry(ifd::DNG_VERSION).is_some() {
        return Err(Rejection::unsupported("camera raw (DNG); upload as JPEG"));
    }
    if let Some(entry) = directory.entries.iter().find(|entry| is_read(entry.tag) && entry.count > VALUES) {
        return Err(Rejection::too_large(format!(
            "TIFF with {} values in tag {}; upload as PNG",
            entry.count, entry.tag
        )));
    }
    let size = |tag: Tag| directory.unsigned(bytes, tag.to_u16()).unwrap_or(0).try_into().unwrap_or(u32::MAX);
    let (width, height) = (size(Tag::ImageWidth), size(Tag::ImageLength));
    budget.check_size("TIFF", width, height)?;
    let photometric = directory.unsigned(bytes, ifd::PHOTOMETRIC).unwrap_or(0) as u16;

    // Palettes are refused by the decoder, and white-is-zero is turned by it in some depths only. Both are shown to it
    // as plain grey, and read by us.
    let patch = directory.short(BLACK_IS_ZERO);
    let source = match directory.entry(ifd::PHOTOMETRIC).filter(|_| matches!(photometric, 0 | 3)) {
        Some(entry) if entry.value_at + 2 <= bytes.len() => {
            Pieces::new(vec![&bytes[..entry.value_at], &patch, &bytes[entry.value_at + 2..]])
        }
        _ => Pieces::new(vec![bytes]),
    };
    let orientation = orientation::of_directory(bytes, &directory);
    let canvas = pixels(bytes, source, photometric, (width, height), budget).map_err(|r| r.of(width, height))?;
    Ok(Canvas { orientation, ..canvas })
}

/// Whether the decoder, or we, read all values of a tag.
fn is_read(tag: u16) -> bool {
    matches!(tag, 256..=259 | 262 | 273 | 277..=279 | 284 | 317 | 320 | 322..=325 | 338 | 339 | 347 | 530)
}

fn pixels(
    bytes: &[u8],
    source: Pieces,
    photometric: u16,
    (width, height): (u32, u32),
    budget: &Budget,
) -> Result<Canvas, Rejection> {
    let damaged = |error: TiffError| damaged(error, bytes);
    let mut decoder = Decoder::new(source).map_err(damaged)?;
    if decoder.dimensions().map_err(damaged)? != (width, height) {
        return Err(Rejection::broken("TIFF whose sizes disagree"));
    }
    let layout = Layout::read(&mut decoder, photometric).map_err(damaged)??;
    let chunks = Chunks::check(bytes, &mut decoder, &layout, (width, height), budget)?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = chunks.bytes as usize;
    limits.intermediate_buffer_size = bytes.len();
    decoder = decoder.with_limits(limits);
    let mut canvas = Canvas::new(width, height, budget.channels, layout.samples.has_alpha());
    for index in 0..chunks.count {
        let (columns, rows) = decoder.chunk_data_dimensions(index);
        let chunk = match &chunks.jpeg {
            Some(jpeg) => jpeg.chunk(index, (columns, rows), layout.count)?,
            None => decoder.read_chunk(index).map_err(damaged)?,
        };
        let (x, y) = (index % chunks.across * chunks.size.0, index / chunks.across * chunks.size.1);
        layout.samples.write(&chunk, (columns as usize, rows as usize), (x as usize, y as usize), &mut canvas)?;
    }
    Ok(canvas)
}

/// What the directory says of the samples.
struct Layout {
    samples: Samples,
    jpeg: bool,
    /// Samples of one pixel in the file.
    count: u16,
    /// Bits of one pixel in the file.
    bits: u64,
}

impl Layout {
    fn read(decoder: &mut Source, photometric: u16) -> Result<Result<Layout, Rejection>, TiffError> {
        let unsupported = |what: &str| Ok(Err(Rejection::unsupported(format!("TIFF with {what}; upload as PNG"))));
        let colour = decoder.colortype()?;
        let planar: u16 = decoder.find_tag_unsigned(Tag::PlanarConfiguration)?.unwrap_or(CONTIGUOUS);
        let count: u16 = decoder.find_tag_unsigned(Tag::SamplesPerPixel)?.unwrap_or(1);
        let format: Vec<u16> = decoder.find_tag_unsigned_vec(Tag::SampleFormat)?.unwrap_or_default();
        let jpeg = decoder.find_tag_unsigned::<u16>(Tag::Compression)? == Some(JPEG);
        if planar != CONTIGUOUS && count > 1 {
            return unsupported("a plane for each colour");
        }
        if format.iter().any(|&format| format != UNSIGNED) {
            return unsupported("signed or floating-point samples");
        }
        if matches!(colour, ColorType::YCbCr(_)) && !jpeg {
            return unsupported("YCbCr outside JPEG");
        }
        let extra: Vec<u16> = decoder.find_tag_unsigned_vec(Tag::ExtraSamples)?.unwrap_or_default();
        let map: Vec<u16> = match photometric {
            3 => decoder.find_tag_unsigned_vec(Tag::ColorMap)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let Some(samples) = Samples::new(colour, photometric, extra.first().copied(), map) else {
            return unsupported(&format!("samples as {colour:?}"));
        };
        let bits = u64::from(count) * u64::from(colour.bit_depth());
        Ok(Ok(Layout { samples, jpeg, count, bits }))
    }
}

/// The strips or tiles, checked against the file and the budget.
struct Chunks<'a> {
    size: (u32, u32),
    across: u32,
    count: u32,
    /// Of one, decoded.
    bytes: u64,
    jpeg: Option<tiff_jpeg::Data<'a>>,
}

impl<'a> Chunks<'a> {
    fn check(
        bytes: &'a [u8],
        decoder: &mut Source,
        layout: &Layout,
        (width, height): (u32, u32),
        budget: &Budget,
    ) -> Result<Chunks<'a>, Rejection> {
        let size = decoder.chunk_dimensions();
        if size.0 == 0 || size.1 == 0 {
            return Err(Rejection::broken("TIFF with empty tiles"));
        }
        let across = width.div_ceil(size.0);
        let count = across.saturating_mul(height.div_ceil(size.1));
        let row = u64::from(size.0).saturating_mul(layout.bits).div_ceil(8);
        let decoded = row.saturating_mul(u64::from(size.1.min(height)));
        let pixels = u64::from(width) * u64::from(height);
        let canvas = pixels * (budget.channels.count() as u64 + u64::from(layout.samples.has_alpha()));
        let what = format!("TIFF of {} megapixels in strips or tiles of {}×{}", megapixels(pixels), size.0, size.1);
        let check = |more: u64| {
            let needs = decoded.saturating_add(row).saturating_add(canvas).saturating_add(more);
            budget.check_memory(&what, needs, "save it with smaller strips, or as PNG")
        };
        check(0)?;
        let padded = u64::from(count).saturating_mul(u64::from(size.0) * u64::from(size.1.min(height)));
        if padded > budget.pixels().saturating_mul(PADDED) {
            let padded = megapixels(padded);
            return Err(Rejection::too_large(format!("{what}, which are {padded} megapixels; save it as PNG")));
        }
        let mut data = Vec::new();
        for (offset, length) in ranges(decoder).map_err(|error| damaged(error, bytes))? {
            let end = usize::try_from(offset.saturating_add(length)).ok();
            let chunk = usize::try_from(offset).ok().zip(end).and_then(|(offset, end)| bytes.get(offset..end));
            data.push(chunk.ok_or_else(|| Rejection::broken(format!("TIFF ends at byte {}", bytes.len())))?);
        }
        let jpeg = match layout.jpeg {
            true => {
                let tables = decoder.find_tag(Tag::JPEGTables).map_err(|error| damaged(error, bytes))?;
                let tables = tables.map(Value::into_u8_vec).transpose().map_err(|error| damaged(error, bytes))?;
                let jpeg = tiff_jpeg::Data::new(data, tables.unwrap_or_default(), bytes.len())?;
                check(jpeg.needs(size)?)?;
                Some(jpeg)
            }
            false => None,
        };
        // One row more than the rounding of the decoder's own sums can ask for.
        Ok(Chunks { size, across, count, bytes: decoded + row, jpeg })
    }
}

/// Offset and length of each strip or tile.
fn ranges(decoder: &mut Source) -> Result<Vec<(u64, u64)>, TiffError> {
    let (offsets, lengths) = match decoder.find_tag_unsigned_vec::<u64>(Tag::StripOffsets)? {
        Some(offsets) => (offsets, decoder.find_tag_unsigned_vec(Tag::StripByteCounts)?),
        None => (
            decoder.find_tag_unsigned_vec(Tag::TileOffsets)?.unwrap_or_default(),
            decoder.find_tag_unsigned_vec(Tag::TileByteCounts)?,
        ),
    };
    Ok(offsets.into_iter().zip(lengths.unwrap_or_default()).collect())
}

fn damaged(error: TiffError, bytes: &[u8]) -> Rejection {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Rejection::broken(format!("TIFF ends at byte {}, or its data do", bytes.len()))
        }
        TiffError::UnsupportedError(error) => Rejection::unsupported(format!("TIFF: {error}; upload as PNG")),
        TiffError::LimitsExceeded => Rejection::broken("TIFF with impossible sizes"),
        error => Rejection::broken(format!("damaged TIFF: {error}")),
    }
}
