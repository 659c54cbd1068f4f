//! What happened to which object: every envelope that S3 notifications travel in, parsed to [`ObjectEvent`]s.
//!
//! [`parse`] is the way in, [`make`] the way out (events for real objects). Nothing here talks to AWS, and nothing
//! here panics, whatever the JSON.

mod batch;
mod error;
mod eventbridge;
pub mod key;
pub mod make;
mod parse;
mod s3;
mod timestamp;

pub use error::EventError;
pub use parse::{Delivery, Envelope, EventBridgeKeys, Item, parse};
pub use timestamp::Timestamp;

/// One change of one object, whatever envelope brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    /// Empty only where [`Change::Test`] or [`Change::Other`] names none.
    pub bucket: String,
    /// Empty as the bucket may be. Decoded exactly once, as its transport encodes it.
    pub key: String,
    pub change: Change,
    /// `None` where the notification has none, JSON's null or an empty one: no version is named. The *string*
    /// `null` is kept: it is the id of the null version, which unversioned and versioning-suspended buckets
    /// overwrite in place, so that, unlike other ids, it does not pin the bytes.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html>
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

/// What S3 calls the one version that a key has while its bucket keeps none.
pub const NULL_VERSION: &str = "null";

impl Timestamp {
    /// Without the milliseconds, which Last-Modified does not have.
    pub fn whole_second(self) -> Timestamp {
        Timestamp(self.0.div_euclid(1_000).saturating_mul(1_000))
    }

    /// The next millisecond.
    pub fn just_after(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1))
    }
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

impl Change {
    /// The word that `invoke --dry-run` prints.
    pub fn action(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Deleted => "deleted",
            Change::VersionRemoved => "version_removed",
            Change::Observed => "observed",
            Change::Test => "test",
            Change::Other => "other",
        }
    }
}

/// An event as `invoke --dry-run --format json` prints it; the fields serialize in this order, absent ones as null.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DryRun<'a> {
    pub bucket: Option<&'a str>,
    pub key: Option<&'a str>,
    pub version_id: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub size: Option<u64>,
    pub sequencer: Option<&'a str>,
    pub event_time: Option<Timestamp>,
    pub action: &'static str,
}

impl ObjectEvent {
    pub fn dry_run(&self) -> DryRun<'_> {
        DryRun {
            bucket: named(&self.bucket),
            key: named(&self.key),
            version_id: self.version_id.as_deref(),
            etag: self.etag.as_deref(),
            size: self.size,
            sequencer: self.sequencer.as_deref(),
            event_time: self.event_time,
            action: self.change.action(),
        }
    }
}

/// A test event has no key, and other events that nobody fetches may lack both.
fn named(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_keeps_its_fields_order_and_says_null() {
        let event = ObjectEvent {
            bucket: "demo".to_owned(),
            key: "fünf \"5\".jpg".to_owned(),
            change: Change::VersionRemoved,
            version_id: Some("null".to_owned()),
            etag: None,
            size: Some(7),
            sequencer: None,
            event_time: Some(Timestamp(1_795_226_584_567)),
            region: Some("eu-central-1".to_owned()),
            account: None,
            trace_id: None,
        };
        assert_eq!(
            serde_json::to_string(&event.dry_run()).unwrap(),
            r#"{"bucket":"demo","key":"fünf \"5\".jpg","version_id":"null","etag":null,"size":7,"sequencer":null,"event_time":"2026-11-21T02:03:04.567Z","action":"version_removed"}"#
        );
        let test = ObjectEvent { bucket: String::new(), key: String::new(), change: Change::Test, ..event };
        assert_eq!((test.dry_run().bucket, test.dry_run().key, test.dry_run().action), (None, None, "test"));
    }
}
