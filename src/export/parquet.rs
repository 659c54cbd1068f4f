//! Parquet: a row group at a time, so that memory does not grow with the number of rows.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::column::{Cell, Column, columns};
use super::{Row, Shape};
use crate::record::Guess;

/// A row group is kept as rows until it is written: whichever is reached first.
const GROUP_ROWS: usize = 20_000;
const GROUP_BYTES: usize = 16 << 20;
/// Cells that are copied at a time.
const BATCH: usize = 1_024;

pub(super) struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    bytes: usize,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(shape: Shape, out: W) -> io::Result<Parquet<W>> {
        let columns = columns(shape);
        let schema = parse_message_type(&schema(&columns)).map_err(into_io)?;
        let writer =
            SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties(&columns))).map_err(into_io)?;
        Ok(Parquet { writer, columns, rows: Vec::new(), bytes: 0 })
    }

    pub(super) fn push(&mut self, row: Row) -> io::Result<()> {
        self.bytes += row.weight();
        self.rows.push(row);
        if self.rows.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group().map_err(into_io)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_group().and_then(|()| self.writer.into_inner()).map_err(into_io)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &self.columns {
            write(column, &self.rows, &mut group)?;
        }
        group.close()?;
        self.rows.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// In Parquet's own notation of schemas.
fn schema(columns: &[Column]) -> String {
    let fields = columns.iter().map(|Column { name, nullable, cell }| {
        let repetition = if *nullable { "optional" } else { "required" };
        match cell {
            Cell::Text(_) => format!("{repetition} binary {name} (STRING);"),
            Cell::Float(_) => format!("{repetition} float {name};"),
            Cell::Integer(_) => format!("{repetition} int64 {name};"),
            Cell::Time(_) => format!("{repetition} int64 {name} (TIMESTAMP(MILLIS,true));"),
            Cell::Bytes(_) => format!("{repetition} binary {name};"),
            Cell::Guesses(_) => format!(
                "{repetition} group {name} (LIST) {{ repeated group list {{ required group element {{ \
                 required binary label (STRING); required float confidence; }} }} }}"
            ),
        }
    });
    format!("message records {{ {} }}", fields.collect::<Vec<_>>().join(" "))
}

fn properties(columns: &[Column]) -> WriterProperties {
    let pictures = columns.iter().filter(|column| matches!(column.cell, Cell::Bytes(_)));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    // A PNG is compressed, and nobody asks for the least of them.
    let properties = pictures.fold(properties, |properties, column| {
        let path = ColumnPath::from(column.name);
        properties
            .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, EnabledStatistics::None)
    });
    properties.build()
}

fn write<W: Write + Send>(
    column: &Column,
    rows: &[Row],
    group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<(), ParquetError> {
    let nullable = column.nullable;
    match &column.cell {
        Cell::Text(text) => {
            leaf(group, |leaf| cells::<ByteArrayType>(leaf, rows, nullable, |row| text(row).map(ByteArray::from)))
        }
        Cell::Bytes(bytes) => {
            leaf(group, |leaf| cells::<ByteArrayType>(leaf, rows, nullable, |row| bytes(row).map(ByteArray::from)))
        }
        Cell::Float(number) => leaf(group, |leaf| cells::<FloatType>(leaf, rows, nullable, number)),
        Cell::Integer(number) => leaf(group, |leaf| cells::<Int64Type>(leaf, rows, nullable, number)),
        Cell::Time(time) => {
            leaf(group, |leaf| cells::<Int64Type>(leaf, rows, nullable, |row| time(row).map(|time| time.0)))
        }
        Cell::Guesses(top) => {
            let label = |guess: &Guess| ByteArray::from(guess.label.as_str());
            leaf(group, |leaf| guesses::<ByteArrayType>(leaf, rows, *top, label))?;
            leaf(group, |leaf| guesses::<FloatType>(leaf, rows, *top, |guess| guess.confidence))
        }
    }
}

/// The next column of the schema.
fn leaf<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    write: impl FnOnce(&mut SerializedColumnWriter<'_>) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more cells than columns".into()));
    };
    write(&mut column)?;
    column.close()
}

fn cells<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    rows: &[Row],
    nullable: bool,
    cell: impl Fn(&Row) -> Option<T::T>,
) -> Result<(), ParquetError> {
    for rows in rows.chunks(BATCH) {
        let cells: Vec<Option<T::T>> = rows.iter().map(&cell).collect();
        let levels: Vec<i16> = cells.iter().map(|cell| cell.is_some().into()).collect();
        let values: Vec<T::T> = cells.into_iter().flatten().collect();
        column.typed::<T>().write_batch(&values, nullable.then_some(&levels), None)?;
    }
    Ok(())
}

/// One leaf of a list. An empty list has a definition level and no value; only the first of a list has a repetition
/// level of 0. <https://parquet.apache.org/docs/file-format/nestedencoding/>
fn guesses<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    rows: &[Row],
    top: fn(&Row) -> &[Guess],
    value: impl Fn(&Guess) -> T::T,
) -> Result<(), ParquetError> {
    for rows in rows.chunks(BATCH) {
        let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
        for top in rows.iter().map(top) {
            values.extend(top.iter().map(&value));
            for at in 0..top.len().max(1) {
                definitions.push(i16::from(at < top.len()));
                repetitions.push(i16::from(at > 0));
            }
        }
        column.typed::<T>().write_batch(&values, Some(&definitions), Some(&repetitions))?;
    }
    Ok(())
}

/// A full disk or a closed pipe is told as what it is.
fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => error.downcast().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    }
}
