//! Why an event was not understood, in words that help its sender.

use serde_json::Value;

/// An event that cannot be acted upon. It is never dropped: its envelope's answer has it sent again, or put aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error(
        "{part} is of no known shape ({saw}); Spotter takes S3 notifications: directly, through SQS, SNS or \
         EventBridge, from S3 Batch Operations, or from MinIO's and Ceph's webhooks"
    )]
    UnknownShape { part: &'static str, saw: String },

    #[error(
        "{part} is a record that Spotter told others: SPOTTER_NOTIFY must name no topic, queue or bus that leads back \
         to Spotter"
    )]
    OwnRecord { part: &'static str },

    #[error("{part} is not JSON: {problem} at line {line}, column {column}")]
    NotJson { part: &'static str, problem: &'static str, line: usize, column: usize },

    #[error("envelopes inside envelopes, more than {limit} deep")]
    TooDeep { limit: usize },

    #[error("{}`{field}` is missing or empty", of(.object))]
    Missing { field: String, object: String },

    #[error("{}`{field}` is {saw}, and must be a text", of(.object))]
    NotText { field: String, saw: &'static str, object: String },

    #[error("{}`{field}` has {bytes} bytes, and S3 has none of more than {limit}", of(.object))]
    TooLong { field: String, bytes: usize, limit: usize, object: String },

    #[error("{}eventVersion is \"{version}\", and Spotter reads major version 2", of(.object))]
    EventVersion { version: String, object: String },

    #[error(
        "invocationSchemaVersion is \"{version}\", and Spotter reads 1.0 and 2.0; set one of them in the batch job"
    )]
    BatchSchema { version: String },

    #[error("the key in `{field}` of bucket {bucket} is not URL-encoded: {problem}, in \"{key}\"; {hint}")]
    Key { field: &'static str, bucket: String, key: String, problem: &'static str, hint: &'static str },

    #[error("{}`{field}` is not a time as in RFC 3339: \"{text}\"", of(.object))]
    Time { field: &'static str, text: String, object: String },
}

/// Text of an event that goes into an error is cut to this many characters.
const MAX_QUOTED: usize = 80;
/// So many field names are listed.
const MAX_NAMES: usize = 12;

impl EventError {
    /// Says which fields `value` has, sorted and capped, never what is in them.
    pub(super) fn unknown(part: &'static str, value: &Value) -> EventError {
        let saw = match value {
            Value::Object(fields) if fields.is_empty() => "an object without fields".to_owned(),
            Value::Object(fields) => {
                let mut names: Vec<&String> = fields.keys().collect();
                names.sort();
                let shown: Vec<String> = names.iter().take(MAX_NAMES).map(|name| quoted(name)).collect();
                match names.len().saturating_sub(MAX_NAMES) {
                    0 => format!("its fields: {}", shown.join(", ")),
                    more => format!("its fields: {} and {more} more", shown.join(", ")),
                }
            }
            other => kind(other).to_owned(),
        };
        EventError::UnknownShape { part, saw }
    }

    /// serde_json's own message may quote content; its place and kind never do.
    pub(super) fn not_json(part: &'static str, error: &serde_json::Error) -> EventError {
        let problem = if error.is_eof() { "it ends too early" } else { "bad syntax" };
        EventError::NotJson { part, problem, line: error.line(), column: error.column() }
    }

    /// `pointer` is a JSON pointer; people read dots.
    pub(super) fn missing(pointer: &str, bucket: &str, key: &str) -> EventError {
        EventError::Missing { field: field(pointer), object: object(bucket, key) }
    }

    pub(super) fn not_text(pointer: &str, value: &Value, object: String) -> EventError {
        EventError::NotText { field: field(pointer), saw: kind(value), object }
    }

    pub(super) fn too_long(pointer: &str, bytes: usize, limit: usize, object: String) -> EventError {
        EventError::TooLong { field: field(pointer), bytes, limit, object }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "an array",
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Null => "null",
    }
}

fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// `s3://b/k` as far as it is known.
pub(super) fn object(bucket: &str, key: &str) -> String {
    match (bucket, key) {
        ("", _) => String::new(),
        (bucket, "") => format!("s3://{}", quoted(bucket)),
        (bucket, key) => format!("s3://{}/{}", quoted(bucket), quoted(key)),
    }
}

/// Cut, and on one line whatever it holds: errors go into logs.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for (place, letter) in text.chars().enumerate() {
        match letter {
            _ if place == MAX_QUOTED => {
                quoted.push('…');
                break;
            }
            control if control.is_control() => quoted.extend(control.escape_debug()),
            letter => quoted.push(letter),
        }
    }
    quoted
}

fn of(object: &str) -> String {
    if object.is_empty() { "the event's ".to_owned() } else { format!("{object}: ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_fields_sorted_and_capped_and_never_content() {
        let error = EventError::unknown("the event", &json!({"zebra": "secret", "ant": {"inner": 1}, "a\nb": null}));
        let text = error.to_string();
        assert!(text.starts_with("the event is of no known shape (its fields: a\\nb, ant, zebra)"), "{text}");
        assert!(!text.contains("secret") && !text.contains("inner"));

        let many: serde_json::Map<String, Value> = (0..500).map(|n| (format!("f{n:03}"), Value::Null)).collect();
        let text = EventError::unknown("the event", &Value::Object(many)).to_string();
        assert!(text.contains("f000, f001") && text.contains("f011 and 488 more)"), "{text}");

        let long = "é".repeat(5000);
        let text = EventError::unknown("the event", &json!({ long: 1 })).to_string();
        assert!(text.chars().count() < 400, "{}", text.len());
    }

    #[test]
    fn an_error_names_its_object() {
        let text = EventError::missing("/s3/object/key", "demo", "").to_string();
        assert_eq!(text, "s3://demo: `s3.object.key` is missing or empty");
        let text = EventError::missing("/s3/bucket/name", "", "1.png").to_string();
        assert_eq!(text, "the event's `s3.bucket.name` is missing or empty");
        let text = EventError::missing("/x", "demo", "it's\n\"new\" 五\u{1b}[1m").to_string();
        assert_eq!(text, "s3://demo/it's\\n\"new\" 五\\u{1b}[1m: `x` is missing or empty");
    }
}
