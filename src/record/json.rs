//! The record as JSON: what `--format json` prints and the page's API answers.

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::Record;

/// One object, every field always there, `null` where the record has nothing. `event_time` is RFC 3339, `version` is
/// what orders changes (the version id, else the ETag). `seen` stays out: it is a picture.
///
/// Write it straight to text: on the way through [`serde_json::Value`] the fields lose their order and `0.996`
/// becomes `0.9959999918937683`.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Record", 18)?;
        fields.serialize_field("bucket", &self.bucket)?;
        fields.serialize_field("key", &self.key)?;
        fields.serialize_field("status", &self.status)?;
        fields.serialize_field("reason", &self.reason)?;
        fields.serialize_field("why", &some(&self.why))?;
        fields.serialize_field("label", &self.label)?;
        fields.serialize_field("confidence", &self.confidence)?;
        fields.serialize_field("top", &self.top)?;
        fields.serialize_field("model", &some(&self.model))?;
        fields.serialize_field("event_time", &self.order.event_time)?;
        fields.serialize_field("seq", &some(&self.order.seq))?;
        fields.serialize_field("version", &some(&self.order.version))?;
        fields.serialize_field("version_id", &self.version_id)?;
        fields.serialize_field("etag", &self.etag)?;
        fields.serialize_field("size", &self.size)?;
        fields.serialize_field("content_type", &self.content_type)?;
        fields.serialize_field("width", &self.dimensions.map(|(width, _)| width))?;
        fields.serialize_field("height", &self.dimensions.map(|(_, height)| height))?;
        fields.end()
    }
}

/// Empty columns, which are `''` because Cassandra's clustering columns know no null, are `null` here.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::super::{Guess, Order, Reason, Status};
    use super::*;
    use crate::event::Timestamp;

    fn unsure() -> Record {
        Record {
            bucket: "pictures".into(),
            key: "a \"b\".png".into(),
            order: Order {
                seq: "0055AED6DCD90281E500000000000000".into(),
                event_time: Timestamp(1_767_225_600_123),
                version: "v1".into(),
            },
            model: "digits/2".into(),
            status: Status::Unsure,
            reason: Some(Reason::BelowThreshold),
            why: "below threshold 0.80".into(),
            label: Some("8".into()),
            confidence: Some(0.4123),
            top: vec![Guess { label: "8".into(), confidence: 0.4123 }, Guess { label: "3".into(), confidence: 0.4 }],
            dimensions: Some((640, 480)),
            size: Some(5_000_000_000),
            content_type: Some("image/png".into()),
            etag: Some("abc".into()),
            version_id: Some("v1".into()),
            seen: vec![1, 2, 3],
        }
    }

    #[test]
    fn fields_stand_in_their_order_and_confidences_as_kept() {
        assert_eq!(
            serde_json::to_string(&unsure()).unwrap(),
            concat!(
                r#"{"bucket":"pictures","key":"a \"b\".png","status":"unsure","reason":"below_threshold","#,
                r#""why":"below threshold 0.80","label":"8","confidence":0.4123,"#,
                r#""top":[{"label":"8","confidence":0.4123},{"label":"3","confidence":0.4}],"model":"digits/2","#,
                r#""event_time":"2026-01-01T00:00:00.123Z","seq":"0055AED6DCD90281E500000000000000","version":"v1","#,
                r#""version_id":"v1","etag":"abc","size":5000000000,"content_type":"image/png","width":640,"#,
                r#""height":480}"#
            )
        );
    }

    #[test]
    fn what_a_delete_lacks_is_null() {
        let order = Order { event_time: Timestamp(0), ..Order::default() };
        let nothing = Record {
            order,
            model: String::new(),
            status: Status::Deleted,
            reason: None,
            why: String::new(),
            label: None,
            confidence: None,
            top: Vec::new(),
            dimensions: None,
            size: None,
            content_type: None,
            etag: None,
            version_id: None,
            ..unsure()
        };
        let json: serde_json::Value = serde_json::to_value(&nothing).unwrap();
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), 18);
        let there: Vec<&str> = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| &**name).collect();
        assert_eq!(there.len(), 5, "{there:?}"); // bucket, key, status, top, event_time
    }
}
