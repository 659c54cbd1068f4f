//! Records as files for other programs: Parquet, CSV, JSON Lines.
//!
//! What the columns are called and what is in them is said once, in [`column`]; Parquet and CSV take it from there. JSON
//! Lines are the record's own JSON.

mod column;
mod csv;
mod json_lines;
mod parquet;
mod target;

use std::io::{self, Write};

use crate::event::Timestamp;
use crate::record::Record;
pub use target::Target;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Csv,
    JsonLines,
}

/// Which columns there are beside those of every export.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// `seen`, the model's input as a PNG.
    pub seen: bool,
    /// `model_label` and `corrected_at`.
    pub corrected: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    record: Record,
    model_label: Option<String>,
    corrected_at: Option<Timestamp>,
}

impl From<Record> for Row {
    fn from(record: Record) -> Row {
        Row { record, model_label: None, corrected_at: None }
    }
}

impl Row {
    /// A model's row with the label that a person gave the picture.
    pub fn corrected(record: Record, correction: Record) -> Row {
        let corrected_at = correction.corrected_at();
        Row { model_label: record.label, corrected_at, record: Record { label: correction.label, ..record } }
    }

    fn seen(&self) -> Option<&[u8]> {
        (!self.record.seen.is_empty()).then_some(&self.record.seen)
    }

    /// Bytes that it takes in memory, about.
    fn weight(&self) -> usize {
        let Record { bucket, key, why, top, seen, .. } = &self.record;
        size_of::<Row>() + 200 + bucket.len() + key.len() + why.len() + 40 * top.len() + seen.len()
    }
}

/// Rows on their way into a file, which is whole once [`Export::finish`] returns.
pub struct Export<W: Write + Send>(Writer<W>);

enum Writer<W: Write + Send> {
    Parquet(Box<parquet::Parquet<W>>),
    Csv(Box<csv::Csv<W>>),
    JsonLines(json_lines::JsonLines<W>),
}

impl<W: Write + Send> Export<W> {
    pub fn new(format: Format, shape: Shape, out: W) -> io::Result<Export<W>> {
        Ok(Export(match format {
            Format::Parquet => Writer::Parquet(Box::new(parquet::Parquet::new(shape, out)?)),
            Format::Csv => Writer::Csv(Box::new(csv::Csv::new(shape, out)?)),
            Format::JsonLines => Writer::JsonLines(json_lines::JsonLines::new(shape, out)),
        }))
    }

    pub fn push(&mut self, row: Row) -> io::Result<()> {
        match &mut self.0 {
            Writer::Parquet(parquet) => parquet.push(row),
            Writer::Csv(csv) => csv.push(&row),
            Writer::JsonLines(lines) => lines.push(&row),
        }
    }

    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Writer::Parquet(parquet) => parquet.finish(),
            Writer::Csv(csv) => csv.finish(),
            Writer::JsonLines(lines) => lines.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
