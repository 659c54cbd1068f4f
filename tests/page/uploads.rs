//! From the browser into the bucket: what is signed is what is taken, and nothing else.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use serde_json::{Value, json};
use spotter::objects::{Objects, Upload};

use super::site::{Answer, BUCKET, MAX_BYTES, Site, ask};
use crate::cloud::sample;

/// Makes the request of a ticket as a browser on the page does; `change` may lie.
async fn put(site: &Site, url: &str, body: &[u8], content_type: &str) -> Answer {
    let (host, target) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    let port = host.rsplit(':').next().unwrap().parse().unwrap();
    let (origin, length) = (site.host(), body.len());
    let head = format!(
        "PUT /{target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{origin}\r\nContent-Length: {length}\r\n\
         Content-Type: {content_type}\r\n"
    );
    ask(port, &head, body).await
}

async fn ticket(site: &Site, key: &str, size: usize) -> Value {
    let sent = json!({"key": key, "size": size, "content_type": "image/png"});
    let answer = site.post("/api/uploads", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn is_there(site: &Site, key: &str) -> bool {
    match site.s3.head_object().bucket(BUCKET).key(key).send().await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Some("NotFound"), "{error:?}");
            false
        }
    }
}

pub(super) async fn a_browser_uploads_and_hears_of_the_record() {
    let site = Site::with([]).await;
    let _classifying = site.classify();
    let mut stream = site.listen().await;
    let picture = sample("8 small.png").unwrap();
    for key in ["8 small.png", "a b+c%20d/ü七?&#.png", "\"><img src=x onerror=alert(1)>.png"] {
        let ticket = ticket(&site, key, picture.len()).await;
        assert_eq!(
            (&ticket["method"], &ticket["bucket"], &ticket["key"]),
            (&json!("PUT"), &json!(BUCKET), &json!(key))
        );
        assert_eq!(ticket["headers"], json!({"content-type": "image/png"}));
        let url = ticket["url"].as_str().unwrap();
        assert!(url.starts_with(&site.s3_url), "{url}");

        // The browser asks first, unsigned.
        let (host, target) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
        let port = host.rsplit(':').next().unwrap().parse().unwrap();
        let preflight = format!(
            "OPTIONS /{target} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{}\r\n\
             Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type\r\n",
            site.host()
        );
        let allowed = ask(port, &preflight, b"").await;
        let origin = format!("http://{}", site.host());
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(origin.as_str())));
        assert_eq!(allowed.header("access-control-allow-headers"), Some("content-type"));

        let done = put(&site, url, &picture, "image/png").await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert_eq!(done.header("access-control-allow-origin"), Some(origin.as_str()));
        assert!(done.header("access-control-expose-headers").unwrap().contains("ETag"));
        let (event, data) = stream.event().await;
        let told: Value = serde_json::from_str(&data).unwrap();
        assert_eq!((event.as_str(), &told["key"], &told["label"]), ("record", &json!(key), &json!("8")));
        assert_eq!(told["content_type"], "image/png");
        // It is there by the time that it is told of.
        assert_eq!(site.get("/api/records?limit=1").await.keys(), [key]);
    }
}

pub(super) async fn an_upload_is_what_was_announced() {
    let site = Site::with([]).await;
    let picture = sample("8 small.png").unwrap();
    let ticket = ticket(&site, "8.png", picture.len()).await;
    let url = ticket["url"].as_str().unwrap();
    let longer = [&picture[..], b"!"].concat();
    for (what, url, body, content_type) in [
        ("shorter", url.to_owned(), &picture[1..], "image/png"),
        ("longer", url.to_owned(), &longer, "image/png"),
        ("empty", url.to_owned(), b"", "image/png"),
        ("another type", url.to_owned(), &picture, "text/html"),
        ("another key", url.replacen("8.png", "9.png", 1), &picture, "image/png"),
        ("another bucket", url.replacen("/pictures/", "/others/", 1), &picture, "image/png"),
        ("another time", url.replacen("X-Amz-Expires=300", "X-Amz-Expires=3000", 1), &picture, "image/png"),
        ("no signature", url.split('?').next().unwrap().to_owned(), &picture, "image/png"),
    ] {
        assert!(what == "shorter" || what == "longer" || what == "empty" || what == "another type" || !url.is_empty());
        let refused = put(&site, &url, body, content_type).await;
        assert_eq!(refused.status, 403, "{what}: {}", refused.body);
        assert!(!is_there(&site, "8.png").await && !is_there(&site, "9.png").await, "{what}");
    }
    assert_eq!(put(&site, url, &picture, "image/png").await.status, 200);
    assert!(is_there(&site, "8.png").await);
}

