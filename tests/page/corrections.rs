//! What people say of pictures, and what two models do.

use serde_json::{Value, json};
use spotter::record::{Order, Record};

use super::openapi::Document;
use super::site::Site;
use super::{MODEL, deleted, rejected, sighting, unsure};

async fn say(site: &Site, key: &str, label: Value) -> (u16, Value) {
    let answer = site.post("/api/corrections", &json!({"bucket": "pictures", "key": key, "label": label})).await;
    Document::of(site).await.check("post", "/api/corrections", answer.status, &answer.json());
    (answer.status, answer.json())
}

async fn object(site: &Site, key: &str) -> Value {
    site.get(&format!("/api/object?bucket=pictures&key={key}")).await.json()
}

async fn accuracy(site: &Site) -> Value {
    site.get("/api/stats").await.json()["accuracy"].take()
}

pub(super) async fn a_correction_is_one_more_row() {
    let site = Site::with([sighting(7, "7.png"), unsure(8, "8.png")]).await;
    let mut stream = site.listen().await;
    let (status, row) = say(&site, "7.png", json!("1")).await;
    assert_eq!(status, 201, "{row}");
    assert!(row["model"].as_str().unwrap().starts_with("human@20"), "{row}");
    assert_eq!((&row["status"], &row["label"], &row["version"]), (&json!("classified"), &json!("1"), &json!("v7")));
    let (event, data) = stream.event().await;
    let told: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((event.as_str(), &told["model"]), ("record", &row["model"]));

    // The model's row is as it was, and says what people say.
    let listed = site.get("/api/records").await.json()["records"].take();
    let told: Vec<_> = listed.as_array().unwrap().iter().map(|row| (&row["label"], &row["corrected"])).collect();
    assert_eq!(told, [(&json!("8"), &json!(null)), (&json!("7"), &json!("1"))]);
    let seven = object(&site, "7.png").await;
    assert_eq!((&seven["current"]["label"], &seven["current"]["corrected"]), (&json!("7"), &json!("1")));
    assert_eq!(seven["history"].as_array().unwrap().len(), 2, "{seven}");
    assert_eq!(site.get("/api/records?model=human").await.keys(), ["7.png"]);
    let expected = json!({
        "checked": 1, "agreed": 0, "by_label": {"7": {"checked": 1, "agreed": 0}},
        "by_day": {"2026-01-01": {"checked": 1, "agreed": 0}},
    });
    assert_eq!(accuracy(&site).await, expected);

    // The newest word counts; saying it twice is saying it once.
    assert_eq!(say(&site, "7.png", json!("7")).await.0, 201);
    let (_, last) = say(&site, "7.png", json!("7")).await;
    assert_eq!(accuracy(&site).await["agreed"], 1);
    assert_eq!(object(&site, "7.png").await["history"].as_array().unwrap().len(), 3, "{last}");
    assert_eq!(say(&site, "7.png", json!(null)).await.0, 201);
    assert_eq!(object(&site, "7.png").await["current"]["corrected"], json!(null));
    assert_eq!(accuracy(&site).await["checked"], 0);
    // A new picture is not what was said of the old one.
    assert_eq!(say(&site, "7.png", json!("1")).await.0, 201);
    site.write(&sighting(17, "7.png")).await;
    let replaced = object(&site, "7.png").await;
    assert_eq!(replaced["current"]["corrected"], json!(null));
    let of_old =
        replaced["history"].as_array().unwrap().iter().find(|row| row["version"] == "v7" && row["model"] == MODEL);
    assert_eq!(of_old.unwrap()["corrected"], "1");
}

pub(super) async fn what_cannot_be_corrected_is_said() {
    let site = Site::with([sighting(7, "7.png"), sighting(8, "gone.png"), deleted(9, "gone.png")]).await;
    for (key, label, status, sentence) in [
        ("no.png", json!("7"), 404, "No record of s3://pictures/no.png."),
        ("gone.png", json!("7"), 409, "s3://pictures/gone.png was deleted: there is nothing to correct."),
        (
            "7.png",
            json!(null),
            409,
            "Nobody corrected s3://pictures/7.png, or it was undone: there is nothing to undo.",
        ),
        ("7.png", json!("x"), 400, "The model digits/2 says 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, no-digit; not 'x'."),
    ] {
        let (refused, body) = say(&site, key, label).await;
        assert_eq!((refused, body["error"].as_str()), (status, Some(sentence)), "{key}");
    }
    let forgotten = site.post("/api/corrections", &json!({"bucket": "pictures", "key": "7.png"})).await;
    assert_eq!(forgotten.status, 422, "{}", forgotten.body);
    assert_eq!(object(&site, "7.png").await["history"].as_array().unwrap().len(), 1);
}

