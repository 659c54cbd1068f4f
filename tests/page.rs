//! The page and its API, over HTTP as a browser speaks it.

#![allow(clippy::unwrap_used)] // a panic is a failed test

mod corrections;
mod guard;
mod journey;
mod openapi;
mod site;
mod uploads;

use futures_util::future::LocalBoxFuture;
use libtest_mimic::Trial;
use serde_json::json;
use spotter::classifier::Manifest;
use spotter::event::Timestamp;
use spotter::record::{Guess, Order, Reason, Record, Status};

use crate::harness;
use corrections::{
    a_correction_is_one_more_row, the_least_confident_are_reviewed_first, two_models_are_compared,
    what_cannot_be_corrected_is_said, what_was_replaced_meanwhile_is_not_corrected,
};
use guard::{
    a_home_that_is_away_is_said, a_token_is_asked_for_by_the_api_only, any_key_is_asked_for,
    every_answer_has_the_headers, other_hosts_are_refused, other_methods_are_told_which_are_allowed,
    other_sites_may_not_ask, other_sites_may_not_post, wrong_questions_get_plain_sentences,
};
use journey::{
    a_journey_is_what_the_pipeline_does, what_is_not_there_has_no_journey, what_is_refused_says_where_and_why,
};
use openapi::{Document, examples_are_as_documented};
use site::Site;
use uploads::{
    a_browser_uploads_and_hears_of_the_record, an_upload_is_what_was_announced, an_upload_url_expires,
    not_everything_may_be_uploaded, samples_are_loaded_where_there_are_some,
};

type Test = fn() -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), (|| Box::pin($name())) as Test)),*] };
}

pub(crate) fn trials() -> Vec<Trial> {
    let all = tests![
        the_document_and_its_assets_are_static,
        it_says_what_it_is,
        records_are_asked_by_all_that_is_known,
        every_record_is_on_one_page,
        pages_stay_what_they_were_while_rows_are_added,
        a_record_is_as_the_command_line_prints_it,
        an_object_has_its_history,
        a_long_history_is_cut_and_says_so,
        stats_count,
        what_has_not_changed_is_not_sent_again,
        each_record_is_told_once_it_is_written,
        who_is_too_slow_is_told_so,
        answers_are_as_documented,
        a_correction_is_one_more_row,
        what_cannot_be_corrected_is_said,
        what_was_replaced_meanwhile_is_not_corrected,
        the_least_confident_are_reviewed_first,
        two_models_are_compared,
        it_stops_when_told,
        a_browser_uploads_and_hears_of_the_record,
        an_upload_is_what_was_announced,
        an_upload_url_expires,
        not_everything_may_be_uploaded,
        samples_are_loaded_where_there_are_some,
        a_journey_is_what_the_pipeline_does,
        what_is_refused_says_where_and_why,
        what_is_not_there_has_no_journey,
        any_key_is_asked_for,
        every_answer_has_the_headers,
        other_hosts_are_refused,
        other_sites_may_not_ask,
        other_sites_may_not_post,
        other_methods_are_told_which_are_allowed,
        examples_are_as_documented,
        a_token_is_asked_for_by_the_api_only,
        wrong_questions_get_plain_sentences,
        a_home_that_is_away_is_said,
    ];
    let trials = all.into_iter().map(|(name, test)| {
        Trial::test(format!("page::{name}"), move || {
            harness::on_runtime(async {
                test().await;
                Ok(())
            })
        })
    });
    trials.collect()
}

const MODEL: &str = "digits/2";
const START: i64 = 1_767_225_600_000; // 2026-01-01

/// The `n`th change of all, of the object `key`.
fn sighting(n: u32, key: &str) -> Record {
    let label = (n % 10).to_string();
    Record {
        bucket: "pictures".into(),
        key: key.into(),
        order: Order {
            seq: format!("{n:0>16X}0000000000000000"),
            event_time: Timestamp(START + i64::from(n) * 1_000),
            version: format!("v{n}"),
        },
        model: MODEL.into(),
        status: Status::Classified,
        reason: None,
        why: String::new(),
        label: Some(label.clone()),
        confidence: Some(0.9961),
        top: vec![Guess { label, confidence: 0.9961 }, Guess { label: "1".into(), confidence: 0.0021 }],
        dimensions: Some((640, 480)),
        size: Some(12_345),
        content_type: Some("image/png".into()),
        etag: Some(format!("etag-{n}")),
        version_id: Some(format!("v{n}")),
        seen: b"\x89PNG as far as the page knows".to_vec(),
    }
}

fn unsure(n: u32, key: &str) -> Record {
    let why = "below threshold 0.80".into();
    let record = sighting(n, key);
    Record { status: Status::Unsure, reason: Some(Reason::BelowThreshold), why, confidence: Some(0.4123), ..record }
}

