//! Amazon EventBridge's events of S3.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use serde_json::Value;

use super::s3::{Encoding, Facts, Fields, etag, size, text};
use super::{Change, EventBridgeKeys, EventError, ObjectEvent};

const FIELDS: Fields = Fields {
    bucket: "/detail/bucket/name",
    key: "/detail/object/key",
    key_name: "detail.object.key",
    time_name: "time",
};

const HINT: &str = "if this sender writes keys as they are, as AWS does, set SPOTTER_EVENTBRIDGE_KEYS=plain";

/// Events of S3, and what somebody puts on a bus again under another source (`aws.` is reserved).
pub(super) fn is_event(value: &Value) -> bool {
    let ours = text(value, "/source") == Some("aws.s3");
    let detail_type = text(value, "/detail-type").unwrap_or_default();
    value.get("detail").is_some() && (matches!(detail_type, CREATED | DELETED) || ours && !detail_type.is_empty())
}

const CREATED: &str = "Object Created";
const DELETED: &str = "Object Deleted";

/// # Errors
/// As for a record of S3's own format.
pub(super) fn event(value: &Value, keys: EventBridgeKeys) -> Result<ObjectEvent, EventError> {
    let bucket = text(value, FIELDS.bucket).unwrap_or_default();
    let raw_key = text(value, FIELDS.key).unwrap_or_default();
    let version_id = text(value, "/detail/object/version-id").map(str::to_owned);
    let change = match text(value, "/detail-type") {
        Some(CREATED) => Change::Created,
        Some(DELETED) => removal(value, version_id.is_some()),
        _ => Change::Other,
    };
    let encoding = match keys {
        EventBridgeKeys::Plain => Encoding::Plain,
        EventBridgeKeys::Encoded => Encoding::Form(HINT),
    };
    let facts = Facts { change, bucket, raw_key, time: value.get("time") };
    let (key, event_time) = facts.read(&FIELDS, encoding)?;
    facts.check_texts(value, &["/detail/object/version-id", "/detail/object/etag", "/detail/object/sequencer"])?;
    Ok(ObjectEvent {
        bucket: bucket.to_owned(),
        key,
        change,
        version_id,
        etag: etag(value, "/detail/object/etag"),
        size: value.pointer("/detail/object/size").and_then(size),
        sequencer: text(value, "/detail/object/sequencer").map(str::to_owned),
        event_time,
        region: text(value, "/region").map(str::to_owned),
        account: text(value, "/account").map(str::to_owned),
        trace_id: text(value, "/id").map(str::to_owned),
    })
}

/// A marker hides the object; anything else that names a version removes it for good.
fn removal(value: &Value, names_version: bool) -> Change {
    match text(value, "/detail/deletion-type") {
        Some("Delete Marker Created") => Change::Deleted,
        _ if names_version => Change::VersionRemoved,
        _ => Change::Deleted,
    }
}
