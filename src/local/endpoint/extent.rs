//! The part of an object that is asked for: all, a range, or one part of its upload.

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::Range;
use s3s::{S3Error, S3Result, s3_error};

use super::super::Version;
use super::errors::custom;

/// The bytes of an object that are asked for.
pub(super) struct Extent {
    pub bytes: std::ops::Range<u64>,
    pub content_range: Option<String>,
    pub parts_count: Option<i32>,
}

impl Extent {
    pub(super) fn of(version: &Version, range: Option<Range>, part: Option<i32>) -> S3Result<Self> {
        let size = version.size;
        let (bytes, parts_count) = match (range, part) {
            (Some(_), Some(_)) => {
                return Err(s3_error!(InvalidRequest, "Ask for a range or for a part, not for both."));
            }
            (None, None) => return Ok(Self { bytes: 0..size, content_range: None, parts_count: None }),
            (Some(range), None) => (range.check(size).map_err(|_| unsatisfiable(size))?, None),
            // An empty object has no segment, and is part 1 of itself.
            (None, Some(1)) if size == 0 => return Ok(Self { bytes: 0..0, content_range: None, parts_count: None }),
            (None, Some(n)) => {
                let i = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
                let Some((i, length)) = i.and_then(|i| Some((i, *version.parts.get(i)?))) else {
                    return Err(custom(
                        "InvalidPartNumber",
                        StatusCode::RANGE_NOT_SATISFIABLE,
                        "The object has no such part.",
                    ));
                };
                let start: u64 = version.parts[..i].iter().sum();
                // Only what was uploaded in parts counts them.
                let multipart = version.etag.contains('-');
                (start..start + length, multipart.then(|| i32::try_from(version.parts.len()).unwrap_or(i32::MAX)))
            }
        };
        let content_range = Some(format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1)));
        Ok(Self { bytes, content_range, parts_count })
    }

    pub(super) fn length(&self) -> i64 {
        i64::try_from(self.bytes.end - self.bytes.start).unwrap_or(i64::MAX)
    }
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = s3_error!(InvalidRange, "The range is not within the object's {size} bytes.");
    let mut headers = HeaderMap::new();
    let range = HeaderValue::from_str(&format!("bytes */{size}")).ok();
    headers.extend(range.map(|range| (http::header::CONTENT_RANGE, range)));
    error.set_headers(headers);
    error
}
