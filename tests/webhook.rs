//! The webhook, with requests as the stores send them, byte by byte.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use spotter::local::webhook::Webhook;
use spotter::record::Record;
use spotter::records::{self, Listing, Page, Records, RecordsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cloud::{BUCKET, Cloud, fixture};
use crate::harness::on_runtime;

const MODEL: &str = "digits/2";
const TOKEN: &str = "s3cret";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("webhook::what_minio_sends_is_recorded", || on_runtime(minio())),
        Trial::test("webhook::what_ceph_sends_is_recorded", || on_runtime(ceph())),
        Trial::test("webhook::what_versitygw_sends_is_recorded", || on_runtime(versitygw())),
        Trial::test("webhook::only_who_knows_the_token_is_let_in", || on_runtime(token())),
        Trial::test("webhook::without_a_token_no_browser_is_let_in", || on_runtime(no_token())),
        Trial::test("webhook::what_never_will_be_an_event_is_400", || on_runtime(never())),
        Trial::test("webhook::what_may_pass_is_503", || on_runtime(later())),
        Trial::test("webhook::an_event_survives_its_sender_and_the_end", || on_runtime(hang_up())),
    ]
}

struct Site {
    /// Serves the bucket as long as it lives.
    _cloud: Cloud,
    records: Arc<Away>,
    address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// A home of records that can be told to be away, or to take its time.
struct Away {
    home: Arc<dyn Records>,
    is_away: AtomicBool,
    is_slow: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl Records for Away {
    async fn write(&self, record: &Record, deadline: Instant) -> Result<(), RecordsError> {
        self.home.write(record, deadline).await
    }

    async fn available(&self) -> Result<(), RecordsError> {
        self.asked.fetch_add(1, Relaxed);
        while self.is_slow.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.is_away.load(Relaxed) { Err(RecordsError::Unavailable("away".into())) } else { Ok(()) }
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        self.home.rows(bucket, key, after).await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError> {
        self.home.list(listing).await
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        self.home.served().await
    }

    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        self.home.serve(model).await
    }

    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError> {
        self.home.purge(bucket, key).await
    }
}

impl Site {
    async fn start(token: Option<&str>) -> Result<Site, Failed> {
        let cloud = Cloud::start().await?;
        cloud.put_samples().await?;
        let records = Arc::new(Away {
            home: cloud.records.clone(),
            is_away: AtomicBool::default(),
            is_slow: AtomicBool::default(),
            asked: AtomicUsize::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let webhook = Webhook {
            function: cloud.function.clone(),
            records: records.clone(),
            token: token.map(Into::into),
            answered: Box::new(|_| {}),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(webhook.serve(listener, async { drop(stopped.await) }));
        Ok(Site { _cloud: cloud, records, address, stop, task })
    }

    /// Status and body of the answer to a request with these lines of its head.
    async fn ask(&self, head: &str, body: &str) -> Result<(u16, String), Failed> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let head = head.replace('\n', "\r\n");
        let length = body.len();
        let request = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, answer))
    }

