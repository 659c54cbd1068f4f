//! The page as Lambda asks it behind a Function URL: events in AWS's documented shape, over a bucket and records here.

use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::objects::S3Objects;
use spotter::page::function_url::FunctionUrl;
use spotter::page::{PageState, Token, Uploads};

use crate::cloud::{BUCKET, Cloud, MAX_BYTES, fixture};
use crate::harness::{on_runtime, root};

const TOKEN: &str = "correct horse battery staple";
const HOST: &str = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("function_url::without_a_token_aws_must_have_authenticated", || on_runtime(signed_only())),
        Trial::test("function_url::the_token_opens_the_api_and_the_document_is_open", || on_runtime(by_token())),
        Trial::test("function_url::what_has_not_changed_is_not_sent_again", || on_runtime(polled())),
        Trial::test("function_url::only_the_pages_own_scripts_may_post", || on_runtime(posts())),
        Trial::test("function_url::uploads_stay_in_the_bucket_and_below_the_prefix", || on_runtime(uploads())),
        Trial::test("function_url::any_path_and_query_gets_an_answer", || on_runtime(odd_addresses())),
        Trial::test("function_url::what_is_no_request_is_an_error", || on_runtime(no_requests())),
    ]
}

struct Page {
    cloud: Cloud,
    page: FunctionUrl,
}

impl Page {
    async fn start(token: Option<&str>) -> Result<Page, Failed> {
        let cloud = Cloud::start().await?;
        let page = FunctionUrl::new(PageState {
            records: cloud.records.clone(),
            model: Arc::new(Model::embedded()?),
            objects: Arc::new(S3Objects::new(cloud.s3.clone())),
            limits: Limits::default(),
            max_bytes: MAX_BYTES,
            s3_endpoint: cloud.url.clone(),
            uploads: Some(Uploads { bucket: BUCKET.into(), any_bucket: false, prefix: "in/".into() }),
            live: None,
            samples: None,
            metrics: None,
            hosts: None,
            token: token.map(Token::new),
        });
        Ok(Page { cloud, page })
    }

    async fn ask(&self, event: &Value) -> Result<Answer, Failed> {
        Answer::read(&self.page.answer(event).await?)
    }
}

struct Answer {
    status: u64,
    headers: serde_json::Map<String, Value>,
    body: String,
}

