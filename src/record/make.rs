//! Event, bytes and model to a record: the same in, the same out, on any machine at any time.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::classifier::{Doubt, Guess, Model, Reading};
use crate::decode::{Limits, Rejection, RejectionKind};
use crate::event::{Change, ObjectEvent};
use crate::objects::Head;
use crate::record::look::{self, Look, look};
use crate::record::{Order, Reason, Record, Status};

/// Largest `seen`, in bytes.
const SEEN_BYTES: usize = 4_096;

/// Which version of which object a record is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub event: ObjectEvent,
    pub order: Order,
    pub head: Head,
}

/// What bytes come to, wherever they are from.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// [`Status::Classified`], [`Status::Unsure`] or [`Status::Rejected`].
    pub status: Status,
    pub reason: Option<Reason>,
    /// The reason in one sentence; empty where there is none.
    pub why: String,
    pub dimensions: Option<(u32, u32)>,
    /// `None` of a rejected picture.
    pub reading: Option<Reading>,
}

/// What the model sees in `bytes`, or why it sees nothing.
pub fn verdict(bytes: &[u8], model: &Model, limits: Limits) -> Verdict {
    verdict_of(look(bytes, model, limits), model)
}

fn verdict_of(look: Result<Look<'_>, Rejection>, model: &Model) -> Verdict {
    let (reading, dimensions) = match look.and_then(|look| read(look, model)) {
        Ok(read) => read,
        Err(rejection) => return rejection.into(),
    };
    let why = match &reading.doubt {
        Some(doubt) => doubt.to_string(),
        None if model.manifest().output.is_multi_label() => others(&reading.top),
        None => String::new(),
    };
    Verdict {
        status: if reading.doubt.is_none() { Status::Classified } else { Status::Unsure },
        reason: reading.doubt.as_ref().map(Reason::from),
        why,
        dimensions: Some(dimensions),
        reading: Some(reading),
    }
}

impl From<&Doubt> for Reason {
    fn from(doubt: &Doubt) -> Reason {
        match doubt {
            Doubt::SeveralObjects => Reason::SeveralObjects,
            Doubt::Outlier(_) => Reason::Outlier,
            Doubt::BelowThreshold(_) => Reason::BelowThreshold,
        }
    }
}

/// The labels beside the best one; empty where there is none.
fn others(found: &[Guess]) -> String {
    let others: Vec<String> =
        found.iter().skip(1).map(|Guess { label, confidence }| format!("{label} {confidence:.2}")).collect();
    if others.is_empty() { String::new() } else { format!("also {}", others.join(", ")) }
}

/// What fails on one picture fails on it each time: an answer to record, not one to try again.
fn read(look: Look<'_>, model: &Model) -> Result<(Reading, (u32, u32)), Rejection> {
    let Look { found, dimensions } = look;
    match catch_unwind(AssertUnwindSafe(|| model.classify(found.prepared()))) {
        Ok(Ok(reading)) => Ok((reading, dimensions)),
        Ok(Err(error)) => {
            let dimensions = Some(dimensions);
            Err(Rejection { kind: RejectionKind::Broken, sentence: error.to_string(), dimensions })
        }
        Err(_) => Err(look::gave_up(model, dimensions)),
    }
}

/// The record of what the model is to see of the object's bytes.
pub fn of_picture(subject: &Subject, look: Result<Look<'_>, Rejection>, model: &Model) -> Record {
    of_verdict(subject, model, verdict_of(look, model))
}

/// The record of what the object's bytes came to, or of why there are none.
pub fn of_verdict(subject: &Subject, model: &Model, verdict: Verdict) -> Record {
    record(subject, model.id(), verdict)
}

/// The object is there, and nobody can ask for it.
pub fn unaddressable(sentence: String) -> Verdict {
    Rejection { kind: RejectionKind::Unsupported, sentence, dimensions: None }.into()
}

/// What so many bytes come to, unread.
pub fn too_large(bytes: u64, max_bytes: u64) -> Verdict {
    let sentence = format!("{}, and the limit is {}", megabytes(bytes), megabytes(max_bytes));
    Rejection { kind: RejectionKind::TooLarge, sentence, dimensions: None }.into()
}

