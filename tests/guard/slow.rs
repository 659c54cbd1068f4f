//! Clients that drip, at every port of the real binary. It waits for the real patience, a minute, and does nothing
//! meanwhile: `src/local/http/tests.rs` shows the same with a short one in a moment.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use libtest_mimic::Failed;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ports, with_all_ports};
use crate::s3::raw::Signer;
use spotter::local::Credentials;

/// Twice the longest patience of `src/local/http.rs`.
const CUT_OFF: Duration = Duration::from_secs(120);

/// A byte a second, until the server has had enough; after how long that was, and what it said.
async fn drip(port: &str, head: String, byte: &'static [u8]) -> Result<(Duration, String), Failed> {
    let mut stream = TcpStream::connect(port).await?;
    let started = Instant::now();
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        if started.elapsed() > CUT_OFF {
            return Err(format!("after {CUT_OFF:?} {port} still listens to {head:?}").into());
        }
        let _ = stream.write_all(byte).await;
        let mut bytes = [0; 4_096];
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return Ok((started.elapsed(), String::from_utf8_lossy(&answer).into_owned())),
            Ok(Ok(read)) => answer.extend_from_slice(&bytes[..read]),
            Err(_) => {}
        }
    }
}

#[allow(clippy::print_stderr)] // figures, where they are asked for
pub(super) async fn drips() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = with_all_ports(&home)?;
    let [s3, page, hook] = ports(&served)?;
    let signer = Signer::new(&Credentials::load_or_create(&crate::serve::data(&home))?, OffsetDateTime::now_utc());
    let (signed, _) = signer.headers_for(s3, "PUT", "/pictures/slow.png", "UNSIGNED-PAYLOAD", &[]);
    let signed: String = signed.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let json = "content-type: application/json\r\ncontent-length: 10000";
    let form = "content-type: multipart/form-data; boundary=x\r\ncontent-length: 1000000";
    let mut cases = Vec::new();
    for port in [s3, page, hook] {
        cases.push(("head", port, format!("GET / HTTP/1.1\r\nhost: {port}\r\nx: "), &b"x"[..]));
        cases.push(("nothing", port, String::new(), b""));
        cases.push(("after an answer", port, format!("GET / HTTP/1.1\r\nhost: {port}\r\n\r\n"), b""));
    }
    cases.push((
        "upload",
        s3,
        format!("PUT /pictures/slow.png HTTP/1.1\r\nhost: {s3}\r\n{signed}content-length: 1000000\r\n\r\n"),
        b"x",
    ));
    cases.push(("form", s3, format!("POST /pictures HTTP/1.1\r\nhost: {s3}\r\n{form}\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n"), b"x"));
    for way in ["/api/uploads", "/api/corrections"] {
        cases.push((way, page, format!("POST {way} HTTP/1.1\r\nhost: {page}\r\n{json}\r\n\r\n"), b" "));
    }
    cases.push(("event", hook, format!("POST /events HTTP/1.1\r\nhost: {hook}\r\n{json}\r\n\r\n"), b" "));
    let tried = cases.iter().map(async |(what, port, head, byte)| (what, drip(port, head.clone(), byte).await));
    for (what, outcome) in join_all(tried).await {
        let (after, answer) = outcome?;
        eprintln!(
            "{what:<16} cut off after {:>5.1} s: {}",
            after.as_secs_f64(),
            answer.lines().next().unwrap_or("no answer")
        );
    }
    // Whoever asks quickly is served as before.
    served.client(&home)?.list_buckets().send().await?;
    Ok(())
}
