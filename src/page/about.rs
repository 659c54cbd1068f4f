//! What this page is, and what its API is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::Shared;
use super::answer::{Failure, JSON, json, tagged};
use crate::ask;

pub(super) const OPENAPI: &str = include_str!("openapi.json");

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
    let served = shared.served().await.unwrap_or_else(|_| shared.model.clone());
    let models = ask::models(&*page.records, &served).await.unwrap_or_else(|_| vec![served.clone()]);
    let about = About {
        version: env!("CARGO_PKG_VERSION"),
        model: &served,
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

pub(super) async fn openapi(headers: HeaderMap) -> Response {
    tagged(&headers, JSON, OPENAPI.into())
}
