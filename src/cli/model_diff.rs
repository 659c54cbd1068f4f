//! `spotter model diff`: which objects one model labels otherwise than another.

mod confusion;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use clap::Args;
use futures_util::TryStreamExt;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Format, FormatArgs, csv, note, stdout};
use super::table::Table;
use super::{home, question, times};
use crate::ask::{self, Change, Compared};
use crate::config::Settings;
use crate::event::Timestamp;
use crate::record::{Record, Status};

const CSV_COLUMNS: [&str; 10] = [
    "bucket",
    "key",
    "a_status",
    "a_label",
    "a_confidence",
    "b_status",
    "b_label",
    "b_confidence",
    "event_time",
    "version_id",
];
/// Kinds of changes that are told.
const KINDS: usize = 10;

/// What both models saw of the version that an object is now. Runs of `spotter backfill` with either model fill what is
/// missing.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// As name/version
    #[arg(value_parser = question::model)]
    a: String,
    /// As name/version
    #[arg(value_parser = question::model)]
    b: String,
    /// Instead of objects: how many there are of each pair of answers, those on which both agree too
    #[arg(long)]
    confusion: bool,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Default)]
struct Tally {
    changed: u64,
    alike: u64,
    past: u64,
    only_a: u64,
    only_b: u64,
    /// From what to what.
    kinds: BTreeMap<(String, String), u64>,
    /// What both may say, as logs list it.
    pairs: BTreeMap<(String, String), u64>,
}

/// A change as a line of CSV.
#[derive(Serialize)]
struct Flat<'a> {
    bucket: &'a str,
    key: &'a str,
    a_status: Status,
    a_label: Option<&'a str>,
    a_confidence: Option<f32>,
    b_status: Status,
    b_label: Option<&'a str>,
    b_confidence: Option<f32>,
    event_time: Timestamp,
    version_id: Option<&'a str>,
}

impl Diff {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let records = home::records_to_ask(settings)?;
        let format = self.format.chosen();
        let mut out = BufWriter::new(stdout());
        let mut compared = ask::compared(&*records, &self.a, &self.b, None);
        let mut tally = Tally::default();
        if self.confusion {
            while let Some((_, compared)) = compared.try_next().await? {
                tally.count(compared);
            }
            confusion::print(&mut out, format, &tally.pairs)?;
            out.flush()?;
            return self.summarize(&tally);
        }
        let mut rows = Table::new(&["OBJECT", &self.a, "CONF", &self.b, "CONF", "TIME", "VERSION"]);
        if format == Format::Csv {
            writeln!(out, "{}", CSV_COLUMNS.join(","))?;
        }
        while let Some((_, compared)) = compared.try_next().await? {
            let Some(change) = tally.count(compared) else { continue };
            match format {
                Format::Table => rows.row(&mut out, &table_row(&change))?,
                Format::Json => writeln!(out, "{}", serde_json::to_string(&change)?)?,
                Format::Csv => writeln!(out, "{}", csv(&Flat::of(&change), &CSV_COLUMNS)?)?,
            }
        }
        rows.flush(&mut out)?;
        out.flush()?;
        self.summarize(&tally)
    }

    fn summarize(&self, tally: &Tally) -> Result<(), Failure> {
        let Diff { a, b, .. } = self;
        let both = tally.changed + tally.alike + tally.past;
        for (model, seen) in [(a, both + tally.only_a), (b, both + tally.only_b)] {
            if seen == 0 {
                return Err(Failure::Failed(format!("no record by {model}: a backfill with that model makes them")));
            }
        }
        note(&format!(
            "{} changed · {} alike · {} differ in what was replaced since · {} only by {a} · {} only by {b}",
            tally.changed, tally.alike, tally.past, tally.only_a, tally.only_b
        ));
        let mut kinds: Vec<_> = tally.kinds.iter().collect();
        kinds.sort_by_key(|(_, count)| Reverse(**count));
        for ((from, to), count) in kinds.into_iter().take(KINDS) {
            note(&format!("  {from} → {to}  {count}"));
        }
        Ok(())
    }
}

impl Tally {
    /// The change, if it is one.
    fn count(&mut self, compared: Compared) -> Option<Change> {
        match compared {
            Compared::Changed(change) => {
                self.changed += 1;
                *self.kinds.entry((said(&change.a), said(&change.b))).or_default() += 1;
                let pair = (change.a.listed_as().to_owned(), change.b.listed_as().to_owned());
                *self.pairs.entry(pair).or_default() += 1;
                return Some(*change);
            }
            Compared::Alike(listed) => {
                self.alike += 1;
                *self.pairs.entry((listed.clone(), listed)).or_default() += 1;
            }
            Compared::Past => self.past += 1,
            Compared::OnlyA => self.only_a += 1,
            Compared::OnlyB => self.only_b += 1,
        }
        None
    }
}

/// The label, with a doubt if there was one, or what it was instead.
fn said(record: &Record) -> String {
    match (&record.label, record.status) {
        (Some(label), Status::Unsure) => format!("{label}?"),
        (Some(label), _) => label.clone(),
        (None, status) => status.as_str().to_owned(),
    }
}

fn table_row(change: &Change) -> Vec<String> {
    let Change { bucket, key, a, b } = change;
    let sure = |record: &Record| record.confidence.map_or("–".into(), |confidence| format!("{confidence:.3}"));
    let time = times::shown(a.order.event_time);
    vec![format!("s3://{bucket}/{key}"), said(a), sure(a), said(b), sure(b), time, a.order.version.clone()]
}

impl Flat<'_> {
    fn of(change: &Change) -> Flat<'_> {
        let Change { bucket, key, a, b } = change;
        Flat {
            bucket,
            key,
            a_status: a.status,
            a_label: a.label.as_deref(),
            a_confidence: a.confidence,
            b_status: b.status,
            b_label: b.label.as_deref(),
            b_confidence: b.confidence,
            event_time: a.order.event_time,
            version_id: a.version_id.as_deref(),
        }
    }
}
