//! Encoded bytes to upright pixels, under limits, without a panic.

/// Bounds that are checked before anything is allocated.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest picture, in pixels.
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
pub fn decode(_: &[u8], _: Channels, _: Limits) -> Result<Picture, Rejection> {
    unreachable!()
}
