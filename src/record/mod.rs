//! The record: a pure function of (event, object bytes, model). No clock, no random id: a retry or a duplicate
//! makes the same row again.

mod correction;
mod json;
mod look;
mod make;

use serde::{Deserialize, Serialize};

pub use crate::classifier::Guess;
use crate::event::{NULL_VERSION, ObjectEvent, Timestamp};
pub use correction::HUMAN;
pub use look::{Look, look};
pub(crate) use make::png;
pub use make::{Subject, Verdict, of_absence, of_picture, of_removal, of_verdict, too_large, unaddressable, verdict};

/// One row: what one model saw in one version of one object, what a person said of it, or that the version or object
/// went away.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub bucket: String,
    pub key: String,
    pub order: Order,
    /// `name/version` of the model, `human@` and the time of a correction; empty for [`Status::Deleted`] and
    /// [`Status::VersionRemoved`].
    pub model: String,
    pub status: Status,
    pub reason: Option<Reason>,
    /// The reason in one sentence; of a classified picture what else it shows, where a model finds several labels; else
    /// empty.
    pub why: String,
    /// The best guess, also when `unsure`; `None` where nothing was classified.
    pub label: Option<String>,
    /// Of `label`; rounded to 1e-4, because float bits differ between CPUs.
    pub confidence: Option<f32>,
    /// Most confident first: the best guesses, or all the labels of a picture that shows several ([`Record::listed_under`]).
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
    /// A picture of a bucket that kept no versions when it was written: a version that S3 calls `null`.
    pub fn is_unversioned(&self) -> bool {
        self.version_id.as_deref().is_none_or(|version| version == NULL_VERSION)
            && matches!(self.status, Status::Classified | Status::Unsure | Status::Rejected)
    }

    /// The label under which listings find it: the best guess if classified, else the status.
    pub fn listed_as(&self) -> &str {
        match (self.status, &self.label) {
            (Status::Classified, Some(label)) => label,
            (status, _) => status.as_str(),
        }
    }

    /// Everything that listings find it under: [`Record::listed_as`] first, then the other labels. Only a picture that
    /// several labels were found in is classified and says more (`why`).
    pub fn listed_under(&self) -> Vec<&str> {
        let mut names = vec![self.listed_as()];
        if self.status == Status::Classified && !self.why.is_empty() {
            for guess in &self.top {
                if !names.contains(&guess.label.as_str()) {
                    names.push(&guess.label);
                }
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::classifier::Model;
    use crate::event::Change;
    use crate::objects::Head;

    fn event(sequencer: Option<&str>) -> ObjectEvent {
        ObjectEvent {
            bucket: "demo".to_owned(),
            key: "7.png".to_owned(),
            change: Change::Created,
            version_id: None,
            etag: None,
            size: None,
            sequencer: sequencer.map(str::to_owned),
            event_time: None,
            region: None,
            account: None,
            trace_id: None,
        }
    }

    fn order(sequencer: &str) -> Order {
        Order::of(&event(Some(sequencer)))
    }

    #[test]
    fn sequencers_are_padded_on_the_right_and_compared_without_case() {
        assert_eq!(order("0055AED6DCD90281E5").seq, "0055AED6DCD90281E500000000000000");
        assert!(order("0055AED6DCD90281E5") < order("0055aed6dcd90281e6"));
        assert!(order("0055") < order("0055AE") && order("0055AE") < order("0056"));
        assert_eq!(order("0055"), order("005500"));
        // MinIO's `%X` of UnixNano has 16 digits from 2004 to 2554, so that text compares as time does.
        assert!(order("17C4D5AE3F0A1B2C") < order("17C4D5AE3F0A1B2D"));
        for no_hex in ["Happy Sequencer", "", "0x55", "é", "00 55"] {
            assert_eq!(order(no_hex).seq, "", "{no_hex}");
        }
        assert!(Order::of(&event(None)) < order("00"));
    }

    #[test]
    fn the_version_is_the_version_id_or_else_the_etag() {
        let mut event = event(None);
        assert_eq!(Order::of(&event).version, "");
        event.etag = Some("d41d8cd98f00b204e9800998ecf8427e".to_owned());
        assert_eq!(Order::of(&event).version, "d41d8cd98f00b204e9800998ecf8427e");
        event.version_id = Some("null".to_owned());
        assert_eq!(Order::of(&event).version, "null");
    }

    /// A bucket that keeps versions by the time it is asked has the same bytes under an id that the event has not.
    #[test]
    fn the_version_of_a_row_is_its_events() {
        let model = Model::embedded().unwrap();
        let row_of = |change, found: Option<&str>| {
            let event = ObjectEvent { change, etag: Some("e".to_owned()), ..event(Some("0A")) };
            let (etag, version_id) = (event.etag.clone(), found.map(str::to_owned));
            let head = Head { size: 1, etag, version_id, content_type: None, last_modified: None };
            of_verdict(&Subject { order: Order::of(&event), event, head }, &model, too_large(1, 0))
        };
        let row = row_of(Change::Created, None);
        assert!(row.is_unversioned());
        assert_eq!(row_of(Change::Created, Some("null")), row);
        assert_eq!(row_of(Change::Created, Some("v9")), row);
        assert_eq!(row_of(Change::Observed, Some("v9")).version_id.as_deref(), Some("v9"));
    }

    proptest! {
        /// S3's rule, word by word: pad the shorter with zeros on the right, compare.
        #[test]
        fn orders_as_s3_says(left in "[0-9A-Fa-f]{1,32}", right in "[0-9A-Fa-f]{1,32}") {
            let width = left.len().max(right.len());
            let padded = |text: &str| format!("{text:0<width$}").to_ascii_uppercase();
            prop_assert_eq!(order(&left).cmp(&order(&right)), padded(&left).cmp(&padded(&right)));
        }

        /// The sequencer decides before the time, the time before the version.
        #[test]
        fn seq_then_time_then_version(
            (seqs, times, etags) in ("[0-9A-F]{2}", "[0-9A-F]{2}")
                .prop_flat_map(|seqs| (Just(seqs), any::<(i64, i64)>(), ("[0-9a-f]{4}", "[0-9a-f]{4}"))),
        ) {
            let one = |seq: &str, time: i64, etag: &str| {
                let mut event = event(Some(seq));
                event.event_time = Some(Timestamp(time));
                event.etag = Some(etag.to_owned());
                Order::of(&event)
            };
            let (left, right) = (one(&seqs.0, times.0, &etags.0), one(&seqs.1, times.1, &etags.1));
            let expected = (&seqs.0, times.0, &etags.0).cmp(&(&seqs.1, times.1, &etags.1));
            prop_assert_eq!(left.cmp(&right), expected);
        }
    }
}
