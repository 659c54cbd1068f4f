//! What strangers send: keys made to break out, other hosts, other sites, questions that make no sense; and a home that
//! is away.

use std::sync::Arc;

use serde_json::json;
use spotter::page::Token;
use spotter::record::{Guess, Order, Reason, Record};
use spotter::records::RecordsError;

use super::openapi::Document;
use super::sighting;
use super::site::{Broken, Site, encode};

const HOSTILE: [&str; 13] = [
    "\"><img src=x onerror=alert(1)>.png",
    "'><script>alert(1)</script>.png",
    "gnp.\u{202e}fdp.exe",
    "nul\0tab\tnewline\nend",
    "a b+c%20d",
    "ü/七/שבע.png",
    "?a=b&c=d#e",
    "../..//x",
    "+",
    " ",
    "%",
    "a;b",
    "'; DROP TABLE by_object; --",
];

/// Wherever a stranger's text may stand, all at once.
fn hostile(text: &str) -> Record {
    let text = text.to_owned();
    let guess = Guess { label: text.clone(), confidence: 0.5 };
    Record {
        bucket: text.clone(),
        why: text.clone(),
        reason: Some(Reason::Broken),
        label: Some(text.clone()),
        top: vec![guess],
        content_type: Some(text.clone()),
        etag: Some(text.clone()),
        version_id: Some(text.clone()),
        order: Order { version: text.clone(), ..sighting(1, "").order },
        ..sighting(1, &text)
    }
}

pub(super) async fn any_key_is_asked_for() {
    let of_another = |text| Record { model: "another/1".into(), ..hostile(text) };
    let site = Site::with(HOSTILE.map(hostile).into_iter().chain(HOSTILE.map(of_another))).await;
    for text in HOSTILE {
        let encoded = encode(text);
        for query in [
            format!("bucket={encoded}"),
            format!("prefix={encoded}"),
            format!("model=another/1&label={encoded}"),
            format!("model=another/1&prefix={encoded}&bucket={encoded}&label={encoded}&current=true"),
        ] {
            assert_eq!(site.get(&format!("/api/records?{query}")).await.keys(), [text], "{query}");
        }
        let object = site.get(&format!("/api/object?bucket={encoded}&key={encoded}")).await.json();
        assert_eq!((&object["current"]["key"], &object["history"][0]["key"]), (&json!(text), &json!(text)));
        assert_eq!(site.get(&format!("/api/object?bucket=no&key={encoded}")).await.json()["current"], json!(null));
        let none = site.get(&format!("/api/records?model=m/{encoded}")).await;
        assert!(none.keys().is_empty());
        for name in [
            "label",
            "status",
            "min_confidence",
            "max_confidence",
            "since",
            "until",
            "current",
            "seen",
            "limit",
            "cursor",
        ] {
            let refused = site.get(&format!("/api/records?{name}={encoded}")).await;
            assert_eq!(refused.status, 400, "{name}={encoded}");
            assert!(refused.error().contains(text), "{}", refused.error());
        }
        for way in [format!("/{encoded}"), format!("/assets/{encoded}"), format!("/api/{encoded}")] {
            let refused = site.get(&way).await;
            assert_eq!((refused.status, refused.header("content-type")), (404, Some("application/json")), "{way}");
        }
        let sent = json!({"bucket": text, "key": text, "size": 1, "content_type": text});
        assert_eq!(site.post("/api/uploads", &sent).await.status, 400, "{text}");
    }
}

pub(super) async fn every_answer_has_the_headers() {
    let site = Site::with([sighting(1, "1.png")]).await;
    let tag = site.get("/").await.header("etag").unwrap().to_owned();
    let host = site.host();
    let known = format!("GET / HTTP/1.1\r\nHost: {host}\r\nIf-None-Match: {tag}\r\n");
    let foreign = "GET / HTTP/1.1\r\nHost: evil.example\r\n";
    let put = format!("PUT / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 0\r\n");
    let head = format!("HEAD /api/records HTTP/1.1\r\nHost: {host}\r\n");
    let mut answers = vec![
        (304, site.ask(&known, "").await),
        (421, site.ask(foreign, "").await),
        (405, site.ask(&put, "").await),
        (405, site.post("/api/records", &json!({})).await),
        (200, site.ask(&head, "").await),
        (415, site.post_as("/api/uploads", "", "{}").await),
        (404, site.post("/api/samples", &json!({})).await),
    ];
    for (status, way) in [
        (200, "/"),
        (200, "/api/about"),
        (200, "/api/records"),
        (200, "/api/object?bucket=pictures&key=1.png"),
        (400, "/api/object"),
        (400, "/api/records?cursor=x"),
        (404, "/favicon.ico"),
    ] {
        answers.push((status, site.get(way).await));
    }
    let expected = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        site.s3_url
    );
    for (status, answer) in answers {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-security-policy"), Some(expected.as_str()));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        // The policy forbids both, so neither may be in the document.
        assert!(!answer.body.contains(" style=") && !answer.body.contains("<script>"), "{}", answer.body);
    }
}

