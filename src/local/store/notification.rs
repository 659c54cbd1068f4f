//! The S3 event that a change sends.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Seq;

/// What the event says about its object.
pub(super) struct Change<'a> {
    /// `ObjectCreated:Put` and so on, without `s3:`.
    pub name: &'a str,
    pub bucket: &'a str,
    pub key: &'a str,
    /// A removed version has neither.
    pub size: Option<u64>,
    pub etag: Option<&'a str>,
    /// `None` on a bucket that never was versioned.
    pub version_id: Option<&'a str>,
}

/// As S3 encodes keys in events: a form's encoding, but for the slash.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

pub(super) fn event(change: &Change<'_>, seq: Seq) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("key".into(), utf8_percent_encode(change.key, KEY).to_string().replace(' ', "+").into());
    if let Some(size) = change.size {
        object.insert("size".into(), size.into());
    }
    if let Some(etag) = change.etag {
        object.insert("eTag".into(), etag.into());
    }
    if let Some(version_id) = change.version_id {
        object.insert("versionId".into(), version_id.into());
    }
    object.insert("sequencer".into(), seq.sequencer().into());
    json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": rfc3339(seq),
        "eventName": change.name,
        "userIdentity": {"principalId": "spotter"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": seq.sequencer()},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "spotter",
            "bucket": {
                "name": change.bucket,
                "ownerIdentity": {"principalId": "spotter"},
                "arn": format!("arn:aws:s3:::{}", change.bucket),
            },
            "object": object,
        },
    }]})
}

fn rfc3339(seq: Seq) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(seq.time().0) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format).ok())
        // Unreachable before the year 9999; the epoch is a valid time that nobody takes for a true one.
        .unwrap_or_else(|| "1970-01-01T00:00:00.000Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does() {
        let key = "a b/c+d%2B/ä*(1)~.png";
        let change =
            Change { name: "ObjectCreated:Put", bucket: "b", key, size: Some(3), etag: Some("e"), version_id: None };
        let event = event(&change, Seq(1_767_225_600_123_456));
        let record = &event["Records"][0];
        assert_eq!(record["s3"]["object"]["key"], "a+b/c%2Bd%252B/%C3%A4*%281%29%7E.png");
        assert_eq!(record["eventTime"], "2026-01-01T00:00:00.123Z");
        assert_eq!(record["s3"]["object"]["sequencer"], "000006474C99E8D240");
        assert_eq!(record["s3"]["object"].get("versionId"), None);
    }
}