    async fn label(&self, key: &str) -> Result<Option<String>, Failed> {
        Ok(records::get(&*self.records, BUCKET, key, MODEL).await?.and_then(|record| record.label))
    }
}

/// <https://github.com/minio/minio/blob/master/internal/event/target/webhook.go>: Go's client, the token as `Bearer`.
const MINIO: &str = "POST /events HTTP/1.1
Host: host.docker.internal:8081
User-Agent: Go-http-client/1.1
Authorization: Bearer s3cret
Content-Type: application/json
Accept-Encoding: gzip";

/// <https://docs.ceph.com/en/latest/radosgw/notifications/>: libcurl, `user:password` of the push-endpoint as Basic.
const CEPH: &str = "POST /events HTTP/1.1
Host: spotter:8081
Authorization: Basic c3BvdHRlcjpzM2NyZXQ=
Accept: */*
Content-Type: application/json";

async fn minio() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    // So it asks whether anybody is there.
    let head = MINIO.replace("POST", "HEAD").replace("Content-Type: application/json\n", "");
    assert_eq!(site.ask(&head, "").await?.0, 200);
    let (status, answer) = site.ask(MINIO, &fixture("minio.json")?).await?;
    assert!(status == 200 && answer.ends_with(r#"{"objects":1}"#), "{answer}");
    assert_eq!(site.label("photos/7 phone.jpg").await?.as_deref(), Some("7"), "once answered, it is there");
    Ok(())
}

async fn ceph() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    let (status, answer) = site.ask(CEPH, &fixture("ceph.json")?).await?;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(site.label("9 scan%2Bcopy.tiff").await?.as_deref(), Some("9"));
    Ok(())
}

/// <https://github.com/versity/versitygw/blob/main/s3event/webhook.go>: no token but one in the URL, and a test event.
async fn versitygw() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    let head = CEPH.replace("application/json", "application/json; charset=utf-8");
    let test = r#"{"Service":"S3","Event":"s3:TestEvent","Time":"2026-11-21T02:00:00Z","Bucket":"Test-Bucket"}"#;
    assert_eq!(site.ask(&head, test).await?.0, 200);
    let event = r#"{"Records":[{"eventVersion":"2.2","eventSource":"aws:s3","awsRegion":"us-east-1",
        "eventTime":"2026-11-21T03:00:02+01:00","eventName":"s3:ObjectCreated:Put","userIdentity":{"PrincipalId":"me"},
        "requestParameters":{"sourceIPAddress":"127.0.0.1"},"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},
        "s3":{"s3SchemaVersion":"1.0","configurationId":"webhook-global","bucket":{"name":"demo",
        "ownerIdentity":{"PrincipalId":"me"},"arn":"arn:aws:s3:::/demo/4 cmyk.jpg"},
        "object":{"key":"4 cmyk.jpg","size":9000,"eTag":null,"versionId":null,"sequencer":"5"}},
        "glacierEventData":{"restoreEventData":{"lifecycleRestorationExpiryTime":"","lifecycleRestoreStorageClass":""}}}]}"#;
    assert_eq!(site.ask(&head, event).await?.0, 200);
    assert_eq!(site.label("4 cmyk.jpg").await?.as_deref(), Some("4"));
    Ok(())
}

async fn token() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    let body = fixture("minio.json")?;
    for authorization in ["Bearer wrong", "Bearer ", "Basic czNjcmV0", "s3cret2"] {
        let head = MINIO.replace("Bearer s3cret", authorization);
        let (status, answer) = site.ask(&head, &body).await?;
        assert!(status == 401 && answer.contains("www-authenticate") && !answer.contains(TOKEN), "{answer}");
    }
    let none = MINIO.replace("Authorization: Bearer s3cret\n", "");
    assert_eq!(site.ask(&none, &body).await?.0, 401);
    assert_eq!(site.ask(&none.replace("POST", "HEAD"), "").await?.0, 401);
    assert_eq!(site.label("photos/7 phone.jpg").await?, None);
    // MinIO sends an auth_token of two words as it is.
    assert_eq!(site.ask(&MINIO.replace("Bearer s3cret", "s3cret"), &body).await?.0, 200);
    Ok(())
}

async fn no_token() -> Result<(), Failed> {
    let site = Site::start(None).await?;
    let plain = MINIO.replace("Authorization: Bearer s3cret\n", "");
    let from_a_page = format!("{plain}\nOrigin: http://evil.example");
    assert_eq!(site.ask(&from_a_page, &fixture("minio.json")?).await?.0, 403);
    assert_eq!(site.ask(&plain, &fixture("minio.json")?).await?.0, 200);
    Ok(())
}

async fn never() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    for (body, why) in [
        ("{", "not JSON"),
        (r#"{"who":1}"#, "of no known shape"),
        (r#"{"Records":[{"eventSource":"minio:s3","eventName":"s3:ObjectCreated:Put","s3":{}}]}"#, "s3.bucket.name"),
        (r#"{"Records":[{"eventSource":"aws:sqs","messageId":"m","body":"{"}]}"#, "batchItemFailures"),
    ] {
        let (status, answer) = site.ask(MINIO, body).await?;
        assert!(status == 400 && answer.contains(why), "{body}: {answer}");
    }
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    assert_eq!(site.ask(MINIO, &large).await?.0, 413);
    assert_eq!(site.ask(&MINIO.replace("/events", "/"), "{}").await?.0, 404);
    assert_eq!(site.ask(&MINIO.replace("POST", "PUT"), "{}").await?.0, 405);
    Ok(())
}

async fn later() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    let elsewhere = fixture("minio.json")?.replace("\"name\": \"demo\"", "\"name\": \"nowhere\"");
    let (status, answer) = site.ask(MINIO, &elsewhere).await?;
    assert!(status == 503 && answer.contains("NoSuchBucket") && answer.contains("retry-after: 5"), "{answer}");
    site.records.is_away.store(true, Relaxed);
    let (status, answer) = site.ask(MINIO, &fixture("minio.json")?).await?;
    assert!(status == 503 && answer.contains("away"), "{answer}");
    site.records.is_away.store(false, Relaxed);
    assert_eq!(site.ask(MINIO, &fixture("minio.json")?).await?.0, 200);
    Ok(())
}

/// Senders have time-outs of their own, and not all send again.
async fn hang_up() -> Result<(), Failed> {
    let site = Site::start(Some(TOKEN)).await?;
    let body = fixture("minio.json")?;
    let head = MINIO.replace('\n', "\r\n");
    site.records.is_slow.store(true, Relaxed);
    let mut stream = TcpStream::connect(&site.address).await?;
    stream.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    while site.records.asked.load(Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    // The server has time to notice.
    assert_eq!(site.ask(&MINIO.replace("POST", "HEAD"), "").await?.0, 200);
    let Site { stop, task, records, .. } = site;
    let _ = stop.send(());
    records.is_slow.store(false, Relaxed);
    task.await?;
    let record = records::get(&*records, BUCKET, "photos/7 phone.jpg", MODEL).await?;
    assert!(record.is_some());
    Ok(())
}
