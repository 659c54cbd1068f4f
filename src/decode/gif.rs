//! GIF: the first frame, at its place on the canvas. What it leaves free, and its transparent colour, are transparent.

use std::num::NonZeroU64;

use ::gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, Frame, MemoryLimit};

use super::Rejection;
use super::budget::Budget;
use super::canvas::Canvas;

/// For metadata that the decoder keeps; the pixels come row by row.
const METADATA: NonZeroU64 = NonZeroU64::new(1_000_000).expect("is not zero");

pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<Canvas, Rejection> {
    let damaged = |error: DecodingError| damaged(error, bytes);
    if has_no_frame(bytes) {
        return Err(Rejection::broken("GIF without a frame"));
    }
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(METADATA));
    let mut decoder = options.read_info(bytes).map_err(damaged)?;
    let screen = (decoder.width(), decoder.height());
    let none = || Rejection::broken("GIF without a frame").of(screen.0.into(), screen.1.into());
    let frame = match decoder.next_frame_info() {
        Ok(frame) => Place::of(frame.ok_or_else(none)?),
        Err(error) => return Err(damaged(error).of(screen.0.into(), screen.1.into())),
    };
    if frame.width == 0 || frame.height == 0 {
        return Err(none());
    }
    // As browsers do, the canvas grows to hold a first frame that is too large for it.
    let width = u32::from(screen.0).max(u32::from(frame.left) + u32::from(frame.width));
    let height = u32::from(screen.1).max(u32::from(frame.top) + u32::from(frame.height));
    budget.check_size("GIF", width, height)?;
    let transparent =
        frame.transparent.is_some() || width != u32::from(frame.width) || height != u32::from(frame.height);
    let mut canvas = Canvas::new(width, height, budget.channels, transparent);
    read_frame(&mut decoder, &frame, &mut canvas)
        .map_err(damaged)
        .and_then(|complete| if complete { Ok(canvas) } else { Err(short()) })
        .map_err(|rejection| rejection.of(width, height))
}

/// Whether the end comes before any frame: the decoder calls that cut short.
fn has_no_frame(bytes: &[u8]) -> bool {
    let flags = bytes.get(10).copied().unwrap_or(0);
    let mut at = 13 + if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
    while bytes.get(at) == Some(&0x21) {
        at += 2;
        while let Some(&length @ 1..) = bytes.get(at) {
            at += 1 + usize::from(length);
        }
        at += 1;
    }
    bytes.get(at) == Some(&0x3b)
}

/// Where a frame stands and how it is stored.
struct Place {
    left: u16,
    top: u16,
    width: u16,
    height: u16,
    interlaced: bool,
    transparent: Option<u8>,
}

impl Place {
    fn of(frame: &Frame) -> Place {
        let &Frame { left, top, width, height, interlaced, transparent, .. } = frame;
        Place { left, top, width, height, interlaced, transparent }
    }
}

/// Whether the data held all rows.
fn read_frame(decoder: &mut Decoder<&[u8]>, frame: &Place, canvas: &mut Canvas) -> Result<bool, DecodingError> {
    let palette = decoder.palette()?.to_vec();
    let mut indices = vec![0; usize::from(frame.width)];
    let height = usize::from(frame.height);
    // Interlaced rows come in four passes (GIF89a, appendix E).
    let passes: &[(usize, usize)] = if frame.interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    for &(first, step) in passes {
        for row in (first..height).step_by(step) {
            if !decoder.fill_buffer(&mut indices)? {
                return Ok(false);
            }
            let start = (usize::from(frame.top) + row) * canvas.width as usize + usize::from(frame.left);
            for (i, &index) in indices.iter().enumerate().filter(|&(_, &index)| Some(index) != frame.transparent) {
                let colour = palette.get(usize::from(index) * 3..usize::from(index) * 3 + 3);
                canvas.put(start + i, colour.map_or([0; 3], |c| [c[0], c[1], c[2]]));
            }
        }
    }
    Ok(true)
}

fn short() -> Rejection {
    Rejection::broken("GIF with rows missing")
}

fn damaged(error: DecodingError, bytes: &[u8]) -> Rejection {
    match error {
        DecodingError::UnexpectedEof => Rejection::broken(format!("GIF ends at byte {}", bytes.len())),
        DecodingError::MemoryLimit => Rejection::too_large("GIF with metadata of several MB; upload without them"),
        error => Rejection::broken(format!("damaged GIF: {error}")),
    }
}
