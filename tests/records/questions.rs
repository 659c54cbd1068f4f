//! Questions and their answers, on every home.

use std::sync::Arc;

use futures_util::TryStreamExt;
use spotter::ask::{self, AskError, By, Change, Compared, Question};
use spotter::event::Timestamp;
use spotter::record::{HUMAN, Reason, Record, Status};
use spotter::records;

use super::home::Home;
use super::{MODEL, gone, seen, seq};
use crate::harness::deadline;

const NOON: Timestamp = Timestamp(1_795_226_584_567);
const HOUR: i64 = 3_600_000;
/// What a question's answers have in common.
type Fits<'a> = Box<dyn Fn(&Record) -> bool + 'a>;

const OTHER: &str = "digits/3";

impl Home {
    async fn answers(&self, question: &Question) -> Vec<Record> {
        ask::answers(&*self.records, question.clone(), None).try_collect().await.unwrap()
    }

    async fn pages(&self, question: &Question, limit: usize) -> Vec<Record> {
        let (mut answers, mut after) = (Vec::new(), None);
        loop {
            let page = ask::page(&*self.records, question, after, limit).await.unwrap();
            assert!(page.records.len() <= limit);
            answers.extend(page.records);
            match page.next {
                Some(next) => after = ask::parse_cursor(&ask::cursor_text(&next)),
                None => return answers,
            }
        }
    }

    async fn correct(&self, key: &str, label: Option<&str>, at: Timestamp) -> Result<Record, AskError> {
        ask::correct(&*self.records, "pictures", key, None, label, at, deadline()).await
    }

    async fn compared(&self) -> Vec<Compared> {
        let steps = ask::compared(&*self.records, MODEL, OTHER, None);
        steps.map_ok(|(_, compared)| compared).try_collect().await.unwrap()
    }
}

fn unsure(row: Record, confidence: f32) -> Record {
    Record {
        status: Status::Unsure,
        reason: Some(Reason::BelowThreshold),
        confidence: Some(confidence),
        why: "below threshold 0.80".into(),
        ..row
    }
}

fn by_other(row: &Record, label: &str) -> Record {
    Record { model: OTHER.into(), label: Some(label.into()), ..row.clone() }
}