/// The object, or one version of it, went away.
pub fn of_removal(event: &ObjectEvent) -> Record {
    let status = if event.change == Change::VersionRemoved { Status::VersionRemoved } else { Status::Deleted };
    let head =
        Head { size: 0, etag: None, version_id: event.version_id.clone(), content_type: None, last_modified: None };
    let subject = Subject { event: event.clone(), order: Order::of(event), head };
    let verdict = Verdict { status, reason: None, why: String::new(), dimensions: None, reading: None };
    Record { size: None, ..record(&subject, String::new(), verdict) }
}

/// The object was looked for and is gone, which no event has said, while `newest` was the place of its newest change. Its
/// own is just after that, whenever the object was looked for: so it is the same row each time, and whatever
/// came later outranks it. `marker` is the delete marker that was found; whoever removes it undeletes.
pub fn of_absence(event: &ObjectEvent, newest: &Order, marker: Option<String>) -> Record {
    let Order { seq, event_time, .. } = newest.clone();
    // No version is the least one: an upload in the same millisecond stands above.
    let version = marker.clone().unwrap_or_default();
    let event = ObjectEvent { change: Change::Deleted, version_id: marker, ..event.clone() };
    Record { order: Order { seq, event_time: event_time.just_after(), version }, ..of_removal(&event) }
}

fn record(subject: &Subject, model: String, verdict: Verdict) -> Record {
    let seen = verdict.reading.as_ref().map(seen).unwrap_or_default();
    let top = verdict.reading.map(|reading| reading.top).unwrap_or_default();
    let head = &subject.head;
    Record {
        bucket: subject.event.bucket.clone(),
        key: subject.event.key.clone(),
        order: subject.order.clone(),
        model,
        status: verdict.status,
        reason: verdict.reason,
        why: verdict.why,
        label: top.first().map(|best| best.label.clone()),
        confidence: top.first().map(|best| best.confidence),
        top,
        dimensions: verdict.dimensions,
        size: Some(head.size),
        content_type: head.content_type.clone(),
        etag: head.etag.clone(),
        version_id: version_id(subject),
        seen,
    }
}

/// As the event says: whether the bucket keeps versions by the time it is asked, and under which id it has the same
/// bytes then, is no part of what happened.
fn version_id(Subject { event, head, .. }: &Subject) -> Option<String> {
    let found = head.version_id.as_ref().filter(|_| event.change == Change::Observed);
    found.or(event.version_id.as_ref()).cloned()
}

impl From<Rejection> for Verdict {
    fn from(rejection: Rejection) -> Verdict {
        let reason = match rejection.kind {
            RejectionKind::NotAnImage => Reason::NotAnImage,
            RejectionKind::Broken => Reason::Broken,
            RejectionKind::TooLarge => Reason::TooLarge,
            RejectionKind::Unsupported => Reason::Unsupported,
        };
        Verdict {
            status: Status::Rejected,
            reason: Some(reason),
            why: rejection.sentence,
            dimensions: rejection.dimensions,
            reading: None,
        }
    }
}

/// The model's input as a PNG, halved until it is small; empty in the end rather than large.
fn seen(reading: &Reading) -> Vec<u8> {
    let channels = reading.seen_channels;
    let (mut pixels, mut width) = (reading.seen.clone(), reading.seen_width);
    while !pixels.is_empty() {
        let png = png(&pixels, width, channels).unwrap_or_default();
        if png.len() <= SEEN_BYTES {
            return png;
        }
        pixels = halved(&pixels, width, channels);
        width /= 2;
    }
    Vec::new()
}

/// 8 bits, interleaved, one channel or three.
pub(crate) fn png(pixels: &[u8], width: usize, channels: usize) -> Result<Vec<u8>, png::EncodingError> {
    let height = pixels.len() / (width * channels);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(if channels == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_compression(png::Compression::Balanced);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}

fn halved(pixels: &[u8], width: usize, channels: usize) -> Vec<u8> {
    let height = pixels.len() / (width * channels);
    let mut out = Vec::with_capacity(pixels.len() / 4);
    for y in 0..height / 2 {
        for x in 0..width / 2 {
            for channel in 0..channels {
                let at =
                    |dy: usize, dx: usize| u32::from(pixels[((2 * y + dy) * width + 2 * x + dx) * channels + channel]);
                out.push(((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) / 4) as u8);
            }
        }
    }
    out
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
