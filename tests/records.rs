//! The contract of every home of records: the same tests on SQLite and, where `SPOTTER_TEST_CASSANDRA=host:port` names
//! one, on Cassandra.

#![allow(clippy::unwrap_used)] // a panic is a failed test

mod bucket;
mod cassandra;
mod corrections;
mod former;
mod frozen;
mod home;
mod keys;
mod labels;
mod partitions;
mod processes;
mod proxy;
mod purge;
mod questions;
mod schema;
mod served;
pub(crate) use schema::secure_session;
mod tls;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::slice;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use libtest_mimic::Trial;
use spotter::ask::{self, By, Stats};
use spotter::event::Timestamp;
use spotter::record::{Guess, Order, Reason, Record, Status};
use spotter::records::cassandra::Layout;
use spotter::records::{self, Cursor, Listing, Page};

use crate::harness;
use corrections::{
    a_correction_alone_answers_for_no_model, a_correction_is_of_one_version, a_correction_is_undone_and_given_again,
    a_correction_outlives_the_models_next_write, a_correction_stands_beside_the_models,
    a_listing_without_pictures_has_all_else, corrections_are_purged_with_their_object,
    many_corrections_of_one_version_are_one_sighting, the_later_correction_holds_whichever_came_first,
};
use home::{Home, Place};
use keys::keys_of_events_come_back;
use labels::{
    several_labels_are_listed_under_each, the_last_write_of_several_labels_stands,
    what_shows_several_labels_is_purged_with_all_of_them,
};
use purge::{a_purged_object_is_forgotten_and_no_other, what_a_rewritten_row_left_is_purged_too};
use questions::{
    a_review_begins_with_what_is_least_sure, corrections_say_how_often_a_model_was_right,
    filters_and_pages_leave_out_what_differs, models_are_compared_by_what_is_there_now,
    people_correct_what_is_there_now, rows_far_apart_are_labelled_however_much_was_said_between,
};
use served::the_served_model_is_one_row_that_everybody_follows;

type Test = fn(Arc<Home>) -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), (|home| Box::pin($name(home))) as Test)),*] };
}

const CONTRACT: [(&str, Test); 41] = tests![
    every_field_comes_back,
    extremes_come_back,
    keys_of_events_come_back,
    nothing_known_is_no_error,
    the_same_record_again_changes_nothing,
    the_last_write_of_a_row_stands,
    the_sequencer_orders_whatever_the_time,
    without_a_sequencer_the_time_orders_then_the_version,
    models_stand_side_by_side,
    a_delete_is_the_answer_for_every_model,
    a_removed_version_uncovers_the_one_below,
    a_removed_marker_is_an_undelete,
    a_removed_null_version_is_the_unversioned_one,
    a_removal_without_a_version_removes_none,
    a_long_history_is_paged,
    ties_are_paged_without_loss,
    listings_keep_their_bounds,
    labels_are_listed_apart,
    statistics_count_every_row_once,
    several_labels_are_listed_under_each,
    the_last_write_of_several_labels_stands,
    what_shows_several_labels_is_purged_with_all_of_them,
    writers_at_once_lose_nothing,
    a_purged_object_is_forgotten_and_no_other,
    what_a_rewritten_row_left_is_purged_too,
    a_correction_stands_beside_the_models,
    a_correction_alone_answers_for_no_model,
    the_later_correction_holds_whichever_came_first,
    a_correction_is_undone_and_given_again,
    a_correction_is_of_one_version,
    a_correction_outlives_the_models_next_write,
    many_corrections_of_one_version_are_one_sighting,
    corrections_are_purged_with_their_object,
    a_listing_without_pictures_has_all_else,
    filters_and_pages_leave_out_what_differs,
    people_correct_what_is_there_now,
    rows_far_apart_are_labelled_however_much_was_said_between,
    corrections_say_how_often_a_model_was_right,
    a_review_begins_with_what_is_least_sure,
    models_are_compared_by_what_is_there_now,
    the_served_model_is_one_row_that_everybody_follows,
];

