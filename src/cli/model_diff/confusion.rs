//! What two models say of the same pictures, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{Format, csv};
use crate::cli::table::Table;

const CSV_COLUMNS: [&str; 3] = ["a", "b", "count"];
/// A table with more columns is wider than a terminal: pairs are listed instead.
const MOST_COLUMNS: usize = 16;

#[derive(Serialize)]
struct Pair<'a> {
    a: &'a str,
    b: &'a str,
    count: u64,
}

/// Rows are what the first model says, columns what the second one does; programs get the pairs that there are.
pub(super) fn print(
    out: &mut impl Write,
    format: Format,
    pairs: &BTreeMap<(String, String), u64>,
) -> Result<(), Failure> {
    let mut counted: Vec<Pair<'_>> = pairs.iter().map(|((a, b), count)| Pair { a, b, count: *count }).collect();
    let labels: BTreeSet<&str> = counted.iter().flat_map(|pair| [pair.a, pair.b]).collect();
    match format {
        Format::Json => counted.iter().try_for_each(|pair| Ok(writeln!(out, "{}", serde_json::to_string(pair)?)?)),
        Format::Csv => {
            writeln!(out, "{}", CSV_COLUMNS.join(","))?;
            counted.iter().try_for_each(|pair| Ok(writeln!(out, "{}", csv(pair, &CSV_COLUMNS)?)?))
        }
        Format::Table if labels.len() <= MOST_COLUMNS => matrix(out, pairs, &labels),
        Format::Table => {
            counted.sort_by_key(|pair| std::cmp::Reverse(pair.count));
            let mut table = Table::new(&["A", "B", "COUNT"]);
            let row = |pair: &Pair<'_>| vec![pair.a.to_owned(), pair.b.to_owned(), pair.count.to_string()];
            counted.iter().try_for_each(|pair| table.row(out, &row(pair)))?;
            table.flush(out)
        }
    }
}

fn matrix(
    out: &mut impl Write,
    pairs: &BTreeMap<(String, String), u64>,
    labels: &BTreeSet<&str>,
) -> Result<(), Failure> {
    let mut header = vec!["A \\ B"];
    header.extend(labels);
    let mut table = Table::new(&header);
    for a in labels {
        let mut row = vec![(*a).to_owned()];
        row.extend(labels.iter().map(|b| match pairs.get(&((*a).to_owned(), (*b).to_owned())) {
            Some(count) => count.to_string(),
            None => "·".to_owned(),
        }));
        table.row(out, &row)?;
    }
    table.flush(out)
}
