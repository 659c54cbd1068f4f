//! A record as it is told: its JSON, what subscribers filter by, and its identity for FIFO queues.

use sha2::{Digest, Sha256};

use crate::record::Record;
use crate::records::object_hash;

pub(super) struct Message<'a> {
    record: &'a Record,
    /// As `--format json` prints it: one object, without `seen`.
    pub(super) body: String,
}

impl<'a> Message<'a> {
    pub(super) fn of(record: &'a Record) -> Message<'a> {
        // A record has no map and no fallible field, so there is always text.
        let json = serde_json::to_string(record).unwrap_or_default();
        // SQS and SNS refuse both characters, and a key may have them.
        let body = json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
        Message { record, body }
    }

    /// By which subscribers of a topic filter; a value that is not there is left out, as an empty one is refused.
    pub(super) fn attributes(&self) -> Vec<(&'static str, String)> {
        let Record { status, label, bucket, model, .. } = self.record;
        let label = label.as_deref().unwrap_or_default();
        [("status", status.as_str()), ("label", label), ("bucket", bucket), ("model", model)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.chars().map(allowed).collect()))
            .collect()
    }

    /// Of a FIFO queue or topic: the changes of one object stay in the order in which they were told.
    pub(super) fn group(&self) -> String {
        hex(&object_hash(&self.record.bucket, &self.record.key))
    }

    /// Of a FIFO queue or topic: the same row told again within five minutes is delivered once.
    pub(super) fn deduplication(&self) -> String {
        hex(&Sha256::digest(&self.body))
    }
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn allowed(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => c,
        _ => '\u{fffd}',
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;
    use crate::event::{Change, ObjectEvent};
    use crate::record;

    fn deleted(key: &str) -> Record {
        record::of_removal(&ObjectEvent {
            bucket: "demo".into(),
            key: key.into(),
            change: Change::Deleted,
            version_id: None,
            etag: None,
            size: None,
            sequencer: Some("0A".into()),
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        })
    }

    #[test]
    fn what_queues_refuse_is_escaped() {
        let record = deleted("a\u{1}\u{ffff}\u{fffe}.png");
        let body = Message::of(&record).body;
        assert!(body.chars().all(|c| allowed(c) == c), "{body:?}");
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["key"], "a\u{1}\u{ffff}\u{fffe}.png");
    }

    #[test]
    fn a_delete_has_no_label_and_no_model_to_filter_by() {
        let record = deleted("a.png");
        let attributes = Message::of(&record).attributes();
        assert_eq!(attributes, [("status", "deleted".to_owned()), ("bucket", "demo".to_owned())]);
        let label = Some("\u{0}7".to_owned());
        let labelled = Record { label, ..record };
        assert!(Message::of(&labelled).attributes().contains(&("label", "\u{fffd}7".to_owned())));
    }

    #[test]
    fn one_object_is_one_group_and_one_row_one_message() {
        let (a, b) = (deleted("a.png"), deleted("b.png"));
        let later = Record { order: record::Order { seq: "0B".into(), ..a.order.clone() }, ..a.clone() };
        let [a, again, b, later] = [&a, &a, &b, &later].map(Message::of);
        assert_eq!((a.group(), a.deduplication()), (again.group(), again.deduplication()));
        assert_eq!((a.group(), a.deduplication() == later.deduplication()), (later.group(), false));
        assert_ne!(a.group(), b.group());
        // The limit of both is 128 characters.
        assert_eq!((a.group().len(), a.deduplication().len()), (32, 64));
    }
}
