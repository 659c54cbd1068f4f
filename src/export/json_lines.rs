//! JSON Lines: one record a line, as `spotter list --json` prints it.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::{Row, Shape};
use crate::encoding::base64;
use crate::event::Timestamp;
use crate::record::Record;

pub(super) struct JsonLines<W: Write> {
    out: BufWriter<W>,
    shape: Shape,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    record: &'a Record,
    #[serde(flatten)]
    correction: Option<Correction<'a>>,
    #[serde(flatten)]
    seen: Option<Seen>,
}

#[derive(Serialize)]
struct Correction<'a> {
    model_label: Option<&'a str>,
    corrected_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Seen {
    seen: Option<String>,
}

impl<W: Write> JsonLines<W> {
    pub(super) fn new(shape: Shape, out: W) -> JsonLines<W> {
        JsonLines { out: BufWriter::new(out), shape }
    }

    pub(super) fn push(&mut self, row: &Row) -> io::Result<()> {
        let correction = Correction { model_label: row.model_label.as_deref(), corrected_at: row.corrected_at };
        let line = Line {
            record: &row.record,
            correction: self.shape.corrected.then_some(correction),
            seen: self.shape.seen.then(|| Seen { seen: row.seen().map(base64) }),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}
