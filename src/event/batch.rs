//! Tasks of S3 Batch Operations, invocation schemas 1.0 and 2.0.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html>

use serde_json::Value;

use super::s3::{Encoding, Facts, Fields, RESEND, text};
use super::{Change, Delivery, Envelope, EventError, Item, ObjectEvent};

/// Both schemas url-encode the key of a task.
const FIELDS: Fields = Fields { bucket: "", key: "/s3Key", key_name: "s3Key", time_name: "" };

pub(super) fn is_batch(value: &Value) -> bool {
    value.get("invocationSchemaVersion").is_some() && value.get("tasks").is_some_and(Value::is_array)
}

/// # Errors
/// Where the schema is another one; a bad task is its item's error.
pub(super) fn delivery(value: &Value) -> Result<Delivery, EventError> {
    let schema = text(value, "/invocationSchemaVersion").unwrap_or_default().to_owned();
    let fields = match schema.as_str() {
        "1.0" => Fields { bucket: "/s3BucketArn", ..FIELDS },
        "2.0" => Fields { bucket: "/s3Bucket", ..FIELDS },
        _ => return Err(EventError::BatchSchema { version: super::error::quoted(&schema) }),
    };
    let invocation_id = text(value, "/invocationId").unwrap_or_default().to_owned();
    let items = value
        .get("tasks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|task| Item {
            id: text(task, "/taskId").unwrap_or_default().to_owned(),
            events: vec![event(task, &fields, &invocation_id)],
            attempt: None,
        })
        .collect();
    Ok(Delivery { envelope: Envelope::Batch { schema, invocation_id }, items })
}

fn event(task: &Value, fields: &Fields, invocation_id: &str) -> Result<ObjectEvent, EventError> {
    let bucket = bucket_of(text(task, fields.bucket).unwrap_or_default());
    let raw_key = text(task, fields.key).unwrap_or_default();
    let facts = Facts { change: Change::Observed, bucket, raw_key, time: None };
    let (key, event_time) = facts.read(fields, Encoding::Form(RESEND))?;
    facts.check_texts(task, &["/s3VersionId"])?;
    Ok(ObjectEvent {
        bucket: bucket.to_owned(),
        key,
        change: Change::Observed,
        version_id: text(task, "/s3VersionId").map(str::to_owned),
        etag: None,
        size: None,
        sequencer: None,
        event_time,
        region: None,
        account: None,
        trace_id: (!invocation_id.is_empty()).then(|| invocation_id.to_owned()),
    })
}

/// `arn:aws:s3:::b` and `arn:aws:s3express:r:a:bucket/b` are `b`. An access point's ARN stays whole: S3 takes it
/// where a bucket's name goes.
fn bucket_of(arn: &str) -> &str {
    if !arn.starts_with("arn:") {
        return arn;
    }
    match arn.splitn(6, ':').nth(5) {
        Some(resource) if resource.starts_with("accesspoint") => arn,
        Some(resource) => resource.strip_prefix("bucket/").unwrap_or(resource),
        None => arn,
    }
}

#[cfg(test)]
mod tests {
    use super::bucket_of;

    #[test]
    fn buckets_of_arns() {
        let point = "arn:aws:s3:us-east-1:111122223333:accesspoint/pictures";
        for (arn, bucket) in [
            ("arn:aws:s3:::demo", "demo"),
            ("arn:aws-cn:s3:::demo", "demo"),
            ("arn:aws:s3express:us-west-2:111122223333:bucket/demo--usw2-az1--x-s3", "demo--usw2-az1--x-s3"),
            (point, point),
            ("demo", "demo"),
            ("arn:aws:s3:::", ""),
            ("arn:odd", "arn:odd"),
        ] {
            assert_eq!(bucket_of(arn), bucket, "{arn}");
        }
    }
}
