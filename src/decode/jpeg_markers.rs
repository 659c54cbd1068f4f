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

/// Coefficients that a block counts for in each scan: fewer take a decoder as long.
const LEAST: u64 = 16;

/// Some writers leave so many bytes between segments.
const STRAY: usize = 3;

const END_OF_IMAGE: &[u8] = &[0xff, 0xd9];

/// What a decoder is shown where the data of a scan end, since it would read endless zeros there: ones, stuffed. A code of
/// ones is none (T.81, annex C).
const NO_CODE: [[u8; 2]; 16] = [[0xff, 0]; 16];

/// Of these, as many as the decoder reads ahead, which may not be missing.
const AHEAD: usize = 8;

/// Behind that, for bits that are no code's: a segment (JPG0, reserved) that the decoder passes over between scans, and
/// cannot take for data. At the end of a restart interval it takes no other marker than those it knows.
const NO_BITS: &[u8] = &[0xff, 0xf0, 0, 2];

/// Fewer zeros than the decoder reads ahead, and more than a code and its bits have.
const NO_DATA: &[u8] = &[0; 3];

#[derive(Debug)]
pub(super) struct Structure<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    /// Of each component, as scans name it.
    pub(super) ids: Vec<u8>,
    /// Sampling factors (horizontal, vertical) of each component.
    pub(super) sampling: Vec<(u8, u8)>,
    /// Components in the first scan.
    pub(super) first_scan: usize,
    /// From an Adobe segment: samples of CMYK are stored inverted.
    pub(super) adobe: bool,
    pub(super) exif: Option<&'a [u8]>,
    /// That a decoder goes over in all scans: those of a scan's band in each block of its components.
    pub(super) coefficients: u64,
    /// What decoding needs, marker and all: frame, tables, scans.
    parts: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Reading<'a> {
    frame: Option<Frame>,
    scans: usize,
    first_scan: usize,
    coefficients: u64,
    restarts: bool,
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
    ids: Vec<u8>,
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
            Some(from) => reading.data(&bytes[from..at]),
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
            0xda => self.scan(segment)?,
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
        if let [_, 0xdd, _, _, interval @ ..] = segment {
            self.restarts = interval != [0, 0];
        }
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
        let (ids, sampling): (Vec<_>, Vec<_>) = rest.chunks_exact(3).map(|c| (c[0], (c[1] >> 4, c[1] & 15))).unzip();
        if sampling.len() != usize::from(*components)
            || sampling.iter().any(|&(h, v)| h == 0 || v == 0 || h > 4 || v > 4)
        {
            return Err(Rejection::broken("JPEG with a wrong frame header"));
        }
        if !matches!(sampling.len(), 1 | 3 | 4) {
            return Err(Rejection::unsupported(format!("JPEG with {components} components; upload as RGB or grey")));
        }
        let (width, height) = (u16::from_be_bytes([*w1, *w0]).into(), u16::from_be_bytes([*h1, *h0]).into());
        self.frame = Some(Frame { width, height, progressive, ids, sampling });
        Ok(())
    }

    fn scan(&mut self, segment: &'a [u8]) -> Result<(), Rejection> {
        let Some(frame) = &self.frame else {
            return Err(Rejection::broken("JPEG with a scan before its frame"));
        };
        let wrong = || Rejection::broken("JPEG with a wrong scan header");
        let (&count, rest) = segment[4..].split_first().ok_or_else(wrong)?;
        let Some((ids, &[first, last, bits])) = rest.split_at_checked(2 * usize::from(count)) else {
            return Err(wrong());
        };
        self.scans += 1;
        if self.scans == 1 {
            self.first_scan = count.into();
        }
        // Sequential scans bring each component once; progressive ones refine.
        let most = if frame.progressive { SCANS } else { frame.sampling.len() };
        if self.scans > most {
            return Err(Rejection::broken(format!("JPEG with more than {most} scans")));
        }
        let blocks = frame.blocks(ids.iter().step_by(2).copied());
        self.coefficients += blocks * LEAST.max(1 + u64::from(last.saturating_sub(first)));
        if frame.progressive && self.scans == 1 {
            // T.81, G.1.1.1.1.
            if first != 0 || bits >> 4 != 0 {
                return Err(Rejection::broken("JPEG whose first scan is not of DC coefficients"));
            }
            // The decoder must read the marker behind the first scan ahead. So it is shown one more before, whose coefficients
            // are all written anew by that one.
            self.parts.extend([segment, NO_DATA]);
        }
        Ok(())
    }

    /// The data of a scan.
    fn data(&mut self, data: &'a [u8]) {
        self.parts.push(data);
        if self.frame.as_ref().is_some_and(|frame| frame.progressive) {
            self.parts.push(NO_CODE[..AHEAD].as_flattened());
            self.parts.extend((!self.restarts).then_some(NO_BITS));
        }
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
        let Some(Frame { width, height, progressive, ids, sampling }) = self.frame else {
            return Err(Rejection::broken("JPEG without a picture"));
        };
        if self.scans == 0 {
            return Err(Rejection::broken("JPEG without a picture").of(width, height));
        }
        let Reading { first_scan, coefficients, adobe, exif, parts, .. } = self;
        Ok(Structure { width, height, progressive, ids, sampling, first_scan, adobe, exif, coefficients, parts })
    }
}

impl Frame {
    /// In a scan of these components: of one, those that the picture covers, of several, whole units (T.81, A.2).
    fn blocks(&self, ids: impl ExactSizeIterator<Item = u8>) -> u64 {
        let most = |side: fn(&(u8, u8)) -> u8| self.sampling.iter().map(side).max().map_or(1, u64::from);
        let (h_max, v_max) = (most(|s| s.0), most(|s| s.1));
        let (width, height, alone) = (u64::from(self.width), u64::from(self.height), ids.len() == 1);
        let factors = ids.filter_map(|id| self.ids.iter().position(|known| *known == id)).map(|at| self.sampling[at]);
        let blocks = factors.map(|(h, v)| match (u64::from(h), u64::from(v)) {
            (h, v) if alone => (width * h).div_ceil(8 * h_max) * (height * v).div_ceil(8 * v_max),
            (h, v) => width.div_ceil(8 * h_max) * h * height.div_ceil(8 * v_max) * v,
        });
        blocks.sum()
    }
}

impl Structure<'_> {
    /// The file without anything but what was read here, with what no code is where the data of scans end: in a
    /// sequential picture in place of its last marker.
    pub(super) fn clean(&self) -> Vec<u8> {
        let end = if self.progressive { END_OF_IMAGE } else { NO_CODE.as_flattened() };
        let mut file = Vec::with_capacity(self.clean_bytes() + end.len());
        file.extend_from_slice(&[0xff, 0xd8]);
        self.parts.iter().for_each(|part| file.extend_from_slice(part));
        file.extend_from_slice(end);
        file
    }

    /// What comes before the data of a sequential picture's scan, where that is the only one, and the data.
    pub(super) fn only_scan(&self) -> Option<(&[&[u8]], &[u8])> {
        let [head @ .., data] = &self.parts[..] else { return None };
        let scans = self.parts.iter().filter(|part| part.starts_with(&[0xff, 0xda])).count();
        let only = scans == 1 && head.last().is_some_and(|last| last.starts_with(&[0xff, 0xda]));
        (only && !self.progressive && self.first_scan == self.sampling.len()).then_some((head, data))
    }

    /// The file up to the data of its only scan.
    pub(super) fn head(&self) -> Option<Vec<u8>> {
        let (head, _) = self.only_scan()?;
        Some([&[&[0xff, 0xd8][..]], head].concat().concat())
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
