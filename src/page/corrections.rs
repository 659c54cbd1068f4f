//! What a person says of a picture: one more row.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer};

use super::Shared;
use super::answer::{Failure, sent};
use super::query::now;
use super::rows::Row;
use crate::ask::{self, AskError};

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
}

fn label_or_null<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(field)
}

pub(super) async fn correct(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Correction>, JsonRejection>,
) -> Result<(StatusCode, Json<Row>), Failure> {
    let page = &shared.page;
    let Correction { bucket, key, label } = sent(body)?;
    let labels = &page.model.manifest().labels;
    // A typo would stay in every statistic.
    if let Some(label) = label.as_ref().filter(|label| !labels.contains(label)) {
        let message = format!("The model {} says {}; not '{label}'.", shared.model, labels.join(", "));
        return Err(Failure::bad_request(message));
    }
    let deadline = Instant::now() + PATIENCE;
    let correction = ask::correct(&*page.records, &bucket, &key, label.as_deref(), now(), deadline).await?;
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
            AskError::Deleted(_) | AskError::NotCorrected(_) => StatusCode::CONFLICT,
        };
        // A sentence begins with a capital, a URL does not.
        let why = error.to_string();
        let (first, rest) = why.split_at(why.chars().next().map_or(0, char::len_utf8));
        let first = if why.starts_with("s3://") { first.to_owned() } else { first.to_uppercase() };
        Failure::new(status, format!("{first}{rest}."))
    }
}
