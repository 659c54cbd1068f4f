//! How much of each.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Shared;
use super::answer::{Failure, json};
use super::query::{Asked, Params};
use crate::ask;

pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let model = params.model(&shared.model);
    let (since, until) = (params.since()?, params.until()?);
    let stats = ask::stats(&*shared.page.records, model, since, until, params.by()?).await?;
    json(&headers, &stats)
}
