//! The page on a port of its own, in front of a real bucket and a real home, and a client that sends what the test
//! writes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::Function;
use spotter::local::{Credentials, Endpoint, EndpointHandle, Store, client, dispatch, serve_router};
use spotter::objects::S3Objects;
use spotter::page::{self, Live, PageState, Uploads, loopback_hosts};
use spotter::pipeline::{Outcome, Pipeline};
use spotter::record::Record;
use spotter::records::embedded::Embedded;
use spotter::records::{Listing, Page, Records, RecordsError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;

use crate::harness;

pub(super) const BUCKET: &str = "pictures";
/// Less than the default, so that a test of too large an object is quick.
pub(super) const MAX_BYTES: u64 = 300_000;

pub(super) struct Site {
    pub(super) records: Arc<dyn Records>,
    pub(super) objects: Arc<S3Objects>,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) s3_url: String,
    pub(super) live: broadcast::Sender<Record>,
    store: Store,
    model: Arc<Model>,
    port: u16,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    _endpoint: EndpointHandle,
    _folder: TempDir,
}

impl Site {
    pub(super) async fn with(records: impl IntoIterator<Item = Record>) -> Site {
        let site = Site::start(None, |_| {}).await;
        for record in records {
            site.write(&record).await;
        }
        site
    }

    /// In front of `home`, else of an empty one; `change` is what is special about the page.
    pub(super) async fn start(home: Option<Arc<dyn Records>>, change: impl FnOnce(&mut PageState)) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let embedded = || Arc::new(Embedded::open(&folder.path().join("records.sqlite")).unwrap());
        let records = home.unwrap_or_else(|| embedded());
        let store = Store::open(&folder.path().join("objects")).unwrap();
        store.create_bucket(BUCKET).unwrap();
        let credentials = Credentials::random().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let s3_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let s3_url = format!("http://{}", s3_listener.local_addr().unwrap());
        let origins = loopback_hosts(port).iter().map(|host| format!("http://{host}")).collect();
        let endpoint = Endpoint::start(store.clone(), s3_listener, &credentials, origins).unwrap();
        let s3 = client(&s3_url, &credentials);
        let objects = Arc::new(S3Objects::new(s3.clone()));
        let model = Arc::new(Model::embedded().unwrap());
        let (live, _) = broadcast::channel(4);
        let mut state = PageState {
            records: Arc::clone(&records),
            model: model.clone(),
            objects: objects.clone(),
            limits: Limits::default(),
            max_bytes: MAX_BYTES,
            s3_endpoint: s3_url.clone(),
            uploads: Some(Uploads { bucket: BUCKET.into(), any_bucket: true, prefix: String::new() }),
            live: Some(Live::new(&live)),
            samples: None,
            metrics: None,
            hosts: Some(loopback_hosts(port)),
            token: None,
        };
        change(&mut state);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await; // a test that is over drops the other end
        };
        let served = tokio::spawn(serve_router(listener, page::router(state), shutdown));
        let _endpoint = endpoint;
        Site { records, objects, s3, s3_url, live, store, model, port, stop, served, _endpoint, _folder: folder }
    }

    /// Takes the bucket's notifications to the function and tells the page of each record, as `serve` does.
    pub(super) fn classify(&self) -> JoinHandle<()> {
        let (records, objects, model) = (self.records.clone(), self.objects.clone(), self.model.clone());
        let pipeline = Pipeline::new(objects, records, model, Limits::default(), MAX_BYTES);
        let (store, live) = (self.store.clone(), self.live.clone());
        tokio::spawn(async move {
            let function = Function::new(pipeline, EventBridgeKeys::Plain);
            let never = dispatch::run(&store, &function, |answer| {
                for (_, handled) in &answer.objects {
                    if let Outcome::Recorded(record) = &handled.outcome {
                        let _ = live.send(Record::clone(record));
                    }
                }
            });
            match never.await {}
        })
    }

    /// Uploads as any client does, and waits for the record.
    pub(super) async fn upload(&self, key: &str, bytes: &[u8]) -> Record {
        let put = self.s3.put_object().bucket(BUCKET).key(key).body(bytes.to_vec().into()).send().await.unwrap();
        let etag = put.e_tag().unwrap().trim_matches('"').to_owned();
        let classifying = self.classify();
        let record = self.recorded(key, &etag).await;
        classifying.abort();
        record
    }

    pub(super) async fn recorded(&self, key: &str, etag: &str) -> Record {
        let deadline = harness::deadline();
        loop {
            let known = spotter::records::get(&*self.records, BUCKET, key, super::MODEL).await.unwrap();
            if let Some(record) = known.filter(|record| record.etag.as_deref() == Some(etag)) {
                return record;
            }
            assert!(Instant::now() < deadline, "{key} is not recorded");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn write(&self, record: &Record) {
        self.records.write(record, harness::deadline()).await.unwrap();
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The served model's.
    pub(super) fn labels(&self) -> &[String] {
        &self.model.manifest().labels
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) async fn get(&self, way: &str) -> Answer {
        self.ask(&format!("GET {way} HTTP/1.1\r\nHost: {}\r\n", self.host()), "").await
    }

    /// A POST as the page sends it.
    pub(super) async fn post(&self, way: &str, body: &Value) -> Answer {
        self.post_as(way, "Content-Type: application/json\r\n", &body.to_string()).await
    }

    pub(super) async fn post_as(&self, way: &str, headers: &str, body: &str) -> Answer {
        let host = self.host();
        let head = format!("POST {way} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n{headers}", body.len());
        self.ask(&head, body).await
    }

    /// Sends a request as it stands.
    pub(super) async fn ask(&self, head: &str, body: &str) -> Answer {
        ask(self.port, head, body.as_bytes()).await
    }

    /// What the page's script hears.
    pub(super) async fn listen(&self) -> Stream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let request = format!("GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n", self.host());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = Stream { stream, heard: String::new() };
        let head = stream.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        stream
    }

    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err());
    }
}

