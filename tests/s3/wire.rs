//! Uploads as AWS CLI version 2 and the newer SDKs frame them: `aws-chunked`, with a checksum behind the body.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

use libtest_mimic::{Failed, Trial};
use spotter::encoding::base64;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw::{Reply, Signer, header, send, sha256};
use super::{BUCKET, Bench, refusal, trial};

const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const BODY: &[u8] = b"123456789";
/// The check values of both algorithms' catalogue entries, for exactly that body.
const CRC64NVME: u64 = 0xae8b_1486_0a79_9888;
const CRC32: u32 = 0xcbf4_3926;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("a trailer without signatures, CRC64NVME and CRC32", unsigned),
        trial("a trailer with signatures", signed),
        trial("chunks that are signed, without a trailer", signed_without_trailer),
        trial("a wrong, missing or broken trailer is refused", wrong),
        trial("a chunked body that breaks off is refused", broken_off),
        trial("an answer without 100 Continue ends its connection", expecting),
    ]
}

fn crc64() -> String {
    base64(&CRC64NVME.to_be_bytes())
}

/// The headers of such an upload that are not about its signature.
fn framing(trailer: Option<&str>, length: usize) -> Vec<(String, String)> {
    let mut headers = vec![
        header("content-encoding", "aws-chunked"),
        header("x-amz-decoded-content-length", length),
        header("x-amz-sdk-checksum-algorithm", "CRC64NVME"),
    ];
    match trailer {
        Some(trailer) => headers.push(header("x-amz-trailer", trailer)),
        None => drop(headers.pop()),
    }
    headers
}

async fn put(s3: &Bench, key: &str, trailer: Option<&str>, payload: &str, body: &[u8]) -> Result<Reply, Failed> {
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let path = format!("/{BUCKET}/{key}");
    let (headers, _) = signer.headers(s3, "PUT", &path, payload, &framing(trailer, BODY.len()));
    send(s3, "PUT", &path, &headers, body).await
}

async fn unsigned(s3: Bench) -> Result<(), Failed> {
    let body = format!("4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc64nvme:{}\r\n\r\n", crc64());
    let done = put(&s3, "a", Some("x-amz-checksum-crc64nvme"), UNSIGNED, body.as_bytes()).await?;
    assert_eq!((done.status, done.header("x-amz-checksum-crc64nvme")), (200, Some(crc64().as_str())), "{done:?}");
    let crc32 = base64(&CRC32.to_be_bytes());
    let body = format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{crc32}\r\n\r\n");
    let done = put(&s3, "b", Some("x-amz-checksum-crc32"), UNSIGNED, body.as_bytes()).await?;
    assert_eq!((done.status, done.header("x-amz-checksum-crc32")), (200, Some(crc32.as_str())), "{done:?}");
    for key in ["a", "b"] {
        assert_eq!(s3.get(key).await?, BODY);
        let head = s3.client.head_object().bucket(BUCKET).key(key).send().await?;
        assert_eq!(head.content_encoding(), None, "aws-chunked is the framing's, not the object's");
    }
    assert_eq!(s3.notified()?.len(), 2);
    Ok(())
}

/// Frames chunks and a trailer, each signed after the one before it.
fn sign_chunks(signer: &Signer, seed: &str, chunks: &[&[u8]], trailer: Option<&str>) -> Vec<u8> {
    let mut previous = seed.to_owned();
    let mut body = Vec::new();
    for chunk in chunks.iter().chain([&b"".as_slice()]) {
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
            signer.time,
            signer.scope,
            sha256(b""),
            sha256(chunk)
        );
        previous = signer.sign(&to_sign);
        body.extend(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).bytes());
        body.extend(*chunk);
        if !chunk.is_empty() || trailer.is_none() {
            body.extend(b"\r\n");
        }
    }
    if let Some(trailer) = trailer {
        let hash = sha256(format!("{trailer}\n").as_bytes());
        let to_sign = format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{hash}", signer.time, signer.scope);
        let signature = signer.sign(&to_sign);
        body.extend(format!("{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n").bytes());
    }
    body
}

