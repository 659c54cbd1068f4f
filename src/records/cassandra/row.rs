//! [`Record`]s as rows of the tables.

use scylla::value::{CqlTimestamp, MaybeUnset};
use scylla::{DeserializeRow, SerializeRow};

use crate::event::Timestamp;
use crate::record::{Guess, Order, Reason, Record, Status};

/// The columns that [`Read`] takes, and every column of `by_object`.
pub(super) const COLUMNS: &str = "bucket, key, seq, event_time, version, model, status, reason, why, label, \
                                  confidence, top, width, height, size, content_type, etag, version_id, seen";
/// What [`Unseen`] takes.
pub(super) const UNSEEN: &str = "bucket, key, seq, event_time, version, model, status, reason, why, label, \
                                 confidence, top, width, height, size, content_type, etag, version_id";

/// A row of `by_object`.
///
/// What the picture and its event say is left unset where there is none: a null would be a tombstone, and the next
/// write of this row has none either. What the model says is always set, so that a model that was edited under the
/// same version leaves nothing behind.
#[derive(Clone, SerializeRow)]
pub(super) struct ByObject<'a> {
    bucket: &'a str,
    key: &'a str,
    seq: &'a str,
    event_time: CqlTimestamp,
    version: &'a str,
    model: &'a str,
    status: &'a str,
    reason: &'a str,
    why: &'a str,
    label: &'a str,
    confidence: f32,
    top: Vec<(&'a str, f32)>,
    width: MaybeUnset<i32>,
    height: MaybeUnset<i32>,
    size: MaybeUnset<i64>,
    content_type: MaybeUnset<&'a str>,
    etag: MaybeUnset<&'a str>,
    version_id: MaybeUnset<&'a str>,
    seen: &'a [u8],
}

/// A row of `by_time`.
#[derive(Clone, SerializeRow)]
pub(super) struct ByTime<'a> {
    #[scylla(flatten)]
    pub(super) row: ByObject<'a>,
    pub(super) slot: CqlTimestamp,
    pub(super) shard: i32,
    pub(super) object_hash: [u8; 16],
}

/// A row of `by_label`.
#[derive(SerializeRow)]
pub(super) struct ByLabel<'a> {
    #[scylla(flatten)]
    pub(super) row: ByTime<'a>,
    pub(super) listed_as: &'a str,
}

impl<'a> ByObject<'a> {
    /// As the logs have it.
    pub(super) fn listed(record: &'a Record) -> ByObject<'a> {
        ByObject { model: record.listed_model(), ..ByObject::of(record) }
    }

    pub(super) fn of(record: &'a Record) -> ByObject<'a> {
        let text = |text: &'a Option<String>| MaybeUnset::from_option(text.as_deref());
        ByObject {
            bucket: &record.bucket,
            key: &record.key,
            seq: &record.order.seq,
            event_time: CqlTimestamp(record.order.event_time.0),
            version: &record.order.version,
            model: &record.model,
            status: record.status.as_str(),
            reason: record.reason.map(Reason::as_str).unwrap_or_default(),
            why: &record.why,
            label: record.label.as_deref().unwrap_or_default(),
            confidence: record.confidence.unwrap_or_default(),
            top: record.top.iter().map(|guess| (guess.label.as_str(), guess.confidence)).collect(),
            width: MaybeUnset::from_option(record.dimensions.map(|(width, _)| width.cast_signed())),
            height: MaybeUnset::from_option(record.dimensions.map(|(_, height)| height.cast_signed())),
            size: MaybeUnset::from_option(record.size.map(u64::cast_signed)),
            content_type: text(&record.content_type),
            etag: text(&record.etag),
            version_id: text(&record.version_id),
            seen: &record.seen,
        }
    }
}

macro_rules! columns {
    ($($name:ident: $kind:ty,)*) => {
        /// A row of any of the three tables.
        #[derive(DeserializeRow)]
        pub(super) struct Read {
            $($name: $kind,)*
            seen: Vec<u8>,
        }

        /// The same without the picture.
        #[derive(DeserializeRow)]
        pub(super) struct Unseen {
            $($name: $kind,)*
        }

        impl From<Unseen> for Read {
            fn from(row: Unseen) -> Read {
                Read { $($name: row.$name,)* seen: Vec::new() }
            }
        }
    };
}

columns! {
    bucket: String,
    key: String,
    seq: String,
    event_time: CqlTimestamp,
    version: String,
    model: String,
    status: String,
    reason: String,
    why: String,
    label: String,
    confidence: f32,
    top: Vec<(String, f32)>,
    width: Option<i32>,
    height: Option<i32>,
    size: Option<i64>,
    content_type: Option<String>,
    etag: Option<String>,
    version_id: Option<String>,
}

impl Read {
    /// `Err` says what this version does not know.
    pub(super) fn into_record(self) -> Result<Record, String> {
        let unknown = |what, word: &str| format!("the {what} '{word}' is unknown to this version of spotter");
        let reason = match self.reason.as_str() {
            "" => None,
            word => Some(Reason::parse(word).ok_or_else(|| unknown("reason", word))?),
        };
        let label = Some(self.label).filter(|label| !label.is_empty());
        Ok(Record {
            bucket: self.bucket,
            key: self.key,
            order: Order { seq: self.seq, event_time: Timestamp(self.event_time.0), version: self.version },
            model: self.model,
            status: Status::parse(&self.status).ok_or_else(|| unknown("status", &self.status))?,
            reason,
            why: self.why,
            confidence: label.is_some().then_some(self.confidence),
            label,
            top: self.top.into_iter().map(|(label, confidence)| Guess { label, confidence }).collect(),
            dimensions: self.width.map(i32::cast_unsigned).zip(self.height.map(i32::cast_unsigned)),
            size: self.size.map(i64::cast_unsigned),
            content_type: self.content_type,
            etag: self.etag,
            version_id: self.version_id,
            seen: self.seen,
        })
    }
}
