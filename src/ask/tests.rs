#![allow(clippy::unwrap_used)] // a panic is a failed test

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::record::{Guess, Order, Reason};
use crate::records::embedded::Embedded;

const MODEL: &str = "digits/2";
const STATUSES: [Status; 5] = Status::ALL;

/// Rows of every kind, many of one time, some of them replaced, deleted or removed.
struct Home {
    runtime: Runtime,
    records: Embedded,
    rows: Vec<Record>,
    _folder: TempDir,
}

fn home() -> &'static Home {
    static HOME: OnceLock<Home> = OnceLock::new();
    HOME.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let records = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let rows: Vec<Record> = (0..400).map(row).collect();
        runtime.block_on(async {
            for row in &rows {
                records.write(row, Instant::now() + Duration::from_secs(60)).await.unwrap();
            }
        });
        Home { runtime, records, rows, _folder: folder }
    })
}

fn row(n: usize) -> Record {
    let status = STATUSES[[0, 0, 0, 0, 1, 1, 2, 3, 4][n * 7 % 9]];
    let pictured = matches!(status, Status::Classified | Status::Unsure);
    let gone = matches!(status, Status::Deleted | Status::VersionRemoved);
    let confidence = (n * 37 % 10_001) as f32 / 10_000.0;
    let several = status == Status::Classified && n.is_multiple_of(3);
    let guess = |label: usize| Guess { label: label.to_string(), confidence };
    let mut top = vec![guess(n % 4), guess(9)];
    top.truncate(if several { 2 } else { 1 });
    // Removals name a version of their key, or one that never was.
    let version = format!("v{}", if status == Status::VersionRemoved { n.saturating_sub(120) } else { n });
    Record {
        bucket: ["pictures", "other"][n % 11 / 10].into(),
        key: format!("{}/{}.png", ["a", "b", "a/b"][n % 3], n % 40),
        order: Order {
            seq: if n.is_multiple_of(5) { String::new() } else { format!("{n:0>32X}") },
            event_time: Timestamp((n / 3 * 7_000_000) as i64),
            version: version.clone(),
        },
        model: if gone { String::new() } else { [MODEL, "digits/3"][n % 13 / 12].into() },
        status,
        reason: match status {
            Status::Unsure => Some(Reason::BelowThreshold),
            Status::Rejected => Some(Reason::Broken),
            _ => None,
        },
        why: if several { "also 9".into() } else { String::new() },
        label: pictured.then(|| (n % 4).to_string()),
        confidence: pictured.then_some(confidence),
        top: if pictured { top } else { Vec::new() },
        dimensions: None,
        size: Some(n as u64),
        content_type: None,
        etag: None,
        version_id: Some(version),
        seen: if pictured { vec![n as u8; 9] } else { Vec::new() },
    }
}

fn all(question: &Question) -> Vec<Record> {
    let home = home();
    home.runtime.block_on(answers(&home.records, question.clone(), None).try_collect()).unwrap()
}

fn paged(question: &Question, limit: usize) -> Vec<Record> {
    let home = home();
    let mut answers = Vec::new();
    let mut after = None;
    loop {
        let page = home.runtime.block_on(page(&home.records, question, after, limit)).unwrap();
        assert!(page.records.len() <= limit.max(1));
        answers.extend(page.records);
        match page.next {
            // As a URL carries it.
            Some(next) => after = parse_cursor(&cursor_text(&next)),
            None => return answers,
        }
    }
}

/// The answers by the question's own words, from every row there is.
fn naive(question: &Question) -> Vec<Record> {
    let home = home();
    let current = |row: &Record| {
        let mut rows: Vec<Record> =
            home.rows.iter().filter(|other| (&other.bucket, &other.key) == (&row.bucket, &row.key)).cloned().collect();
        rows.sort_by(|a, b| b.order.cmp(&a.order).then(a.model.cmp(&b.model)));
        let model = &question.model;
        let current = if model.is_empty() {
            // Of any model: the newest row of each, and of those the newest.
            [MODEL, "digits/3"]
                .iter()
                .filter_map(|model| records::current(rows.clone(), model))
                .max_by_key(|row| row.order.clone())
        } else {
            records::current(rows, model)
        };
        current.as_ref() == Some(row)
    };
    let gone = |row: &Record| row.model.is_empty();
    let of_none = |text: Option<&str>| text == Some("deleted") || text == Some("version_removed");
    let asks_gone = question.model.is_empty()
        || of_none(question.status.map(Status::as_str))
        || (question.status.is_none_or(|status| status == Status::Classified) && of_none(question.label.as_deref()));
    let mut rows: Vec<Record> = home
        .rows
        .iter()
        .filter(|row| if asks_gone { gone(row) } else { row.model == question.model })
        .filter(|row| match (question.status, &question.label) {
            (None, Some(label)) => row.listed_under().contains(&label.as_str()),
            (Some(status), Some(label)) => {
                row.status == status
                    && (row.label.as_ref() == Some(label) || row.listed_under().contains(&label.as_str()))
            }
            (Some(status), None) => row.status == status,
            (None, None) => true,
        })
        .filter(|row| question.min_confidence.is_none_or(|least| row.confidence.is_some_and(|is| is >= least)))
        .filter(|row| question.max_confidence.is_none_or(|most| row.confidence.is_some_and(|is| is <= most)))
        .filter(|row| question.bucket.is_none() || question.bucket.as_ref() == Some(&row.bucket))
        .filter(|row| row.key.starts_with(question.prefix.as_deref().unwrap_or_default()))
        .filter(|row| question.since.is_none_or(|since| row.order.event_time >= since))
        .filter(|row| question.until.is_none_or(|until| row.order.event_time < until))
        .filter(|row| !question.current || current(row))
        .cloned()
        .collect();
    rows.sort_by_key(|row| {
        let Cursor { object_hash, order } = Cursor::of(row);
        std::cmp::Reverse((order.event_time, object_hash, order.seq, order.version))
    });
    rows
}