fn rejected(n: u32, key: &str) -> Record {
    Record {
        status: Status::Rejected,
        reason: Some(Reason::Broken),
        why: "JPEG ends at byte 512".into(),
        label: None,
        confidence: None,
        top: Vec::new(),
        dimensions: None,
        seen: Vec::new(),
        ..sighting(n, key)
    }
}

fn deleted(n: u32, key: &str) -> Record {
    Record {
        model: String::new(),
        status: Status::Deleted,
        reason: None,
        why: String::new(),
        size: None,
        content_type: None,
        etag: None,
        ..rejected(n, key)
    }
}

async fn the_document_and_its_assets_are_static() {
    let site = Site::with([sighting(1, "1.png")]).await;
    let document = site.get("/").await;
    assert_eq!((document.status, document.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(document.body.starts_with("<!doctype html>"), "{}", document.body);
    for query in ["?label=7&status=unsure", "?view=review&object=s3://b/k", "?%00=%ff"] {
        assert_eq!(site.get(&format!("/{query}")).await.body, document.body, "{query}");
    }
    let mut assets = 0;
    for word in document.body.split('"').filter(|word| word.starts_with("/assets/")) {
        // One picture of a file with several.
        let word = word.split('#').next().unwrap();
        let asset = site.get(word).await;
        assert_eq!(asset.status, 200, "{word}");
        let expected = match word.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            other => panic!("no test of {other}"),
        };
        assert_eq!(asset.header("content-type"), Some(expected), "{word}");
        assets += 1;
    }
    assert!(assets > 0 || !document.body.contains("<script"), "{}", document.body);
    for none in ["/assets/", "/assets/no.js", "/assets/../openapi.json", "/assets/..%2fopenapi.json", "/index.html"] {
        assert_eq!(site.get(none).await.status, 404, "{none}");
    }
}

async fn it_says_what_it_is() {
    let other = Record { model: "digits/3".into(), ..sighting(1, "1.png") };
    let site = Site::with([sighting(1, "1.png"), other]).await;
    let about = site.get("/api/about").await.json();
    let labels = Manifest::embedded().unwrap().labels;
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "model": MODEL, "models": [MODEL, "digits/3"], "labels": labels,
        "threshold": about["threshold"], "bucket": "pictures", "s3": site.s3_url, "uploads": true, "live": "sse",
        "samples": false,
    });
    assert_eq!(about, expected);
    assert!(about["threshold"].as_f64().is_some_and(|threshold| threshold > 0.0 && threshold < 1.0));

    let elsewhere = Site::start(None, |page| (page.uploads, page.live) = (None, None)).await;
    let about = elsewhere.get("/api/about").await.json();
    assert_eq!((&about["uploads"], &about["live"], &about["bucket"]), (&json!(false), &json!("poll"), &json!(null)));
    assert_eq!(elsewhere.get("/api/live").await.status, 404);
    assert_eq!(
        elsewhere.post("/api/uploads", &json!({"key": "a", "size": 1, "content_type": "image/png"})).await.status,
        404
    );
}

async fn records_are_asked_by_all_that_is_known() {
    let elsewhere = Record { bucket: "scans".into(), ..sighting(28, "a/eight.png") };
    let replaced = sighting(3, "seven.png");
    let records = [
        replaced,
        sighting(7, "seven.png"),
        sighting(8, "a/eight.png"),
        unsure(17, "a/seven-or-so.png"),
        rejected(18, "cut.jpg"),
        deleted(20, "gone.png"),
        elsewhere,
    ];
    let site = Site::with(records).await;
    let (eight, either) = ("a/eight.png", "a/seven-or-so.png");
    for (query, keys) in [
        ("", &[eight, "cut.jpg", either, eight, "seven.png", "seven.png"][..]),
        ("label=7", &["seven.png"]),
        ("label=3&current=true", &[]),
        ("label=3&current=false", &["seven.png"]),
        ("label=unsure", &[either]),
        ("label=deleted", &["gone.png"]),
        ("status=deleted", &["gone.png"]),
        ("status=rejected", &["cut.jpg"]),
        ("status=classified&bucket=scans", &[eight]),
        ("min_confidence=0.5", &[eight, eight, "seven.png", "seven.png"]),
        ("max_confidence=0.5", &[either]),
        ("prefix=a%2F&bucket=pictures", &[either, eight]),
        ("since=2026-01-01T00:00:17Z&until=2026-01-01T00:00:18Z", &[either]),
        ("label=&status=&since=&bucket=scans&cursor=&limit=", &[eight]),
        ("model=digits/3", &[]),
    ] {
        assert_eq!(site.get(&format!("/api/records?{query}")).await.keys(), keys, "{query}");
    }
}

fn many() -> Vec<Record> {
    (0..250).map(|n| sighting(n, &format!("{n}.png"))).collect()
}

