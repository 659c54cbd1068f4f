//! A browser's way into the bucket: a URL that takes one object of the announced size and type, for some minutes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Failure, sent};
use crate::objects::{FetchError, Upload};

/// Long enough for a large picture on a slow line to *begin*; the transfer may take longer.
const VALID: Duration = Duration::from_secs(5 * 60);
/// Bytes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const LONGEST_KEY: usize = 1_024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announced {
    bucket: Option<String>,
    key: String,
    size: u64,
    content_type: String,
}

#[derive(Serialize)]
pub(super) struct Ticket {
    url: String,
    method: &'static str,
    headers: BTreeMap<String, String>,
    bucket: String,
    key: String,
}

pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Announced>, JsonRejection>,
) -> Result<Json<Ticket>, Failure> {
    let page = &shared.page;
    let Some(uploads) = &page.uploads else {
        return Err(Failure::new(StatusCode::NOT_FOUND, "This page takes no uploads."));
    };
    let Announced { bucket, key, size, content_type } = sent(body)?;
    let bucket = match bucket {
        Some(bucket) if bucket != uploads.bucket && !uploads.any_bucket => {
            let message = format!("Uploads go to the bucket {}, and to no other.", uploads.bucket);
            return Err(Failure::new(StatusCode::FORBIDDEN, message));
        }
        Some(bucket) => bucket,
        None => uploads.bucket.clone(),
    };
    let key = if key.starts_with(&uploads.prefix) { key } else { format!("{}{key}", uploads.prefix) };
    check(&bucket, &key, size, &content_type, page.max_bytes)?;
    let upload = Upload { bucket, key, size, content_type };
    let signed = page.objects.presign(&upload, VALID).await.map_err(|error| match error {
        FetchError::Unaddressable(why) => Failure::bad_request(format!("{why}.")),
        error => Failure::unavailable(format!("The upload cannot be signed now: {error}.")),
    })?;
    let headers = signed.headers.into_iter().collect();
    let Upload { bucket, key, .. } = upload;
    Ok(Json(Ticket { url: signed.url, method: signed.method, headers, bucket, key }))
}

fn check(bucket: &str, key: &str, size: u64, content_type: &str, max_bytes: u64) -> Result<(), Failure> {
    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    let in_a_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(in_a_name) || bucket.contains("..") {
        return Err(Failure::bad_request(format!("'{bucket}' is no bucket's name.")));
    }
    if key.is_empty() || key.len() > LONGEST_KEY {
        let message = format!("A key has 1 to {LONGEST_KEY} bytes, and this one has {}.", key.len());
        return Err(Failure::bad_request(message));
    }
    let is_image = content_type.strip_prefix("image/").is_some_and(|subtype| {
        !subtype.is_empty() && subtype.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    });
    if !is_image {
        let message = format!("Only pictures are taken, and '{content_type}' is no type of them.");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if size == 0 {
        return Err(Failure::bad_request("An empty file is no picture."));
    }
    if size > max_bytes {
        let message = format!("{size} bytes are too many: the limit is {max_bytes}.");
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(())
}
