//! How much of each, and where two models differ.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::Shared;
use super::answer::{Failure, json};
use super::query::{Asked, Params};
use crate::ask::{self, Change};

/// Changes in one answer.
const CHANGES: usize = 100;

pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let served = shared.served().await?;
    let model = params.model_or_human(&served)?;
    let (since, until) = (params.since()?, params.until()?);
    let stats = ask::stats(&*shared.page.records, model, since, until, params.by()?).await?;
    json(&headers, &stats)
}

#[derive(Serialize)]
struct Changes {
    changes: Vec<Change>,
    next: Option<String>,
}

pub(super) async fn diff(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let (a, b) = params.models()?;
    let page = ask::diff_page(&*shared.page.records, a, b, params.cursor()?, CHANGES).await?;
    json(&headers, &Changes { changes: page.changes, next: page.next.as_ref().map(ask::cursor_text) })
}
