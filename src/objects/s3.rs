//! Objects through the AWS SDK: AWS itself, any lookalike, and the endpoint in this process.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::{RequestId, get_object::GetObjectOutput, head_object::HeadObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, DateTime};

use super::{
    FetchError, Head, ListAfter, ListedPage, Object, Objects, Pinned, Presigned, Tag, TagError, Tagged, Upload, list,
    presign, tags,
};
use crate::event::{NULL_VERSION, Timestamp};

/// Where no region is named: lookalikes take any, AWS says which it should have been.
pub const DEFAULT_REGION: &str = "us-east-1";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// Which S3, and how it is addressed.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    pub endpoint_url: Option<String>,
    pub region: Option<String>,
    pub profile: Option<String>,
    /// `http://host/bucket/key` (true) or `http://bucket.host/key`; by default as the endpoint needs it.
    pub path_style: Option<bool>,
    /// The custom endpoint that the SDK finds in the environment.
    pub endpoint_in_env: Option<String>,
}

impl S3Settings {
    /// Few lookalikes answer to `bucket.host`, AWS prefers it.
    pub fn uses_path_style(&self) -> bool {
        self.path_style.unwrap_or(self.has_custom_endpoint())
    }

    pub fn has_custom_endpoint(&self) -> bool {
        self.endpoint_url.is_some() || self.endpoint_in_env.is_some()
    }
}

pub struct S3Objects {
    pub(super) client: Client,
}

impl S3Objects {
    pub fn new(client: Client) -> S3Objects {
        S3Objects { client }
    }

    pub fn region(&self) -> &str {
        self.client.config().region().map_or(DEFAULT_REGION, Region::as_ref)
    }

    /// The bucket's home that the settings, the environment and the profile name. Touches no network.
    pub async fn connect(settings: &S3Settings) -> S3Objects {
        let shared = sdk_config(settings).await;
        let mut builder = aws_sdk_s3::config::Builder::from(&shared).force_path_style(settings.uses_path_style());
        if settings.has_custom_endpoint() {
            // Lookalikes often know no checksums.
            builder = builder.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        S3Objects::new(Client::from_conf(builder.build()))
    }
}

/// Region, credentials, endpoint and time-outs that the settings, the environment and the profile name, for any
/// service of AWS. Touches no network.
pub async fn sdk_config(settings: &S3Settings) -> SdkConfig {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &settings.profile {
        profile = profile.profile_name(name);
    }
    // Instance metadata is not asked for a region: on a laptop that is a second of silence.
    let region = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .or_else(DEFAULT_REGION);
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region).timeout_config(timeouts);
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    loader.load().await
}

#[async_trait]
impl Objects for S3Objects {
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError> {
        let request = self.client.get_object().bucket(&pinned.bucket).key(&pinned.key);
        let request = match (&pinned.version_id, &pinned.etag) {
            // The null version is overwritten in place: only its ETag tells one content from the next.
            (Some(version), Some(etag)) if version == NULL_VERSION => {
                request.version_id(version).if_match(quoted(etag))
            }
            (Some(version), _) => request.version_id(version),
            (None, Some(etag)) => request.if_match(quoted(etag)),
            (None, None) => request,
        };
        let output = request.send().await.map_err(|error| failure(pinned, &error))?;
        let head = head_of_get(&output);
        if head.size > max_bytes {
            return Err(FetchError::TooLarge { head: Box::new(head), max_bytes });
        }
        let announced = output.content_length().is_some();
        let bytes = body(pinned, output.body, &head, max_bytes).await?;
        if announced && bytes.len() as u64 != head.size {
            return Err(FetchError::Overloaded(format!("{pinned}: {} of {} bytes came", bytes.len(), head.size)));
        }
        Ok(Object { head: Head { size: bytes.len() as u64, ..head }, bytes })
    }

    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError> {
        let request = self.client.head_object().bucket(&pinned.bucket).key(&pinned.key);
        let request = match &pinned.version_id {
            Some(version) => request.version_id(version),
            None => request,
        };
        let output = request.send().await.map_err(|error| failure(pinned, &error))?;
        Ok(head_of_head(&output))
    }

    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError> {
        list::page(&self.client, bucket, prefix, after).await
    }

    async fn tag(&self, pinned: &Pinned, wanted: &[Tag]) -> Result<Tagged, TagError> {
        if pinned.version_id.as_deref().is_none_or(|version| version == NULL_VERSION) {
            match self.head(pinned).await {
                Ok(head) if head.etag == pinned.etag => {}
                // A key that cannot be asked for is recorded, and has nothing to tag.
                Ok(_) | Err(FetchError::Superseded(_) | FetchError::Gone { .. } | FetchError::Unaddressable(_)) => {
                    return Ok(Tagged::Gone);
                }
                Err(error) => return Err(TagError::Retry(error.to_string())),
            }
        }
        tags::merge(&self.client, pinned, wanted).await
    }

