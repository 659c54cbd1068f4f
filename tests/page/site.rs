//! The page on a port of its own, and a client that sends what the test writes.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use spotter::page::{self, PageState};
use spotter::record::Record;
use spotter::records::embedded::Embedded;
use spotter::records::{Listing, Page, Records, RecordsError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness;

pub(super) struct Site {
    records: Arc<dyn Records>,
    port: u16,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    _folder: Option<TempDir>,
}

impl Site {
    pub(super) async fn with(records: impl IntoIterator<Item = Record>) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let home = Embedded::open(&folder.path().join("records.sqlite")).unwrap();
        for record in records {
            home.write(&record, harness::deadline()).await.unwrap();
        }
        Site { _folder: Some(folder), ..Site::over(Arc::new(home)).await }
    }

    pub(super) async fn over(records: Arc<dyn Records>) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = page::router(PageState {
            records: Arc::clone(&records),
            model: super::MODEL.into(),
            labels: (0..10).map(|digit| digit.to_string()).collect(),
            s3_endpoint: "http://127.0.0.1:9000".into(),
            bucket: "pictures".into(),
            hosts: page::loopback_hosts(port),
        });
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await; // a test that is over drops the other end
        };
        let served = tokio::spawn(page::serve(listener, router, shutdown));
        Site { records, port, stop, served, _folder: None }
    }

    pub(super) async fn write(&self, record: &Record) {
        self.records.write(record, harness::deadline()).await.unwrap();
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) async fn get(&self, way: &str) -> Answer {
        self.ask(&format!("GET {way} HTTP/1.1\r\nHost: {}\r\n", self.host())).await
    }

    /// Sends a request's head as it stands.
    pub(super) async fn ask(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::parse(&String::from_utf8(bytes).unwrap())
    }

    pub(super) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", self.port)).await.is_err());
    }
}

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

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn has(&self, piece: &str) {
        assert!(self.body.contains(piece), "no {piece:?} in\n{}", self.body);
    }

    pub(super) fn lacks(&self, piece: &str) {
        assert!(!self.body.contains(piece), "{piece:?} in\n{}", self.body);
    }

    pub(super) fn in_order(&self, pieces: &[&str]) {
        let at: Vec<usize> = pieces.iter().map(|piece| self.body.find(piece).unwrap()).collect();
        assert!(at.is_sorted(), "{pieces:?} at {at:?}");
    }

    /// The rows of the table.
    pub(super) fn rows(&self) -> Vec<String> {
        let rows = self.body.split("<tr").skip(2); // what is before, and the head
        rows.map(|row| row.split("</tr>").next().unwrap().to_owned()).collect()
    }

    /// Of the objects in the table, where nothing in them needs escaping.
    pub(super) fn keys(&self) -> Vec<String> {
        let after = "<span class=\"bucket\">s3://pictures/</span><bdi>";
        self.body.split(after).skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }

    /// Where links that begin so lead.
    pub(super) fn links(&self, begin: &str) -> Vec<String> {
        let hrefs = self.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        hrefs.filter(|way| way.starts_with(begin)).map(|way| way.replace("&amp;", "&")).collect()
    }

    pub(super) fn older(&self) -> Option<String> {
        self.links("/?cursor=").pop()
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

    async fn purge(&self, _: &str, _: &str) -> Result<u64, RecordsError> {
        Err(self.0())
    }
}
