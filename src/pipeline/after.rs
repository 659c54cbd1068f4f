//! What follows a written record, if it was asked for: tags on the object, then telling others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::classifier::Manifest;
use crate::notify::Notifier;
use crate::objects::{MOST_TAGS, Objects, Pinned, Tag, TagError, Tagged, tag_value};
use crate::record::{Record, Status};

const LABEL: &str = "spotter-label";
const STATUS: &str = "spotter-status";

/// Nothing by default.
#[derive(Default)]
pub struct After {
    tag: bool,
    notifier: Option<Notifier>,
    /// A store that takes no tags is said once.
    refused: AtomicBool,
}

impl After {
    pub fn new(tag: bool, notifier: Option<Notifier>) -> After {
        After { tag, notifier, refused: AtomicBool::new(false) }
    }

    /// Whether others are told.
    pub(super) fn tells(&self) -> bool {
        self.notifier.is_some()
    }

    /// A typo would tell nobody of anything.
    pub(super) fn warn_of_unknown_labels(&self, manifest: &Manifest) {
        let only = self.notifier.iter().map(Notifier::only);
        for label in only.flat_map(|only| only.unknown(&manifest.labels)) {
            tracing::warn!(
                label,
                model = manifest.id(),
                "others are to be told of a label that the model does not have"
            );
        }
    }

    /// Whether anything follows a record.
    pub(super) fn is_asked_for(&self) -> bool {
        self.tag || self.tells()
    }

    /// Whoever is told finds the tags there. An error is why the event must come again.
    pub(super) async fn follow(&self, objects: &dyn Objects, record: &Record, end: Instant) -> Result<(), String> {
        if self.tag {
            self.tag(objects, record).await?;
        }
        match &self.notifier {
            Some(notifier) => notifier.tell(record, end).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// The record is what was promised, tags are a copy of it: where they are refused for good, the work goes on.
    async fn tag(&self, objects: &dyn Objects, record: &Record) -> Result<(), String> {
        let Some(tags) = tags_of(record) else { return Ok(()) };
        let Record { bucket, key, .. } = record;
        let (version_id, etag) = (record.version_id.clone(), record.etag.clone());
        let pinned = Pinned { bucket: bucket.clone(), key: key.clone(), version_id, etag };
        match objects.tag(&pinned, &tags).await {
            Ok(Tagged::Written | Tagged::Same | Tagged::Gone) => {}
            Ok(Tagged::Full) => tracing::warn!(bucket, key, "not tagged: it would have more than {MOST_TAGS} tags"),
            Err(TagError::Refused(why)) if !self.refused.swap(true, Ordering::Relaxed) => {
                tracing::warn!(bucket, key, why, "objects are recorded without tags; this is said once");
            }
            Err(TagError::Refused(_)) => {}
            Err(TagError::Retry(why)) => return Err(format!("recorded, but {why}")),
        }
        Ok(())
    }
}

/// The label of what is classified only: who acts upon a tag shall not act upon a guess. A delete leaves nothing to tag.
fn tags_of(record: &Record) -> Option<[Tag; 2]> {
    let label = match record.status {
        Status::Classified => record.label.as_deref().map(tag_value),
        Status::Unsure | Status::Rejected => None,
        Status::Deleted | Status::VersionRemoved => return None,
    };
    let status = Some(record.status.as_str().to_owned());
    Some([Tag { name: LABEL, value: label }, Tag { name: STATUS, value: status }])
}