pub(super) async fn other_hosts_are_refused() {
    let site = Site::with([sighting(1, "secret.png")]).await;
    let port = site.port();
    let ask = async |request: String| site.ask(&request, "").await;
    for host in [format!("localhost:{port}"), format!("LocalHost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n")).await.status, 200, "{host}");
    }
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "localhost:1".to_owned(),
        format!("localhost.evil.example:{port}"),
        String::new(),
    ] {
        for way in ["/", "/api/records", "/assets/x", "/api/live"] {
            let answer = ask(format!("GET {way} HTTP/1.1\r\nHost: {host}\r\n")).await;
            assert_eq!(answer.status, 421, "{host}{way}");
            let names = format!("localhost:{port}, 127.0.0.1:{port}, [::1]:{port}");
            let expected = format!("This page answers only to {names}. Open it under one of these names.");
            assert_eq!(answer.error(), expected);
        }
    }
    let document = Document::of(&site).await;
    for (method, way) in document.operations() {
        let method_line = method.to_uppercase();
        let answer = ask(format!("{method_line} {way} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n")).await;
        assert_eq!(answer.status, 421);
        document.check(method, way, 421, &answer.json());
    }
    let both = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n");
    assert_eq!(ask(both).await.status, 400);
    assert_eq!(ask("GET / HTTP/1.1\r\n".to_owned()).await.status, 400);
    let absolute = format!("GET http://evil.example:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n");
    assert_eq!(ask(absolute).await.status, 421);
    // Behind a function's URL somebody else has chosen by the name.
    let elsewhere = Site::start(None, |page| page.hosts = None).await;
    assert_eq!(elsewhere.ask("GET /api/records HTTP/1.1\r\nHost: x.lambda-url\r\n", "").await.status, 200);
}

pub(super) async fn other_sites_may_not_post() {
    let site = Site::with([]).await;
    let sent = json!({"key": "a.png", "size": 3, "content_type": "image/png"}).to_string();
    let (json, port) = ("Content-Type: application/json\r\n", site.port());
    let post = async |headers: String| site.post_as("/api/uploads", &headers, &sent).await.status;
    assert_eq!(post(json.to_owned()).await, 200);
    assert_eq!(post("Content-Type: Application/JSON; charset=utf-8\r\n".to_owned()).await, 200);
    for origin in [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}")] {
        assert_eq!(post(format!("{json}Origin: {origin}\r\n")).await, 200, "{origin}");
    }
    for origin in [
        "https://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        "http://localhost:1".to_owned(),
        format!("http://localhost.evil.example:{port}"),
        format!("ftp://localhost:{port}"),
        format!("localhost:{port}"),
        "null".to_owned(),
        String::new(),
    ] {
        assert_eq!(post(format!("{json}Origin: {origin}\r\n")).await, 403, "{origin}");
    }
    // What a form, or a script without a preflight, can send.
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"]
    {
        assert_eq!(post(format!("Content-Type: {kind}\r\n")).await, 415, "{kind}");
    }
    assert_eq!(post(String::new()).await, 415);
    let host = site.host();
    let preflight = format!(
        "OPTIONS /api/uploads HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example\r\n\
         Content-Type: application/json\r\nAccess-Control-Request-Method: POST\r\n"
    );
    let refused = site.ask(&preflight, "").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (405, None));

    let elsewhere = Site::start(None, |page| page.hosts = None).await;
    let post = async |origin: &str| {
        let length = sent.len();
        let head = format!(
            "POST /api/uploads HTTP/1.1\r\nHost: x.lambda-url\r\n{json}Origin: {origin}\r\nContent-Length: {length}\r\n"
        );
        elsewhere.ask(&head, &sent).await.status
    };
    assert_eq!((post("https://x.lambda-url").await, post("https://y.lambda-url").await), (200, 403));
}