fn newest_first(numbers: impl DoubleEndedIterator<Item = u32>) -> Vec<String> {
    numbers.rev().map(|n| format!("{n}.png")).collect()
}

async fn every_record_is_on_one_page() {
    let site = Site::with(many()).await;
    for (question, size, expected) in [
        ("", 100, newest_first(0..250)),
        ("limit=7", 7, newest_first(0..250)),
        ("limit=1000", 1_000, newest_first(0..250)),
        ("label=3&limit=10", 10, newest_first((3..250).step_by(10))),
        (
            "prefix=1&limit=10&current=true",
            10,
            newest_first((0..250).filter(|n| n.to_string().starts_with('1')).collect::<Vec<_>>().into_iter()),
        ),
    ] {
        let (mut keys, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = site.get(&format!("/api/records?{question}&cursor={}", site::encode(&cursor))).await;
            let on_it = page.keys();
            assert!(on_it.len() <= size, "{question}: {on_it:?}");
            keys.extend(on_it);
            match page.next() {
                Some(next) => cursor = next,
                None => break,
            }
        }
        assert_eq!(keys, expected, "{question}");
    }
}

async fn pages_stay_what_they_were_while_rows_are_added() {
    let site = Site::with(many()).await;
    let mut keys = Vec::new();
    let mut cursor = String::new();
    for added in 1_000.. {
        let page = site.get(&format!("/api/records?limit=20&cursor={}", site::encode(&cursor))).await;
        keys.extend(page.keys());
        match page.next() {
            Some(next) => cursor = next,
            None => break,
        }
        // One that is newer, and one that is late, before what was read.
        site.write(&sighting(added, &format!("{added}.png"))).await;
    }
    assert_eq!(keys, newest_first(0..250));
}

async fn a_record_is_as_the_command_line_prints_it() {
    let site = Site::with([sighting(249, "249.png")]).await;
    let plain = site.get("/api/records?limit=1").await.body;
    let record = serde_json::to_string(&sighting(249, "249.png")).unwrap();
    let fields = record.strip_suffix('}').unwrap();
    assert_eq!(plain, format!("{{\"records\":[{fields},\"corrected\":null}}],\"next\":null}}"));
    let seen = site.get("/api/records?limit=1&seen=true").await.body;
    let picture = "iVBORyBhcyBmYXIgYXMgdGhlIHBhZ2Uga25vd3M=";
    assert_eq!(seen, format!("{{\"records\":[{fields},\"seen\":\"{picture}\",\"corrected\":null}}],\"next\":null}}"));
    assert!(record.contains("\"confidence\":0.9961,"), "{record}");
}

