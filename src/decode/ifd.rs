//! The first directory of a TIFF file or an Exif block (TIFF 6.0, section 2; BigTIFF).

use super::Rejection;

pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const DNG_VERSION: u16 = 50_706;

/// More entries than any real file has.
const ENTRIES: u64 = 4_096;

#[derive(Debug)]
pub(super) struct Directory {
    little_endian: bool,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) tag: u16,
    kind: u16,
    pub(super) count: u64,
    /// Where the value, or the offset of a longer one, stands in the file.
    pub(super) value_at: usize,
}

/// Integers of one byte order, read without a panic.
struct Words<'a> {
    bytes: &'a [u8],
    little_endian: bool,
}

impl Words<'_> {
    fn read(&self, at: u64, length: usize) -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let word = self.bytes.get(at..at.checked_add(length)?)?;
        let fold = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Some(if self.little_endian { word.iter().rev().fold(0, fold) } else { word.iter().fold(0, fold) })
    }
}

/// The first directory.
pub(super) fn first(bytes: &[u8]) -> Result<Directory, Rejection> {
    let little_endian = match bytes.get(..2) {
        Some(b"II") => true,
        Some(b"MM") => false,
        _ => return Err(Rejection::broken("TIFF without a byte order")),
    };
    read(&Words { bytes, little_endian }).unwrap_or_else(|| {
        Err(Rejection::broken(format!("TIFF ends at byte {}, before its directory does", bytes.len())))
    })
}

/// `None` where the file ends.
fn read(words: &Words) -> Option<Result<Directory, Rejection>> {
    let big = words.read(2, 2)? == 43;
    let (offset, count_size, entry_size) = if big { (words.read(8, 8)?, 8, 20) } else { (words.read(4, 4)?, 2, 12) };
    let count = words.read(offset, count_size)?;
    if count > ENTRIES {
        return Some(Err(Rejection::broken(format!("TIFF with more than {ENTRIES} entries in its directory"))));
    }
    let start = offset.checked_add(count_size as u64)?;
    let mut entries = Vec::new();
    for i in 0..count {
        let at = start.checked_add(i * entry_size)?;
        entries.push(Entry {
            tag: words.read(at, 2)? as u16,
            kind: words.read(at + 2, 2)? as u16,
            count: words.read(at + 4, if big { 8 } else { 4 })?,
            value_at: usize::try_from(at + if big { 12 } else { 8 }).ok()?,
        });
    }
    Some(Ok(Directory { little_endian: words.little_endian, entries }))
}

impl Directory {
    pub(super) fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The first value of a tag of type BYTE, SHORT or LONG that stands in the entry itself.
    pub(super) fn unsigned(&self, bytes: &[u8], tag: u16) -> Option<u64> {
        let entry = self.entry(tag)?;
        let size = match entry.kind {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        if entry.count == 0 || entry.count * size > 4 {
            return None;
        }
        Words { bytes, little_endian: self.little_endian }.read(entry.value_at as u64, size as usize)
    }

    /// A SHORT as this file writes it.
    pub(super) fn short(&self, value: u16) -> [u8; 2] {
        if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() }
    }
}
