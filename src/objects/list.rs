//! What is in a bucket, a page at a time.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;

use super::FetchError;
use super::s3::{is_overload, milliseconds, unanswered, unquoted};
use crate::event::Timestamp;
use crate::event::key::form_decode;

/// An object as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    /// Without quotation marks.
    pub etag: Option<String>,
    pub last_modified: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct ListedPage {
    pub objects: Vec<Listed>,
    /// `None` on the last page.
    pub next: Option<ListAfter>,
}

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListAfter {
    /// A continuation token of the store.
    Token(String),
    /// Behind this key, whether or not it is there.
    Key(String),
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub(super) async fn page(
    client: &Client,
    bucket: &str,
    prefix: &str,
    after: Option<&ListAfter>,
) -> Result<ListedPage, FetchError> {
    // XML cannot say every key: a control character would end the listing there.
    let request = client.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
    let request = match after {
        None => request,
        Some(ListAfter::Token(token)) => request.continuation_token(token),
        Some(ListAfter::Key(key)) => request.start_after(key),
    };
    let answer = request.send().await;
    let answer = answer.map_err(|error| {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let hint = if status == Some(403) { " Listing needs s3:ListBucket." } else { "" };
        let why = format!("s3://{bucket}/{prefix} cannot be listed: {}{hint}", unanswered(&error));
        if is_overload(&error) { FetchError::Overloaded(why) } else { FetchError::Retry(why) }
    })?;
    // Some lookalikes do not know the encoding, and say so by saying nothing.
    let encoded = answer.encoding_type == Some(EncodingType::Url);
    let mut objects = Vec::with_capacity(answer.contents().len());
    for object in answer.contents() {
        let listed = object.key().unwrap_or_default();
        let key = if encoded { form_decode(listed) } else { Ok(listed.to_owned()) };
        let key = key.map_err(|problem| {
            FetchError::Retry(format!("s3://{bucket}/{prefix} cannot be listed: the key {listed} has {problem}"))
        })?;
        objects.push(Listed {
            key,
            size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            etag: object.e_tag().map(unquoted),
            last_modified: object.last_modified().and_then(milliseconds),
        });
    }
    let more = answer.is_truncated() == Some(true);
    if more && answer.next_continuation_token.is_none() {
        let problem = "it has more objects than it lists, and does not say where to go on";
        return Err(FetchError::Retry(format!("s3://{bucket}/{prefix} cannot be listed: {problem}")));
    }
    Ok(ListedPage { objects, next: answer.next_continuation_token.filter(|_| more).map(ListAfter::Token) })
}
