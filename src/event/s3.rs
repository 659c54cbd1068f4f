//! One record of S3's own notification format, as AWS, MinIO, Ceph and VersityGW write it, and the test event.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
//! <https://docs.ceph.com/en/latest/radosgw/notifications/>

use serde_json::Value;

use super::error::{object, quoted};
use super::{Change, EventError, ObjectEvent, Timestamp, key};

/// Bytes of a key or a version id in S3 at most, and of nothing else more. What is longer, no home of records takes
/// either. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const LONGEST: usize = 1_024;

/// The non-empty string at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// `s3:TestEvent`, which S3 sends when a notification is set up.
pub(super) fn is_test(value: &Value) -> bool {
    text(value, "/Event").is_some_and(|event| strip(event) == "TestEvent")
}

pub(super) fn test_event(value: &Value) -> ObjectEvent {
    ObjectEvent {
        bucket: text(value, "/Bucket").unwrap_or_default().to_owned(),
        key: String::new(),
        change: Change::Test,
        version_id: None,
        etag: None,
        size: None,
        sequencer: None,
        event_time: text(value, "/Time").and_then(Timestamp::parse_rfc3339),
        region: None,
        account: None,
        trace_id: text(value, "/RequestId").map(str::to_owned),
    }
}

/// One of `Records`.
///
/// # Errors
/// Where the record is a change but its bucket, key or time cannot be read, or where its version is not 2.x.
/// Records that nobody acts upon ([`Change::Other`]) may lack any of them.
pub(super) fn record(record: &Value) -> Result<ObjectEvent, EventError> {
    let bucket = text(record, "/s3/bucket/name").unwrap_or_default();
    let raw_key = text(record, "/s3/object/key").unwrap_or_default();
    check_version(record, bucket, raw_key)?;
    let name = text(record, "/eventName").ok_or_else(|| EventError::missing("/eventName", bucket, raw_key))?;
    let version_id = text(record, "/s3/object/versionId").map(str::to_owned);
    let change = change(name, version_id.is_some());
    let versitygw = text(record, "/s3/configurationId").is_some_and(|id| VERSITYGW.contains(&id));
    // Neither encodes keys.
    let literal = versitygw || text(record, "/eventSource") == Some("ceph:s3") || strip(name) == REMOVED_WITH_OTHERS;
    let encoding = if literal { Encoding::Plain } else { Encoding::Form(RESEND) };
    let facts = Facts { change, bucket, raw_key, time: record.get("eventTime") };
    let (key, event_time) = facts.read(&S3_FIELDS, encoding)?;
    facts.check_texts(record, &["/s3/object/versionId", "/s3/object/eTag", "/s3/object/sequencer"])?;
    Ok(ObjectEvent {
        bucket: bucket.to_owned(),
        key,
        change,
        version_id,
        etag: etag(record, "/s3/object/eTag"),
        size: record.pointer("/s3/object/size").and_then(size),
        // VersityGW counts from 1 at each of its starts: what it counts orders nothing.
        sequencer: text(record, "/s3/object/sequencer").filter(|_| !versitygw).map(str::to_owned),
        event_time,
        region: text(record, "/awsRegion").map(str::to_owned),
        account: None,
        trace_id: text(record, "/responseElements/x-amz-request-id").map(str::to_owned),
    })
}

/// Major 2, any minor (AWS is at 2.6, Ceph at 2.2); a record without one is taken at its word.
fn check_version(record: &Value, bucket: &str, key: &str) -> Result<(), EventError> {
    let version = match record.get("eventVersion") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::String(version)) => version.clone(),
        Some(other) => other.to_string(),
    };
    match version.split('.').next() {
        Some("2") => Ok(()),
        _ => Err(EventError::EventVersion { version: quoted(&version), object: object(bucket, key) }),
    }
}

/// What an event's name says. `names_version`: whether the record has a version id.
///
/// A removal that names a version removes that version only. One that does not is of an unversioned bucket, where
/// nothing is left.
pub(super) fn change(event_name: &str, names_version: bool) -> Change {
    let removal = if names_version { Change::VersionRemoved } else { Change::Deleted };
    match strip(event_name) {
        // MinIO: new metadata on the same bytes, under the name of a creation.
        "ObjectCreated:PutRetention"
        | "ObjectCreated:PutLegalHold"
        | "ObjectCreated:PutTagging"
        | "ObjectCreated:DeleteTagging" => Change::Other,
        "ObjectRemoved:DeleteMarkerCreated" | "LifecycleExpiration:DeleteMarkerCreated" => Change::Deleted,
        "ObjectRemoved:Delete" | "LifecycleExpiration:Delete" | REMOVED_WITH_OTHERS => removal,
        // MinIO: the object and all of its versions, whichever one the record names.
        "ObjectRemoved:DeleteAllVersions" | "LifecycleDelMarkerExpiration:Delete" => Change::Deleted,
        // Ceph's older names of lifecycle expiry, and what one zone does because another did.
        "ObjectLifecycle:Expiration:Current" | "ObjectSynced:DeletionMarkerCreated" => Change::Deleted,
        "ObjectLifecycle:Expiration:NonCurrent" | "ObjectLifecycle:Expiration:DeleteMarker" => removal,
        "ObjectSynced:Delete" => removal,
        "ObjectSynced:Create" => Change::Created,
        "TestEvent" => Change::Test,
        name if name.starts_with("ObjectCreated:") => Change::Created,
        _ => Change::Other,
    }
}

