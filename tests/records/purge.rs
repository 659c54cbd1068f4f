//! Forgetting an object, on every home.

use std::sync::Arc;

use spotter::event::Timestamp;
use spotter::record::{Record, Status};
use spotter::records::{Listing, object_hash};

use super::home::Home;
use super::{MODEL, everything, gone, seen, seq};
use crate::harness;

/// Days apart, so that they are in several slots.
fn day(number: u64) -> i64 {
    number as i64 * 86_400_000
}

pub(super) async fn a_purged_object_is_forgotten_and_no_other(home: Arc<Home>) {
    let other_model = Record { model: "digits/3".into(), ..seen("a", &seq(1), day(1), "v1") };
    let unsure = Record { status: Status::Unsure, ..seen("a", &seq(2), day(2), "v2") };
    let mine = [
        seen("a", &seq(1), day(1), "v1"),
        other_model,
        unsure,
        gone(Status::Deleted, "a", &seq(3), day(3), "v3"),
        gone(Status::VersionRemoved, "a", &seq(4), day(4), "v1"),
    ];
    // Near in name, and one that shares slot and shard with what goes.
    let shard =
        |key: &str| u16::from_be_bytes([object_hash("pictures", key)[14], object_hash("pictures", key)[15]]) % 3;
    let neighbour = (0..).map(|n| format!("b{n}")).find(|key| shard(key) == shard("a")).unwrap();
    let mut others: Vec<Record> =
        ["a/", "A", "aa", &neighbour].iter().map(|key| seen(key, &seq(1), day(1), "v1")).collect();
    others.push(Record { bucket: "b".into(), ..seen("a", &seq(1), day(1), "v1") });
    home.write_all(mine.iter().chain(&others)).await;
    home.records.purge("pictures", "nothing").await.unwrap();
    assert_eq!(home.history("a").await.len(), mine.len());

    assert_eq!(home.records.purge("pictures", "a").await.unwrap(), mine.len() as u64);
    assert!(home.history("a").await.is_empty() && home.current("a").await.is_none());
    let left = home.dump("pictures").await;
    assert!(left.iter().all(|row| !row.contains("\"key\": \"a\"")), "{left:#?}");
    for model in [MODEL, "digits/3", ""] {
        for row in home.listed(everything(model)).await {
            assert!(others.contains(&row), "{row:?}");
        }
    }
    for label in ["7", "unsure", "deleted", "version_removed"] {
        let model = if label.len() > 6 { "" } else { MODEL };
        let listed = home.listed(Listing { label: Some(label.into()), ..everything(model) }).await;
        assert_eq!(listed.len(), if label == "7" { others.len() } else { 0 }, "{label}");
    }
    assert_eq!(home.listed(everything(MODEL)).await.len(), others.len());
    assert_eq!(home.records.purge("pictures", "a").await.unwrap(), 0);

    // An event that comes again is news.
    home.records.write(&mine[0], harness::deadline()).await.unwrap();
    assert_eq!(home.history("a").await, [mine[0].clone()]);
}

/// A row that was written again under another label left a sighting in Cassandra's log.
pub(super) async fn what_a_rewritten_row_left_is_purged_too(home: Arc<Home>) {
    let classified = seen("a", &seq(1), Timestamp(day(1)).0, "v1");
    let unsure = Record { status: Status::Unsure, ..classified.clone() };
    for row in [&classified, &unsure] {
        home.records.write(row, harness::deadline()).await.unwrap();
    }
    assert_eq!(home.records.purge("pictures", "a").await.unwrap(), 1);
    assert_eq!(home.dump("pictures").await, Vec::<String>::new());
}
