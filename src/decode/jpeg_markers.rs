//! The structure of a JPEG file (ITU-T T.81, annex B), read before any decoder sees it: the size, how many scans there
//! are, and whether it is complete. A decoder would allocate first, and would fill what is missing with grey.
//!
//! A decoder that reads the same bytes otherwise would see what nobody has counted: 162 bytes kept it busy without end once, by a frame
//! header where this walk saw a comment. So it is given [`Structure::clean`], which is made of what was counted here.

use super::Rejection;

/// No encoder makes more scans of a progressive picture: the usual scripts have 10, every bit of every band 40.
const SCANS: usize = 64;

/// Of all metadata together.
const METADATA: usize = 4_000_000;

/// Of all tables together: 64 scans with all tables anew are a third of it. A decoder takes a microsecond for 18 bytes.
const TABLES: usize = 500_000;

/// Some writers leave so many bytes between segments.
const STRAY: usize = 3;

#[derive(Debug)]
pub(super) struct Structure<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    /// Sampling factors (horizontal, vertical) of each component.
    pub(super) sampling: Vec<(u8, u8)>,
    /// Components in the first scan.
    pub(super) first_scan: usize,
    /// From an Adobe segment: samples of CMYK are stored inverted.
    pub(super) adobe: bool,
    pub(super) exif: Option<&'a [u8]>,
    /// What decoding needs, marker and all: frame, tables, scans.
    parts: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Reading<'a> {
    frame: Option<Frame>,
    scans: usize,
    first_scan: usize,
    metadata: usize,
    tables: usize,
    adobe: bool,
    exif: Option<&'a [u8]>,
    parts: Vec<&'a [u8]>,
}

struct Frame {
    width: u32,
    height: u32,
    progressive: bool,
    sampling: Vec<(u8, u8)>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Structure<'_>, Rejection> {
    let mut reading = Reading::default();
    match walk(bytes, &mut reading) {
        Ok(()) => reading.finish(),
        Err(rejection) => Err(match &reading.frame {
            Some(frame) => rejection.of(frame.width, frame.height),
            None => rejection,
        }),
    }
}

/// Goes from marker to marker, to the end-of-image marker.
fn walk<'a>(bytes: &'a [u8], reading: &mut Reading<'a>) -> Result<(), Rejection> {
    let ends = || Rejection::broken(format!("JPEG ends at byte {}", bytes.len()));
    let mut at = 2;
    // Where the data of a scan begin.
    let mut scan = None;
    loop {
        let from = at;
        at = next_marker(bytes, from).ok_or_else(ends)?;
        let marker = bytes[at + 1];
        if scan.is_some() && matches!(marker, 0xd0..=0xd7) {
            at += 2;
            continue;
        }
        match scan.take() {
            Some(from) => reading.parts.push(&bytes[from..at]),
            None if at > from + STRAY && bytes[from..at].iter().any(|&byte| byte != 0xff) => {
                return Err(Rejection::broken(format!("JPEG with {} stray bytes at byte {from}", at - from)));
            }
            None => {}
        }
        match marker {
            0xd9 => return Ok(()),
            0xd0..=0xd8 | 0x01 => return Err(Rejection::broken(format!("JPEG with a stray marker at byte {at}"))),
            _ => {}
        }
        let length =
            bytes.get(at + 2..at + 4).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]]))).ok_or_else(ends)?;
        if length < 2 {
            return Err(Rejection::broken(format!("JPEG with a segment of {length} bytes at byte {}", at + 2)));
        }
        let segment = bytes.get(at..at + 2 + length).ok_or_else(ends)?;
        reading.segment(marker, segment)?;
        at += segment.len();
        scan = (marker == 0xda).then_some(at);
    }
}

/// The position of the next `ff` that begins a marker; stuffed zeros and fill bytes are passed over, and so is
/// entropy-coded data.
fn next_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match bytes.get(at + 1)? {
            0x00 => at += 2,
            0xff => at += 1,
            _ => return Some(at),
        }
    }
}

