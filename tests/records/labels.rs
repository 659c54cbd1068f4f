//! Pictures that show several labels, on every home: one row by time, one by each label.

use std::slice;
use std::sync::Arc;

use futures_util::TryStreamExt;
use spotter::ask::{self, By, Question};
use spotter::event::Timestamp;
use spotter::record::{Guess, Record, Status};
use spotter::records::Listing;

use super::home::Home;
use super::{MODEL, everything, seen, seq};
use crate::harness;

/// What a model that gives several labels saw.
fn shows(key: &str, time: i64, labels: &[&str]) -> Record {
    let top: Vec<Guess> = labels.iter().map(|label| Guess { label: (*label).into(), confidence: 0.75 }).collect();
    let why = if labels.len() > 1 { format!("also {}", labels[1..].join(", ")) } else { String::new() };
    let label = labels.first().map(|label| (*label).to_owned());
    Record { why, label, confidence: Some(0.75), top, ..seen(key, &seq(time as u64), time, "v") }
}

impl Home {
    async fn keys(&self, label: &str, limit: usize) -> String {
        let listed = self.listed(Listing { label: Some(label.into()), limit, ..everything(MODEL) }).await;
        listed.into_iter().map(|row| row.key).collect::<Vec<_>>().join(" ")
    }
}

pub(super) async fn several_labels_are_listed_under_each(home: Arc<Home>) {
    const DAY: i64 = 86_400_000;
    let mut unsure = shows("e", 3 * DAY, &["cat", "dog"]);
    (unsure.status, unsure.why) = (Status::Unsure, "below threshold 0.8".into());
    let rows = [
        shows("a", 1, &["cat", "dog", "grass"]),
        shows("b", 2, &["dog"]),
        shows("c", DAY, &["grass", "cat"]),
        shows("d", 2 * DAY, &["dog", "cat"]),
        unsure,
        // Another model's, and a picture whose second guess is none of its labels.
        Record { model: "letters/1".into(), ..shows("f", 3, &["cat", "dog"]) },
        Record { why: String::new(), ..shows("g", 4, &["fox", "dog"]) },
    ];
    home.write_all(&rows).await;
    let before = home.dump("pictures").await;
    home.write_all(rows.iter().rev()).await;
    assert_eq!(home.dump("pictures").await, before, "a repeat changes nothing");

    for limit in [1, 2, 3, 100] {
        for (label, keys) in
            [("cat", "d c a"), ("dog", "d b a"), ("grass", "c a"), ("unsure", "e"), ("fox", "g"), ("fish", "")]
        {
            assert_eq!(home.keys(label, limit).await, keys, "{label}, {limit} rows a page");
        }
    }
    assert_eq!(home.listed(everything(MODEL)).await.len(), 6, "one row a picture by time");
    assert_eq!(home.history("a").await, slice::from_ref(&rows[0]));
    let bounded = Listing {
        label: Some("cat".into()),
        since: Some(Timestamp(1)),
        until: Some(Timestamp(2 * DAY)),
        ..everything(MODEL)
    };
    assert_eq!(home.listed(bounded).await, [rows[2].clone(), rows[0].clone()]);

    let question = Question { model: MODEL.into(), label: Some("cat".into()), seen: true, ..Question::default() };
    for status in [None, Some(Status::Classified)] {
        for current in [false, true] {
            let question = Question { status, current, ..question.clone() };
            let answers: Vec<Record> = ask::answers(&*home.records, question, None).try_collect().await.unwrap();
            assert_eq!(answers, [rows[3].clone(), rows[2].clone(), rows[0].clone()], "{status:?} {current}");
        }
    }
    let stats = ask::stats(&*home.records, MODEL, None, None, By::Day).await.unwrap();
    assert_eq!((stats.rows, stats.by_status[&Status::Classified], stats.confidence[7]), (6, 5, 6));
    let by_label: Vec<(&str, u64)> = stats.by_label.iter().map(|(label, rows)| (label.as_str(), *rows)).collect();
    assert_eq!(by_label, [("cat", 3), ("dog", 3), ("fox", 1), ("grass", 2), ("unsure", 1)]);
    assert_eq!(stats.by_time[0].labels["cat"], 1);
}

/// A model that was edited under its version: the answer is the last one's, whatever sightings of the former are left.
pub(super) async fn the_last_write_of_several_labels_stands(home: Arc<Home>) {
    let several = shows("a", 1, &["cat", "dog", "grass"]);
    let others = shows("a", 1, &["cat", "fish"]);
    let one = shows("a", 1, &["cat"]);
    for row in [&several, &others, &one, &several, &one, &others] {
        home.records.write(row, harness::deadline()).await.unwrap();
        assert_eq!(home.history("a").await, slice::from_ref(row));
        for label in row.listed_under() {
            let question = Question {
                model: MODEL.into(),
                label: Some(label.into()),
                current: true,
                seen: true,
                ..Question::default()
            };
            let answers: Vec<Record> = ask::answers(&*home.records, question, None).try_collect().await.unwrap();
            assert_eq!(answers, slice::from_ref(row), "{label}");
        }
    }
    let gone = Question { model: MODEL.into(), label: Some("dog".into()), current: true, ..Question::default() };
    let answers: Vec<Record> = ask::answers(&*home.records, gone, None).try_collect().await.unwrap();
    assert_eq!(answers, []);
}

pub(super) async fn what_shows_several_labels_is_purged_with_all_of_them(home: Arc<Home>) {
    let other = shows("b", 2, &["cat", "dog"]);
    home.write_all([&shows("a", 1, &["cat", "dog", "grass"]), &other]).await;
    assert_eq!(home.records.purge("pictures", "a").await.unwrap(), 1);
    for (label, keys) in [("cat", "b"), ("dog", "b"), ("grass", "")] {
        assert_eq!(home.keys(label, 10).await, keys, "{label}");
    }
    assert_eq!(home.records.purge("pictures", "b").await.unwrap(), 1);
    assert_eq!(home.dump("pictures").await, Vec::<String>::new());
}
