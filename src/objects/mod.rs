//! Fetching, listing and tagging objects: through the AWS SDK everywhere, pinned to the version that the event names.

mod list;
mod presign;
#[cfg(feature = "cli")]
pub mod probe;
mod s3;
mod tags;

use std::time::Duration;

use async_trait::async_trait;

use crate::event::Timestamp;

pub use list::{ListAfter, Listed, ListedPage};
pub use presign::{Presigned, Upload};
pub use s3::{DEFAULT_REGION, S3Objects, S3Settings, causes, sdk_config, unanswered};
pub use tags::{MOST_TAGS, Tag, TagError, Tagged, tag_value};

/// The port to the bucket.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The object's bytes, of exactly the version that is pinned; at most `max_bytes` of them.
    async fn get(&self, pinned: &Pinned, max_bytes: u64) -> Result<Object, FetchError>;

    /// The object's metadata, without its bytes.
    async fn head(&self, pinned: &Pinned) -> Result<Head, FetchError>;

    /// One page of the objects whose keys begin with `prefix`, in the order of keys, without older versions; `after`
    /// is [`ListedPage::next`] of the page before, or a key.
    async fn list(&self, bucket: &str, prefix: &str, after: Option<&ListAfter>) -> Result<ListedPage, FetchError>;

    /// Makes `tags` those of the pinned version, beside the tags that it has under other names. The null version has
    /// only its ETag to be told by, so it is looked at just before: what replaces it in that moment is tagged too.
    async fn tag(&self, pinned: &Pinned, tags: &[Tag]) -> Result<Tagged, TagError>;

    /// A request that uploads exactly this, for somebody who has no credentials.
    async fn presign(&self, upload: &Upload, valid: Duration) -> Result<Presigned, FetchError>;
}

/// One version of one object: by version id, else by ETag (`If-Match`), else whatever is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
    pub etag: Option<String>,
}

/// As people name it: `s3://bucket/key`, with the version if one is pinned.
impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)?;
        match &self.version_id {
            Some(version) => write!(f, " (version {version})"),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    /// Without quotation marks.
    pub etag: Option<String>,
    pub version_id: Option<String>,
    pub content_type: Option<String>,
    pub last_modified: Option<Timestamp>,
}

impl Head {
    /// What tells this content from other contents of its key: the version id, else the ETag, else nothing.
    pub fn version(&self) -> String {
        self.version_id.clone().or_else(|| self.etag.clone()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub struct Object {
    pub head: Head,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The version that is pinned is gone or replaced: 412, NoSuchVersion.
    #[error("{0}")]
    Superseded(String),
    /// Nothing is there: NoSuchKey, or a delete marker.
    #[error("{what} is gone")]
    Gone {
        what: String,
        /// The version id of the delete marker that says so.
        marker: Option<String>,
    },
    /// More bytes than allowed; found from the header, or while streaming.
    #[error("{} bytes, and the limit is {max_bytes}", head.size)]
    TooLarge { head: Box<Head>, max_bytes: u64 },
    /// The SDK makes no request of this key, such as one of blanks only.
    #[error("{0}")]
    Unaddressable(String),
    /// May pass, and sooner if less is asked for at once: 5xx, throttling, time-outs, lost connections.
    #[error("{0}")]
    Overloaded(String),
    /// May pass: 403, which hides "missing" without ListBucket.
    #[error("{0}")]
    Denied(String),
    /// May pass: NoSuchBucket, an archived object.
    #[error("{0}")]
    Retry(String),
}
