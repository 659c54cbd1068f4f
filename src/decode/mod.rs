//! Encoded bytes to upright pixels, under limits, without a panic.
//!
//! [`decode`] looks at the bytes (never at a name), reads the header, checks what the pixels will cost, and only
//! then decodes. Every way is bounded by counts: pixels, scans, chunks, bytes of memory.
//!
//! Grey is Rec. 601 luma, rounded as Pillow's `convert("L")` does; a YCbCr JPEG gives its Y untouched. Samples of 16
//! bits keep their upper 8. Transparency is composited; `canvas.rs` says on what. Colour profiles are ignored.

mod bmp;
mod budget;
mod canvas;
mod colour;
mod gif;
mod ifd;
mod jpeg;
mod jpeg_codes;
mod jpeg_markers;
mod jpeg_reduced;
mod orientation;
mod pieces;
mod png;
mod sniff;
mod tiff;
mod tiff_jpeg;
mod tiff_pixels;
mod webp;
mod webp_container;
mod webp_tables;

use std::panic::{AssertUnwindSafe, catch_unwind};

use budget::Budget;
use canvas::Canvas;
use sniff::Format;

/// Of a picture that is decoded in some tens of microseconds.
const BRIEF_BYTES: usize = 16_384;
const BRIEF_PIXELS: u64 = 10_000;

/// Bounds that are checked before anything is allocated.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest picture, in pixels. Memory over the encoded bytes stays under 6 bytes times this + 16 MB.
    pub pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { pixels: 25_000_000 }
    }
}

/// What the model asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// Rec. 601 luma, one byte a pixel.
    Luma,
    /// Interleaved RGB, three bytes a pixel.
    Rgb,
}

impl Channels {
    /// Bytes of one pixel.
    pub fn count(self) -> usize {
        match self {
            Channels::Luma => 1,
            Channels::Rgb => 3,
        }
    }
}

/// An upright picture without alpha: `pixels` is row by row, `width * height * channels` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub pixels: Vec<u8>,
}

/// Why these bytes are no picture that Spotter can read, as a value: a rejection is recorded, never retried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Rejection {
    pub kind: RejectionKind,
    /// One sentence for people, without the object's name: `JPEG ends at byte 512`.
    pub sentence: String,
    /// Where the header could be read.
    pub dimensions: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    NotAnImage,
    Broken,
    TooLarge,
    Unsupported,
}

impl Rejection {
    fn new(kind: RejectionKind, sentence: impl Into<String>) -> Rejection {
        Rejection { kind, sentence: sentence.into(), dimensions: None }
    }

    fn broken(sentence: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::Broken, sentence)
    }

    fn too_large(sentence: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::TooLarge, sentence)
    }

    fn unsupported(sentence: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::Unsupported, sentence)
    }

    fn not_an_image(sentence: impl Into<String>) -> Rejection {
        Rejection::new(RejectionKind::NotAnImage, sentence)
    }

    /// The same, with the dimensions that the header gave, unless they are known already.
    fn of(mut self, width: u32, height: u32) -> Rejection {
        self.dimensions.get_or_insert((width, height));
        self
    }
}

/// The upright pixels of an encoded picture; of an animation, those of its first frame.
///
/// # Errors
///
/// A [`Rejection`] for whatever is no picture, a picture in a format that is not read, one over the limits, or one
/// that is damaged or cut short: half a picture is never given silently.
pub fn decode(bytes: &[u8], channels: Channels, limits: Limits) -> Result<Picture, Rejection> {
    within(bytes, &Budget::new(channels, limits)).map(|whole| whole.picture)
}

/// A picture that may be smaller than the encoded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    pub picture: Picture,
    /// Width and height of the encoded picture, upright.
    pub whole: (u32, u32),
}

impl Reduced {
    pub fn is_whole(&self) -> bool {
        (self.picture.width, self.picture.height) == self.whole
    }
}

/// The same in less time and memory, for who can do with a longer side of `least_side` pixels (`None`: for whom each counts): luma of a sequential JPEG, or of an opaque
/// PNG, that has four times as many may come at a quarter or an eighth of its size. Each pixel is then about the mean of
/// those that it stands for.
///
/// # Errors
///
/// As [`decode`], of the same bytes in the same words.
pub fn decode_reduced(
    bytes: &[u8],
    channels: Channels,
    limits: Limits,
    least_side: Option<u32>,
) -> Result<Reduced, Rejection> {
    within(bytes, &Budget::new(channels, limits).reduced_to(least_side))
}

/// Whether these bytes are decoded sooner than another thread would begin: a PNG of few bytes and few pixels.
pub fn is_brief(bytes: &[u8]) -> bool {
    bytes.len() <= BRIEF_BYTES && png::pixels_of(bytes).is_some_and(|pixels| pixels <= BRIEF_PIXELS)
}

fn within(bytes: &[u8], budget: &Budget) -> Result<Reduced, Rejection> {
    let format = sniff::sniff(bytes)?;
    // Decoders have panicked on hostile input before. The closure owns all that it changes.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_as(format, bytes, budget)));
    decoded.unwrap_or_else(|_| Err(Rejection::broken(format!("the decoder gave up ({})", format.name()))))
}

fn decode_as(format: Format, bytes: &[u8], budget: &Budget) -> Result<Reduced, Rejection> {
    let canvas: Canvas = match format {
        Format::Jpeg => jpeg::decode(bytes, budget),
        Format::Png => png::decode(bytes, budget),
        Format::Gif => gif::decode(bytes, budget),
        Format::WebP => webp::decode(bytes, budget),
        Format::Bmp => bmp::decode(bytes, budget),
        Format::Tiff => tiff::decode(bytes, budget),
    }?;
    Ok(canvas.into_picture())
}

#[cfg(test)]
mod tests;
