//! Events in any envelope.

use serde_json::Value;
use spotter::event::key::{encode_as_aws, form_decode};
use spotter::event::{Change, EventBridgeKeys, EventError, ObjectEvent, parse};

/// An error is one line of a log.
const LONGEST_ERROR: usize = 1_500;
/// What neither S3 nor a database takes is told, not written.
const LONGEST_NAME: usize = 1_024;

/// Text that may be an event.
pub fn event(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    check(&value);
}

/// Whatever JSON it is, each event of it can be acted upon or is an error that can be read.
pub fn check(value: &Value) {
    for keys in [EventBridgeKeys::Plain, EventBridgeKeys::Encoded] {
        match parse(value, keys) {
            Ok(delivery) => {
                for event in delivery.items.iter().flat_map(|item| &item.events) {
                    match event {
                        Ok(event) => is_usable(event),
                        Err(error) => is_readable(error),
                    }
                }
            }
            Err(error) => is_readable(&error),
        }
    }
}

fn is_usable(event: &ObjectEvent) {
    let ObjectEvent { bucket, key, change, .. } = event;
    if matches!(change, Change::Test | Change::Other) {
        return;
    }
    assert!(!bucket.is_empty() && !key.is_empty(), "a change of nothing: {event:?}");
    let texts = [Some(bucket), Some(key), event.version_id.as_ref(), event.etag.as_ref(), event.sequencer.as_ref()];
    for text in texts.into_iter().flatten() {
        assert!(!text.is_empty() && text.len() <= LONGEST_NAME, "{} bytes of {event:?}", text.len());
    }
    assert_eq!(form_decode(&encode_as_aws(key)).as_deref(), Ok(key.as_str()));
}

fn is_readable(error: &EventError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.chars().count() <= LONGEST_ERROR, "{} bytes", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
