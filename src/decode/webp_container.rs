//! The RIFF container of WebP (RFC 9649, section 2): where the first picture's data are.

use super::Rejection;

/// The first picture of a file, undecoded.
#[derive(Debug)]
pub(super) struct First<'a> {
    pub(super) canvas: (u32, u32),
    /// Of the picture on its canvas.
    pub(super) offset: (u32, u32),
    pub(super) size: (u32, u32),
    pub(super) image: Image<'a>,
    /// The payload of an `ALPH` chunk.
    pub(super) alpha: Option<&'a [u8]>,
    pub(super) exif: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Image<'a> {
    /// The payload of a `VP8 ` chunk.
    Lossy(&'a [u8]),
    /// The payload of a `VP8L` chunk.
    Lossless(&'a [u8]),
}

pub(super) fn read(bytes: &[u8]) -> Result<First<'_>, Rejection> {
    let ends = || Rejection::broken(format!("WebP ends at byte {}", bytes.len()));
    let size = bytes.get(4..8).map(|s| u32::from_le_bytes([s[0], s[1], s[2], s[3]])).ok_or_else(ends)?;
    let file = bytes.get(..(size as usize).saturating_add(8)).ok_or_else(ends)?;
    let chunks = Chunks { bytes: file.get(12..).ok_or_else(ends)? };
    let mut first = Parts::default();
    for chunk in chunks {
        match chunk? {
            (b"VP8X", body) => first.extended(body)?,
            (b"ANMF", body) if first.frame.is_none() => first.frame = Some(body),
            (b"EXIF", body) if first.exif.is_none() => first.exif = Some(body),
            (name, body) => first.image_part(name, body),
        }
    }
    first.finish()
}

/// Chunks of a RIFF file, each padded to an even length.
struct Chunks<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), Rejection>;

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.bytes.split_first_chunk::<4>()?;
        let Some((size, rest)) = rest.split_first_chunk::<4>() else {
            self.bytes = &[];
            return None;
        };
        let size = u32::from_le_bytes(*size) as usize;
        let Some(body) = rest.get(..size) else {
            self.bytes = &[];
            return Some(Err(Rejection::broken("WebP with a chunk that is longer than the file")));
        };
        self.bytes = rest.get(size + size % 2..).unwrap_or_default();
        Some(Ok((name, body)))
    }
}

#[derive(Default)]
struct Parts<'a> {
    canvas: Option<(u32, u32)>,
    animated: bool,
    frame: Option<&'a [u8]>,
    image: Option<Image<'a>>,
    alpha: Option<&'a [u8]>,
    exif: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn extended(&mut self, body: &[u8]) -> Result<(), Rejection> {
        let [flags, _, _, _, size @ ..] = body else {
            return Err(Rejection::broken("WebP with a short header"));
        };
        self.animated = flags & 2 != 0;
        self.canvas = Some(two_sizes(size).ok_or_else(|| Rejection::broken("WebP with a short header"))?);
        Ok(())
    }

    fn image_part(&mut self, name: &[u8; 4], body: &'a [u8]) {
        match name {
            b"VP8 " if self.image.is_none() => self.image = Some(Image::Lossy(body)),
            b"VP8L" if self.image.is_none() => self.image = Some(Image::Lossless(body)),
            b"ALPH" if self.image.is_none() && self.alpha.is_none() => self.alpha = Some(body),
            _ => {}
        }
    }

    fn finish(mut self) -> Result<First<'a>, Rejection> {
        let mut offset = (0, 0);
        let mut frame_size = None;
        if self.animated {
            let frame = self.frame.ok_or_else(|| Rejection::broken("WebP without a frame"))?;
            let short = || Rejection::broken("WebP with a short frame");
            let (Some(at), Some(size)) = (frame.get(..6), frame.get(6..12)) else { return Err(short()) };
            offset = (three(&at[..3]) * 2, three(&at[3..]) * 2);
            frame_size = two_sizes(size);
            (self.image, self.alpha) = (None, None);
            for chunk in (Chunks { bytes: frame.get(16..).ok_or_else(short)? }) {
                let (name, body) = chunk?;
                self.image_part(name, body);
            }
        }
        let image = self.image.ok_or_else(|| Rejection::broken("WebP without a picture"))?;
        let size = image.size()?;
        let canvas = self.canvas.unwrap_or(size);
        let fits = offset.0 + size.0 <= canvas.0 && offset.1 + size.1 <= canvas.1;
        let agrees = frame_size.map_or(size == canvas, |frame| frame == size);
        if !fits || !agrees {
            let (w, h) = canvas;
            return Err(Rejection::broken("WebP whose sizes disagree").of(w, h));
        }
        let alpha = self.alpha.filter(|_| matches!(image, Image::Lossy(_)));
        Ok(First { canvas, offset, size, image, alpha, exif: self.exif })
    }
}

impl Image<'_> {
    /// The size in the header of the data (RFC 6386, 9.1; RFC 9649, 3.4).
    fn size(&self) -> Result<(u32, u32), Rejection> {
        match *self {
            Image::Lossy([_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
                let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
                Ok((side(*w0, *w1), side(*h0, *h1)))
            }
            Image::Lossless([0x2f, a, b, c, d, ..]) => {
                let bits = u32::from_le_bytes([*a, *b, *c, *d]);
                Ok(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
            }
            _ => Err(Rejection::broken("WebP with a damaged picture header")),
        }
    }
}

fn three(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// Two sides, each stored in three bytes less one.
fn two_sizes(bytes: &[u8]) -> Option<(u32, u32)> {
    Some((three(bytes.get(..3)?) + 1, three(bytes.get(3..6)?) + 1))
}
