//! Requests byte by byte, and Signature Version 4 by the book:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use hmac::{Hmac, KeyInit, Mac};
use libtest_mimic::Failed;
use sha2::{Digest, Sha256};
use spotter::local::Credentials;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Bench;

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The S3 error code.
    pub fn code(&self) -> &str {
        self.body.split("<Code>").nth(1).and_then(|rest| rest.split("</Code>").next()).unwrap_or_default()
    }
}

/// Sends a request whose body is framed already, and reads the answer to its end.
pub async fn send(
    s3: &Bench,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Reply, Failed> {
    let mut request = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", s3.endpoint.address());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| name == "content-length") && !body.is_empty() {
        request += &format!("content-length: {}\r\n", body.len());
    }
    request += "\r\n";
    let mut stream = TcpStream::connect(s3.endpoint.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    // The endpoint may refuse before it has read everything.
    let _ = stream.write_all(body).await;
    let announced = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    if announced.is_some_and(|announced: usize| announced > body.len()) {
        stream.shutdown().await?;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the endpoint did not answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

pub fn header(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// Signs requests and their chunks.
pub struct Signer {
    access_key_id: String,
    key: Vec<u8>,
    pub time: String,
    pub scope: String,
}

impl Signer {
    pub fn new(credentials: &Credentials, at: OffsetDateTime) -> Self {
        let time = at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        let day = &time[..8];
        let mut key = format!("AWS4{}", credentials.secret_access_key).into_bytes();
        for step in [day, "us-east-1", "s3", "aws4_request"] {
            key = hmac(&key, step.as_bytes());
        }
        let scope = format!("{day}/us-east-1/s3/aws4_request");
        Self { access_key_id: credentials.access_key_id.clone(), key, scope, time }
    }

    pub fn credential(&self) -> String {
        format!("{}/{}", self.access_key_id, self.scope)
    }

    pub fn sign(&self, text: &str) -> String {
        hex(&hmac(&self.key, text.as_bytes()))
    }

    /// Adds the date, the payload's hash and the `authorization` header; gives the signature too.
    pub fn headers(
        &self,
        s3: &Bench,
        method: &str,
        path: &str,
        payload: &str,
        more: &[(String, String)],
    ) -> (Vec<(String, String)>, String) {
        self.headers_for(&s3.endpoint.address().to_string(), method, path, payload, more)
    }

    /// For an endpoint elsewhere.
    pub fn headers_for(
        &self,
        host: &str,
        method: &str,
        path: &str,
        payload: &str,
        more: &[(String, String)],
    ) -> (Vec<(String, String)>, String) {
        let mut headers = more.to_vec();
        headers.push(header("x-amz-content-sha256", payload));
        headers.push(header("x-amz-date", &self.time));
        let mut signed = headers.clone();
        signed.push(header("host", host));
        signed.sort();
        let names: Vec<_> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.time, self.scope, sha256(canonical.as_bytes()));
        let signature = self.sign(&to_sign);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}", self.credential());
        headers.push(header("authorization", authorization));
        (headers, signature)
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