/// A picture whose address is ours, on another site's page: nothing to read, but work to do.
pub(super) async fn other_sites_may_not_ask() {
    let site = Site::with([sighting(1, "1.png")]).await;
    let host = site.host();
    let document = Document::of(&site).await;
    for (method, way) in document.operations() {
        let method_line = method.to_uppercase();
        let json = "Content-Type: application/json\r\nContent-Length: 0\r\n";
        for from in ["cross-site", "same-site", "whatever"] {
            let head = format!("{method_line} {way} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: {from}\r\n{json}");
            let refused = site.ask(&head, "").await;
            assert_eq!(
                (refused.status, refused.error().as_str()),
                (403, "Another site's page may not do this."),
                "{way}"
            );
        }
    }
    for from in ["same-origin", "none"] {
        let head = |way: &str| format!("GET {way} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: {from}\r\n");
        assert_eq!(site.ask(&head("/api/records"), "").await.keys(), ["1.png"]);
        // A link to the page is no harm, wherever it stands.
        assert_eq!(site.ask(&head("/").replace(from, "cross-site"), "").await.status, 200);
    }
}

pub(super) async fn a_token_is_asked_for_by_the_api_only() {
    let site = Site::start(None, |page| page.token = Some(Token::new("s3cret"))).await;
    let host = site.host();
    let get =
        async |way: &str, header: &str| site.ask(&format!("GET {way} HTTP/1.1\r\nHost: {host}\r\n{header}"), "").await;
    assert_eq!(get("/", "").await.status, 200);
    assert_eq!(get("/assets/no.js", "").await.status, 404);
    for way in ["/api/about", "/api/records", "/api/live", "/api/openapi.json", "/api/no"] {
        for header in
            ["", "Authorization: Bearer s3cre\r\n", "Authorization: Basic s3cret\r\n", "Authorization: s3cret\r\n"]
        {
            let refused = get(way, header).await;
            assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{way} {header}");
            assert_eq!(refused.error(), "This needs the page's token: Authorization: Bearer, and the token.");
        }
    }
    let document = Document::of(&Site::with([]).await).await;
    for (method, way) in document.operations() {
        let method_line = method.to_uppercase();
        let head = format!("{method_line} {way} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n");
        let refused = site.ask(&head, "").await;
        assert_eq!(refused.status, 401);
        document.check(method, way, 401, &refused.json());
    }
    assert_eq!(get("/api/about", "Authorization: Bearer s3cret\r\n").await.status, 200);
    let sent = json!({"key": "a.png", "size": 3, "content_type": "image/png"}).to_string();
    let json = "Content-Type: application/json\r\n";
    assert_eq!(site.post_as("/api/uploads", json, &sent).await.status, 401);
    let with = format!("{json}Authorization: Bearer s3cret\r\n");
    assert_eq!(site.post_as("/api/uploads", &with, &sent).await.status, 200);
}