prop_compose! {
    fn questions()(
        model in prop::sample::select(vec![MODEL, MODEL, MODEL, "digits/3", "none/1", ""]),
        label in prop::option::weighted(0.3, prop::sample::select(vec!["0", "1", "3", "9", "unsure", "rejected", "deleted"])),
        status in prop::option::weighted(0.3, prop::sample::select(STATUSES.to_vec())),
        min_confidence in prop::option::weighted(0.3, prop::sample::select(vec![0.0, 0.25, 0.8, 1.0])),
        max_confidence in prop::option::weighted(0.3, prop::sample::select(vec![0.0, 0.5, 0.9])),
        bucket in prop::option::weighted(0.3, prop::sample::select(vec!["pictures", "other", "none"])),
        prefix in prop::option::weighted(0.3, prop::sample::select(vec!["", "a", "a/", "a/b/1", "none"])),
        since in prop::option::weighted(0.3, 0..1_000_000_000_i64),
        until in prop::option::weighted(0.3, 0..1_000_000_000_i64),
        current: bool,
    ) -> Question {
        Question {
            model: model.into(),
            label: label.map(Into::into),
            status,
            min_confidence,
            max_confidence,
            bucket: bucket.map(Into::into),
            prefix: prefix.map(Into::into),
            since: since.map(Timestamp),
            until: until.map(Timestamp),
            current,
            seen: true,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn answers_are_what_the_question_says(question in questions()) {
        prop_assert_eq!(all(&question), naive(&question));
    }

    #[test]
    fn pages_together_are_the_whole_answer(question in questions(), limit in 0..60_usize) {
        prop_assert_eq!(paged(&question, limit), all(&question));
    }
}

#[test]
fn the_rows_are_of_every_kind() {
    let question = Question { model: MODEL.into(), seen: true, ..Question::default() };
    let everything = all(&question);
    assert!(everything.len() > 250, "more than one read: {}", everything.len());
    let current = all(&Question { current: true, ..question.clone() });
    assert!(!current.is_empty() && current.len() < everything.len() / 2, "{}", current.len());
    for status in [Status::Classified, Status::Unsure, Status::Rejected, Status::Deleted, Status::VersionRemoved] {
        assert!(!all(&Question { status: Some(status), ..question.clone() }).is_empty(), "{status:?}");
    }
    let unsure = all(&Question { status: Some(Status::Unsure), label: Some("3".into()), ..question });
    assert!(!unsure.is_empty() && unsure.iter().all(|row| row.listed_as() == "unsure"), "{unsure:?}");
}

#[test]
fn a_row_without_its_picture_is_still_current() {
    let seen = Question { model: MODEL.into(), current: true, seen: true, ..Question::default() };
    let without = |row: Record| Record { seen: Vec::new(), ..row };
    let expected: Vec<Record> = all(&seen).into_iter().map(without).collect();
    assert_eq!(all(&Question { seen: false, ..seen }), expected);
}

#[test]
fn statistics_add_up() {
    let home = home();
    let stats = home.runtime.block_on(stats(&home.records, MODEL, None, None, By::Day)).unwrap();
    let question = Question { model: MODEL.into(), ..Question::default() };
    let of_none = Question { model: String::new(), ..question.clone() };
    let rows = all(&question).len() + all(&of_none).len();
    assert_eq!((stats.rows, stats.model.as_str()), (rows as u64, MODEL));
    assert_eq!(stats.by_status.values().sum::<u64>(), stats.rows);
    let answers = all(&question).into_iter().chain(all(&of_none));
    let names = answers.map(|row| row.listed_under().len() as u64).sum::<u64>();
    assert!(names > stats.rows, "some show several labels");
    assert_eq!(stats.by_label.values().sum::<u64>(), names);
    assert_eq!(stats.by_time.iter().flat_map(|period| period.labels.values()).sum::<u64>(), names);
    assert!(stats.by_time.is_sorted_by_key(|period| period.time) && stats.by_time.len() > 5, "{:?}", stats.by_time);
    let sure = stats.by_status[&Status::Classified] + stats.by_status[&Status::Unsure];
    assert_eq!(stats.confidence.iter().sum::<u64>(), sure);
    let hours = home.runtime.block_on(super::stats(&home.records, MODEL, None, None, By::Hour)).unwrap();
    assert!(hours.by_time.len() > stats.by_time.len());
    assert_eq!(Stats { by_time: stats.by_time.clone(), ..hours }, stats);
}