impl Answer {
    /// Just the fields that AWS documents, in its types; it would take anything else as a body.
    fn read(payload: &Value) -> Result<Answer, Failed> {
        let names: Vec<&String> = payload.as_object().ok_or("no object")?.keys().collect();
        assert_eq!(names, ["body", "headers", "isBase64Encoded", "statusCode"]);
        assert_eq!(payload["isBase64Encoded"], false, "{payload}");
        let headers = payload["headers"].as_object().ok_or("no headers")?.clone();
        assert!(headers.values().all(Value::is_string), "{headers:?}");
        Ok(Answer {
            status: payload["statusCode"].as_u64().ok_or("no status")?,
            headers,
            body: payload["body"].as_str().ok_or("no body")?.to_owned(),
        })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn json(&self) -> Result<Value, Failed> {
        Ok(serde_json::from_str(&self.body)?)
    }

    fn error(&self) -> Result<String, Failed> {
        Ok(self.json()?["error"].as_str().ok_or("no error")?.to_owned())
    }
}

fn recorded(name: &str) -> Result<Value, Failed> {
    let file = root().join("tests/function_url").join(name);
    Ok(serde_json::from_str(&std::fs::read_to_string(file)?)?)
}

/// A request of a script of the page, with the token.
fn get(path: &str, query: &str) -> Result<Value, Failed> {
    let mut event = recorded("browser.json")?;
    event["rawPath"] = path.into();
    event["rawQueryString"] = query.into();
    event["headers"]["authorization"] = format!("Bearer {TOKEN}").into();
    Ok(event)
}

fn post(path: &str, body: &Value) -> Result<Value, Failed> {
    let mut event = get(path, "")?;
    event["requestContext"]["http"]["method"] = "POST".into();
    event["headers"]["content-type"] = "application/json".into();
    event["headers"]["origin"] = format!("https://{HOST}").into();
    event["body"] = body.to_string().into();
    Ok(event)
}

async fn signed_only() -> Result<(), Failed> {
    let page = Page::start(None).await?;
    let mut event = recorded("signed.json")?;
    let answer = page.ask(&event).await?;
    assert_eq!((answer.status, answer.json()?["records"].as_array().map(Vec::len)), (200, Some(0)));
    event["requestContext"]["authorizer"] = Value::Null;
    for event in [event, recorded("browser.json")?, get("/api/records", "")?, get("/assets/x.js", "")?] {
        let answer = page.ask(&event).await?;
        assert_eq!(answer.status, 403, "{event}");
        assert!(answer.error()?.contains("AWS_IAM"), "{}", answer.body);
    }
    Ok(())
}

async fn by_token() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    let document = page.ask(&recorded("browser.json")?).await?;
    assert_eq!((document.status, document.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(document.body.contains("<html"), "{}", document.body);
    let policy = document.header("content-security-policy");
    assert!(policy.contains(&format!("connect-src 'self' {};", page.cloud.url)), "{policy}");
    let mut event = get("/api/about", "")?;
    let about = page.ask(&event).await?;
    assert_eq!((about.status, &about.json()?["live"], &about.json()?["samples"]), (200, &"poll".into(), &false.into()));
    for wrong in [Value::Null, "".into(), "Bearer ".into(), "Bearer correct horse".into(), TOKEN.into()] {
        event["headers"]["authorization"] = wrong.clone();
        if wrong.is_null() {
            event["headers"].as_object_mut().ok_or("no headers")?.remove("authorization");
        }
        let refused = page.ask(&event).await?;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"), "{wrong}");
    }
    // AWS's word for who signed a request is no token.
    let signed = page.ask(&recorded("signed.json")?).await?;
    assert_eq!(signed.status, 401);
    Ok(())
}

async fn polled() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    let mut event = get("/api/records", "limit=5")?;
    let first = page.ask(&event).await?;
    event["headers"]["if-none-match"] = first.header("etag").into();
    let again = page.ask(&event).await?;
    assert_eq!((first.status, again.status, again.body.as_str()), (200, 304, ""));
    assert_eq!(again.header("etag"), first.header("etag"));
    page.cloud.put("7.png", &crate::cloud::sample("1.png")?).await?;
    for notification in page.cloud.notifications()? {
        page.cloud.answer(&notification.body).await?.body?;
    }
    let changed = page.ask(&event).await?;
    assert_eq!((changed.status, &changed.json()?["records"][0]["key"]), (200, &"7.png".into()));
    // Nothing is streamed here.
    assert_eq!(page.ask(&get("/api/live", "")?).await?.status, 404);
    Ok(())
}

async fn posts() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    let upload = json!({ "key": "7.png", "size": 100, "content_type": "image/png" });
    let own = post("/api/uploads", &upload)?;
    assert_eq!(page.ask(&own).await?.status, 200);
    for (header, value, status) in [
        ("origin", "https://example.com", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("content-type", "text/plain", 415),
        ("authorization", "Bearer x", 401),
    ] {
        let mut event = own.clone();
        event["headers"][header] = value.into();
        assert_eq!(page.ask(&event).await?.status, status, "{header}: {value}");
    }
    // Some gateways encode every body.
    let mut encoded = own.clone();
    encoded["body"] = spotter::encoding::base64(upload.to_string().as_bytes()).into();
    assert_eq!(page.ask(&encoded).await?.status, 400);
    encoded["isBase64Encoded"] = true.into();
    assert_eq!(page.ask(&encoded).await?.status, 200);
    // As LocalStack sent one: a body that is not ASCII is encoded there.
    let answer = page.ask(&recorded("localstack.json")?).await?;
    assert!(answer.status == 422 && answer.error()?.contains("missing field `size`"), "{}", answer.body);
    let mut large = own;
    large["body"] = "x".repeat(20_000).into();
    assert_eq!(page.ask(&large).await?.status, 413);
    Ok(())
}

async fn uploads() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    for (asked, key) in [("7.png", "in/7.png"), ("in/a b.png", "in/a b.png"), ("../x.png", "in/../x.png")] {
        let upload = json!({ "key": asked, "size": 100, "content_type": "image/png" });
        let ticket = page.ask(&post("/api/uploads", &upload)?).await?.json()?;
        assert_eq!((&ticket["bucket"], &ticket["key"]), (&BUCKET.into(), &key.into()), "{ticket}");
        assert!(ticket["url"].as_str().is_some_and(|url| url.starts_with(&page.cloud.url)), "{ticket}");
    }
    let elsewhere = json!({ "bucket": "others", "key": "7.png", "size": 100, "content_type": "image/png" });
    assert_eq!(page.ask(&post("/api/uploads", &elsewhere)?).await?.status, 403);
    Ok(())
}

async fn odd_addresses() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    for path in ["/a b", "/ä/七", "/\"><img src=x>", "/%zz", "/%2e%2e/", "//x", "/a?b#c", "/\u{0}\r\n", "/assets/../x"]
    {
        let answer = page.ask(&get(path, "")?).await?;
        assert!([400, 404].contains(&answer.status), "{path:?}: {} {}", answer.status, answer.body);
        assert!(!answer.error()?.is_empty());
    }
    for query in ["label=ä b", "label=%zz&&=", "label=\"#<>\r\n", "x?y=z", "label=%C3%28", "limit=1&limit=2"] {
        let answer = page.ask(&get("/api/records", query)?).await?;
        assert!([200, 400].contains(&answer.status), "{query:?}: {} {}", answer.status, answer.body);
    }
    Ok(())
}

async fn no_requests() -> Result<(), Failed> {
    let page = Page::start(Some(TOKEN)).await?;
    let with = |path: &str, value: Value| -> Result<Value, Failed> {
        let mut event = get("/api/about", "")?;
        *event.pointer_mut(path).ok_or("no such place")? = value;
        Ok(event)
    };
    let mut undecodable = post("/api/uploads", &json!({}))?;
    undecodable["isBase64Encoded"] = true.into();
    for (event, why) in [
        (serde_json::from_str(&fixture("s3.json")?)?, "rawPath"),
        (json!(null), "null"),
        (json!({ "rawPath": "/", "requestContext": {} }), "http"),
        (with("/requestContext/http/method", "G T".into())?, "method"),
        (with("/rawPath", "".into())?, "rawPath"),
        (with("/rawPath", "example.com".into())?, "rawPath"),
        (with("/headers/host", "a\nb".into())?, "host"),
        (undecodable, "Base64"),
    ] {
        let error = page.page.answer(&event).await.err().ok_or("it was answered")?.to_string();
        assert!(error.starts_with("this is no request to a Function URL") && error.contains(why), "{error}");
    }
    Ok(())
}