pub(crate) fn trials() -> Vec<Trial> {
    if let Some(trial) = processes::child().or_else(frozen::child) {
        return vec![trial];
    }
    let mut places = vec![Place::Sqlite, Place::Simulated];
    let mut trials = processes::trials();
    trials.extend(cassandra::trials_without());
    trials.extend(tls::trials());
    trials.extend(schema::trials());
    trials.extend(former::trials());
    match harness::cassandra::node() {
        Ok(node) => {
            let place = Place::Cassandra { node, layout: Layout::default() };
            trials.extend(frozen::trials(&place));
            places.push(place);
            places.push(Place::Cassandra { node, layout: Layout { slot_hours: 1, shards: 3 } });
        }
        Err(reason) => trials.push(harness::needs::<()>("records::cassandra", Err(reason), |()| Ok(()))),
    }
    for place in places {
        for (name, test) in CONTRACT {
            let at = place.clone();
            trials.push(Trial::test(format!("records::{place}::{name}"), move || {
                harness::on_runtime(async {
                    let home = Arc::new(at.fresh().await?);
                    let done = AssertUnwindSafe(test(Arc::clone(&home))).catch_unwind().await;
                    home.end().await?;
                    done.map_err(|panic| std::panic::resume_unwind(panic))
                })
            }));
        }
        trials.extend(bucket::trials(&place));
        if let Place::Cassandra { .. } = place {
            trials.extend(cassandra::trials(&place));
            trials.extend(partitions::trials(&place));
        }
    }
    trials
}

pub(crate) const MODEL: &str = "digits/2";

/// What `MODEL` saw in one version.
fn seen(key: &str, seq: &str, time: i64, version: &str) -> Record {
    Record {
        bucket: "pictures".into(),
        key: key.into(),
        order: Order { seq: seq.into(), event_time: Timestamp(time), version: version.into() },
        model: MODEL.into(),
        status: Status::Classified,
        reason: None,
        why: String::new(),
        label: Some("7".into()),
        confidence: Some(0.9961),
        top: vec![Guess { label: "7".into(), confidence: 0.9961 }, Guess { label: "1".into(), confidence: 0.0021 }],
        dimensions: Some((640, 480)),
        size: Some(12_345),
        content_type: Some("image/png".into()),
        etag: Some("9b2cf535f27731c974343645a3985328".into()),
        version_id: None,
        seen: b"\x89PNG\r\n\x1a\n and so on".to_vec(),
    }
}

/// That a version, or the object, went away.
fn gone(status: Status, key: &str, seq: &str, time: i64, version: &str) -> Record {
    Record {
        model: String::new(),
        status,
        label: None,
        confidence: None,
        top: Vec::new(),
        dimensions: None,
        size: None,
        content_type: None,
        etag: None,
        seen: Vec::new(),
        ..seen(key, seq, time, version)
    }
}

fn seq(number: u64) -> String {
    format!("{number:032X}")
}

fn everything(model: &str) -> Listing {
    Listing { model: model.into(), label: None, since: None, until: None, limit: 100, seen: true, after: None }
}

impl Home {
    async fn write_all<'a>(&self, rows: impl IntoIterator<Item = &'a Record>) {
        let writes = stream::iter(rows).map(|row| self.records.write(row, harness::deadline())).buffer_unordered(32);
        writes.try_collect::<()>().await.unwrap();
    }

    async fn current(&self, key: &str) -> Option<Record> {
        records::get(&*self.records, "pictures", key, MODEL).await.unwrap()
    }

    async fn history(&self, key: &str) -> Vec<Record> {
        records::history(&*self.records, "pictures", key).try_collect().await.unwrap()
    }

    async fn listed(&self, listing: Listing) -> Vec<Record> {
        records::listed(&*self.records, listing).try_collect().await.unwrap()
    }
}

async fn every_field_comes_back(home: Arc<Home>) {
    let mut rows = Vec::new();
    for (number, reason) in Reason::ALL.into_iter().enumerate() {
        let mut row = seen(&format!("{reason:?}"), &seq(7), 1_700_000_000_000, &number.to_string());
        row.status = if reason == Reason::BelowThreshold { Status::Unsure } else { Status::Rejected };
        row.reason = Some(reason);
        row.why = format!("{reason:?}: JPEG ends at byte 512");
        row.version_id = Some("L4kqtJlcpXroDTDmpUMLUo".into());
        rows.push(row);
    }
    rows.push(seen("classified", &seq(7), 1, ""));
    rows.push(gone(Status::Deleted, "deleted", &seq(7), 2, "marker"));
    rows.push(gone(Status::VersionRemoved, "removed", &seq(7), 3, "version"));
    let mut bare = seen("bare", "", 0, "");
    bare.status = Status::Rejected;
    bare.reason = Some(Reason::NotAnImage);
    (bare.label, bare.confidence, bare.dimensions, bare.size) = (None, None, None, None);
    (bare.content_type, bare.etag, bare.version_id, bare.top, bare.seen) = (None, None, None, Vec::new(), Vec::new());
    rows.push(bare);

    home.write_all(&rows).await;
    let mut listed = home.listed(everything(MODEL)).await;
    listed.extend(home.listed(everything("")).await);
    for row in &rows {
        assert_eq!(home.history(&row.key).await, slice::from_ref(row));
        assert!(listed.contains(row), "{row:?} is not listed");
        let label = Listing { label: Some(row.listed_as().into()), ..everything(&row.model) };
        assert!(home.listed(label).await.contains(row), "{row:?} is not listed by its label");
    }
    assert_eq!(listed.len(), rows.len());
}