pub(super) async fn filters_and_pages_leave_out_what_differs(home: Arc<Home>) {
    let mut rows = Vec::new();
    for n in 0..120_i64 {
        let row = seen(&format!("{}/{n}", n % 4), &seq(n as u64), n * 2 * HOUR, &n.to_string());
        let row = Record { label: Some((n % 3).to_string()), confidence: Some(n as f32 / 200.0 + 0.4), ..row };
        rows.push(if n % 7 == 0 { unsure(row, n as f32 / 1_000.0) } else { row });
    }
    // The last ten objects are replaced or deleted.
    for n in 110..120_i64 {
        let (key, at) = (format!("{}/{n}", n % 4), (n + 20) * 2 * HOUR);
        let (order, version) = (seq(n as u64 + 100), format!("{n}'"));
        rows.push(match n % 2 {
            0 => seen(&key, &order, at, &version),
            _ => gone(Status::Deleted, &key, &order, at, ""),
        });
    }
    home.write_all(&rows).await;

    let all = Question { model: MODEL.into(), seen: true, ..Question::default() };
    let is = |row: &Record| row.model == MODEL;
    let replaced = |row: &Record| rows.iter().any(|newer| newer.key == row.key && newer.order > row.order);
    let questions: [(Question, Fits<'_>); 9] = [
        (all.clone(), Box::new(is)),
        (Question { label: Some("1".into()), ..all.clone() }, Box::new(move |row| is(row) && row.listed_as() == "1")),
        (
            Question { status: Some(Status::Unsure), label: Some("1".into()), ..all.clone() },
            Box::new(|row| row.status == Status::Unsure && row.label.as_deref() == Some("1")),
        ),
        (
            Question { status: Some(Status::Classified), min_confidence: Some(0.9), ..all.clone() },
            Box::new(|row| row.status == Status::Classified && row.confidence >= Some(0.9)),
        ),
        (
            Question { prefix: Some("2/".into()), ..all.clone() },
            Box::new(move |row| is(row) && row.key.starts_with("2/")),
        ),
        (Question { bucket: Some("none".into()), ..all.clone() }, Box::new(|_| false)),
        (
            Question { since: Some(Timestamp(50 * HOUR)), until: Some(Timestamp(90 * HOUR)), ..all.clone() },
            Box::new(move |row| is(row) && (50 * HOUR..90 * HOUR).contains(&row.order.event_time.0)),
        ),
        (Question { current: true, ..all.clone() }, Box::new(move |row| is(row) && !replaced(row))),
        (
            Question { model: String::new(), current: true, ..all.clone() },
            Box::new(|row| row.status == Status::Deleted),
        ),
    ];
    for (question, fits) in &questions {
        let mut expected: Vec<Record> = rows.iter().filter(|row| fits(row)).cloned().collect();
        expected.sort_by_key(|row| std::cmp::Reverse(row.order.event_time));
        assert_eq!(home.answers(question).await, expected, "{question:?}");
        for limit in [1, 7, 1_000] {
            assert_eq!(home.pages(question, limit).await, expected, "{question:?}, {limit} a page");
        }
        let unseen = home.answers(&Question { seen: false, ..question.clone() }).await;
        let expected: Vec<Record> = expected.into_iter().map(|row| Record { seen: Vec::new(), ..row }).collect();
        assert_eq!(unseen, expected, "{question:?}");
    }
}

pub(super) async fn people_correct_what_is_there_now(home: Arc<Home>) {
    let rows = [seen("a", &seq(1), 5, "v1"), seen("a", &seq(2), 6, "v2"), seen("b", &seq(1), 7, "v1")];
    home.write_all(&rows).await;
    home.write_all(&[gone(Status::Deleted, "b", &seq(2), 8, "")]).await;
    let said = |error: Result<Record, AskError>| error.unwrap_err().to_string();
    assert_eq!(said(home.correct("none", Some("1"), NOON).await), "no record of s3://pictures/none");
    assert!(said(home.correct("b", Some("1"), NOON).await).contains("s3://pictures/b was deleted"));
    assert!(said(home.correct("a", None, NOON).await).contains("nothing to undo"));

    let first = home.correct("a", Some("1"), NOON).await.unwrap();
    assert_eq!(first, Record::correction(&rows[1], Some("1"), NOON));
    // The same again, later, is the same.
    assert_eq!(home.correct("a", Some("1"), Timestamp(NOON.0 + 9)).await.unwrap(), first);
    assert_eq!(home.history("a").await, [rows[1].clone(), first, rows[0].clone()]);
    // A clock that is behind.
    let second = home.correct("a", Some("3"), Timestamp(0)).await.unwrap();
    assert_eq!(second.corrected_at(), Some(Timestamp(NOON.0 + 1)));
    assert_eq!(ask::labels_by_people(&*home.records, &rows).await.unwrap(), [None, Some("3".into()), None]);
    assert_eq!(ask::label_by_people(&*home.records, &rows[1]).await.unwrap(), Some("3".into()));

    for current in [false, true] {
        let all = Question { model: HUMAN.into(), current, ..Question::default() };
        let labels: Vec<Option<String>> = home.answers(&all).await.into_iter().map(|row| row.label).collect();
        assert_eq!(labels, [Some("3".into())], "{current}");
    }
    let corrections = Question { model: HUMAN.into(), label: Some("3".into()), current: true, ..Question::default() };
    assert_eq!(home.answers(&corrections).await.len(), 1);
    assert!(home.answers(&Question { label: Some("1".into()), ..corrections.clone() }).await.is_empty());
    home.correct("a", None, NOON).await.unwrap();
    assert!(said(home.correct("a", None, NOON).await).contains("nothing to undo"));
    assert!(home.answers(&corrections).await.is_empty());
    assert_eq!(ask::labels_by_people(&*home.records, &rows).await.unwrap(), [None, None, None]);
    assert_eq!(ask::labels_by_people(&*home.records, &[]).await.unwrap(), [None; 0]);
}

pub(super) async fn rows_far_apart_are_labelled_however_much_was_said_between(home: Arc<Home>) {
    let rows: Vec<Record> = (0..40).map(|n| seen(&n.to_string(), &seq(1), n * HOUR, "v")).collect();
    home.write_all(&rows).await;
    // The oldest one is right.
    for row in &rows[1..] {
        home.correct(&row.key, Some(&format!("not {}", row.key)), NOON).await.unwrap();
    }
    let said = |n: usize| (n > 0).then(|| format!("not {n}"));
    for picked in [vec![0], vec![0, 39], vec![39, 20, 0], vec![0, 10], vec![38, 39], (0..40).collect()] {
        let page: Vec<Record> = picked.iter().map(|n| rows[*n].clone()).collect();
        let expected: Vec<Option<String>> = picked.iter().copied().map(said).collect();
        assert_eq!(ask::labels_by_people(&*home.records, &page).await.unwrap(), expected, "{picked:?}");
    }
}

pub(super) async fn corrections_say_how_often_a_model_was_right(home: Arc<Home>) {
    let day = 24 * HOUR;
    let rows: Vec<Record> = (0..6)
        .map(|n| seen(&n.to_string(), &seq(1), n / 3 * day + n, "v"))
        .map(|row| if row.key == "1" { unsure(row, 0.3) } else { row })
        .collect();
    let rejected =
        Record { status: Status::Rejected, label: None, confidence: None, top: Vec::new(), ..rows[5].clone() };
    home.write_all(&rows[..5]).await;
    home.write_all([&rejected, &by_other(&rows[0], "1")]).await;
    for (key, label) in [("0", "1"), ("1", "7"), ("3", "7"), ("4", "2"), ("5", "7")] {
        home.correct(key, Some("8"), NOON).await.unwrap();
        home.correct(key, Some(label), NOON).await.unwrap();
    }
    home.correct("2", Some("9"), NOON).await.unwrap();
    home.correct("2", None, NOON).await.unwrap();

    let stats = |model: &'static str, since: Option<i64>| {
        let home = Arc::clone(&home);
        async move { ask::stats(&*home.records, model, since.map(Timestamp), None, By::Day).await.unwrap() }
    };
    let expected = serde_json::json!({
        "checked": 5, "agreed": 2,
        "by_label": {"7": {"checked": 4, "agreed": 2}, "rejected": {"checked": 1, "agreed": 0}},
        "by_day": {"1970-01-01": {"checked": 2, "agreed": 1}, "1970-01-02": {"checked": 3, "agreed": 1}},
    });
    let all = stats(MODEL, None).await;
    assert_eq!(serde_json::to_value(&all.accuracy).unwrap(), expected);
    assert_eq!((all.rows, all.by_time.len()), (6, 2), "corrections are no sightings");
    assert_eq!(stats(MODEL, Some(day)).await.accuracy.checked, 3);
    let other = stats(OTHER, None).await.accuracy;
    assert_eq!((other.checked, other.agreed), (1, 1));
    assert_eq!(ask::models(&*home.records, MODEL).await.unwrap(), [MODEL, OTHER]);
    assert_eq!(ask::models(&*home.records, "letters/1").await.unwrap(), ["letters/1", MODEL, OTHER]);
}

