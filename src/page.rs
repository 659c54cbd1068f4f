//! The page and its API: what the buckets' pictures were taken for, asked and corrected by people.
//!
//! | path | answers |
//! |---|---|
//! | `/`, `/assets/…` | one document and its modules: static files in the binary |
//! | `/api/…` | JSON, as `/api/openapi.json` says |
//! | `/metrics` | what Prometheus reads, where one process serves and records |
//! | `/api/live` | each record as it is written (server-sent events), where one process serves and records |
//!
//! It stands behind `spotter serve` and, without what only that has, behind a function's URL. Nothing that comes from a
//! bucket or a URL is ever HTML here, and a strict Content-Security-Policy stands behind that.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::routing::{MethodRouter, get, post};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use self::answer::Failure;
use crate::ask;
use crate::classifier::Model;
use crate::decode::Limits;
use crate::metrics::{self, Exposition};
use crate::objects::Objects;
use crate::records::{Records, RecordsError};

mod about;
mod answer;
mod assets;
mod corrections;
pub mod function_url;
mod guard;
mod journey;
mod live;
mod query;
mod rows;
mod samples;
mod stats;
mod uploads;

pub use guard::{Token, loopback_hosts};
pub use live::Live;

/// JSON that people and the page send is short.
const LARGEST_BODY: usize = 16 * 1024;
/// Journeys at once: each holds an object and its pixels.
const JOURNEYS: usize = 2;
const METRICS: &str = "/metrics";

/// What the page shows, what it may do, and for whom.
pub struct PageState {
    pub records: Arc<dyn Records>,
    /// What a journey goes through; whose records are listed where no other one is served.
    pub model: Arc<Model>,
    pub objects: Arc<dyn Objects>,
    pub limits: Limits,
    /// Bytes of the largest object.
    pub max_bytes: u64,
    /// Where a browser reaches the bucket: scheme, host and port.
    pub s3_endpoint: String,
    /// `None`: the page takes no uploads.
    pub uploads: Option<Uploads>,
    /// Gets each record as it is written; `None`: the page has to ask again.
    pub live: Option<Live>,
    /// `None`: there are no samples to load.
    pub samples: Option<Samples>,
    /// `None`: Prometheus asks somebody else.
    pub metrics: Option<Exposition>,
    /// The `Host` headers that are answered, `name:port`; [`loopback_hosts`] makes the usual ones. `None`: whatever
    /// stands in front answers to one name only.
    pub hosts: Option<Vec<String>>,
    /// What `/api` and `/metrics` ask for; `None`: somebody else has checked, or everybody may.
    pub token: Option<Token>,
}

/// Where the browser's uploads go.
#[derive(Debug, Clone)]
pub struct Uploads {
    /// Those that name no bucket.
    pub bucket: String,
    /// Whether others may be named.
    pub any_bucket: bool,
    /// What keys begin with; it is put before those that do not.
    pub prefix: String,
}

/// Uploads the sample pictures and says how many; an error is a sentence.
pub type Samples = Box<dyn Fn() -> BoxFuture<'static, Result<usize, String>> + Send + Sync>;

/// What the handlers share.
struct Shared {
    page: PageState,
    /// The page's own: what a journey goes through, and whose labels are known.
    model: String,
    journeys: Arc<Semaphore>,
}

impl Shared {
    /// Whose answers are shown where the question names none.
    async fn served(&self) -> Result<String, RecordsError> {
        ask::served(&*self.page.records, &self.model).await
    }
}

type Route = (&'static str, &'static str, MethodRouter<Arc<Shared>>);

/// Every question of the API: method, path, who answers.
fn api() -> [Route; 12] {
    [
        ("get", "/api/about", get(about::about)),
        ("get", "/api/records", get(rows::records)),
        ("get", "/api/object", get(rows::object)),
        ("get", "/api/stats", get(stats::stats)),
        ("get", "/api/review", get(rows::review)),
        ("get", "/api/diff", get(stats::diff)),
        ("get", "/api/journey", get(journey::journey)),
        ("get", "/api/live", get(live::live)),
        ("get", "/api/openapi.json", get(about::openapi)),
        ("post", "/api/uploads", post(uploads::upload)),
        ("post", "/api/corrections", post(corrections::correct)),
        ("post", "/api/samples", post(samples::load)),
    ]
}

pub fn router(state: PageState) -> Router {
    let shared =
        Arc::new(Shared { model: state.model.id(), page: state, journeys: Arc::new(Semaphore::new(JOURNEYS)) });
    let mut router = Router::new().route("/", get(assets::document)).route("/assets/{*path}", get(assets::asset));
    if let Some(exposition) = shared.page.metrics.clone() {
        router = router.route(METRICS, get(async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], exposition())));
    }
    let own_site = axum::middleware::from_fn_with_state(Arc::clone(&shared), guard::own_site);
    let router = api().into_iter().fold(router, |router, (method, path, answer)| {
        // A method that is not the path's is told so, however it was sent.
        let answer = if method == "get" { answer } else { answer.route_layer(own_site.clone()) };
        router.route(path, answer)
    });
    router
        .fallback(async |uri: Uri| Failure::new(StatusCode::NOT_FOUND, format!("There is nothing at {}.", uri.path())))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here: /api/openapi.json says what can.")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_documented_path_is_there_and_each_path_is_documented() {
        let document: serde_json::Value = serde_json::from_str(about::OPENAPI).unwrap();
        let methods = |(path, methods): (&String, &serde_json::Value)| {
            methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        };
        let documented: BTreeSet<_> = document["paths"].as_object().unwrap().iter().flat_map(methods).collect();
        let routed = api().iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(documented, routed);
    }
}