    async fn presign(&self, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError> {
        presign::put(&self.client, upload, valid).await
    }
}

/// The body, never more than `max_bytes` of it, whatever the header said.
async fn body(pinned: &Pinned, mut body: ByteStream, head: &Head, max_bytes: u64) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::with_capacity(head.size as usize);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| FetchError::Overloaded(format!("{pinned}: the body broke off: {error}")))?;
        if (bytes.len() + chunk.len()) as u64 > max_bytes {
            // Where the chunks end is chance, and the size goes into a record.
            let head = Head { size: max_bytes.saturating_add(1), ..head.clone() };
            return Err(FetchError::TooLarge { head: Box::new(head), max_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// 412 says that another version is there now, 404 that none is, 405 that the pinned version is a delete marker.
/// 403 may hide a missing key (without `s3:ListBucket`), and NoSuchBucket a bucket that is not there yet.
fn failure<E>(pinned: &Pinned, error: &SdkError<E>) -> FetchError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    SdkError<E>: RequestId,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.code().unwrap_or_default();
    if let SdkError::ConstructionFailure(_) = error {
        return FetchError::Unaddressable(format!("the AWS SDK cannot ask for this key ({})", causes(error)));
    }
    match (status, code) {
        (Some(412), _) => FetchError::Superseded(format!("{pinned} has been replaced since")),
        (_, "NoSuchVersion") => FetchError::Superseded(format!("{pinned} is gone")),
        (_, "NoSuchKey" | "NotFound") => FetchError::Gone { what: pinned.to_string(), marker: marker(error) },
        (Some(405), _) => FetchError::Superseded(format!("{pinned} is a delete marker")),
        (Some(403), "InvalidObjectState") => FetchError::Retry(format!("{pinned} is archived: restore it first")),
        (Some(403), _) => FetchError::Denied(format!(
            "{pinned}: access denied ({code}). Reading needs s3:GetObject and s3:GetObjectVersion; without s3:ListBucket a missing key looks the same"
        )),
        (Some(404), _) => FetchError::Retry(format!("{pinned}: {code}")),
        _ if is_overload(error) => FetchError::Overloaded(format!("{pinned}: {}", unanswered(error))),
        _ => FetchError::Retry(format!("{pinned}: {}", unanswered(error))),
    }
}

/// The delete marker that a 404 of a bucket with versions names.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>
fn marker<E>(error: &SdkError<E>) -> Option<String> {
    let headers = error.raw_response()?.headers();
    let is_marker = headers.get("x-amz-delete-marker") == Some("true");
    headers.get("x-amz-version-id").filter(|_| is_marker).map(str::to_owned)
}

/// Whether it asks for less at once: the store says that it cannot keep up (SlowDown is a 503), or says nothing.
pub(super) fn is_overload<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        SdkError::ServiceError(failure) => {
            matches!(failure.raw().status().as_u16(), 408 | 429 | 500 | 502..=504) || error.code() == Some("SlowDown")
        }
        _ => false,
    }
}

/// No answer, or an unknown one: its causes, and what to look at.
pub fn unanswered<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    SdkError<E>: std::error::Error,
{
    let causes = causes(error);
    match error {
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
            format!("S3 cannot be reached: {causes}. Is the endpoint right, and does it run?")
        }
        SdkError::ServiceError(_) => match error.message() {
            Some(message) => format!("{message} ({})", error.code().unwrap_or("no code")),
            None => causes,
        },
        _ if causes.contains("credential") => {
            format!("{causes}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        _ => causes,
    }
}

/// An error and its causes, each said once.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}

fn head_of_get(output: &GetObjectOutput) -> Head {
    Head {
        size: output.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
        etag: output.e_tag().map(unquoted),
        version_id: output.version_id().map(str::to_owned),
        content_type: output.content_type().map(str::to_owned),
        last_modified: output.last_modified().and_then(milliseconds),
    }
}

fn head_of_head(output: &HeadObjectOutput) -> Head {
    Head {
        size: output.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
        etag: output.e_tag().map(unquoted),
        version_id: output.version_id().map(str::to_owned),
        content_type: output.content_type().map(str::to_owned),
        last_modified: output.last_modified().and_then(milliseconds),
    }
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

pub(super) fn milliseconds(time: &DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp)
}