impl<'a> Reading<'a> {
    /// `segment` begins with its marker and its length.
    fn segment(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Rejection> {
        let body = &segment[4..];
        match marker {
            0xc0..=0xc2 => self.frame(body, marker == 0xc2)?,
            0xc3 | 0xc5..=0xc7 | 0xf7 => return Err(Rejection::unsupported("lossless JPEG; upload as ordinary JPEG")),
            0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(Rejection::unsupported("JPEG with arithmetic coding; upload as ordinary JPEG"));
            }
            0xda => self.scan(body)?,
            0xc4 | 0xdb | 0xdd => self.tables(segment)?,
            0xdc => return Err(Rejection::unsupported("JPEG whose height comes later (DNL); upload as ordinary JPEG")),
            0xe0..=0xef | 0xfe => self.metadata(marker, body)?,
            _ => {}
        }
        // Frames of a film (AVI1) come without tables, and Adobe's says what the colours are.
        let is_part = matches!(marker, 0xc0..=0xc2 | 0xc4 | 0xda | 0xdb | 0xdd)
            || marker == 0xe0 && body.starts_with(b"AVI1\0")
            || marker == 0xee && body.starts_with(b"Adobe");
        self.parts.extend(is_part.then_some(segment));
        Ok(())
    }

    fn tables(&mut self, segment: &[u8]) -> Result<(), Rejection> {
        self.tables += segment.len();
        if self.tables > TABLES {
            return Err(Rejection::broken(format!("JPEG with more than {} kB of tables", TABLES / 1_000)));
        }
        Ok(())
    }

    fn frame(&mut self, body: &[u8], progressive: bool) -> Result<(), Rejection> {
        if self.frame.is_some() {
            return Err(Rejection::broken("JPEG with two frames"));
        }
        let [precision, h1, h0, w1, w0, components, rest @ ..] = body else {
            return Err(Rejection::broken("JPEG with a short frame header"));
        };
        if *precision != 8 {
            return Err(Rejection::unsupported(format!("JPEG with {precision} bits a sample; upload with 8 bits")));
        }
        let sampling: Vec<_> = rest.chunks_exact(3).map(|c| (c[1] >> 4, c[1] & 15)).collect();
        if sampling.len() != usize::from(*components)
            || sampling.iter().any(|&(h, v)| h == 0 || v == 0 || h > 4 || v > 4)
        {
            return Err(Rejection::broken("JPEG with a wrong frame header"));
        }
        if !matches!(sampling.len(), 1 | 3 | 4) {
            return Err(Rejection::unsupported(format!("JPEG with {components} components; upload as RGB or grey")));
        }
        let (width, height) = (u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into());
        self.frame = Some(Frame { width, height, progressive, sampling });
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), Rejection> {
        let Some(frame) = &self.frame else {
            return Err(Rejection::broken("JPEG with a scan before its frame"));
        };
        self.scans += 1;
        if self.scans == 1 {
            self.first_scan = body.first().copied().unwrap_or_default().into();
        }
        // Sequential scans bring each component once; progressive ones refine.
        let most = if frame.progressive { SCANS } else { frame.sampling.len() };
        if self.scans > most {
            return Err(Rejection::broken(format!("JPEG with more than {most} scans")));
        }
        Ok(())
    }

    fn metadata(&mut self, marker: u8, body: &'a [u8]) -> Result<(), Rejection> {
        self.metadata += body.len();
        if self.metadata > METADATA {
            let limit = METADATA / 1_000_000;
            return Err(Rejection::too_large(format!(
                "JPEG with more than {limit} MB of metadata; upload without them"
            )));
        }
        match marker {
            0xe1 if body.starts_with(b"Exif\0\0") && self.exif.is_none() => self.exif = Some(body),
            0xee if body.starts_with(b"Adobe") => self.adobe = true,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Structure<'a>, Rejection> {
        let Some(Frame { width, height, progressive, sampling }) = self.frame else {
            return Err(Rejection::broken("JPEG without a picture"));
        };
        if self.scans == 0 {
            return Err(Rejection::broken("JPEG without a picture").of(width, height));
        }
        let Reading { first_scan, adobe, exif, parts, .. } = self;
        Ok(Structure { width, height, progressive, sampling, first_scan, adobe, exif, parts })
    }
}

impl Structure<'_> {
    /// The file without anything but what was read here, and `end` in place of its last marker.
    pub(super) fn clean(&self, end: &[u8]) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.clean_bytes() + end.len());
        file.extend_from_slice(&[0xff, 0xd8]);
        self.parts.iter().for_each(|part| file.extend_from_slice(part));
        file.extend_from_slice(end);
        file
    }

    /// Length of [`Structure::clean`], but for its end.
    pub(super) fn clean_bytes(&self) -> usize {
        2 + self.parts.iter().map(|part| part.len()).sum::<usize>()
    }

    /// Pixels by components.
    pub(super) fn samples(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.sampling.len() as u64
    }
}
