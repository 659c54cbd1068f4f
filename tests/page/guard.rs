//! What strangers send: keys made to break out, other hosts, questions that make no sense; and a home that is away.

use std::sync::Arc;

use spotter::record::{Guess, Order, Reason, Record};
use spotter::records::RecordsError;

use super::sighting;
use super::site::{self, Broken, Site};

const HOSTILE: [&str; 5] = [
    "\"><img src=x onerror=alert(1)>.png",
    "'><script>alert(1)</script>.png",
    "gnp.\u{202e}fdp.exe",
    "nul\0tab\tnewline\nend",
    "</title></main><style>*{display:none}</style>&amp;",
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

pub(super) async fn nothing_from_a_bucket_is_html() {
    for text in HOSTILE {
        let site = Site::with([hostile(text)]).await;
        let encoded = site::encode(text);
        for way in [
            "/".to_owned(),
            format!("/?label={encoded}"),
            format!("/?label={encoded}&cursor={encoded}"),
            format!("/object?bucket={encoded}&key={encoded}"),
            format!("/object?bucket=no&key={encoded}"),
            format!("/?limit={encoded}"),
            format!("/{encoded}"),
        ] {
            let page = site.get(&way).await;
            for piece in ["<img src=x", "<script>alert", "<style>*", "</main><", "\u{202e}", "\0"] {
                page.lacks(piece);
            }
            // What is left of the attributes' values has no quotation mark that the page did not write.
            assert_eq!(page.body.matches("onerror=").count(), page.body.matches("&gt;&lt;img src=x onerror=").count());
        }
        let json = site.get("/api/records").await.json();
        assert_eq!(json["records"][0]["key"], text);
    }
}

pub(super) async fn any_key_has_its_page() {
    let keys = ["a b+c%20d", "ü/七/שבע.png", "?a=b&c=d#e", "../..//x", "nul\0tab\tnewline\nend", "+", " ", "%", "a;b"];
    let site = Site::with(keys.iter().zip(1..).map(|(key, n)| sighting(n, key))).await;
    let list = site.get("/").await;
    for link in list.links("/object?") {
        assert_eq!(site.get(&link).await.status, 200, "{link}");
    }
    assert_eq!(list.links("/object?").len(), keys.len());
}

pub(super) async fn every_answer_has_the_headers() {
    let site = Site::with([sighting(1, "1.png")]).await;
    let tag = site.get("/style.css").await.header("etag").unwrap().to_owned();
    let known = format!("GET /style.css HTTP/1.1\r\nHost: {}\r\nIf-None-Match: {tag}\r\n", site.host());
    let foreign = "GET / HTTP/1.1\r\nHost: evil.example\r\n".to_owned();
    let post = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n", site.host());
    let mut answers =
        vec![(304, site.ask(&known).await), (421, site.ask(&foreign).await), (405, site.ask(&post).await)];
    for (status, way) in [
        (200, "/"),
        (200, "/style.css"),
        (200, "/live.js"),
        (200, "/api/records"),
        (200, "/object?bucket=pictures&key=1.png"),
        (400, "/object"),
        (400, "/?cursor=x"),
        (400, "/api/records?cursor=x"),
        (404, "/favicon.ico"),
    ] {
        answers.push((status, site.get(way).await));
    }
    for (status, answer) in answers {
        assert_eq!(answer.status, status);
        let policy = answer.header("content-security-policy").unwrap();
        for part in ["default-src 'none';", "style-src 'self';", "script-src 'self';", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        // The policy forbids both, so neither may be in a page.
        answer.lacks(" style=");
        answer.lacks("<script>");
    }
}

pub(super) async fn other_hosts_are_refused() {
    let site = Site::with([sighting(1, "secret.png")]).await;
    let port = site.port();
    let ask = async |request: String| site.ask(&request).await;
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
        for way in ["/", "/api/records", "/style.css"] {
            let answer = ask(format!("GET {way} HTTP/1.1\r\nHost: {host}\r\n")).await;
            assert_eq!(answer.status, 421, "{host}{way}");
            answer.lacks("secret.png");
            answer.has(&format!("This page answers only to localhost:{port}, 127.0.0.1:{port}, [::1]:{port}."));
        }
    }
    let both = format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n");
    assert_eq!(ask(both).await.status, 400);
    assert_eq!(ask("GET / HTTP/1.1\r\n".to_owned()).await.status, 400);
    let absolute = format!("GET http://evil.example:{port}/ HTTP/1.1\r\nHost: localhost:{port}\r\n");
    assert_eq!(ask(absolute).await.status, 421);
}

pub(super) async fn wrong_questions_get_plain_sentences() {
    let site = Site::with([]).await;
    let cursor = "The cursor &#39;x&#39; is not one that an answer gave as its next; leave it out to start anew.";
    for (way, status, sentence) in [
        ("/?cursor=x", 400, cursor),
        ("/?limit=0", 400, "The limit &#39;0&#39; is not a number from 1 to 200."),
        ("/?limit=1&limit=2", 400, "duplicate field `limit`."),
        ("/object", 400, "Name the object: /object?bucket=…&amp;key=…"),
        ("/nothing", 404, "There is no page at /nothing."),
    ] {
        let answer = site.get(way).await;
        assert_eq!(answer.status, status, "{way}");
        answer.has(sentence);
    }
    for (way, sentence) in [
        (
            "cursor=1.zz..",
            "The cursor '1.zz..' is not one that an answer gave as its next; leave it out to start anew.",
        ),
        ("limit=1001", "The limit '1001' is not a number from 1 to 1000."),
    ] {
        let answer = site.get(&format!("/api/records?{way}")).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(sentence)));
    }
}

pub(super) async fn a_home_that_is_away_is_503() {
    let away = || RecordsError::Unavailable("records.sqlite: the disk is full".into());
    let broken = || RecordsError::Broken("records.sqlite is damaged".into());
    for (error, status) in [(away as fn() -> RecordsError, 503), (broken, 500)] {
        let site = Site::over(Arc::new(Broken(error))).await;
        for way in ["/", "/object?bucket=b&key=k", "/api/records"] {
            let answer = site.get(way).await;
            assert_eq!(answer.status, status, "{way}");
            answer.has(&error().to_string());
        }
    }
}
