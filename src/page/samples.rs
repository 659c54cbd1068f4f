//! The empty page's offer: the sample pictures, uploaded as anybody's are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Failure, sent};

/// Nothing to choose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {}

#[derive(Serialize)]
pub(super) struct Loaded {
    uploaded: usize,
}

pub(super) async fn load(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Loaded>, Failure> {
    let Some(load) = &shared.page.samples else {
        return Err(Failure::new(StatusCode::NOT_FOUND, "There are no samples to load here."));
    };
    let Wish {} = sent(body)?;
    let uploaded = load().await.map_err(|why| Failure::unavailable(format!("The samples were not loaded: {why}.")))?;
    Ok(Json(Loaded { uploaded }))
}
