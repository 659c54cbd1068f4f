//! Receiving a request's body: to the disk a chunk at a time, checked against everything the client said about it.

use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, TrailingHeaders, s3_error};

use super::super::http::TOO_SLOW;
use super::super::{Checksums, Staged, Store};
use super::errors::custom;
use crate::encoding::base64;

/// Bytes of an upload in one request, or of a part: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

/// What the request says about its body.
#[derive(Default)]
pub(super) struct Expected {
    /// Without the chunks' framing.
    pub length: Option<i64>,
    pub md5: Option<String>,
    pub checksums: Checksums,
    /// Named by `x-amz-trailer`; they come behind the body.
    pub announced: Vec<String>,
    pub trailers: Option<TrailingHeaders>,
    /// An algorithm that is asked for without a value.
    pub algorithm: Option<String>,
}

impl Expected {
    pub(super) fn announced(headers: &HeaderMap) -> Vec<String> {
        let values = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
    }

    fn hasher(&self) -> ChecksumHasher {
        let algorithm = self.algorithm.as_deref().unwrap_or_default().to_ascii_lowercase();
        let wanted = |name: &str, value: &Option<String>| {
            value.is_some() || algorithm == name || self.announced.iter().any(|trailer| names(trailer, name))
        };
        ChecksumHasher {
            crc32: wanted("crc32", &self.checksums.crc32).then(Default::default),
            crc32c: wanted("crc32c", &self.checksums.crc32c).then(Default::default),
            crc64nvme: wanted("crc64nvme", &self.checksums.crc64nvme).then(Default::default),
            sha1: wanted("sha1", &self.checksums.sha1).then(s3s::crypto::Checksum::new),
            sha256: wanted("sha256", &self.checksums.sha256).then(s3s::crypto::Checksum::new),
        }
    }

    fn check(&self, staged: &Staged) -> S3Result<()> {
        if let Some(md5) = &self.md5 {
            if md5.len() != 24 {
                return Err(s3_error!(InvalidDigest, "Content-MD5 is not 16 bytes in base64."));
            }
            if *md5 != base64(&staged.md5) {
                return Err(s3_error!(BadDigest, "The Content-MD5 does not match what was received."));
            }
        }
        for (name, sent, found) in pairs(&self.checksums, &staged.checksums) {
            if let Some(sent) = sent {
                compare(name, sent, found)?;
            }
        }
        for trailer in &self.announced {
            let value = self.trailers.as_ref().and_then(|trailers| {
                trailers.read(|headers| headers.get(trailer).and_then(|value| value.to_str().ok()).map(str::to_owned))
            });
            let Some(value) = value.flatten() else {
                let message = format!("The trailer {trailer} was announced and did not come.");
                return Err(malformed_trailer(message));
            };
            let found = pairs(&self.checksums, &staged.checksums).into_iter().find(|(name, ..)| names(trailer, name));
            if let Some((name, _, found)) = found {
                compare(name, &value, found)?;
            }
        }
        Ok(())
    }
}

/// Writes a body to the disk, and refuses it unless it is what the request says.
pub(super) async fn receive(store: &Store, body: Option<StreamingBlob>, expected: &Expected) -> S3Result<Staged> {
    if expected.length.is_some_and(|length| u64::try_from(length).is_ok_and(|length| length > LARGEST)) {
        return Err(too_large());
    }
    let mut staging = store.stage(expected.hasher()).await?;
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| broken(&error.to_string()))?;
            if staging.size() + bytes.len() as u64 > LARGEST {
                return Err(too_large());
            }
            staging.write(&bytes).await?;
        }
    }
    // `s3s` takes the end of the connection for the end of an aws-chunked body.
    if expected.length.is_some_and(|length| u64::try_from(length) != Ok(staging.size())) {
        return Err(s3_error!(IncompleteBody, "{} bytes were received, and not as many as announced.", staging.size()));
    }
    let staged = staging.finish().await?;
    expected.check(&staged)?;
    Ok(staged)
}

/// The error types of `s3s`'s body streams are private: their texts are all there is to tell them apart.
fn broken(error: &str) -> S3Error {
    if error.contains(TOO_SLOW) {
        s3_error!(RequestTimeout, "The body came too slowly.")
    } else if error.contains("SignatureMismatch") {
        s3_error!(SignatureDoesNotMatch, "A chunk's signature does not match.")
    } else if error.contains("Sha256Mismatch") {
        let message = "The x-amz-content-sha256 does not match what was received.";
        custom("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST, message)
    } else if error.contains("Trailer") {
        malformed_trailer(error.to_owned())
    } else {
        s3_error!(IncompleteBody, "The body broke off or is malformed: {error}")
    }
}

fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "One request takes {LARGEST} bytes at most; send the object in parts.")
}

fn malformed_trailer(message: String) -> S3Error {
    custom("MalformedTrailerError", StatusCode::BAD_REQUEST, message)
}

fn compare(name: &str, sent: &str, found: Option<&str>) -> S3Result<()> {
    if found == Some(sent) {
        return Ok(());
    }
    Err(s3_error!(BadDigest, "The {name} checksum does not match what was received."))
}

fn names(header: &str, algorithm: &str) -> bool {
    header.strip_prefix("x-amz-checksum-") == Some(algorithm)
}

/// Each algorithm with what was sent and what was found.
pub(super) fn pairs<'a>(
    sent: &'a Checksums,
    found: &'a Checksums,
) -> [(&'static str, Option<&'a str>, Option<&'a str>); 5] {
    [
        ("crc32", sent.crc32.as_deref(), found.crc32.as_deref()),
        ("crc32c", sent.crc32c.as_deref(), found.crc32c.as_deref()),
        ("crc64nvme", sent.crc64nvme.as_deref(), found.crc64nvme.as_deref()),
        ("sha1", sent.sha1.as_deref(), found.sha1.as_deref()),
        ("sha256", sent.sha256.as_deref(), found.sha256.as_deref()),
    ]
}
