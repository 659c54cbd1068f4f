//! What a person says of a picture: one more row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::Shared;
use super::answer::{Failure, sent};
use super::rows::Row;
use crate::ask::{self, AskError};
use crate::event::Timestamp;
use crate::record::Order;

/// A person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Correction {
    bucket: String,
    key: String,
    /// `null` undoes; left out it is a mistake.
    #[serde(deserialize_with = "label_or_null")]
    label: Option<String>,
    /// The version that was looked at.
    of: Option<Version>,
}

/// As in a record's JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    seq: Option<String>,
    #[serde(deserialize_with = "timestamp")]
    event_time: Timestamp,
    version: Option<String>,
}

fn timestamp<'de, D: Deserializer<'de>>(field: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(field)?;
    // What RFC 3339 cannot say is printed so.
    let outside = || text.strip_suffix(" ms")?.parse().ok().map(Timestamp);
    let at = Timestamp::parse_rfc3339(&text).or_else(outside);
    at.ok_or_else(|| D::Error::custom(format!("event_time '{text}' is no RFC 3339 time")))
}

fn label_or_null<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(field)
}

pub(super) async fn correct(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Correction>, JsonRejection>,
) -> Result<(StatusCode, Json<Row>), Failure> {
    let page = &shared.page;
    let Correction { bucket, key, label, of } = sent(body)?;
    let labels = &page.model.manifest().labels;
    if let Some(label) = label.as_ref().filter(|label| !labels.contains(label)) {
        let known: Vec<&str> = labels.iter().map(String::as_str).collect();
        return Err(Failure::unknown_label(label, &shared.model, &known));
    }
    let deadline = Instant::now() + PATIENCE;
    let of = of.map(|Version { seq, event_time, version }| Order {
        seq: seq.unwrap_or_default(),
        event_time,
        version: version.unwrap_or_default(),
    });
    let (records, label) = (&*page.records, label.as_deref());
    let correction = ask::correct(records, &bucket, &key, of.as_ref(), label, Timestamp::now(), deadline).await?;
    if let Some(live) = &page.live {
        // Whoever listens; nobody may.
        let _ = live.send(correction.clone());
    }
    Ok((StatusCode::CREATED, Json(Row::new(correction))))
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Failure {
        let status = match error {
            AskError::Records(error) => return error.into(),
            AskError::Unknown(_) => StatusCode::NOT_FOUND,
            AskError::Deleted(_) | AskError::Replaced(_) | AskError::NotCorrected(_) => StatusCode::CONFLICT,
        };
        // A sentence begins with a capital, a URL does not.
        let why = error.to_string();
        let (first, rest) = why.split_at(why.chars().next().map_or(0, char::len_utf8));
        let first = if why.starts_with("s3://") { first.to_owned() } else { first.to_uppercase() };
        Failure::new(status, format!("{first}{rest}."))
    }
}