async fn extremes_come_back(home: Arc<Home>) {
    let mut rows = Vec::new();
    let keys = [
        "k".repeat(1024),
        "é".repeat(512),
        "数字/七.png".to_owned(),
        "🖍️ + 100%25?#".to_owned(),
        "a//b/".to_owned(),
        "/".to_owned(),
        "../../etc".to_owned(),
        "NUL \0 and \u{1} and \u{7f} '; DROP".to_owned(),
        "\u{10ffff}".to_owned(),
        String::new(),
        "a".to_owned(),
        "A".to_owned(),
        "a ".to_owned(),
    ];
    for (number, key) in keys.iter().enumerate() {
        let mut row = seen(key, "", number as i64, "");
        row.seen = (0..4096_u32).map(|byte| (byte * 31) as u8).collect();
        row.why = "a long story, ñ \0 ".repeat(2_000);
        row.content_type = Some("text/plain; charset=\"utf-8\"".into());
        rows.push(row);
    }
    for (key, time) in [("first", i64::MIN), ("before", -1), ("last", i64::MAX)] {
        rows.push(seen(key, &"F".repeat(32), time, &"v".repeat(1024)));
    }
    let mut large = seen("large", "", 0, "");
    large.size = Some(u64::MAX);
    large.dimensions = Some((u32::from(u16::MAX), 1 << 30));
    large.confidence = Some(f32::MIN_POSITIVE);
    large.top = (0..1000).map(|n| Guess { label: format!("\"{n}\\"), confidence: 1.0 / (n as f32 + 3.0) }).collect();
    rows.push(large);
    rows.push(Record { bucket: String::new(), ..seen("no bucket", "", 0, "") });

    home.write_all(&rows).await;
    for row in &rows {
        let current = records::get(&*home.records, &row.bucket, &row.key, MODEL).await.unwrap();
        assert_eq!(current.as_ref(), Some(row));
    }
    let listed = home.listed(Listing { limit: 3, ..everything(MODEL) }).await;
    assert_eq!(listed.len(), rows.len());
    assert!(rows.iter().all(|row| listed.contains(row)));
    assert_eq!((&*listed[0].key, &*listed[rows.len() - 1].key), ("last", "first"));
}

async fn nothing_known_is_no_error(home: Arc<Home>) {
    assert_eq!(home.current("none").await, None);
    assert_eq!(home.history("none").await, []);
    let Page { records, next } = home.records.list(&everything(MODEL)).await.unwrap();
    assert_eq!((records, next), (Vec::new(), None));
    let nothing = Stats { model: MODEL.into(), ..Stats::default() };
    assert_eq!(ask::stats(&*home.records, MODEL, None, None, By::Day).await.unwrap(), nothing);
}

async fn the_same_record_again_changes_nothing(home: Arc<Home>) {
    let rows = [seen("a", &seq(1), 5, "v"), gone(Status::Deleted, "a", &seq(2), 6, ""), seen("b", "", 5, "")];
    home.write_all(&rows).await;
    let before = home.dump("pictures").await;
    home.write_all(rows.iter().rev()).await;
    home.write_all(&rows).await;
    assert_eq!(home.dump("pictures").await, before);
    assert_eq!(home.history("a").await, [rows[1].clone(), rows[0].clone()]);
}

