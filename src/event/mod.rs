//! What happened to which object: every envelope that S3 notifications travel in, parsed to [`ObjectEvent`]s.

/// One change of one object, whatever envelope brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    pub bucket: String,
    /// Decoded exactly once, as its transport encodes it.
    pub key: String,
    pub change: Change,
    /// `None` where the notification has none, `null` or an empty one.
    pub version_id: Option<String>,
    /// Without quotation marks.
    pub etag: Option<String>,
    pub size: Option<u64>,
    /// As sent; [`crate::record::Order`] makes it comparable.
    pub sequencer: Option<String>,
    pub event_time: Option<Timestamp>,
    pub region: Option<String>,
    pub account: Option<String>,
    /// X-Ray's trace header or EventBridge's event id: for logs only, never in a record.
    pub trace_id: Option<String>,
}

/// What the notification says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Put, post, copy, multipart upload complete.
    Created,
    /// A delete marker, or a delete on an unversioned bucket.
    Deleted,
    /// One version (or delete marker) is gone for good.
    VersionRemoved,
    /// No change: somebody asks for this object to be looked at (S3 Batch Operations, backfill).
    Observed,
    /// `s3:TestEvent`.
    Test,
    /// Restores, transitions, tagging, replication: nothing for Spotter to do.
    Other,
}

/// Milliseconds since 1970 in UTC, as Cassandra's `timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);
