//! The page of `spotter serve`: the newest records, the history of one object, and the same records as JSON.
//!
//! | path | answers | asked with |
//! |---|---|---|
//! | `/` | the newest records | `label` (or a status), `limit` (25, at most 200), `cursor` |
//! | `/object` | every change of one object | `bucket`, `key` |
//! | `/api/records` | `{"records": […], "next": cursor or null}` | as `/`; `limit` 100, at most 1,000 |
//!
//! Rendered on the server; the one script only asks whether something changed. Nothing that comes from a bucket or a
//! URL is ever HTML, and a strict Content-Security-Policy stands behind that.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use self::query::Params;
use crate::ask::cursor_text;
use crate::encoding::hex;
use crate::record::{Record, Status};
use crate::records::{self, Records, RecordsError};

mod front;
mod html;
mod query;

pub use front::loopback_hosts;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// Changes of one object on its page.
const HISTORY: usize = 200;

/// What the page shows, and to whom.
pub struct PageState {
    pub records: Arc<dyn Records>,
    /// `name/version`: whose records are listed.
    pub model: String,
    /// What the model can say, in the manifest's order: links that filter.
    pub labels: Vec<String>,
    /// URL of the S3 endpoint, and a bucket in it: how to upload.
    pub s3_endpoint: String,
    pub bucket: String,
    /// The `Host` headers that are answered, `name:port`; [`loopback_hosts`] makes the usual ones.
    pub hosts: Vec<String>,
}

pub fn router(state: PageState) -> Router {
    let state = Arc::new(state);
    Router::new()
        .route("/", get(newest))
        .route("/object", get(object))
        .route("/api/records", get(api))
        .route("/style.css", get(async |headers: HeaderMap| tagged(&headers, "text/css", html::STYLE)))
        .route("/live.js", get(async |headers: HeaderMap| tagged(&headers, "text/javascript", html::SCRIPT)))
        .fallback(async |uri: Uri| Failure::new(StatusCode::NOT_FOUND, format!("There is no page at {}.", uri.path())))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "This page is only read: GET and HEAD.")
        })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&state), front::guard))
        .with_state(state)
}

/// Serves until `shutdown` is done, then finishes the answers under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

type Asked = Result<Query<Params>, QueryRejection>;

async fn newest(State(state): State<Arc<PageState>>, headers: HeaderMap, asked: Asked) -> Result<Response, Failure> {
    let params = params(asked)?;
    let listing = params.listing(&state.model, 25, 200).map_err(Failure::bad_request)?;
    let page = state.records.list(&listing).await?;
    let mut sightings = Vec::with_capacity(page.records.len());
    for record in page.records {
        let since = since(&state, &record).await?;
        sightings.push((record, since));
    }
    let older = page.next.map(|next| params.older(&next));
    Ok(tagged(&headers, HTML, &html::newest(&state, &params, &sightings, older.as_deref())))
}

async fn object(State(state): State<Arc<PageState>>, headers: HeaderMap, asked: Asked) -> Result<Response, Failure> {
    let params = params(asked)?;
    let (Some(bucket), Some(key)) = (&params.bucket, &params.key) else {
        return Err(Failure::bad_request("Name the object: /object?bucket=…&key=…".to_owned()));
    };
    let rows = records::history(&*state.records, bucket, key).take(HISTORY + 1).try_collect::<Vec<Record>>().await?;
    if rows.is_empty() {
        let message = format!("Nothing is known of s3://{bucket}/{key}: no record names it.");
        return Err(Failure::new(StatusCode::NOT_FOUND, message));
    }
    let current = records::get(&*state.records, bucket, key, &state.model).await?;
    Ok(tagged(&headers, HTML, &html::object(&state, bucket, key, &rows, current.as_ref(), HISTORY)))
}

async fn api(State(state): State<Arc<PageState>>, headers: HeaderMap, asked: Asked) -> Response {
    #[derive(Serialize)]
    struct Answer {
        records: Vec<Record>,
        next: Option<String>,
    }
    let answer = async {
        let listing = params(asked)?.listing(&state.model, 100, 1_000).map_err(Failure::bad_request)?;
        let page = state.records.list(&listing).await?;
        let answer = Answer { records: page.records, next: page.next.as_ref().map(cursor_text) };
        serde_json::to_string(&answer)
            .map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    };
    match answer.await {
        Ok(body) => tagged(&headers, JSON, &body),
        Err(failure) => {
            let body = serde_json::json!({ "error": failure.message }).to_string();
            (failure.status, [(CONTENT_TYPE, JSON)], body).into_response()
        }
    }
}

fn params(asked: Asked) -> Result<Params, Failure> {
    let Query(params) = asked.map_err(|error| Failure::bad_request(format!("{}.", error.body_text())))?;
    Ok(params)
}

/// What became of an object after a sighting of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Current,
    Replaced,
    Deleted,
}

async fn since(state: &PageState, record: &Record) -> Result<Since, RecordsError> {
    if record.status == Status::VersionRemoved {
        return Ok(Since::Current); // never the answer to anything, and nothing that could be replaced
    }
    let current = records::get(&*state.records, &record.bucket, &record.key, &state.model).await?;
    Ok(match current {
        Some(current) if current == *record => Since::Current,
        Some(current) if current.status != Status::Deleted => Since::Replaced,
        _ => Since::Deleted,
    })
}

/// The answer with its ETag, or 304 where the browser has it already.
fn tagged(asked: &HeaderMap, content_type: &'static str, body: &str) -> Response {
    let tag = format!("\"{}\"", hex(&Sha256::digest(body)[..16]));
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    if known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response();
    }
    ([(CONTENT_TYPE, content_type.to_owned()), (ETAG, tag)], body.to_owned()).into_response()
}

/// What goes to the browser instead of the page: one plain sentence.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure { status, message: message.into() }
    }

    fn bad_request(message: String) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<RecordsError> for Failure {
    fn from(error: RecordsError) -> Failure {
        match error {
            RecordsError::Unavailable(why) => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, format!("The records cannot be reached now: {why}."))
            }
            RecordsError::Broken(why) => {
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("The records cannot be read: {why}."))
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, HTML)], html::failure(self.status, &self.message)).into_response()
    }
}
