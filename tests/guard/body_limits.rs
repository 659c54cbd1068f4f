//! How much a stranger may send: nothing is read without an end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use libtest_mimic::Failed;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::{ports, with_all_ports};
use crate::s3::raw::{Reply, Signer, header, send};
use crate::s3::{BUCKET, Bench, refusal};

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a head and then pieces, until the server has had enough or so many bytes are sent. What it said, and how many
/// bytes it took meanwhile.
fn pour(host: &str, head: &str, piece: &[u8], most: usize) -> Result<(String, usize), Failed> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(head.as_bytes())?;
    let mut sent = 0;
    while sent < most && stream.write_all(piece).is_ok() {
        sent += piece.len();
    }
    let mut answer = Vec::new();
    // Whoever is cut off may not hear why.
    let _ = stream.read_to_end(&mut answer);
    Ok((String::from_utf8_lossy(&answer).into_owned(), sent))
}

const MUCH: usize = 32 * 1024 * 1024;

pub(super) async fn bodies() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = with_all_ports(&home)?;
    let [_, page, hook] = ports(&served)?;
    for (port, way) in [(page, "/api/uploads"), (page, "/api/corrections"), (hook, "/events")] {
        // Announced or in chunks, it is refused once it is too much.
        for framing in [format!("Content-Length: {MUCH}"), "Transfer-Encoding: chunked".to_owned()] {
            let head = format!(
                "POST {way} HTTP/1.1\r\nHost: {port}\r\nContent-Type: application/json\r\nConnection: close\r\n{framing}\r\n\r\n"
            );
            let chunk = [b"10000\r\n", [b'x'; 0x10000].as_slice(), b"\r\n"].concat();
            let piece = if framing.starts_with('T') { &chunk[..] } else { &[b'x'; 0x10000] };
            let (answer, sent) = pour(port, &head, piece, MUCH)?;
            assert!(sent < MUCH, "{way}, {framing}: it takes {sent} bytes");
            // It closes while we write, so the system may throw its answer away.
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{way}, {framing}: {answer}");
        }
        // A byte too many, and all of it taken: so the answer is heard.
        let length = if port == page { 16 * 1024 + 1 } else { 1024 * 1024 + 1 };
        let head = format!(
            "POST {way} HTTP/1.1\r\nHost: {port}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let (answer, _) = pour(port, &head, &vec![b'x'; length], length)?;
        assert!(answer.starts_with("HTTP/1.1 413"), "{way}: {answer}");
    }
    of_s3().await
}

/// The bucket streams pictures to the disk, and holds XML and forms in memory.
async fn of_s3() -> Result<(), Failed> {
    let s3 = Bench::start().await?;
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let over = 5_u64 * 1024 * 1024 * 1024 + 1;
    let (mut headers, _) = signer.headers(&s3, "PUT", "/pictures/a", "UNSIGNED-PAYLOAD", &[]);
    headers.push(header("content-length", over));
    let refused = send(&s3, "PUT", "/pictures/a", &headers, b"").await?;
    assert_eq!((refused.status, refused.code()), (400, "EntityTooLarge"), "{refused:?}");

    // More parts than fit, and each of them fair.
    let part = |number| CompletedPart::builder().part_number(number).e_tag("x".repeat(1_000)).build();
    let upload = CompletedMultipartUpload::builder().set_parts(Some((1..=10_000).map(part).collect())).build();
    let complete = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id("x");
    let complete = complete.multipart_upload(upload);
    let mut answer = complete.clone().send().await;
    // The endpoint has refused it before all is sent, so the connection may be reset before its answer is read.
    while matches!(answer, Err(SdkError::DispatchFailure(_))) {
        answer = complete.clone().send().await;
    }
    let refused = refusal(answer);
    // `s3s` has S3's own word for it, MaxMessageLengthExceeded, but not for a body that comes in pieces.
    assert_eq!(refused, (500, "InternalError".to_owned()));

    // A form's field before any signature was checked.
    let mut form = b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n".to_vec();
    form.extend(b"k".repeat(2 * 1024 * 1024));
    form.extend(b"\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--x--\r\n");
    let headers = [header("content-type", "multipart/form-data; boundary=x")];
    let refused = send(&s3, "POST", "/pictures", &headers, &form).await;
    // Were it not too large, it would be read, and refused as unsigned.
    let too_large = |answer: &Reply| (answer.status, answer.code()) == (400, "MalformedPOSTRequest");
    assert!(refused.as_ref().map_or(true, too_large), "{refused:?}");
    assert_eq!(s3.notified()?, []);
    Ok(())
}

/// Names and values without end, at each port.
pub(super) async fn heads() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = with_all_ports(&home)?;
    for port in ports(&served)? {
        for piece in ["x".repeat(0x10000), "x: y\r\n".repeat(1_000)] {
            let (answer, sent) = pour(port, "GET / HTTP/1.1\r\nHost: x\r\nx: ", piece.as_bytes(), MUCH)?;
            assert!(sent < MUCH, "{port} takes {sent} bytes of a head");
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{port}: {answer}");
        }
    }
    // It goes on as before.
    served.client(&home)?.list_buckets().send().await?;
    Ok(())
}
