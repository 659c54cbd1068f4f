//! Buckets' names come from events: whatever they are, nobody but the bucket's home is asked, and for nothing else.

use libtest_mimic::{Failed, Trial};
use spotter::local::{Credentials, client};
use spotter::objects::{Objects, Pinned, S3Objects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::on_runtime;

pub(super) fn trials() -> Vec<Trial> {
    vec![Trial::test("hostile::a_buckets_name_leads_nowhere_else", || on_runtime(nowhere_else()))]
}

const BUCKETS: [&str; 22] = [
    "demo",
    "Demo",
    "dеmo", // with a Cyrillic letter
    "demo\u{200b}",
    "demo/../other",
    "..",
    ".",
    "/",
    "//evil.example",
    "evil.example/",
    "evil.example#",
    "evil.example?",
    "user@evil.example",
    "127.0.0.1:1",
    "[::1]",
    "demo%2f..%2fother",
    "demo\r\nHost: evil.example",
    "demo\0",
    "demo ",
    "http://evil.example/",
    "demo\\other",
    "*",
];

/// The path of the one request that came, or `None` if none did.
async fn asked(bucket: &str, key: &str) -> Result<Option<(String, usize)>, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let objects = S3Objects::new(client(&format!("http://{}", listener.local_addr()?), &Credentials::random()?));
    let pinned = Pinned { bucket: bucket.into(), key: key.into(), version_id: None, etag: None };
    let answered = async {
        let (mut stream, _) = listener.accept().await?;
        let mut request = Vec::new();
        while !request.windows(4).any(|end| end == b"\r\n\r\n") && stream.read_buf(&mut request).await? > 0 {}
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&request).to_lowercase();
        let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
        Ok::<_, Failed>((path, head.matches("\r\nhost:").count()))
    };
    tokio::select! {
        request = answered => Ok(Some(request?)),
        got = objects.get(&pinned, 1_000) => {
            assert!(got.is_err(), "{bucket:?} gave an object");
            Ok(None)
        }
    }
}

async fn nowhere_else() -> Result<(), Failed> {
    let mut sent = 0;
    for bucket in BUCKETS {
        let Some((path, hosts)) = asked(bucket, "a b").await? else { continue };
        sent += 1;
        let Some((name, key)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return Err(format!("{bucket:?}: {path}").into());
        };
        let name = percent_encoding::percent_decode_str(name).decode_utf8()?;
        assert_eq!((&*name, key, hosts), (bucket, "a%20b?x-id=GetObject", 1), "{path}");
    }
    assert!(sent > 0, "nothing was asked for");
    Ok(())
}
