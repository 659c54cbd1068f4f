//! Notifications on their way: each at least once, in any order, some of them twice or only after a while.

use serde_json::{Value, json};
use spotter::event::Timestamp;
use spotter::event::make::{self, Shape};

use super::bucket::{Act, Bucket};

#[derive(Default)]
pub struct Queue {
    pub messages: Vec<Message>,
}

pub struct Message {
    pub id: u64,
    pub transport: Transport,
    pub what: String,
    /// As the bucket announces it, in the transport's inner shape.
    body: Value,
    /// Received, and not yet given back.
    pub hidden: bool,
    pub receives: u32,
}

/// How a bucket's notifications reach the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// An event source mapping of SQS: several messages at once, each answered on its own.
    Queue(Shape),
    /// One by one; an error makes it come again.
    Direct(Shape),
}

pub const TRANSPORTS: [Transport; 6] = [
    Transport::Queue(Shape::S3),
    Transport::Queue(Shape::EventBridge),
    Transport::Direct(Shape::S3),
    Transport::Direct(Shape::Sns),
    Transport::Direct(Shape::EventBridge),
    Transport::Direct(Shape::Minio),
];

impl Transport {
    fn shape(self) -> Shape {
        match self {
            Transport::Queue(shape) | Transport::Direct(shape) => shape,
        }
    }
}

impl Queue {
    pub fn announce(&mut self, id: u64, transport: Transport, bucket: &Bucket, key: &str, act: &Act) {
        let etag = act.etag();
        let notification = make::Notification {
            name: act.name,
            bucket: &bucket.name,
            key,
            size: act.size(),
            etag: etag.as_deref(),
            version_id: act.version_id.as_deref(),
            sequencer: act.sequencer.as_deref(),
            event_time: Timestamp(act.time),
            region: "us-east-1",
        };
        let body = make::event(&notification, transport.shape());
        let what = format!("{} {}/{key} {:?}", act.name.as_str(), bucket.name, act.version_id);
        self.push(id, transport, what, body);
    }

    /// What nobody shall act upon.
    pub fn chatter(&mut self, id: u64, bucket: &str, key: &str) {
        let body = if id.is_multiple_of(2) {
            json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket })
        } else {
            let object = json!({ "key": key, "versionId": "v1" });
            json!({ "Records": [{
                "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectRestore:Completed",
                "eventTime": "2026-11-21T02:03:04.567Z", "s3": { "bucket": { "name": bucket }, "object": object },
            }] })
        };
        self.push(id, Transport::Queue(Shape::S3), "chatter".into(), body);
    }

    fn push(&mut self, id: u64, transport: Transport, what: String, body: Value) {
        self.messages.push(Message { id, transport, what, body, hidden: false, receives: 0 });
    }

    /// The same message once more.
    pub fn again(&mut self, id: u64) {
        if let Some(Message { transport, what, body, .. }) = self.messages.last() {
            let (transport, what, body) = (*transport, what.clone(), body.clone());
            self.push(id, transport, what, body);
        }
    }

    pub fn visible(&self) -> impl Iterator<Item = usize> {
        self.messages.iter().enumerate().filter(|(_, message)| !message.hidden).map(|(at, _)| at)
    }

    /// What the function is invoked with for these messages, which are hidden from now on.
    pub fn receive(&mut self, at: &[usize]) -> (Vec<u64>, Value) {
        let mut ids = Vec::new();
        let mut records = Vec::new();
        for &at in at {
            let message = &mut self.messages[at];
            message.hidden = true;
            message.receives += 1;
            ids.push(message.id);
            if let Transport::Direct(_) = message.transport {
                return (ids, message.body.clone());
            }
            records.push(json!({
                "messageId": message.id.to_string(),
                "body": message.body.to_string(),
                "eventSource": "aws:sqs",
            }));
        }
        (ids, json!({ "Records": records }))
    }

    pub fn give_back(&mut self, id: u64) {
        if let Some(message) = self.messages.iter_mut().find(|message| message.id == id) {
            message.hidden = false;
        }
    }

    pub fn delete(&mut self, id: u64) {
        self.messages.retain(|message| message.id != id);
    }
}