/// Rows are pure functions of their key, unless somebody edits a model and keeps its version: then nothing of the
/// older row may shine through.
async fn the_last_write_of_a_row_stands(home: Arc<Home>) {
    let classified = seen("a", &seq(1), 5, "v");
    let mut unsure = classified.clone();
    (unsure.status, unsure.reason, unsure.why) =
        (Status::Unsure, Some(Reason::BelowThreshold), "below threshold 0.999".into());
    let mut rejected = unsure.clone();
    (rejected.status, rejected.reason, rejected.why) = (Status::Rejected, Some(Reason::Unsupported), "HEIC".into());
    (rejected.label, rejected.confidence, rejected.top, rejected.seen) = (None, None, Vec::new(), Vec::new());

    for row in [&unsure, &rejected, &classified, &rejected, &unsure] {
        home.records.write(row, harness::deadline()).await.unwrap();
        assert_eq!(home.history("a").await, slice::from_ref(row));
        let listed = home.listed(Listing { label: Some(row.listed_as().into()), ..everything(MODEL) }).await;
        assert_eq!(listed, slice::from_ref(row));
    }
    assert!(records::is_current(&*home.records, &unsure, MODEL).await.unwrap());
    assert!(!records::is_current(&*home.records, &classified, MODEL).await.unwrap());
}

async fn the_sequencer_orders_whatever_the_time(home: Arc<Home>) {
    let older = seen("a", "0055AED6DCD90281E50000000000000F", 9_000, "z");
    let newer = seen("a", "0055AED6DCD90281E6", 1_000, "a");
    home.write_all([&newer, &older]).await;
    assert_eq!(home.history("a").await, [newer.clone(), older]);
    assert_eq!(home.current("a").await, Some(newer));
}

async fn without_a_sequencer_the_time_orders_then_the_version(home: Arc<Home>) {
    for (key, constant) in [("none", ""), ("constant", "0055AED6DCD90281E5")] {
        let rows = [seen(key, constant, 3, "a"), seen(key, constant, 2, "c"), seen(key, constant, 2, "b")];
        home.write_all([&rows[1], &rows[2], &rows[0]]).await;
        assert_eq!(home.history(key).await, rows);
    }
}

async fn models_stand_side_by_side(home: Arc<Home>) {
    let old = seen("a", &seq(1), 5, "v");
    let new = Record { model: "digits/3".into(), label: Some("1".into()), ..old.clone() };
    home.write_all([&new, &old]).await;
    assert_eq!(home.history("a").await, [old.clone(), new.clone()]);
    for row in [&old, &new] {
        let answer = records::get(&*home.records, "pictures", "a", &row.model).await.unwrap();
        assert_eq!(answer.as_ref(), Some(row));
        assert_eq!(home.listed(everything(&row.model)).await, slice::from_ref(row));
    }
    assert_eq!(records::get(&*home.records, "pictures", "a", "letters/1").await.unwrap(), None);
}

async fn a_delete_is_the_answer_for_every_model(home: Arc<Home>) {
    let created = seen("a", &seq(1), 5, "etag");
    let deleted = gone(Status::Deleted, "a", &seq(2), 6, "");
    home.write_all([&deleted, &created]).await;
    assert_eq!(home.current("a").await, Some(deleted.clone()));
    assert!(records::is_current(&*home.records, &deleted, MODEL).await.unwrap());
    assert!(!records::is_current(&*home.records, &created, MODEL).await.unwrap());

    let again = seen("a", &seq(3), 7, "etag");
    home.records.write(&again, harness::deadline()).await.unwrap();
    assert_eq!(home.current("a").await, Some(again));
    assert!(!records::is_current(&*home.records, &deleted, MODEL).await.unwrap());
}

async fn a_removed_version_uncovers_the_one_below(home: Arc<Home>) {
    // A constant sequencer and one millisecond: the removal still stands before the row that it removes.
    for (key, first, second, third) in [("real", seq(1), seq(2), seq(3)), ("constant", seq(9), seq(9), seq(9))] {
        let below = seen(key, &first, 5, "v1");
        let above = seen(key, &second, 6, "v2");
        let removal = gone(Status::VersionRemoved, key, &third, 6, "v2");
        home.write_all([&above, &removal, &below]).await;
        assert_eq!(home.current(key).await, Some(below.clone()), "{key}");
        home.records.write(&gone(Status::VersionRemoved, key, &third, 8, "v1"), harness::deadline()).await.unwrap();
        assert_eq!(home.current(key).await, None, "{key}");
        assert_eq!(home.history(key).await.len(), 4);
    }
}

async fn a_removed_marker_is_an_undelete(home: Arc<Home>) {
    let created = seen("a", &seq(1), 5, "v1");
    let marker = gone(Status::Deleted, "a", &seq(2), 6, "m1");
    let undelete = gone(Status::VersionRemoved, "a", &seq(3), 7, "m1");
    home.write_all([&undelete, &created, &marker]).await;
    assert_eq!(home.current("a").await, Some(created.clone()));
    assert!(records::is_current(&*home.records, &created, MODEL).await.unwrap());
}

