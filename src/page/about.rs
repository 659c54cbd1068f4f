//! What this page is, and what its API is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::Shared;
use super::answer::{Failure, JSON, json, tagged};
use crate::records::{self, Listing, RecordsError};

pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// Objects whose rows say which models there are: no home lists its models.
const LOOKED_AT: usize = 20;

#[derive(Serialize)]
struct About<'a> {
    version: &'static str,
    model: &'a str,
    models: Vec<String>,
    labels: &'a [String],
    threshold: f32,
    bucket: Option<&'a str>,
    s3: &'a str,
    uploads: bool,
    live: &'static str,
    samples: bool,
}

pub(super) async fn about(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Result<Response, Failure> {
    let page = &shared.page;
    let manifest = page.model.manifest();
    // The page opens also where the records are away: it says so when it asks for them.
    let models = models(&shared).await.unwrap_or_else(|_| vec![shared.model.clone()]);
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        model: &shared.model,
        models,
        labels: &manifest.labels,
        threshold: manifest.threshold,
        bucket: page.uploads.as_ref().map(|uploads| uploads.bucket.as_str()),
        s3: &page.s3_endpoint,
        uploads: page.uploads.is_some(),
        live: if page.live.is_some() { "sse" } else { "poll" },
        samples: page.samples.is_some(),
    };
    json(&headers, &about)
}

/// The served model, and those that saw the newest objects too.
async fn models(shared: &Shared) -> Result<Vec<String>, RecordsError> {
    let records = &*shared.page.records;
    let listing = Listing {
        model: shared.model.clone(),
        label: None,
        since: None,
        until: None,
        limit: LOOKED_AT,
        seen: false,
        after: None,
    };
    let mut models = vec![shared.model.clone()];
    for row in records.list(&listing).await?.records {
        let rows = records::history(records, &row.bucket, &row.key).take(LOOKED_AT);
        for row in rows.try_collect::<Vec<_>>().await? {
            if !row.model.is_empty() && !row.is_correction() && !models.contains(&row.model) {
                models.push(row.model);
            }
        }
    }
    models[1..].sort();
    Ok(models)
}

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    tagged(&headers, JSON, OPENAPI.into())
}
