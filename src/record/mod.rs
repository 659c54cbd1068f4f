//! The record: a pure function of (event, object bytes, model). No clock, no random id: a retry or a duplicate
//! makes the same row again.

mod make;

use serde::{Deserialize, Serialize};

pub use crate::classifier::Guess;
use crate::event::{ObjectEvent, Timestamp};
pub use make::{Subject, of_picture, of_removal, too_many_bytes};

/// One row: what one model saw in one version of one object, or that the version or object went away.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub bucket: String,
    pub key: String,
    pub order: Order,
    /// `name/version` of the model; empty for [`Status::Deleted`] and [`Status::VersionRemoved`].
    pub model: String,
    pub status: Status,
    pub reason: Option<Reason>,
    /// The reason in one sentence; empty where there is none.
    pub why: String,
    /// The best guess, also when `unsure`; `None` where nothing was classified.
    pub label: Option<String>,
    /// Of `label`; rounded to 1e-4, because float bits differ between CPUs.
    pub confidence: Option<f32>,
    /// Most confident first.
    pub top: Vec<Guess>,
    /// Upright, in pixels, where the picture's header could be read.
    pub dimensions: Option<(u32, u32)>,
    /// Bytes of the object.
    pub size: Option<u64>,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub version_id: Option<String>,
    /// The model's input as a PNG; empty where nothing was classified.
    pub seen: Vec<u8>,
}

/// Where a change stands among the changes of its key. Later is greater, whatever arrived first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Order {
    /// The sequencer in upper-case hex, right-padded with `0` to 32; empty where it is not hex.
    pub seq: String,
    pub event_time: Timestamp,
    /// The version id, else the ETag, else empty.
    pub version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Classified,
    Unsure,
    Rejected,
    Deleted,
    VersionRemoved,
}

/// Why a picture was not classified. A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    BelowThreshold,
    Outlier,
    SeveralObjects,
    NotAnImage,
    Broken,
    TooLarge,
    Unsupported,
}

impl Order {
    pub fn of(event: &ObjectEvent) -> Order {
        Order {
            seq: event.sequencer.as_deref().map(comparable).unwrap_or_default(),
            event_time: event.event_time.unwrap_or_default(),
            version: event.version_id.clone().or_else(|| event.etag.clone()).unwrap_or_default(),
        }
    }
}

/// S3 says: right-pad the shorter sequencer with zeros, then compare as strings.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
fn comparable(sequencer: &str) -> String {
    if sequencer.bytes().all(|b| b.is_ascii_hexdigit()) && !sequencer.is_empty() {
        format!("{:0<32}", sequencer.to_ascii_uppercase())
    } else {
        String::new()
    }
}

impl Status {
    pub const ALL: [Status; 5] =
        [Status::Classified, Status::Unsure, Status::Rejected, Status::Deleted, Status::VersionRemoved];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Classified => "classified",
            Status::Unsure => "unsure",
            Status::Rejected => "rejected",
            Status::Deleted => "deleted",
            Status::VersionRemoved => "version_removed",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl Reason {
    pub const ALL: [Reason; 7] = [
        Reason::BelowThreshold,
        Reason::Outlier,
        Reason::SeveralObjects,
        Reason::NotAnImage,
        Reason::Broken,
        Reason::TooLarge,
        Reason::Unsupported,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::BelowThreshold => "below_threshold",
            Reason::Outlier => "outlier",
            Reason::SeveralObjects => "several_objects",
            Reason::NotAnImage => "not_an_image",
            Reason::Broken => "broken",
            Reason::TooLarge => "too_large",
            Reason::Unsupported => "unsupported",
        }
    }

    pub fn parse(text: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl Record {
    /// The label under which listings find it: the best guess if classified, else the status.
    pub fn listed_as(&self) -> &str {
        match (self.status, &self.label) {
            (Status::Classified, Some(label)) => label,
            (status, _) => status.as_str(),
        }
    }
}