async fn a_removed_null_version_is_the_unversioned_one(home: Arc<Home>) {
    // Versions were switched on after the first upload, and the null version is deleted for good afterwards.
    let before = seen("a", &seq(1), 5, "etag");
    let versioned = Record { version_id: Some("v1".into()), ..seen("a", &seq(2), 6, "v1") };
    let removals =
        [gone(Status::VersionRemoved, "a", &seq(3), 7, "v1"), gone(Status::VersionRemoved, "a", &seq(4), 8, "null")];
    home.write_all([&before, &versioned, &removals[0]]).await;
    assert_eq!(home.current("a").await, Some(before));
    home.records.write(&removals[1], harness::deadline()).await.unwrap();
    assert_eq!(home.current("a").await, None);
}

async fn a_removal_without_a_version_removes_none(home: Arc<Home>) {
    let deleted = gone(Status::Deleted, "a", &seq(2), 6, "");
    home.write_all([&gone(Status::VersionRemoved, "a", &seq(3), 7, ""), &deleted, &seen("a", &seq(1), 5, "e")]).await;
    assert_eq!(home.current("a").await, Some(deleted));
}

async fn a_long_history_is_paged(home: Arc<Home>) {
    const ROWS: u64 = 2_500;
    // Every row is removed again but the oldest, so that the answer is on the last page.
    let rows: Vec<Record> = (0..ROWS)
        .flat_map(|n| {
            let row = Record { seen: Vec::new(), ..seen("long", &seq(n), n as i64, &format!("v{n}")) };
            let removal = gone(Status::VersionRemoved, "long", &seq(ROWS + n), n as i64, &format!("v{n}"));
            [Some(row), (n > 0).then_some(removal)]
        })
        .flatten()
        .collect();
    home.write_all(&rows).await;
    let history = home.history("long").await;
    assert_eq!(history.len(), rows.len());
    assert!(history.windows(2).all(|pair| pair[0].order > pair[1].order));
    assert!(home.records.rows("pictures", "long", None).await.unwrap().len() < rows.len(), "a page is not everything");
    assert_eq!(home.current("long").await.as_ref(), rows.first());
}

async fn ties_are_paged_without_loss(home: Arc<Home>) {
    // One millisecond, several objects, several versions of each, and more models of one version than a page has.
    let mut rows = Vec::new();
    for key in 0..20 {
        for number in 0..5 {
            rows.push(seen(&format!("{key}"), &seq(number % 2), 5, &format!("v{number}")));
        }
    }
    let models: Vec<Record> =
        (0..1_200).map(|n| Record { model: format!("m{n:04}/1"), seen: Vec::new(), ..rows[0].clone() }).collect();
    home.write_all(rows.iter().chain(&models)).await;

    let keys = |rows: &[Record]| rows.iter().map(|row| (row.key.clone(), row.order.clone())).collect::<BTreeSet<_>>();
    for limit in [0, 1, 7, 100, 1_000] {
        let listed = home.listed(Listing { limit, ..everything(MODEL) }).await;
        assert_eq!((listed.len(), keys(&listed)), (rows.len(), keys(&rows)), "{limit} rows a page");
        let places: Vec<_> = listed.iter().map(Cursor::of).map(|at| (at.object_hash, at.order)).collect();
        assert!(places.windows(2).all(|pair| pair[0] > pair[1]), "{limit} rows a page");
    }
    let history = home.history("0").await;
    assert_eq!(history.len(), 5 + models.len());
    let descending = |row: &Record| (std::cmp::Reverse(row.order.clone()), row.model.clone());
    assert!(history.windows(2).all(|pair| descending(&pair[0]) < descending(&pair[1])));
}

async fn listings_keep_their_bounds(home: Arc<Home>) {
    const DAY: i64 = 86_400_000;
    let times = [-DAY, -1, 0, 1, DAY - 1, DAY, DAY + 1, 3 * DAY, 40 * DAY, 400 * DAY];
    let rows: Vec<Record> = times.iter().map(|time| seen("a", "", *time, "")).collect();
    home.write_all(&rows).await;
    for since in times.into_iter().map(Some).chain([None]) {
        for until in times.into_iter().map(Some).chain([None]) {
            let expected: Vec<i64> = times
                .into_iter()
                .rev()
                .filter(|time| since.is_none_or(|since| *time >= since) && until.is_none_or(|until| *time < until))
                .collect();
            let bounds =
                Listing { since: since.map(Timestamp), until: until.map(Timestamp), limit: 2, ..everything(MODEL) };
            for label in [None, Some("7".to_owned())] {
                let listed = home.listed(Listing { label, ..bounds.clone() }).await;
                let found: Vec<i64> = listed.iter().map(|row| row.order.event_time.0).collect();
                assert_eq!(found, expected, "{since:?} to {until:?}");
            }
        }
    }
    let first = home.records.list(&Listing { limit: 10, ..everything(MODEL) }).await.unwrap();
    assert_eq!((first.records.len(), first.next), (10, None), "a full last page says that it is the last");
}

