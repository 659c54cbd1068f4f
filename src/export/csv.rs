//! CSV: quoted as RFC 4180 says, lines end with `\n`, null is an empty field.

use std::io::{self, Write};

use csv::Writer;

use super::column::{Cell, Column, columns};
use super::{Row, Shape};
use crate::encoding::base64;

pub(super) struct Csv<W: Write> {
    writer: Writer<W>,
    columns: Vec<Column>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(shape: Shape, out: W) -> io::Result<Csv<W>> {
        let columns = columns(shape);
        let mut writer = Writer::from_writer(out);
        writer.write_record(columns.iter().map(|column| column.name)).map_err(into_io)?;
        Ok(Csv { writer, columns })
    }

    pub(super) fn push(&mut self, row: &Row) -> io::Result<()> {
        for column in &self.columns {
            match &column.cell {
                Cell::Text(text) => self.writer.write_field(text(row).unwrap_or_default()),
                other => self.writer.write_field(field(other, row)?),
            }
            .map_err(into_io)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(into_io)
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|failed| io::Error::new(failed.error().kind(), failed.error().to_string()))
    }
}

/// As it stands in the JSON.
fn field(cell: &Cell, row: &Row) -> io::Result<String> {
    Ok(match cell {
        Cell::Text(text) => text(row).unwrap_or_default().to_owned(),
        // Debug keeps the `.0` of `1.0`, as JSON does.
        Cell::Float(number) => number(row).map(|number| format!("{number:?}")).unwrap_or_default(),
        Cell::Integer(number) => number(row).map(|number| number.to_string()).unwrap_or_default(),
        Cell::Time(time) => time(row).map(|time| time.to_string()).unwrap_or_default(),
        Cell::Bytes(bytes) => bytes(row).map(base64).unwrap_or_default(),
        Cell::Guesses(guesses) => serde_json::to_string(guesses(row))?,
    })
}

fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