pub(super) async fn wrong_questions_get_plain_sentences() {
    let site = Site::with([]).await;
    let labels = format!(
        "The model digits/2 says {}, unsure, rejected, deleted, version_removed; not 'ten'.",
        site.labels().join(", ")
    );
    let model = |name: &str| format!("'{name}' is no model: write name and version, as in digits/2.");
    let cursor = "is not one that an answer gave as its next; leave it out to start anew.";
    for (way, status, sentence) in [
        ("/api/records?cursor=x", 400, format!("The cursor 'x' {cursor}")),
        ("/api/records?cursor=1.zz..", 400, format!("The cursor '1.zz..' {cursor}")),
        ("/api/records?limit=0", 400, "The limit '0' is not a number from 1 to 1000.".into()),
        ("/api/records?limit=1001", 400, "The limit '1001' is not a number from 1 to 1000.".into()),
        (
            "/api/records?limit=99999999999999999999",
            400,
            "The limit '99999999999999999999' is not a number from 1 to 1000.".into(),
        ),
        ("/api/records?min_confidence=2", 400, "The min_confidence '2' is not a number from 0 to 1.".into()),
        ("/api/records?min_confidence=NaN", 400, "The min_confidence 'NaN' is not a number from 0 to 1.".into()),
        (
            "/api/records?status=seven",
            400,
            "The status 'seven' is none of classified, unsure, rejected, deleted, version_removed.".into(),
        ),
        ("/api/records?label=ten", 400, labels.clone()),
        ("/api/records?label=classified", 400, labels.replace("'ten'", "'classified'")),
        ("/api/records?model=digits/2&label=ten", 400, labels),
        ("/api/records?model=digits", 400, model("digits")),
        ("/api/records?model=/1", 400, model("/1")),
        ("/api/stats?model=digits/", 400, model("digits/")),
        ("/api/review?model=human", 400, model("human")),
        ("/api/diff?a=digits/2&b=digits", 400, model("digits")),
        ("/api/diff?a=human&b=digits/2", 400, model("human")),
        ("/api/records?current=yes", 400, "current is true or false, not 'yes'.".into()),
        ("/api/records?limit=1&limit=2", 400, "Failed to deserialize query string: duplicate field `limit`.".into()),
        ("/api/object", 400, "Name the object: ?bucket=…&key=…".into()),
        ("/api/journey?bucket=b", 400, "Name the object: ?bucket=…&key=…".into()),
        ("/nothing", 404, "There is nothing at /nothing.".into()),
    ] {
        let answer = site.get(way).await;
        assert_eq!((answer.status, answer.error()), (status, sentence), "{way}");
    }
    for (body, status) in [("", 400), ("{", 400), ("[]", 422), ("{\"no\":1}", 422)] {
        let answer = site.post_as("/api/uploads", "Content-Type: application/json\r\n", body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.error().ends_with('.'), "{}", answer.error());
    }
    let long = json!({"key": "x".repeat(100_000), "size": 1, "content_type": "image/png"});
    let answer = site.post("/api/uploads", &long).await;
    assert_eq!(answer.status, 413, "{}", answer.error());
    // A name that a model could have, and that no row has.
    for way in [
        "/api/records?model=none/1",
        "/api/records?model=none/1&label=ten",
        "/api/records?model=human&label=ten",
        "/api/stats?model=none/1",
        "/api/stats?model=human",
        "/api/review?model=none/1",
        "/api/diff?a=none/1&b=none/2",
    ] {
        assert_eq!(site.get(way).await.status, 200, "{way}");
    }
}

pub(super) async fn other_methods_are_told_which_are_allowed() {
    let site = Site::with([sighting(1, "1.png")]).await;
    let host = site.host();
    for (method, way, allowed) in [
        ("DELETE", "/api/records", "GET,HEAD"),
        ("POST", "/api/records", "GET,HEAD"),
        ("PUT", "/api/object?bucket=pictures&key=1.png", "GET,HEAD"),
        ("PATCH", "/", "GET,HEAD"),
        ("DELETE", "/assets/main.js", "GET,HEAD"),
        ("GET", "/api/uploads", "POST"),
        ("DELETE", "/api/corrections", "POST"),
        ("BREW", "/api/samples", "POST"),
    ] {
        // With and without a body that would do, and from any site: nothing is done.
        for headers in ["", "Content-Type: application/json\r\n", "Origin: https://evil.example\r\n"] {
            let head = format!("{method} {way} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{headers}");
            let refused = site.ask(&head, "").await;
            assert_eq!((refused.status, refused.header("allow")), (405, Some(allowed)), "{method} {way} {headers}");
            assert!(refused.error().ends_with('.'), "{}", refused.error());
        }
    }
    assert_eq!(site.get("/api/records").await.keys(), ["1.png"]);
}

pub(super) async fn a_home_that_is_away_is_said() {
    let away = || RecordsError::Unavailable("records.sqlite: the disk is full".into());
    let broken = || RecordsError::Broken("records.sqlite is damaged".into());
    for (error, status) in [(away as fn() -> RecordsError, 503), (broken, 500)] {
        let site = Site::start(Some(Arc::new(Broken(error))), |_| {}).await;
        let document = Document::of(&site).await;
        let object = "bucket=b&key=k";
        for way in [
            "/api/records".to_owned(),
            "/api/stats".to_owned(),
            format!("/api/object?{object}"),
            format!("/api/journey?{object}"),
        ] {
            let answer = site.get(&way).await;
            assert_eq!(answer.status, status, "{way}");
            assert!(answer.error().contains(&error().to_string()), "{}", answer.error());
            document.check("get", &way, status, &answer.json());
        }
        // The page opens all the same, and takes uploads.
        assert_eq!(site.get("/").await.status, 200);
        assert_eq!(site.get("/api/about").await.json()["models"], json!([super::MODEL]));
    }
}
