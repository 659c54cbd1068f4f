//! Uploads that somebody else makes: a browser gets a URL that takes one object, and no credentials.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;

use super::FetchError;
use super::s3::causes;

/// What an upload will be, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub bucket: String,
    pub key: String,
    /// Bytes.
    pub size: u64,
    pub content_type: String,
}

/// A request that may be made until it expires: whoever has the URL may make it.
#[derive(Clone, PartialEq, Eq)]
pub struct Presigned {
    pub method: &'static str,
    pub url: String,
    /// To be sent as they are; the others that are signed (`host`, `content-length`) a client sends by itself.
    pub headers: Vec<(String, String)>,
}

/// The query is the signature.
impl std::fmt::Debug for Presigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Presigned").field("url", &address).finish_non_exhaustive()
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
pub(super) async fn put(client: &Client, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError> {
    let Upload { bucket, key, size, content_type } = upload;
    let refused = |why: String| FetchError::Unaddressable(format!("no upload to s3://{bucket}/{key}: {why}"));
    let valid = PresigningConfig::expires_in(valid).map_err(|error| refused(error.to_string()))?;
    let length = i64::try_from(*size).map_err(|_| refused("it is too large".to_owned()))?;
    // A length and a type that are signed are the only ones that are taken.
    let request = client.put_object().bucket(bucket).key(key).content_length(length).content_type(content_type);
    let signed = request.presigned(valid).await.map_err(|error| refused(causes(&error)))?;
    // In Lambda the SDK adds its own invocation's trace, unsigned, which is none of the browser's business.
    let not_sent = ["content-length", "host", "x-amzn-trace-id"];
    let headers = signed.headers().filter(|(name, _)| !not_sent.iter().any(|known| name.eq_ignore_ascii_case(known)));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Presigned { method: "PUT", url: signed.uri().to_owned(), headers })
}