async fn labels_are_listed_apart(home: Arc<Home>) {
    let mut rows = Vec::new();
    for n in 0..30_i64 {
        let mut row = seen(&n.to_string(), "", n, "");
        match n % 3 {
            0 => row.label = Some("3".into()),
            1 => (row.status, row.reason) = (Status::Unsure, Some(Reason::BelowThreshold)),
            _ => (),
        }
        rows.push(row);
    }
    rows.push(gone(Status::Deleted, "0", "", 100, ""));
    rows.push(gone(Status::VersionRemoved, "1", "", 101, "v"));
    home.write_all(&rows).await;
    for (model, label, count) in
        [(MODEL, "3", 10), (MODEL, "7", 10), (MODEL, "unsure", 10), (MODEL, "deleted", 0), ("", "deleted", 1)]
    {
        let listed = home.listed(Listing { label: Some(label.into()), limit: 4, ..everything(model) }).await;
        assert_eq!(listed.len(), count, "{model} {label}");
        assert!(listed.iter().all(|row| row.listed_as() == label && row.model == model));
        assert!(listed.windows(2).all(|pair| pair[0].order > pair[1].order));
    }
    assert_eq!(home.listed(everything("")).await.len(), 2);
}

async fn statistics_count_every_row_once(home: Arc<Home>) {
    let mut rows: Vec<Record> = (0..1_100).map(|n| seen(&n.to_string(), "", n, "")).collect();
    for row in &mut rows[..100] {
        (row.status, row.reason) = (Status::Unsure, Some(Reason::BelowThreshold));
    }
    for row in &mut rows[100..130] {
        (row.status, row.reason, row.label) = (Status::Rejected, Some(Reason::Broken), None);
    }
    rows[200].label = Some("1".into());
    rows.push(gone(Status::Deleted, "5", "", 2_000, ""));
    rows.push(Record { model: "digits/3".into(), ..seen("5", "", 3, "") });
    home.write_all(&rows).await;

    let stats = ask::stats(&*home.records, MODEL, None, None, By::Day).await.unwrap();
    let expected = serde_json::json!({
        "model": MODEL,
        "rows": 1_101,
        "by_status": {"classified": 970, "unsure": 100, "rejected": 30, "deleted": 1},
        "by_label": {"1": 1, "7": 969, "unsure": 100, "rejected": 30, "deleted": 1},
        "by_reason": {"below_threshold": 100, "broken": 30},
        "by_time": [{
            "time": "1970-01-01T00:00:00.000Z",
            "labels": {"1": 1, "7": 969, "unsure": 100, "rejected": 30, "deleted": 1},
        }],
        "confidence": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1_070],
        "accuracy": {"checked": 0, "agreed": 0, "by_label": {}, "by_day": {}},
    });
    assert_eq!(serde_json::to_value(&stats).unwrap(), expected);
    let part = ask::stats(&*home.records, MODEL, Some(Timestamp(95)), Some(Timestamp(105)), By::Day).await.unwrap();
    assert_eq!((part.rows, part.by_status[&Status::Unsure], part.by_status[&Status::Rejected]), (10, 5, 5));
}

async fn writers_at_once_lose_nothing(home: Arc<Home>) {
    // Two sessions of one home, eight tasks each, all of them write everything.
    let rows: Arc<Vec<Record>> =
        Arc::new((0..100).map(|n| seen(&(n % 10).to_string(), &seq(n), n as i64, &n.to_string())).collect());
    let other = home.again();
    let writers = (0..16).map(|n: usize| {
        let records = Arc::clone(if n.is_multiple_of(2) { &home.records } else { &other });
        let rows = Arc::clone(&rows);
        tokio::spawn(async move {
            for at in 0..rows.len() {
                records.write(&rows[(at + n * 7) % rows.len()], harness::deadline()).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let listed = home.listed(everything(MODEL)).await;
    assert_eq!(listed.len(), rows.len());
    assert!(rows.iter().all(|row| listed.contains(row)));
}