pub(super) async fn what_was_replaced_meanwhile_is_not_corrected() {
    let site = Site::with([sighting(7, "7.png")]).await;
    let seen = object(&site, "7.png").await["current"].take();
    let of = json!({"seq": seen["seq"], "event_time": seen["event_time"], "version": seen["version"]});
    let body = json!({"bucket": "pictures", "key": "7.png", "label": "1", "of": of});
    assert_eq!(site.post("/api/corrections", &body).await.status, 201, "{body}");
    site.write(&sighting(17, "7.png")).await;
    let refused = site.post("/api/corrections", &body).await;
    Document::of(&site).await.check("post", "/api/corrections", refused.status, &refused.json());
    let sentence = "s3://pictures/7.png was replaced: what it is now has not been looked at.";
    assert_eq!((refused.status, refused.error().as_str()), (409, sentence));
    assert_eq!(object(&site, "7.png").await["current"]["corrected"], json!(null));

    // What stores without sequencers and versions have is null in JSON.
    let bare = sighting(8, "8.png");
    let order = Order { seq: String::new(), version: String::new(), ..bare.order };
    site.write(&Record { order, version_id: None, ..bare }).await;
    let seen = object(&site, "8.png").await["current"].take();
    assert_eq!((&seen["seq"], &seen["version"]), (&json!(null), &json!(null)));
    let mut body = json!({"bucket": "pictures", "key": "8.png", "label": "1",
        "of": {"seq": null, "event_time": seen["event_time"], "version": null}});
    assert_eq!(site.post("/api/corrections", &body).await.status, 201, "{body}");
    body["of"]["event_time"] = json!("yesterday");
    let refused = site.post("/api/corrections", &body).await;
    assert_eq!((refused.status, refused.error().contains("no RFC 3339 time")), (422, true), "{}", refused.body);
}

pub(super) async fn the_least_confident_are_reviewed_first() {
    let sure = |n: u32, confidence: f32| Record { confidence: Some(confidence), ..sighting(n, &format!("{n}.png")) };
    let records = [
        sure(1, 0.91),
        sure(2, 0.85),
        sure(3, 0.99),
        unsure(4, "4.png"),
        rejected(5, "5.png"),
        sighting(6, "2.png"),
        unsure(7, "gone.png"),
        deleted(8, "gone.png"),
    ];
    let site = Site::with(records).await;
    assert_eq!(site.get("/api/review").await.keys(), ["4.png", "1.png", "3.png", "2.png"]);
    assert_eq!(site.get("/api/review?limit=1").await.keys(), ["4.png"]);
    assert_eq!(say(&site, "4.png", json!("4")).await.0, 201);
    let rest = site.get("/api/review").await;
    assert_eq!(rest.keys(), ["1.png", "3.png", "2.png"]);
    Document::of(&site).await.check("get", "/api/review", 200, &rest.json());
    assert!(rest.json()["records"][0]["seen"].is_string());
    assert_eq!(site.get("/api/review?limit=501").await.status, 400);
}

pub(super) async fn two_models_are_compared() {
    let other = |n: u32, label: &str| Record {
        model: "digits/3".into(),
        label: Some(label.into()),
        ..sighting(n, &format!("{n}.png"))
    };
    let mut records: Vec<Record> = (0..150).map(|n| sighting(n, &format!("{n}.png"))).collect();
    records.extend((0..150).map(|n| other(n, if n == 3 { "3" } else { "x" })));
    let site = Site::with(records).await;
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer =
            site.get(&format!("/api/diff?a=digits/2&b=digits/3&cursor={}", super::site::encode(&cursor))).await;
        let page = answer.json();
        Document::of(&site).await.check("get", "/api/diff", answer.status, &page);
        for change in page["changes"].as_array().unwrap() {
            assert_eq!((&change["a"]["model"], &change["b"]["label"]), (&json!("digits/2"), &json!("x")));
            keys.push(change["key"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let expected: Vec<String> = (0..150).rev().filter(|n| *n != 3).map(|n| format!("{n}.png")).collect();
    assert_eq!(keys, expected);
    let refused = site.get("/api/diff?a=digits/2").await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "Name two models: ?a=name/1&b=name/2"));
}
