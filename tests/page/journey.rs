//! The strip: every step of a real picture, and where it ends for the others.

use serde_json::{Value, json};
use spotter::record::{Record, Status};

use super::site::{BUCKET, MAX_BYTES, Site, encode};
use super::{deleted, sighting};
use crate::cloud::sample;

async fn journey(site: &Site, key: &str) -> Value {
    let answer = site.get(&format!("/api/journey?bucket={BUCKET}&key={}", encode(key))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn names(journey: &Value) -> Vec<&str> {
    journey["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect()
}

/// Width and height, from the header.
fn size(png: &Value) -> (u32, u32) {
    let bytes = decoded(png.as_str().unwrap());
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

fn decoded(base64: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => 0,
    };
    let groups = base64.as_bytes().chunks(4);
    let bytes = groups.flat_map(|group| {
        let bits = group.iter().fold(0u32, |bits, &c| bits << 6 | u32::from(value(c)));
        bits.to_be_bytes()[1..].to_vec()
    });
    bytes.collect()
}

pub(super) async fn a_journey_is_what_the_pipeline_does() {
    let site = Site::with([]).await;
    let picture = sample("photos/7 phone.jpg").unwrap();
    let record = site.upload("photos/7 phone.jpg", &picture).await;
    let journey = journey(&site, "photos/7 phone.jpg").await;
    assert_eq!(journey["refused"], json!(null));
    assert_eq!(names(&journey), ["fetch", "decode", "ink", "seen", "classify", "record"]);
    let steps = journey["steps"].as_array().unwrap();
    for step in &steps[..5] {
        assert!(step["ms"].as_f64().is_some_and(|ms| ms >= 0.0), "{step}");
    }
    let (width, height) = record.dimensions.unwrap();
    assert_eq!(steps[1]["note"], json!(format!("{width} × {height} pixels")));
    let (shown_width, shown_height) = size(&steps[1]["picture"]);
    assert_eq!(shown_width.max(shown_height), width.max(height).min(320));
    let (ink_width, ink_height) = size(&steps[2]["picture"]);
    assert!(ink_width.max(ink_height) <= 320 && ink_height > ink_width, "{ink_width} × {ink_height}");
    // What the model saw is what the record keeps of it, byte by byte.
    assert_eq!(decoded(steps[3]["picture"].as_str().unwrap())[..record.seen.len()], record.seen);
    let classes = steps[4]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 11);
    // The outlier's bar is there, too, and it is never a guess.
    let guesses = classes.iter().filter(|class| class["label"] != "no-digit");
    for (class, guess) in guesses.zip(&record.top) {
        assert_eq!(class["label"], json!(guess.label));
        assert!((class["confidence"].as_f64().unwrap() - f64::from(guess.confidence)).abs() < 1e-6);
    }
    let sum: f64 = classes.iter().map(|class| class["confidence"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 0.001, "{sum}");
    let row = &steps[5]["record"];
    assert_eq!((&row["label"], &row["etag"]), (&json!("7"), &json!(record.etag)));
    assert_eq!(row["seen"], steps[3]["picture"]);
}

pub(super) async fn what_is_refused_says_where_and_why() {
    let site = Site::with([]).await;
    let fields = |journey: &Value| {
        let refused = &journey["refused"];
        [&refused["step"], &refused["reason"], &refused["why"]].map(|field| field.as_str().unwrap().to_owned())
    };
    for (key, bytes, steps, step) in [
        (
            "scribble.png",
            sample("scribble.png").unwrap(),
            &["fetch", "decode", "ink", "seen", "classify", "record"][..],
            "classify",
        ),
        ("truncated.jpg", sample("truncated.jpg").unwrap(), &["fetch", "decode", "record"], "decode"),
        ("text.png", b"no picture".to_vec(), &["fetch", "decode", "record"], "decode"),
        ("large.png", vec![0; MAX_BYTES as usize + 1], &["fetch", "record"], "fetch"),
    ] {
        let record = site.upload(key, &bytes).await;
        let journey = journey(&site, key).await;
        assert_eq!(names(&journey), steps, "{key}");
        // The pipeline's own words.
        assert_eq!(fields(&journey), [step, record.reason.unwrap().as_str(), &record.why], "{key}");
        assert_eq!(journey["steps"].as_array().unwrap().last().unwrap()["record"]["why"], json!(record.why));
    }
}

pub(super) async fn what_is_not_there_has_no_journey() {
    let site = Site::with([deleted(4, "gone.png"), sighting(5, "vanished.png")]).await;
    let gone = journey(&site, "gone.png").await;
    assert_eq!(names(&gone), ["fetch", "record"]);
    let expected = json!({
        "step": "fetch", "reason": "deleted", "why": "s3://pictures/gone.png was deleted at 2026-01-01T00:00:04.000Z",
    });
    assert_eq!(gone["refused"], expected);
    // Its record is there, its version is not.
    let vanished = journey(&site, "vanished.png").await;
    assert_eq!((names(&vanished), &vanished["refused"]["reason"]), (vec!["fetch", "record"], &json!("superseded")));
    let never = journey(&site, "never.png").await;
    assert_eq!((names(&never), &never["refused"]["reason"]), (vec!["fetch"], &json!("superseded")));

    // Replaced since it was recorded: the journey is of the version that the record is about, or of none.
    site.upload("8.png", &sample("8 small.png").unwrap()).await;
    let other = sample("1.png").unwrap();
    site.s3.put_object().bucket(BUCKET).key("8.png").body(other.into()).send().await.unwrap();
    let replaced = journey(&site, "8.png").await;
    assert_eq!(replaced["refused"]["reason"], "superseded", "{replaced}");
    assert_eq!(replaced["refused"]["why"], "s3://pictures/8.png has been replaced since");

    // No record yet: what is there goes its way.
    site.s3.put_object().bucket(BUCKET).key("new.png").body(sample("1.png").unwrap().into()).send().await.unwrap();
    let new = journey(&site, "new.png").await;
    assert_eq!(names(&new), ["fetch", "decode", "ink", "seen", "classify"]);
    assert_eq!(new["steps"][4]["classes"][0]["label"], "1");

    let missing = Record { bucket: "nowhere".into(), status: Status::Classified, ..sighting(6, "a.png") };
    site.write(&missing).await;
    let away = site.get("/api/journey?bucket=nowhere&key=a.png").await;
    assert_eq!((away.status, away.error().contains("NoSuchBucket")), (503, true), "{}", away.error());
}
