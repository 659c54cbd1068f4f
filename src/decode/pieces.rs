//! Several slices read as one file: a decoder can be shown a header of our making before data that stay in place.

use std::io::{BufRead, Read, Result, Seek, SeekFrom};

pub(super) struct Pieces<'a> {
    pieces: Vec<&'a [u8]>,
    position: u64,
    length: u64,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(pieces: Vec<&'a [u8]>) -> Pieces<'a> {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        Pieces { pieces, position: 0, length }
    }

    /// What is left of the piece at the position.
    fn rest(&self) -> &'a [u8] {
        let mut at = self.position;
        for &piece in &self.pieces {
            match piece.get(at as usize..) {
                Some(rest) if !rest.is_empty() => return rest,
                _ => at = at.saturating_sub(piece.len() as u64),
            }
        }
        &[]
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let count = self.rest().read(out)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.position, offset),
            SeekFrom::End(offset) => (self.length, offset),
        };
        // Past the end is allowed, as in a file; nothing is read there.
        let at = base.checked_add_signed(offset).ok_or(std::io::ErrorKind::InvalidInput)?;
        self.position = at.min(self.length);
        Ok(at)
    }
}
