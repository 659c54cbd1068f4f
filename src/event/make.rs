//! Makes the event that a real change would have sent, in any envelope, with keys written as that transport does.
//!
//! For `spotter event`, and for the local S3 endpoint's own notifications. Deterministic: ids are derived from the
//! change, so that the same change makes the same event.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Timestamp, key};

/// One change of one object, as its bucket would announce it. Absent fields are left out, as S3 leaves them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    pub name: EventName,
    pub bucket: &'a str,
    /// As it is: [`event`] encodes it.
    pub key: &'a str,
    pub size: Option<u64>,
    /// Without quotation marks.
    pub etag: Option<&'a str>,
    pub version_id: Option<&'a str>,
    /// Hex.
    pub sequencer: Option<&'a str>,
    pub event_time: Timestamp,
    pub region: &'a str,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventName {
    Put,
    Post,
    Copy,
    CompleteMultipartUpload,
    /// The object of an unversioned bucket, or the version that the notification names.
    Delete,
    DeleteMarkerCreated,
}

impl EventName {
    pub const ALL: [EventName; 6] = [
        EventName::Put,
        EventName::Post,
        EventName::Copy,
        EventName::CompleteMultipartUpload,
        EventName::Delete,
        EventName::DeleteMarkerCreated,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventName::Put => "ObjectCreated:Put",
            EventName::Post => "ObjectCreated:Post",
            EventName::Copy => "ObjectCreated:Copy",
            EventName::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            EventName::Delete => "ObjectRemoved:Delete",
            EventName::DeleteMarkerCreated => "ObjectRemoved:DeleteMarkerCreated",
        }
    }

    /// EventBridge's `detail-type`, `reason` and `deletion-type`.
    fn on_eventbridge(self) -> (&'static str, &'static str, Option<&'static str>) {
        match self {
            EventName::Put => ("Object Created", "PutObject", None),
            EventName::Post => ("Object Created", "POST Object", None),
            EventName::Copy => ("Object Created", "CopyObject", None),
            EventName::CompleteMultipartUpload => ("Object Created", "CompleteMultipartUpload", None),
            EventName::DeleteMarkerCreated => ("Object Deleted", "DeleteObject", Some("Delete Marker Created")),
            // An unversioned bucket's delete is permanent as well: the version id tells them apart.
            EventName::Delete => ("Object Deleted", "DeleteObject", Some("Permanently Deleted")),
        }
    }
}

/// The envelope to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    S3,
    Sqs,
    Sns,
    EventBridge,
    /// A task of S3 Batch Operations, schema 1.0: it says which object (and version), not what happened to it.
    Batch,
    Minio,
}

impl Shape {
    pub const ALL: [Shape; 6] = [Shape::S3, Shape::Sqs, Shape::Sns, Shape::EventBridge, Shape::Batch, Shape::Minio];

    /// As in `spotter event --as`.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::S3 => "s3",
            Shape::Sqs => "sqs",
            Shape::Sns => "sns",
            Shape::EventBridge => "eventbridge",
            Shape::Batch => "batch",
            Shape::Minio => "minio",
        }
    }
}

/// The owner in made ARNs and envelopes: AWS's account number for examples.
const ACCOUNT: &str = "111122223333";

/// The event in its envelope, which [`super::parse`] reads back (EventBridge's with plain keys, as AWS writes them).
pub fn event(of: &Notification<'_>, shape: Shape) -> Value {
    match shape {
        Shape::S3 => s3(of),
        Shape::Sqs => sqs(of),
        Shape::Sns => sns(of),
        Shape::EventBridge => eventbridge(of),
        Shape::Batch => batch(of),
        Shape::Minio => minio(of),
    }
}

fn s3(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": of.region,
        "eventTime": of.event_time.to_string(),
        "eventName": of.name.as_str(),
        "userIdentity": { "principalId": "spotter" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": id.request(), "x-amz-id-2": id.hex },
        "s3": s3_entity(of, "spotter", &key::encode_as_aws(of.key)),
    }] })
}

fn s3_entity(of: &Notification<'_>, configuration: &str, encoded_key: &str) -> Value {
    let mut object = facts(of, "eTag", "versionId");
    object.insert("key".to_owned(), encoded_key.into());
    json!({
        "s3SchemaVersion": "1.0",
        "configurationId": configuration,
        "bucket": {
            "name": of.bucket,
            "ownerIdentity": { "principalId": "spotter" },
            "arn": bucket_arn(of),
        },
        "object": object,
    })
}