/// One request, one answer.
pub(super) async fn ask(port: u16, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    // Who refuses a request by its head may close before its body is sent.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
    Answer::parse(&String::from_utf8_lossy(&bytes))
}

/// An open stream of events.
pub(super) struct Stream {
    stream: TcpStream,
    heard: String,
}

impl Stream {
    /// What is heard up to `end`, however it was cut into pieces.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.heard.find(end) {
                let rest = self.heard.split_off(at + end.len());
                return std::mem::replace(&mut self.heard, rest);
            }
            let mut bytes = [0; 4_096];
            let read = tokio::time::timeout(Duration::from_secs(60), self.stream.read(&mut bytes)).await;
            let read = read.expect("nothing was heard for a minute").unwrap();
            assert!(read > 0, "the stream ended: {}", self.heard);
            self.heard.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }

    /// The next event: its name and its data.
    pub(super) async fn event(&mut self) -> (String, String) {
        loop {
            let block = self.until("\n\n").await;
            // A chunk's size stands on a line of its own (RFC 9112, section 7.1).
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(event), Some(data)) = (field("event: "), field("data: ")) {
                return (event, data);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    fn parse(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(a, b)| (a.to_lowercase(), b.to_owned()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The sentence of an error.
    pub(super) fn error(&self) -> String {
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }

    /// Of a listing's records.
    pub(super) fn keys(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.body);
        let json = self.json();
        json["records"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn next(&self) -> Option<String> {
        self.json()["next"].as_str().map(str::to_owned)
    }
}

/// Every byte percent-encoded.
pub(super) fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A home where every question fails.
pub(super) struct Broken(pub(super) fn() -> RecordsError);

#[async_trait]
impl Records for Broken {
    async fn write(&self, _: &Record, _: Instant) -> Result<(), RecordsError> {
        Err(self.0())
    }

    async fn available(&self) -> Result<(), RecordsError> {
        Err(self.0())
    }

    async fn rows(&self, _: &str, _: &str, _: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        Err(self.0())
    }

    async fn list(&self, _: &Listing) -> Result<Page, RecordsError> {
        Err(self.0())
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        Err(self.0())
    }

    async fn serve(&self, _: Option<&str>) -> Result<(), RecordsError> {
        Err(self.0())
    }

    async fn purge(&self, _: &str, _: &str) -> Result<u64, RecordsError> {
        Err(self.0())
    }
}
