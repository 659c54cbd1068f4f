//! Tables for people, row by row.

use std::io::{self, IsTerminal, Write};

use unicode_width::UnicodeWidthStr;

use super::failure::Failure;
use super::output::visible;
use crate::config;
use crate::record::Status;

/// Rows that say how wide the columns are. Later ones do not: a table of a million rows would wait for the last.
const FITS: usize = 100;

/// Columns as wide as the widest cell of the first rows. Control characters of keys are shown, not sent to the
/// terminal.
pub(super) struct Table {
    head: Vec<String>,
    /// The column whose cells are statuses, if they are coloured.
    coloured: Option<usize>,
    /// After so many rows the widths are set.
    pub(super) fits: usize,
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(super) fn new<S: AsRef<str>>(head: &[S]) -> Table {
        let head: Vec<String> = head.iter().map(|name| visible(name.as_ref())).collect();
        let coloured = (io::stdout().is_terminal() && config::colours_wanted())
            .then(|| head.iter().position(|name| *name == "STATUS"))
            .flatten();
        Table { head, coloured, fits: FITS, waiting: Vec::new(), widths: None }
    }

    pub(super) fn row(&mut self, out: &mut impl Write, cells: &[String]) -> Result<(), Failure> {
        let cells: Vec<String> = cells.iter().map(|cell| visible(cell)).collect();
        if let Some(widths) = &self.widths {
            return Ok(writeln!(out, "{}", line(&cells, widths, self.coloured))?);
        }
        self.waiting.push(cells);
        if self.waiting.len() >= self.fits { self.flush(out) } else { Ok(()) }
    }

    /// Prints the rows that wait; nothing, not even the head, where there never was one.
    pub(super) fn flush(&mut self, out: &mut impl Write) -> Result<(), Failure> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let cells = |column: usize| self.waiting.iter().map(move |row| row[column].width());
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| cells(column).max().unwrap_or(0).max(self.head[column].width()))
            .collect();
        writeln!(out, "{}", line(&self.head, &widths, None))?;
        for row in self.waiting.drain(..) {
            writeln!(out, "{}", line(&row, &widths, self.coloured))?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

fn line(cells: &[String], widths: &[usize], coloured: Option<usize>) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        match Status::parse(cell).filter(|_| coloured == Some(column)) {
            Some(status) => text.push_str(&format!("\u{1b}[{}m{cell}\u{1b}[0m", colour(status))),
            None => text.push_str(cell),
        }
        text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
    }
    text.truncate(text.trim_end().len());
    text
}

/// ECMA-48, SGR.
fn colour(status: Status) -> &'static str {
    match status {
        Status::Classified => "32",
        Status::Unsure => "33",
        Status::Rejected => "31",
        Status::Deleted | Status::VersionRemoved => "2",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn printed(table: &mut Table, rows: &[[&str; 2]]) -> String {
        let mut out = Vec::new();
        for row in rows {
            table.row(&mut out, &row.map(str::to_owned)).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_first_rows_say_how_wide_columns_are() {
        let mut table = Table { fits: 2, ..Table::new(&["OBJECT", "STATUS"]) };
        assert_eq!(printed(&mut table, &[["a", "unsure"]]), "", "it waits for the second");
        let head = "OBJECT     STATUS\na          unsure\nlonger 字  rejected\n";
        assert_eq!(printed(&mut table, &[["longer 字", "rejected"]]), head);
        assert_eq!(printed(&mut table, &[["b", "x"], ["the longest", "y"]]), "b          x\nthe longest  y\n");
        let mut out = Vec::new();
        table.flush(&mut out).unwrap();
        assert_eq!(out, b"");
    }

    #[test]
    fn an_empty_table_has_no_head() {
        let mut out = Vec::new();
        Table::new(&["OBJECT"]).flush(&mut out).unwrap();
        assert_eq!(out, b"");
    }

    #[test]
    fn colours_are_around_words_and_not_in_widths() {
        let cells = ["rejected".to_owned(), "rejected".to_owned()];
        assert_eq!(line(&cells, &[10, 10], Some(0)), "\u{1b}[31mrejected\u{1b}[0m    rejected");
        assert_eq!(line(&cells, &[10, 10], None), "rejected    rejected");
        assert_eq!(line(&["\u{1b}".to_owned()].map(|cell| visible(&cell)), &[1], Some(0)), "\\u{1b}");
    }
}
