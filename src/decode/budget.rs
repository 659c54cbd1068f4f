//! What a picture may cost, computed from its header before anything is allocated.

use super::{Channels, Limits, Rejection};

/// Longest side: what JPEG, GIF and every camera can do. It bounds the buffers that hold one row.
const SIDE: u32 = 65_535;

/// Bytes of memory that are granted whatever the pixel limit is.
const BASE: u64 = 16_000_000;

/// Of [`BASE`], what is left for the decoders' own tables and rows.
const SLACK: u64 = 8_000_000;

/// Bytes of memory for each pixel of the limit.
const BYTES_PER_PIXEL: u64 = 6;

#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) channels: Channels,
    pixels: u64,
    /// Longer side from which on a reduced picture will do.
    least_side: Option<u32>,
}

impl Budget {
    pub(super) fn new(channels: Channels, limits: Limits) -> Budget {
        Budget { channels, pixels: limits.pixels, least_side: None }
    }

    pub(super) fn reduced_to(self, least_side: Option<u32>) -> Budget {
        Budget { least_side, ..self }
    }

    /// By how much a picture of this size may be reduced while it is decoded: 8, 4, or 1 where it may not.
    pub(super) fn reduction(&self, width: u32, height: u32) -> usize {
        let longer = width.max(height);
        let enough =
            |by: &u32| self.least_side.is_some_and(|side| self.channels == Channels::Luma && longer / by >= side);
        [8, 4].into_iter().find(enough).unwrap_or(1) as usize
    }

    /// Both sides at least 1, neither longer than [`SIDE`], and no more pixels than the limit.
    pub(super) fn check_size(&self, format: &str, width: u32, height: u32) -> Result<(), Rejection> {
        if width == 0 || height == 0 {
            return Err(Rejection::broken(format!("{format} of {width}×{height} pixels")).of(width, height));
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.pixels {
            let sentence = format!("{} megapixels, and the limit is {}", megapixels(pixels), self.pixels as f64 / 1e6);
            return Err(Rejection::too_large(sentence).of(width, height));
        }
        if width > SIDE || height > SIDE {
            let sentence = format!("{width}×{height} pixels, and a side may have {SIDE} at most");
            return Err(Rejection::too_large(sentence).of(width, height));
        }
        Ok(())
    }

    /// The limit of pixels.
    pub(super) fn pixels(&self) -> u64 {
        self.pixels
    }

    /// Bytes of memory that may be used at once.
    pub(super) fn memory(&self) -> u64 {
        BYTES_PER_PIXEL.saturating_mul(self.pixels).saturating_add(BASE)
    }

    /// Whether `bytes` of memory, beside small tables, may be used at once. `instead` tells people what to do.
    pub(super) fn check_memory(&self, what: &str, bytes: u64, instead: &str) -> Result<(), Rejection> {
        let limit = self.memory();
        if bytes.saturating_add(SLACK) <= limit {
            return Ok(());
        }
        let (needs, limit) = (bytes.saturating_add(SLACK).div_ceil(1_000_000), limit / 1_000_000);
        Err(Rejection::too_large(format!("{what} needs {needs} MB to decode, and the limit is {limit} MB; {instead}")))
    }
}

/// Rounded up to a tenth, so that what is over the limit never looks like the limit.
pub(super) fn megapixels(pixels: u64) -> String {
    format!("{:.1}", pixels.div_ceil(100_000) as f64 / 10.0)
}
