//! JPEG in TIFF (Technical Note 2): strips or tiles that are whole pictures but for tables that they share.
//!
//! They are decoded here and not by the TIFF decoder: it joins tables and data as they are, and what the JPEG decoder
//! would see in them is counted only in [`Structure::clean`](super::jpeg_markers::Structure::clean).

use ::tiff::decoder::DecodingResult;

use super::jpeg_markers::{self, Structure};
use super::{Rejection, jpeg};

/// Bytes of all strips or tiles, each with the shared tables, that are allowed in any file; and otherwise how many times
/// the file's own bytes, since they may share data.
const BYTES: usize = 16_000_000;
const TIMES: usize = 2;

pub(super) struct Data<'a> {
    chunks: Vec<&'a [u8]>,
    /// Without their end-of-image marker; empty where there are none.
    tables: Vec<u8>,
}

impl<'a> Data<'a> {
    /// `chunks` are the strips or tiles, `tables` the value of JPEGTables.
    pub(super) fn new(chunks: Vec<&'a [u8]>, mut tables: Vec<u8>, file: usize) -> Result<Data<'a>, Rejection> {
        let all: usize = chunks.iter().map(|chunk| chunk.len() + tables.len()).sum();
        if all > BYTES.max(TIMES * file) {
            return Err(Rejection::too_large("TIFF with far more JPEG data than the file is long; upload as PNG"));
        }
        tables.truncate(tables.len().saturating_sub(2));
        Ok(Data { chunks, tables })
    }

    /// Bytes of memory that the strip or tile takes that takes most, beside its pixels: its copies, and what the decoder
    /// makes of it, whose size is in the JPEG and not in the directory.
    pub(super) fn needs(&self, size: (u32, u32)) -> Result<u64, Rejection> {
        let mut most = 0;
        for chunk in &self.chunks {
            let joined = self.joined(chunk);
            let structure = structure(&joined)?;
            if structure.width > size.0 || structure.height > size.1 {
                return Err(Rejection::broken("TIFF whose JPEG is larger than its strip or tile"));
            }
            most = most.max(structure.samples() + 2 * joined.len() as u64);
        }
        Ok(most)
    }

    /// The pixels of one strip or tile that are in the picture; `count` samples each.
    pub(super) fn chunk(&self, index: u32, size: (u32, u32), count: u16) -> Result<DecodingResult, Rejection> {
        let data =
            self.chunks.get(index as usize).ok_or_else(|| Rejection::broken("TIFF with strips or tiles missing"))?;
        let joined = self.joined(data);
        let structure = structure(&joined)?;
        if structure.width < size.0 || structure.height < size.1 || structure.sampling.len() != usize::from(count) {
            return Err(Rejection::broken("TIFF whose JPEG is not as its directory says"));
        }
        let samples = jpeg::stored_samples(&structure)?;
        let (row, wanted) = (structure.width as usize * usize::from(count), size.0 as usize * usize::from(count));
        let rows = samples.chunks_exact(row).take(size.1 as usize);
        Ok(DecodingResult::U8(rows.flat_map(|row| &row[..wanted]).copied().collect()))
    }

    fn joined(&self, data: &[u8]) -> Vec<u8> {
        if self.tables.is_empty() { data.to_vec() } else { [&self.tables, data.get(2..).unwrap_or_default()].concat() }
    }
}

fn structure(joined: &[u8]) -> Result<Structure<'_>, Rejection> {
    let structure = jpeg_markers::read(joined)?;
    if structure.progressive || structure.first_scan != structure.sampling.len() {
        return Err(Rejection::unsupported("TIFF with progressive JPEG; upload as JPEG or PNG"));
    }
    Ok(structure)
}
