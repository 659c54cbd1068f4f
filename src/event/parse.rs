//! The one parser: routes on the JSON's shape, unwraps envelopes, keeps the fate of each message apart.

use serde_json::Value;

use super::s3::text;
use super::{EventError, ObjectEvent, batch, eventbridge, s3};

/// One invocation's event, unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub envelope: Envelope,
    /// What is answered on its own: an SQS message, a batch task; one item for the others.
    pub items: Vec<Item>,
}

/// The outermost envelope: it decides how the function answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    S3,
    Sqs,
    Sns,
    EventBridge,
    /// S3 Batch Operations; the answer repeats both.
    Batch {
        schema: String,
        invocation_id: String,
    },
    /// MinIO's or Ceph's.
    Webhook,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The SQS message's or the task's id, else empty. Empty in a malformed SQS batch too: answered as it is,
    /// Lambda takes the whole batch as failed, and loses nothing.
    pub id: String,
    /// In the order of its records. One bad record fails its item, but does not keep the good ones beside it from
    /// being recorded. Empty where the event has no records.
    pub events: Vec<Result<ObjectEvent, EventError>>,
    /// How often the message was received, this time included; `None` where the service does not say.
    pub attempt: Option<u32>,
}

/// How the keys of EventBridge's events are written: AWS writes them as they are, LocalStack URL-encodes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventBridgeKeys {
    #[default]
    Plain,
    Encoded,
}

/// SQS, SNS, SNS again through a topic's subscription, EventBridge; more is a mistake, or mischief.
const MAX_DEPTH: usize = 4;

/// Reads one invocation's event.
///
/// # Errors
/// Where the event as a whole is of no known shape. What is wrong with one message, task or record is in its item.
pub fn parse(value: &Value, keys: EventBridgeKeys) -> Result<Delivery, EventError> {
    if batch::is_batch(value) {
        return batch::delivery(value);
    }
    let layer = Layer::of("the event", value)?;
    let envelope = match &layer {
        Layer::Sqs(messages) => {
            let items = messages.iter().map(|message| Item {
                id: text(message, "/messageId").unwrap_or_default().to_owned(),
                events: sqs_message(message, keys, 1),
                attempt: text(message, "/attributes/ApproximateReceiveCount").and_then(|count| count.parse().ok()),
            });
            return Ok(Delivery { envelope: Envelope::Sqs, items: items.collect() });
        }
        Layer::Sns(_) | Layer::SnsMessage(_) => Envelope::Sns,
        Layer::EventBridge => Envelope::EventBridge,
        Layer::S3(records) if records.first().is_some_and(is_webhook) || value.get("EventName").is_some() => {
            Envelope::Webhook
        }
        Layer::S3(_) | Layer::Test => Envelope::S3,
    };
    let item = Item { id: String::new(), events: layer.events(value, keys, 1), attempt: None };
    Ok(Delivery { envelope, items: vec![item] })
}

/// What one JSON object is: an envelope around others, or events.
enum Layer<'a> {
    S3(&'a [Value]),
    Sqs(&'a [Value]),
    /// As Lambda gets it.
    Sns(&'a [Value]),
    /// As a queue or an HTTP endpoint gets it: the `Message`.
    SnsMessage(&'a str),
    EventBridge,
    Test,
}

impl<'a> Layer<'a> {
    fn of(part: &'static str, value: &'a Value) -> Result<Layer<'a>, EventError> {
        if let Some(records) = value.get("Records").and_then(Value::as_array) {
            return match records.first() {
                None => Ok(Layer::S3(records)),
                Some(first) if source(first) == Some("aws:sqs") => Ok(Layer::Sqs(records)),
                Some(first) if source(first) == Some("aws:sns") => Ok(Layer::Sns(records)),
                Some(first) if is_s3(first) => Ok(Layer::S3(records)),
                Some(first) => Err(EventError::unknown("the first of Records", first)),
            };
        }
        match value {
            _ if eventbridge::is_event(value) => Ok(Layer::EventBridge),
            _ if s3::is_test(value) => Ok(Layer::Test),
            _ => match (text(value, "/Type"), text(value, "/Message")) {
                (Some("Notification"), Some(message)) => Ok(Layer::SnsMessage(message)),
                _ if is_own_record(value) => Err(EventError::OwnRecord { part }),
                _ => Err(EventError::unknown(part, value)),
            },
        }
    }

    fn events(&self, value: &Value, keys: EventBridgeKeys, depth: usize) -> Vec<Result<ObjectEvent, EventError>> {
        match self {
            Layer::S3(records) => records.iter().map(s3_record).collect(),
            Layer::Sqs(messages) => messages.iter().flat_map(|one| sqs_message(one, keys, depth)).collect(),
            Layer::Sns(records) => records.iter().flat_map(|one| sns_record(one, keys, depth)).collect(),
            Layer::SnsMessage(message) => inner("the SNS message", message, keys, depth),
            Layer::EventBridge => vec![eventbridge::event(value, keys)],
            Layer::Test => vec![Ok(s3::test_event(value))],
        }
    }
}

/// What `notify` sends, as it is or on a bus.
fn is_own_record(value: &Value) -> bool {
    let fields = ["bucket", "key", "status", "event_time", "seq", "model"];
    text(value, "/source") == Some("spotter") || fields.iter().all(|field| value.get(field).is_some())
}

/// `eventSource`, which SNS alone capitalises.
fn source(record: &Value) -> Option<&str> {
    text(record, "/eventSource").or_else(|| text(record, "/EventSource"))
}

/// `aws:s3`, `minio:s3`, `ceph:s3`; other stores follow them.
fn is_s3(record: &Value) -> bool {
    match source(record) {
        Some(source) => source.ends_with(":s3"),
        None => record.get("s3").is_some(),
    }
}

fn is_webhook(record: &Value) -> bool {
    matches!(source(record), Some("minio:s3" | "ceph:s3"))
}

fn s3_record(record: &Value) -> Result<ObjectEvent, EventError> {
    if is_s3(record) { s3::record(record) } else { Err(EventError::unknown("one of Records", record)) }
}

fn sqs_message(message: &Value, keys: EventBridgeKeys, depth: usize) -> Vec<Result<ObjectEvent, EventError>> {
    let Some(body) = text(message, "/body") else {
        return vec![Err(EventError::missing("/body", "", ""))];
    };
    let mut events = inner("the SQS message's body", body, keys, depth);
    if let Some(header) = text(message, "/attributes/AWSTraceHeader") {
        for event in events.iter_mut().flatten() {
            event.trace_id = Some(header.to_owned());
        }
    }
    events
}

fn sns_record(record: &Value, keys: EventBridgeKeys, depth: usize) -> Vec<Result<ObjectEvent, EventError>> {
    match text(record, "/Sns/Message") {
        Some(message) => inner("the SNS message", message, keys, depth),
        None => vec![Err(EventError::missing("/Sns/Message", "", ""))],
    }
}

/// JSON inside JSON.
fn inner(part: &'static str, json: &str, keys: EventBridgeKeys, depth: usize) -> Vec<Result<ObjectEvent, EventError>> {
    if depth > MAX_DEPTH {
        return vec![Err(EventError::TooDeep { limit: MAX_DEPTH })];
    }
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => return vec![Err(EventError::not_json(part, &error))],
    };
    match Layer::of(part, &value) {
        Ok(layer) => layer.events(&value, keys, depth + 1),
        Err(error) => vec![Err(error)],
    }
}

#[cfg(test)]
mod tests;