/// VersityGW says that it is AWS, but for these. <https://github.com/versity/versitygw/blob/main/s3event/event.go>
const VERSITYGW: [&str; 4] = ["webhook-global", "kafka-global", "nats-global", "rabbitmq-global"];

/// VersityGW's name for a removal by DeleteObjects, which it announces one object at a time.
const REMOVED_WITH_OTHERS: &str = "ObjectRemoved:DeleteObjects";

/// MinIO and Ceph write `s3:ObjectCreated:Put`, AWS writes `ObjectCreated:Put`.
fn strip(event_name: &str) -> &str {
    event_name.strip_prefix("s3:").unwrap_or(event_name)
}

/// Some senders leave HTTP's quotation marks around it.
pub(super) fn etag(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).map(|etag| etag.trim_matches('"')).filter(|etag| !etag.is_empty()).map(str::to_owned)
}

/// Ceph's documentation shows it as a string. Informational, so an unreadable one is none.
pub(super) fn size(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// How a transport writes keys.
pub(super) enum Encoding {
    Plain,
    /// Form-urlencoded; what to do where a key is not.
    Form(&'static str),
}

/// What to do about a key that is not URL-encoded where it should be.
pub(super) const RESEND: &str = "send the notification as the bucket wrote it";

/// JSON pointers to what every change must have; the last name is for errors about the key and the time.
pub(super) struct Fields {
    pub(super) bucket: &'static str,
    pub(super) key: &'static str,
    pub(super) key_name: &'static str,
    pub(super) time_name: &'static str,
}

const S3_FIELDS: Fields =
    Fields { bucket: "/s3/bucket/name", key: "/s3/object/key", key_name: "s3.object.key", time_name: "eventTime" };

/// What decides whether an event can be acted upon.
pub(super) struct Facts<'a> {
    pub(super) change: Change,
    pub(super) bucket: &'a str,
    pub(super) raw_key: &'a str,
    pub(super) time: Option<&'a Value>,
}

impl Facts<'_> {
    /// The key and the time. A time that is absent is none; one that is unreadable is an error, because a change
    /// sorted to 1970 would lose to everything older.
    pub(super) fn read(&self, fields: &Fields, encoding: Encoding) -> Result<(String, Option<Timestamp>), EventError> {
        let Facts { change, bucket, raw_key, time } = *self;
        let time = time.filter(|time| !time.is_null() && time.as_str() != Some(""));
        let readable = time.and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
        if matches!(change, Change::Test | Change::Other) {
            return Ok((decode(raw_key, encoding, fields, bucket).unwrap_or_else(|_| raw_key.to_owned()), readable));
        }
        for (value, pointer) in [(bucket, fields.bucket), (raw_key, fields.key)] {
            if value.is_empty() {
                return Err(EventError::missing(pointer, bucket, raw_key));
            }
        }
        let key = decode(raw_key, encoding, fields, bucket)?;
        for (text, pointer) in [(bucket, fields.bucket), (key.as_str(), fields.key)] {
            self.check_length(pointer, text)?;
        }
        match (time, readable) {
            (Some(time), None) => Err(EventError::Time {
                field: fields.time_name,
                text: quoted(time.as_str().unwrap_or("(no string)")),
                object: object(bucket, &key),
            }),
            _ => Ok((key, readable)),
        }
    }
}

impl Facts<'_> {
    /// What says which version a change is of, and when, is a text or absent. Were another type taken for absent, the
    /// removal of one version would be that of the object.
    pub(super) fn check_texts(&self, value: &Value, pointers: &[&str]) -> Result<(), EventError> {
        if matches!(self.change, Change::Test | Change::Other) {
            return Ok(());
        }
        pointers.iter().try_for_each(|pointer| match value.pointer(pointer) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(text)) => self.check_length(pointer, text),
            Some(other) => Err(EventError::not_text(pointer, other, object(self.bucket, self.raw_key))),
        })
    }

    fn check_length(&self, pointer: &str, text: &str) -> Result<(), EventError> {
        match text.len() {
            ..=LONGEST => Ok(()),
            bytes => Err(EventError::too_long(pointer, bytes, LONGEST, object(self.bucket, self.raw_key))),
        }
    }
}

fn decode(raw: &str, encoding: Encoding, fields: &Fields, bucket: &str) -> Result<String, EventError> {
    match encoding {
        Encoding::Plain => Ok(raw.to_owned()),
        Encoding::Form(hint) => key::form_decode(raw).map_err(|problem| EventError::Key {
            field: fields.key_name,
            bucket: quoted(bucket),
            key: quoted(raw),
            problem,
            hint,
        }),
    }
}