pub(super) async fn an_upload_url_expires() {
    let site = Site::with([]).await;
    let picture = sample("8 small.png").unwrap();
    let content_type = "image/png".to_owned();
    let upload = Upload { bucket: BUCKET.into(), key: "8.png".into(), size: picture.len() as u64, content_type };
    let signed = site.objects.presign(&upload, Duration::from_secs(1)).await.unwrap();
    assert!(!format!("{signed:?}").contains("X-Amz"), "{signed:?}");
    // Whole seconds are signed.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let late = put(&site, &signed.url, &picture, "image/png").await;
    assert_eq!(late.status, 403);
    assert!(late.body.contains("expired"), "{}", late.body);
    assert!(!is_there(&site, "8.png").await);
}

pub(super) async fn not_everything_may_be_uploaded() {
    let site = Site::with([]).await;
    let long = "ü".repeat(513);
    let megabyte = MAX_BYTES + 1;
    for (sent, status, sentence) in [
        (
            json!({"key": "a", "size": megabyte, "content_type": "image/png"}),
            413,
            format!("{megabyte} bytes are too many: the limit is {MAX_BYTES}."),
        ),
        (json!({"key": "a", "size": 0, "content_type": "image/png"}), 400, "An empty file is no picture.".to_owned()),
        (
            json!({"key": "a", "size": 1, "content_type": "text/html"}),
            415,
            "Only pictures are taken, and 'text/html' is no type of them.".to_owned(),
        ),
        (
            json!({"key": "a", "size": 1, "content_type": "image/png\r\nx: y"}),
            415,
            "Only pictures are taken, and 'image/png\r\nx: y' is no type of them.".to_owned(),
        ),
        (
            json!({"key": long, "size": 1, "content_type": "image/png"}),
            400,
            "A key has 1 to 1024 bytes, and this one has 1026.".to_owned(),
        ),
        (
            json!({"bucket": "../etc", "key": "a", "size": 1, "content_type": "image/png"}),
            400,
            "'../etc' is no bucket's name.".to_owned(),
        ),
    ] {
        let answer = site.post("/api/uploads", &sent).await;
        assert_eq!((answer.status, answer.error()), (status, sentence), "{sent}");
    }
    for odd in [
        json!({"key": "a", "size": -1, "content_type": "image/png"}),
        json!({"key": "a", "size": 1, "content_type": "image/png", "acl": "public-read"}),
    ] {
        assert_eq!(site.post("/api/uploads", &odd).await.status, 422, "{odd}");
    }
    // A key of blanks only is one that the SDK makes no request of.
    let blank = site.post("/api/uploads", &json!({"key": " ", "size": 1, "content_type": "image/png"})).await;
    assert!([200, 400].contains(&blank.status), "{}", blank.body);

    let one = Site::start(None, |page| page.uploads.as_mut().unwrap().any_bucket = false).await;
    let sent = |bucket: &str| json!({"bucket": bucket, "key": "a", "size": 1, "content_type": "image/png"});
    assert_eq!(one.post("/api/uploads", &sent(BUCKET)).await.status, 200);
    let refused = one.post("/api/uploads", &sent("others")).await;
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (403, "Uploads go to the bucket pictures, and to no other.")
    );
}

pub(super) async fn samples_are_loaded_where_there_are_some() {
    let site = Site::start(None, |page| page.samples = Some(Box::new(|| Box::pin(async { Ok(17) })))).await;
    assert_eq!(site.get("/api/about").await.json()["samples"], true);
    assert_eq!(site.post("/api/samples", &json!({})).await.json(), json!({"uploaded": 17}));
    let none = Site::with([]).await.post("/api/samples", &json!({})).await;
    assert_eq!((none.status, none.error().as_str()), (404, "There are no samples to load here."));
    let why = || async { Err("the bucket is away".to_owned()) };
    let away = Site::start(None, |page| page.samples = Some(Box::new(move || Box::pin(why())))).await;
    let refused = away.post("/api/samples", &json!({})).await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "The samples were not loaded: the bucket is away."));
}
