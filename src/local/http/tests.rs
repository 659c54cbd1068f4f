#![allow(clippy::unwrap_used)] // a panic is a failed test

use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What is tried here is whether a slow client is ever cut off, so a short patience shows it sooner.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// Of what nobody takes, more than the kernel's buffers hold.
const MUCH: usize = 64 * 1024 * 1024;

async fn site(patience: Patience) -> (SocketAddr, watch::Sender<bool>) {
    let router = Router::new().route("/", get(async || "here")).route("/much", get(async || vec![b'x'; MUCH])).route(
        "/body",
        post(async |body: Bytes| body.len().to_string()).layer(axum::extract::DefaultBodyLimit::disable()),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, TowerToHyperService::new(router), stopped, patience));
    (address, stop)
}

/// Sends `piece` again and again, until the server has had enough; what it said.
async fn cut_off(mut stream: TcpStream, piece: &[u8]) -> String {
    let started = Instant::now();
    let mut answer = Vec::new();
    loop {
        assert!(started.elapsed() < LONG, "nobody cuts it off");
        let _ = stream.write_all(piece).await;
        let mut bytes = [0; 1024];
        match tokio::time::timeout(SHORT / 10, stream.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return String::from_utf8(answer).unwrap(),
            Ok(Ok(read)) => answer.extend_from_slice(&bytes[..read]),
            Err(_) => {}
        }
    }
}

fn on_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_head_that_drips_is_cut_off() {
    on_runtime(async {
        let (at, _stop) = site(Patience { head: SHORT, body: LONG, answer: LONG }).await;
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").await.unwrap();
        assert_eq!(cut_off(stream, b"x").await, "");
    });
}

#[test]
fn a_connection_that_asks_nothing_is_closed() {
    on_runtime(async {
        let (at, _stop) = site(Patience { head: SHORT, body: LONG, answer: LONG }).await;
        assert_eq!(cut_off(TcpStream::connect(at).await.unwrap(), b"").await, "");
        let mut kept = TcpStream::connect(at).await.unwrap();
        kept.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(cut_off(kept, b"").await.ends_with("here"), "it is answered, and closed then");
    });
}

#[test]
fn a_body_that_drips_is_cut_off() {
    on_runtime(async {
        let (at, _stop) = site(Patience { head: LONG, body: SHORT, answer: LONG }).await;
        for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
            let mut stream = TcpStream::connect(at).await.unwrap();
            stream.write_all(format!("POST /body HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n").as_bytes()).await.unwrap();
            let piece: &[u8] = if framing.starts_with("content") { b"x" } else { b"1\r\nx\r\n" };
            let answer = cut_off(stream, piece).await;
            assert!(answer.starts_with("HTTP/1.1 4") && answer.contains(TOO_SLOW), "{framing}: {answer}");
        }
    });
}

/// Longer than the patience in all, and never slower than the pace.
#[test]
fn a_long_body_at_a_fair_pace_is_taken() {
    on_runtime(async {
        // A pause must be far shorter than the patience, also where this machine is busy.
        let patience = Duration::from_secs(3);
        let (at, _stop) = site(Patience { head: LONG, body: patience, answer: LONG }).await;
        let mut stream = TcpStream::connect(at).await.unwrap();
        let pieces = patience.as_millis() / 100 + 2;
        let length = pieces as usize * pace::LEAST;
        let head = format!("POST /body HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..pieces {
            stream.write_all(&[b'x'; pace::LEAST]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(110)).await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&length.to_string()), "{answer}");
    });
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    on_runtime(async {
        let (at, stop) = site(Patience { head: LONG, body: LONG, answer: SHORT }).await;
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // No task is left, whose end a shutdown would wait for.
        let started = Instant::now();
        tokio::time::sleep(SHORT * 10).await;
        let mut taken = 0;
        let mut bytes = vec![0; 1024 * 1024];
        while let Ok(Ok(read @ 1..)) = tokio::time::timeout(LONG, stream.read(&mut bytes)).await {
            taken += read;
        }
        assert!(taken < MUCH && started.elapsed() < LONG, "{taken} bytes came, of {MUCH}");
        drop(stop);
    });
}