async fn an_object_has_its_history() {
    let other = Record { model: "digits/3".into(), label: Some("4".into()), ..sighting(1, "7.png") };
    let records = [sighting(1, "7.png"), other, unsure(2, "7.png"), deleted(3, "7.png"), sighting(9, "7.png.bak")];
    let site = Site::with(records).await;
    let object = site.get("/api/object?bucket=pictures&key=7.png").await.json();
    let history = object["history"].as_array().unwrap();
    let told: Vec<_> = history.iter().map(|row| (row["status"].as_str().unwrap(), row["model"].as_str())).collect();
    let expected =
        [("deleted", None), ("unsure", Some(MODEL)), ("classified", Some(MODEL)), ("classified", Some("digits/3"))];
    assert_eq!(told, expected);
    assert_eq!((&object["current"]["status"], &object["more"]), (&json!("deleted"), &json!(false)));
    assert_eq!(history[1]["seen"], "iVBORyBhcyBmYXIgYXMgdGhlIHBhZ2Uga25vd3M=");

    let unknown = site.get("/api/object?bucket=pictures&key=no").await;
    assert_eq!((unknown.status, unknown.body.as_str()), (200, r#"{"current":null,"history":[],"more":false}"#));
}

async fn a_long_history_is_cut_and_says_so() {
    let site = Site::with((0..201).map(|n| sighting(n, "often.png"))).await;
    let object = site.get("/api/object?bucket=pictures&key=often.png").await.json();
    let history = object["history"].as_array().unwrap();
    assert_eq!((history.len(), &object["more"]), (200, &json!(true)));
    assert_eq!((&history[0]["version"], &history[199]["version"]), (&json!("v200"), &json!("v1")));
    assert_eq!(object["current"], history[0]);
}

async fn stats_count() {
    let records =
        [sighting(7, "7.png"), sighting(17, "17.png"), unsure(8, "8.png"), rejected(9, "9.png"), deleted(20, "7.png")];
    let site = Site::with(records).await;
    let stats = site.get("/api/stats").await.json();
    assert_eq!(stats["model"], MODEL);
    assert_eq!(stats["rows"], 5);
    assert_eq!(stats["by_status"], json!({"classified": 2, "unsure": 1, "rejected": 1, "deleted": 1}));
    assert_eq!(stats["by_label"], json!({"7": 2, "unsure": 1, "rejected": 1, "deleted": 1}));
    assert_eq!(stats["by_reason"], json!({"below_threshold": 1, "broken": 1}));
    let some = site.get("/api/stats?since=2026-01-01T00:00:08Z&until=2026-01-01T00:00:10Z").await.json();
    assert_eq!(some["rows"], 2);
}

async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::with([sighting(1, "1.png")]).await;
    for (way, n) in [("/", 2), ("/api/records", 3), ("/api/openapi.json", 4), ("/api/stats", 5), ("/api/about", 6)] {
        let tag = site.get(way).await.header("etag").unwrap().to_owned();
        let again = async || {
            let host = site.host();
            site.ask(&format!("GET {way} HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: \"x\", W/{tag}\r\n"), "").await
        };
        let same = again().await;
        assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", Some(tag.as_str())), "{way}");
        site.write(&sighting(n, "2.png")).await;
        let changes = ["/api/records", "/api/stats"].contains(&way);
        assert_eq!(again().await.status, if changes { 200 } else { 304 }, "{way}");
    }
}

async fn each_record_is_told_once_it_is_written() {
    let site = Site::with([]).await;
    let (mut one, mut other) = (site.listen().await, site.listen().await);
    for record in [sighting(1, "\"><img src=x onerror=alert(1)>\n\ndata: {}\n\n.png"), rejected(2, "cut.jpg")] {
        site.live.send(record.clone()).unwrap();
        for stream in [&mut one, &mut other] {
            let (event, data) = stream.event().await;
            assert_eq!(event, "record");
            let told: serde_json::Value = serde_json::from_str(&data).unwrap();
            assert_eq!(told["key"], record.key);
            assert_eq!(told["seen"].is_null(), record.seen.is_empty());
            assert_eq!(told.as_object().unwrap().len(), 19);
        }
    }
}

async fn who_is_too_slow_is_told_so() {
    let site = Site::with([]).await;
    let mut stream = site.listen().await;
    // Without an await between them: the stream's task may run on the other thread, so more than it can have taken.
    let pictures = vec![7; 3_000_000];
    for n in 0..40 {
        site.live.send(Record { seen: pictures.clone(), ..sighting(n, "1.png") }).unwrap();
    }
    let mut missed = 0;
    let mut heard = 0;
    while missed + heard < 40 {
        let (event, data) = stream.event().await;
        match event.as_str() {
            "lagged" => missed += data.parse::<u64>().unwrap(),
            _ => heard += 1,
        }
    }
    assert!(missed > 0 && heard > 0, "{missed} missed, {heard} heard");
}

async fn answers_are_as_documented() {
    let other = Record { model: "digits/3".into(), label: Some("4".into()), ..sighting(1, "1.png") };
    let records = [sighting(1, "1.png"), other, unsure(2, "2.png"), rejected(3, "3.png"), deleted(4, "4.png")];
    let site = Site::with(records).await;
    site.upload("8.bmp", &crate::cloud::sample("8.bmp").unwrap()).await;
    let document = Document::of(&site).await;
    for way in [
        "/api/about",
        "/api/records",
        "/api/records?seen=true&limit=2",
        "/api/records?status=deleted",
        "/api/records?limit=0",
        "/api/object?bucket=pictures&key=1.png",
        "/api/object?bucket=pictures&key=no",
        "/api/object",
        "/api/stats",
        "/api/stats?by=hour",
        "/api/stats?since=x",
        "/api/journey?bucket=pictures&key=8.bmp",
        "/api/journey?bucket=pictures&key=4.png",
        "/api/journey",
        "/api/review",
        "/api/diff?a=digits/2&b=digits/3",
        "/api/diff",
    ] {
        let answer = site.get(way).await;
        document.check("get", way, answer.status, &answer.json());
    }
    for (way, sent) in [
        ("/api/uploads", json!({"key": "a.png", "size": 3, "content_type": "image/png"})),
        ("/api/uploads", json!({"key": "", "size": 3, "content_type": "image/png"})),
        ("/api/uploads", json!({"key": "a", "size": MANY, "content_type": "image/png"})),
        ("/api/uploads", json!({"key": "a", "size": 3, "content_type": "text/html"})),
        ("/api/uploads", json!({"key": "a"})),
        ("/api/samples", json!({})),
    ] {
        let answer = site.post(way, &sent).await;
        document.check("post", way, answer.status, &answer.json());
    }
}

/// Bytes.
const MANY: u64 = 1 << 40;

async fn it_stops_when_told() {
    let site = Site::with([]).await;
    assert_eq!(site.get("/").await.status, 200);
    let _open = site.listen().await;
    site.stop().await;
}
