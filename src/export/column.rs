//! The columns of a table of records: those of `spotter list --json`, by the same names and in the same order.

use self::Cell::{Bytes, Float, Guesses, Integer, Text, Time};
use super::{Row, Shape};
use crate::event::Timestamp;
use crate::record::{Guess, Reason};

pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) nullable: bool,
    pub(super) cell: Cell,
}

/// What is in a column, and how to get it from a row. `None` only where the column is nullable.
pub(super) enum Cell {
    Text(fn(&Row) -> Option<&str>),
    Float(fn(&Row) -> Option<f32>),
    Integer(fn(&Row) -> Option<i64>),
    Time(fn(&Row) -> Option<Timestamp>),
    Bytes(fn(&Row) -> Option<&[u8]>),
    Guesses(fn(&Row) -> &[Guess]),
}

const COLUMNS: [Column; 18] = [
    always("bucket", Text(|row| Some(&row.record.bucket))),
    always("key", Text(|row| Some(&row.record.key))),
    always("status", Text(|row| Some(row.record.status.as_str()))),
    nullable("reason", Text(|row| row.record.reason.map(Reason::as_str))),
    nullable("why", Text(|row| some(&row.record.why))),
    nullable("label", Text(|row| row.record.label.as_deref())),
    nullable("confidence", Float(|row| row.record.confidence)),
    always("top", Guesses(|row| &row.record.top)),
    nullable("model", Text(|row| some(&row.record.model))),
    always("event_time", Time(|row| Some(row.record.order.event_time))),
    nullable("seq", Text(|row| some(&row.record.order.seq))),
    nullable("version", Text(|row| some(&row.record.order.version))),
    nullable("version_id", Text(|row| row.record.version_id.as_deref())),
    nullable("etag", Text(|row| row.record.etag.as_deref())),
    nullable("size", Integer(|row| row.record.size.map(u64::cast_signed))),
    nullable("content_type", Text(|row| row.record.content_type.as_deref())),
    nullable("width", Integer(|row| row.record.dimensions.map(|(width, _)| width.into()))),
    nullable("height", Integer(|row| row.record.dimensions.map(|(_, height)| height.into()))),
];

const CORRECTED: [Column; 2] = [
    nullable("model_label", Text(|row| row.model_label.as_deref())),
    nullable("corrected_at", Time(|row| row.corrected_at)),
];

const SEEN: Column = nullable("seen", Bytes(Row::seen));

pub(super) fn columns(shape: Shape) -> Vec<Column> {
    let mut columns = Vec::from(COLUMNS);
    if shape.corrected {
        columns.extend(CORRECTED);
    }
    if shape.seen {
        columns.push(SEEN);
    }
    columns
}

const fn always(name: &'static str, cell: Cell) -> Column {
    Column { name, nullable: false, cell }
}

const fn nullable(name: &'static str, cell: Cell) -> Column {
    Column { name, nullable: true, cell }
}

/// Rows have `''` where they have nothing to say; files have null.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
