//! What a browser does at a function's URL.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::harness::stack::Stack;

/// A site of LocalStack's by its name, which no name server here knows.
#[derive(Clone)]
pub struct Web<'a> {
    pub stack: &'a Stack,
    pub host: &'a str,
    pub headers: Vec<(String, String)>,
}

pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Web<'_> {
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.headers.retain(|(known, _)| known != name);
        changed.headers.push((name.to_owned(), value.to_owned()));
        changed
    }

    pub fn get(&self, way: &str) -> Result<Response, Failed> {
        self.send("GET", way, &[])
    }

    pub fn post(&self, way: &str, body: &Value) -> Result<Response, Failed> {
        self.send("POST", way, body.to_string().as_bytes())
    }

    /// By HTTP/1.0, in which an answer ends with its connection.
    pub fn send(&self, method: &str, way: &str, body: &[u8]) -> Result<Response, Failed> {
        let mut stream = TcpStream::connect(self.stack.endpoint.trim_start_matches("http://"))?;
        let mut request =
            format!("{method} {way} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n", self.host, body.len());
        for (name, value) in &self.headers {
            write!(request, "{name}: {value}\r\n")?;
        }
        stream.write_all(&[format!("{request}\r\n").as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?.parse()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Ok(Response { status, headers, body: body.to_owned() })
    }
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Result<Value, Failed> {
        serde_json::from_str(&self.body).map_err(|error| format!("{error}: {}", self.body).into())
    }
}