fn bucket_arn(of: &Notification<'_>) -> String {
    format!("arn:aws:s3:::{}", of.bucket)
}

/// Size, ETag, version id and sequencer, where there are any, under the names of the transport.
fn facts(of: &Notification<'_>, etag: &str, version_id: &str) -> Map<String, Value> {
    let facts: [(&str, Option<Value>); 4] = [
        ("size", of.size.map(Value::from)),
        (etag, of.etag.map(Value::from)),
        (version_id, of.version_id.map(Value::from)),
        ("sequencer", of.sequencer.map(Value::from)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn sqs(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    let sent = of.event_time.0.to_string();
    json!({ "Records": [{
        "messageId": id.uuid(),
        "receiptHandle": id.hex,
        "body": s3(of).to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "spotter",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{}:{ACCOUNT}:{}-pictures", of.region, of.bucket),
        "awsRegion": of.region,
    }] })
}

fn sns(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    let topic = format!("arn:aws:sns:{}:{ACCOUNT}:{}-pictures", of.region, of.bucket);
    json!({ "Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": format!("{topic}:{}", id.uuid()),
        "Sns": {
            "Type": "Notification",
            "MessageId": id.uuid(),
            "TopicArn": topic,
            "Subject": "Amazon S3 Notification",
            "Message": s3(of).to_string(),
            "Timestamp": of.event_time.to_string(),
            "MessageAttributes": {},
        },
    }] })
}

fn eventbridge(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    let (detail_type, reason, deletion_type) = of.name.on_eventbridge();
    let mut object = facts(of, "etag", "version-id");
    object.insert("key".to_owned(), of.key.into());
    let mut detail = json!({
        "version": "0",
        "bucket": { "name": of.bucket },
        "object": object,
        "request-id": id.request(),
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": reason,
    });
    if let (Some(deletion_type), Some(detail)) = (deletion_type, detail.as_object_mut()) {
        detail.insert("deletion-type".to_owned(), deletion_type.into());
    }
    json!({
        "version": "0",
        "id": id.uuid(),
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": of.event_time.to_string(),
        "region": of.region,
        "resources": [bucket_arn(of)],
        "detail": detail,
    })
}

fn batch(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    json!({
        "invocationSchemaVersion": "1.0",
        "invocationId": id.hex,
        "job": { "id": id.uuid() },
        "tasks": [{
            "taskId": id.request(),
            "s3Key": key::encode_as_aws(of.key),
            "s3VersionId": of.version_id,
            "s3BucketArn": bucket_arn(of),
        }],
    })
}

/// As MinIO's webhook posts it: the key is encoded in the record and plain at the top.
/// <https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html>
fn minio(of: &Notification<'_>) -> Value {
    let id = Id::of(of);
    let name = format!("s3:{}", of.name.as_str());
    json!({
        "EventName": name,
        "Key": format!("{}/{}", of.bucket, of.key),
        "Records": [{
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": of.region,
            "eventTime": of.event_time.to_string(),
            "eventName": name,
            "userIdentity": { "principalId": "spotter" },
            "requestParameters": { "principalId": "spotter", "region": of.region, "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": id.request(), "x-amz-id-2": id.hex },
            "s3": s3_entity(of, "Config", &key::encode_as_minio(of.key)),
            "source": { "host": "127.0.0.1", "port": "", "userAgent": "spotter" },
        }],
    })
}

/// What stands in for the services' random ids: a hash of the change.
struct Id {
    hex: String,
}

impl Id {
    fn of(of: &Notification<'_>) -> Id {
        let mut hash = Sha256::new();
        let time = of.event_time.to_string();
        let version = of.version_id.or(of.etag).unwrap_or_default();
        for part in [of.name.as_str(), of.bucket, of.key, version, of.sequencer.unwrap_or_default(), &time] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut hex = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Id { hex }
    }

    /// The first of the hash in the form of a UUID.
    fn uuid(&self) -> String {
        let digits: Vec<char> = self.hex.chars().take(32).collect();
        let mut uuid = String::with_capacity(36);
        for (place, digit) in digits.into_iter().enumerate() {
            if matches!(place, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
    }

    /// In the form of S3's request ids.
    fn request(&self) -> String {
        self.hex.chars().take(16).collect::<String>().to_ascii_uppercase()
    }
}

#[cfg(test)]
mod tests;
