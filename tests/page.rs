//! The page of `spotter serve`, over HTTP as a browser speaks it.

#![allow(clippy::unwrap_used)] // a panic is a failed test

mod guard;
mod site;

use futures_util::future::LocalBoxFuture;
use libtest_mimic::Trial;
use spotter::event::Timestamp;
use spotter::record::{Guess, Order, Reason, Record, Status};

use crate::harness;
use guard::{
    a_home_that_is_away_is_503, any_key_has_its_page, every_answer_has_the_headers, nothing_from_a_bucket_is_html,
    other_hosts_are_refused, wrong_questions_get_plain_sentences,
};
use site::{Answer, Site};

type Test = fn() -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), (|| Box::pin($name())) as Test)),*] };
}

pub(crate) fn trials() -> Vec<Trial> {
    let all = tests![
        an_empty_home_says_how_to_upload,
        the_newest_stand_first_with_all_that_is_known,
        labels_and_statuses_filter,
        every_record_is_on_one_page,
        the_api_pages_too,
        what_is_no_longer_so_is_marked,
        an_object_has_its_history,
        a_long_history_is_cut_and_says_so,
        nothing_from_a_bucket_is_html,
        any_key_has_its_page,
        every_answer_has_the_headers,
        other_hosts_are_refused,
        wrong_questions_get_plain_sentences,
        a_home_that_is_away_is_503,
        what_has_not_changed_is_not_sent_again,
        a_page_is_small,
        it_stops_when_told,
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

const MODEL: &str = "digits/1";
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

async fn an_empty_home_says_how_to_upload() {
    let site = Site::with([]).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.body.starts_with("<!doctype html>\n<html lang=\"en\">"), "{}", page.body);
    page.has("aws --endpoint-url http://127.0.0.1:9000 s3 cp 7.png s3://pictures/</code>");
    page.lacks("<table>");

    let none = site.get("/?label=7").await;
    none.has("No record is listed as “7” yet.");
    none.lacks("s3 cp");
    assert_eq!(site.get("/api/records").await.body, r#"{"records":[],"next":null}"#);
}

async fn the_newest_stand_first_with_all_that_is_known() {
    let site = Site::with([sighting(7, "a/7 blue.png"), unsure(8, "scribble.png"), rejected(9, "cut.jpg")]).await;
    let page = site.get("/").await;
    page.has("<h1>What digits/1 saw</h1>");
    page.in_order(&["cut.jpg", "scribble.png", "a/7 blue.png"]);
    let rows = page.rows();
    let [cut, scribble, seven] = &rows[..] else { panic!("{rows:?}") };

    assert!(seven.contains("<a href=\"/object?bucket=pictures&amp;key=a/7%20blue.png\">"), "{seven}");
    assert!(
        seven.contains("<img src=\"data:image/png;base64,iVBORyBhcyBmYXIgYXMgdGhlIHBhZ2Uga25vd3M=\" alt=\""),
        "{seven}"
    );
    assert!(seven.contains("<span class=\"is classified\">classified</span>"), "{seven}");
    assert!(seven.contains("<bdi>7</bdi></td>"), "{seven}");
    assert!(seven.contains(">0.996<"), "{seven}");
    assert!(seven.contains("<time datetime=\"2026-01-01T00:00:07.000Z\">2026-01-01 00:00:07</time>"), "{seven}");

    assert!(scribble.contains("<bdi>8</bdi>?"), "{scribble}");
    assert!(scribble.contains("<bdi>below threshold 0.80</bdi>"), "{scribble}");
    assert!(cut.contains("<bdi>broken: JPEG ends at byte 512</bdi>"), "{cut}");
    assert!(!cut.contains("<img"), "{cut}");
}

async fn labels_and_statuses_filter() {
    let records =
        [sighting(7, "seven.png"), sighting(8, "eight.png"), unsure(17, "seven-or-so.png"), deleted(20, "gone.png")];
    let site = Site::with(records).await;
    for (label, key) in [("7", "seven.png"), ("8", "eight.png"), ("unsure", "seven-or-so.png"), ("deleted", "gone.png")]
    {
        let page = site.get(&format!("/?label={label}")).await;
        assert_eq!(page.rows().len(), 1, "{label}");
        page.has(&format!("<bdi>{key}</bdi>"));
        page.has(&format!("<a href=\"/?label={label}\" aria-current=\"page\">"));
        let listed = site.get(&format!("/api/records?label={label}")).await.json();
        assert_eq!(listed["records"].as_array().unwrap().len(), 1, "{label}");
        assert_eq!(listed["records"][0]["key"], key);
    }
    assert_eq!(site.get("/?label=").await.rows().len(), 3);
    site.get("/").await.has("<a href=\"/\" aria-current=\"page\">All</a>");
}

fn many() -> Vec<Record> {
    (0..250).map(|n| sighting(n, &format!("{n}.png"))).collect()
}

fn newest_first(numbers: impl DoubleEndedIterator<Item = u32>) -> Vec<String> {
    numbers.rev().map(|n| format!("{n}.png")).collect()
}

async fn every_record_is_on_one_page() {
    let site = Site::with(many()).await;
    for (start, size, expected) in [
        ("/", 25, newest_first(0..250)),
        ("/?limit=200", 200, newest_first(0..250)),
        ("/?label=3&limit=10", 10, newest_first((3..250).step_by(10))),
    ] {
        let (mut keys, mut way) = (Vec::new(), Some(start.to_owned()));
        while let Some(at) = way {
            let page = site.get(&at).await;
            assert_eq!(page.status, 200, "{at}");
            let on_it = page.keys();
            assert!((1..=size).contains(&on_it.len()), "{at}: {on_it:?}");
            keys.extend(on_it);
            way = page.older();
        }
        assert_eq!(keys, expected, "{start}");
    }
}

async fn the_api_pages_too() {
    let site = Site::with(many()).await;
    let (mut keys, mut way) = (Vec::new(), "/api/records".to_owned());
    loop {
        let answer = site.get(&way).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let json = answer.json();
        keys.extend(json["records"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()));
        let Some(next) = json["next"].as_str() else { break };
        way = format!("/api/records?cursor={next}");
    }
    assert_eq!(keys, newest_first(0..250));

    let first = site.get("/api/records?limit=1").await;
    let expected = concat!(
        r#"{"records":[{"bucket":"pictures","key":"249.png","status":"classified","reason":null,"why":null,"#,
        r#""label":"9","confidence":0.9961,"top":[{"label":"9","confidence":0.9961},"#,
        r#"{"label":"1","confidence":0.0021}],"model":"digits/1","event_time":"2026-01-01T00:04:09.000Z","#,
        r#""seq":"00000000000000F90000000000000000","version":"v249","version_id":"v249","etag":"etag-249","#,
        r#""size":12345,"content_type":"image/png","width":640,"height":480}],"next":""#
    );
    assert!(first.body.starts_with(expected), "{}", first.body);
}

async fn what_is_no_longer_so_is_marked() {
    let records = [
        sighting(1, "stays.png"),
        sighting(2, "replaced.png"),
        unsure(3, "replaced.png"),
        sighting(4, "gone.png"),
        deleted(5, "gone.png"),
    ];
    let site = Site::with(records).await;
    let rows = site.get("/").await.rows();
    let [gone, newer, replaced, stays] = &rows[..] else { panic!("{rows:?}") };
    assert!(gone.contains("class=\"past\"") && gone.contains("deleted since"), "{gone}");
    assert!(replaced.contains("class=\"past\"") && replaced.contains("replaced since"), "{replaced}");
    assert!(!newer.contains("since") && !newer.contains("past"), "{newer}");
    assert!(!stays.contains("since") && !stays.contains("past"), "{stays}");
    let deletes = site.get("/?label=deleted").await.rows();
    assert!(!deletes[0].contains("since"), "{deletes:?}");
}

async fn an_object_has_its_history() {
    let other = Record { model: "digits/2".into(), label: Some("4".into()), ..sighting(1, "7.png") };
    let records = [sighting(1, "7.png"), other, unsure(2, "7.png"), deleted(3, "7.png"), sighting(9, "7.png.bak")];
    let site = Site::with(records).await;
    let page = site.get("/object?bucket=pictures&key=7.png").await;
    assert_eq!(page.status, 200);
    page.has("<h1><span class=\"bucket\">s3://pictures/</span><bdi>7.png</bdi></h1>");
    let rows = page.rows();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows[0].contains("deleted") && rows[0].contains(">now<"), "{rows:?}");
    assert!(rows[1].contains("v2") && rows[1].contains("<bdi>2</bdi>?") && rows[1].contains("past"), "{rows:?}");
    assert!(rows[2].contains("digits/1") && rows[3].contains("digits/2"), "{rows:?}");
    page.lacks("7.png.bak");

    let plain = site.get("/object?bucket=pictures&key=7.png.bak").await;
    for fact in ["640 × 480 pixels", "12345 bytes", "image/png", "etag-9", "<bdi>1</bdi> 0.002"] {
        plain.has(fact);
    }

    let unknown = site.get("/object?bucket=pictures&key=no").await;
    assert_eq!(unknown.status, 404);
    unknown.has("Nothing is known of s3://pictures/no: no record names it.");
}

async fn a_long_history_is_cut_and_says_so() {
    let site = Site::with((0..201).map(|n| sighting(n, "often.png"))).await;
    let page = site.get("/object?bucket=pictures&key=often.png").await;
    assert_eq!(page.rows().len(), 200);
    page.has("These are the newest 200.");
    page.has("<span class=\"mono\">v200</span>");
    page.lacks("<span class=\"mono\">v0</span>");
}

async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::with([sighting(1, "1.png")]).await;
    for way in ["/", "/api/records", "/live.js"] {
        let first = site.get(way).await;
        let again = async || {
            let (host, tag) = (site.host(), first.header("etag").unwrap());
            site.ask(&format!("GET {way} HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: \"x\", W/{tag}\r\n")).await
        };
        let same: Answer = again().await;
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{way}");
        site.write(&sighting(way.len() as u32 + 1, "2.png")).await;
        assert_eq!(again().await.status, if way == "/live.js" { 304 } else { 200 }, "{way}");
    }
}

async fn a_page_is_small() {
    // The seen picture of a digit has about 400 bytes.
    let records = (0..25).map(|n| Record { seen: vec![7; 400], ..sighting(n, &format!("2026/01/{n}.png")) });
    let site = Site::with(records).await;
    let page = site.get("/").await;
    assert_eq!(page.rows().len(), 25);
    assert!(page.body.len() < 30_000, "{} bytes", page.body.len());
    let assets = site.get("/style.css").await.body.len() + site.get("/live.js").await.body.len();
    assert!(assets < 10_000, "{assets} bytes");
}

async fn it_stops_when_told() {
    let site = Site::with([]).await;
    assert_eq!(site.get("/").await.status, 200);
    site.stop().await;
}