async fn signed(s3: Bench) -> Result<(), Failed> {
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let path = format!("/{BUCKET}/a");
    let framing = framing(Some("x-amz-checksum-crc64nvme"), BODY.len());
    let (headers, seed) = signer.headers(&s3, "PUT", &path, SIGNED, &framing);
    let trailer = format!("x-amz-checksum-crc64nvme:{}", crc64());
    let body = sign_chunks(&signer, &seed, &[b"1234", b"56789"], Some(&trailer));
    let done = send(&s3, "PUT", &path, &headers, &body).await?;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(s3.get("a").await?, BODY);
    // One bit of a chunk, and one of the trailer.
    for (from, to) in [("1234", "1235"), ("crc64nvme:r", "crc64nvme:s")] {
        let altered = String::from_utf8_lossy(&body).replace(from, to);
        let refused = send(&s3, "PUT", &path, &headers, altered.as_bytes()).await?;
        assert_eq!((refused.status, refused.code()), (403, "SignatureDoesNotMatch"), "{from}");
    }
    // Signed, and still not the checksum of the body.
    let body = sign_chunks(&signer, &seed, &[BODY], Some("x-amz-checksum-crc64nvme:AAAAAAAAAAA="));
    let refused = send(&s3, "PUT", &path, &headers, &body).await?;
    assert_eq!((refused.status, refused.code()), (400, "BadDigest"));
    assert_eq!(s3.notified()?.len(), 1);
    Ok(())
}

async fn signed_without_trailer(s3: Bench) -> Result<(), Failed> {
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let path = format!("/{BUCKET}/a");
    let payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let (headers, seed) = signer.headers(&s3, "PUT", &path, payload, &framing(None, BODY.len()));
    let body = sign_chunks(&signer, &seed, &[b"12345678", b"9"], None);
    let done = send(&s3, "PUT", &path, &headers, &body).await?;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(s3.get("a").await?, BODY);
    Ok(())
}

async fn wrong(s3: Bench) -> Result<(), Failed> {
    let name = Some("x-amz-checksum-crc64nvme");
    let body = "9\r\n123456789\r\n0\r\nx-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n\r\n";
    let refused = put(&s3, "a", name, UNSIGNED, body.as_bytes()).await?;
    assert_eq!((refused.status, refused.code()), (400, "BadDigest"));
    let refused = put(&s3, "a", name, UNSIGNED, b"9\r\n123456789\r\n0\r\n\r\n").await?;
    assert_eq!((refused.status, refused.code()), (400, "MalformedTrailerError"));
    let crc32 = base64(&CRC32.to_be_bytes());
    let other = format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{crc32}\r\n\r\n");
    let refused = put(&s3, "a", name, UNSIGNED, other.as_bytes()).await?;
    assert_eq!(refused.code(), "MalformedTrailerError", "another one than announced");
    let refused = put(&s3, "a", name, UNSIGNED, b"9\r\n123456789\r\n0\r\nno colon\r\n\r\n").await?;
    assert_eq!(refused.status, 400);
    let refused = put(&s3, "a", None, UNSIGNED, body.as_bytes()).await?;
    assert_eq!(refused.status, 400, "without x-amz-trailer");
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("a").send().await).0, 404);
    assert_eq!(s3.notified()?, []);
    Ok(())
}

async fn broken_off(s3: Bench) -> Result<(), Failed> {
    let name = Some("x-amz-checksum-crc64nvme");
    for body in ["", "4\r\n1234\r\n", "9\r\n12345", "4\r\n1234\r\n5\r\n56789", "zz\r\n", "fffffffffffffffff\r\n1"] {
        let refused = put(&s3, "a", name, UNSIGNED, body.as_bytes()).await?;
        assert_eq!(refused.status, 400, "{body:?}: {refused:?}");
    }
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("a").send().await).0, 404);
    assert_eq!(s3.notified()?, []);
    Ok(())
}

/// botocore mistakes the next answer on such a connection for this one's: `aws s3 sync` fails now and then.
async fn expecting(s3: Bench) -> Result<(), Failed> {
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let path = format!("/{BUCKET}/empty");
    let (headers, _) = signer.headers(&s3, "PUT", &path, &sha256(b""), &[header("content-length", 0)]);
    for (target, expect, status, closes) in [
        (path.as_str(), "expect: 100-continue\r\n", "200", true),
        ("/pictures/other", "expect: 100-continue\r\n", "403", true),
        (path.as_str(), "", "200", false),
    ] {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\n{lines}{expect}\r\n", s3.endpoint.address());
        let mut stream = TcpStream::connect(s3.endpoint.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head)?;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert_eq!(head.contains("connection: close"), closes, "{head}");
    }
    Ok(())
}
