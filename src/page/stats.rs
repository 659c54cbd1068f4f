//! How much of each.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Shared;
use super::answer::{Failure, json};
use super::query::{Asked, Params};
use crate::records;

pub(super) async fn stats(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Failure> {
    let params = Params::of(asked)?;
    let model = params.model(&shared.model);
    let stats = records::stats(&*shared.page.records, model, params.since()?, params.until()?).await?;
    // Until `ask` is here.
    let mut stats = serde_json::to_value(&stats).unwrap_or_default();
    stats["model"] = model.into();
    stats["by_time"] = serde_json::json!([]);
    stats["confidence"] = serde_json::json!([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    stats["accuracy"] = serde_json::json!({"checked": 0, "agreed": 0, "by_label": {}, "by_day": {}});
    json(&headers, &stats)
}