pub(super) async fn a_review_begins_with_what_is_least_sure(home: Arc<Home>) {
    let sure = |key: &str, confidence| Record { confidence: Some(confidence), ..seen(key, &seq(1), 5, "v1") };
    let rows = [
        sure("sure", 0.99),
        unsure(sure("unsure", 0.0), 0.4),
        sure("less sure", 0.85),
        unsure(sure("corrected", 0.0), 0.1),
        unsure(sure("replaced", 0.0), 0.2),
        unsure(sure("deleted", 0.0), 0.3),
        Record { status: Status::Rejected, label: None, confidence: None, ..sure("rejected", 0.0) },
    ];
    home.write_all(&rows).await;
    let replacing = Record { confidence: Some(0.9), ..seen("replaced", &seq(2), 6, "v2") };
    home.write_all(&[replacing.clone(), gone(Status::Deleted, "deleted", &seq(2), 6, "")]).await;
    home.correct("corrected", Some("3"), NOON).await.unwrap();
    let expected = [rows[1].clone(), rows[2].clone(), replacing, rows[0].clone()];
    for limit in [0, 2, 4, 100] {
        let review = ask::review(&*home.records, MODEL, limit).await.unwrap();
        assert_eq!(review, expected[..limit.min(4)], "{limit}");
    }
}

pub(super) async fn models_are_compared_by_what_is_there_now(home: Arc<Home>) {
    let old = |key: &str, n: i64| seen(key, &seq(1), n, "v1");
    let same = old("same", 9);
    let [label, status, past, deleted] =
        [("label", 8), ("status", 7), ("past", 6), ("deleted", 5)].map(|(key, n)| old(key, n));
    let (only_a, only_b) = (old("only a", 4), by_other(&old("only b", 3), "7"));
    let doubtful = Record { model: OTHER.into(), ..unsure(status.clone(), 0.5) };
    let written_again = old("written again", 2);
    home.write_all([&same, &by_other(&same, "7"), &label, &by_other(&label, "1"), &status, &doubtful]).await;
    home.write_all([&past, &by_other(&past, "1"), &deleted, &by_other(&deleted, "1"), &only_a, &only_b]).await;
    home.write_all([&seen("past", &seq(2), 10, "v2"), &gone(Status::Deleted, "deleted", &seq(2), 5, "")]).await;
    home.write_all([&written_again, &by_other(&written_again, "1"), &by_other(&written_again, "7")]).await;
    home.correct("same", Some("4"), NOON).await.unwrap();

    let change = |a: &Record, b: &Record| {
        let (a, b) = (a.clone(), b.clone());
        Change { bucket: a.bucket.clone(), key: a.key.clone(), a, b }
    };
    let changes = [change(&label, &by_other(&label, "1")), change(&status, &doubtful)];
    let [first, second] = changes.clone().map(|change| Compared::Changed(Box::new(change)));
    let (past, alike) = (Compared::Past, Compared::Alike("7".to_owned()));
    assert_eq!(
        home.compared().await,
        [Compared::OnlyA, alike.clone(), first, second, past.clone(), past, Compared::OnlyA, Compared::OnlyB, alike]
    );
    for limit in [1, 2, 100] {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = ask::diff_page(&*home.records, MODEL, OTHER, after, limit).await.unwrap();
            assert!(page.changes.len() <= limit);
            paged.extend(page.changes);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(paged, changes, "{limit}");
    }
    let back = ask::diff_page(&*home.records, OTHER, MODEL, None, 100).await.unwrap();
    assert_eq!((back.changes.len(), back.next), (2, None));
    assert!(records::current(home.history("same").await, MODEL).is_some());
}
