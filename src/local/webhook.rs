//! The webhook: notifications by HTTP, as MinIO and Ceph send them, to `POST /events`.
//!
//! | status | what it says to the sender |
//! |---|---|
//! | 200 | every object of the event is recorded, or there is nothing to record |
//! | 400 | not an event: it never will be |
//! | 401 | not the token |
//! | 403 | from a browser: without a token, none is let in |
//! | 408, 413 | the body came too slowly, or is larger than 1 MiB |
//! | 503 | send it again: the records' home is away, or an object cannot be had now |
//!
//! The token is taken as MinIO sends its `auth_token` (`Bearer TOKEN`, or as it is where it has two words), or as a
//! sender with `http://spotter:TOKEN@host` in its configuration does (HTTP's basic authentication, RFC 7617).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::http::serve_router;
use crate::encoding::base64;
use crate::function::{Answer, Function, TIME_LIMIT};
use crate::pipeline::Outcome;
use crate::records::Records;
use crate::secret::Secret;

/// Where it listens.
pub const PATH: &str = "/events";
/// The user of HTTP's basic authentication; the token is the password.
pub const USER: &str = "spotter";
/// As SQS's messages; a notification has about 1 kB an object.
const LARGEST_BODY: usize = 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Events that are under way at once; others wait.
const CONCURRENT: u32 = 64;
/// Seconds after which to try again.
const LATER: &str = "5";

pub struct Webhook {
    pub function: Arc<Function>,
    pub records: Arc<dyn Records>,
    /// Without one, every program that reaches the address is let in.
    pub token: Option<Secret>,
    pub answered: Box<dyn Fn(&Answer) + Send + Sync>,
}

struct Shared {
    webhook: Webhook,
    places: Arc<Semaphore>,
}

impl Webhook {
    /// Serves until `stop` is done, then finishes what is under way.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONCURRENT as usize));
        let shared = Arc::new(Shared { webhook: self, places: Arc::clone(&places) });
        let events = post(event).head(async || StatusCode::OK); // MinIO asks so whether anybody is there
        let router = Router::new()
            .route(PATH, events)
            .fallback(async || refusal(StatusCode::NOT_FOUND, format!("notifications go to {PATH}")))
            .method_not_allowed_fallback(async || {
                refusal(StatusCode::METHOD_NOT_ALLOWED, "notifications come by POST".into())
            })
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), guard))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .with_state(shared);
        serve_router(listener, router, stop).await;
        // A sender that went away does not take its event along.
        let _ = places.acquire_many(CONCURRENT).await;
    }
}

/// Before the body is read.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: axum::middleware::Next) -> Response {
    match &shared.webhook.token {
        Some(token) if !knows(request.headers(), token.expose()) => {
            let challenge = [(WWW_AUTHENTICATE, "Bearer, Basic realm=\"spotter\"")];
            (challenge, refusal_aloud(StatusCode::UNAUTHORIZED, "not the token of this webhook".into())).into_response()
        }
        // A page that somebody on this machine looks at could forge events otherwise.
        None if request.headers().contains_key(ORIGIN) => {
            refusal_aloud(StatusCode::FORBIDDEN, "browsers are not let in without a token".into())
        }
        _ => next.run(request).await,
    }
}

fn knows(headers: &HeaderMap, token: &str) -> bool {
    let Some(given) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::trim) else {
        return false;
    };
    let as_it_is = same(given, token);
    match given.split_once(' ') {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => same(given.trim(), token) | as_it_is,
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("basic") => {
            same(given.trim(), &base64(format!("{USER}:{token}").as_bytes())) | as_it_is
        }
        _ => as_it_is,
    }
}

/// Takes as long wherever they differ, so that nobody finds a token letter by letter.
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    left.iter().zip(right.iter()).fold(0, |different, (l, r)| different | (l ^ r)) == 0
}

async fn event(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let body = match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refusal_aloud(rejection.status(), format!("the event has more than {LARGEST_BODY} bytes"));
        }
        Ok(Err(rejection)) => return refusal_aloud(rejection.status(), rejection.body_text()),
        Err(_) => return refusal_aloud(StatusCode::REQUEST_TIMEOUT, "the body came too slowly".into()),
    };
    let payload: Value = match serde_json::from_slice(&body) {
        Ok(payload) => payload,
        Err(error) => return refusal_aloud(StatusCode::BAD_REQUEST, format!("the event is not JSON: {error}")),
    };
    // In a task of its own: where the sender hangs up, hyper drops what waits here, and some never send again.
    let task = tokio::spawn(async move {
        // The semaphore is never closed.
        let _place = Arc::clone(&shared.places).acquire_owned().await.ok();
        // Nothing is fetched for a record that cannot be written.
        if let Err(error) = shared.webhook.records.available().await {
            return later(error.to_string());
        }
        let answer = shared.webhook.function.answer(&payload, Instant::now() + TIME_LIMIT).await;
        (shared.webhook.answered)(&answer);
        response(&answer)
    });
    task.await.unwrap_or_else(|error| later(error.to_string()))
}

fn response(answer: &Answer) -> Response {
    let unfinished = answer.objects.iter().any(|(_, handled)| matches!(handled.outcome, Outcome::Retry(_)));
    match &answer.body {
        Err(error) if unfinished => later(error.to_string()),
        Ok(body) if unfinished => later(body.to_string()),
        Err(error) => refusal(StatusCode::BAD_REQUEST, error.to_string()),
        Ok(body) if body["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty()) => {
            refusal(StatusCode::BAD_REQUEST, body.to_string())
        }
        Ok(body) => Json(body).into_response(),
    }
}

fn later(why: String) -> Response {
    ([(RETRY_AFTER, LATER)], refusal(StatusCode::SERVICE_UNAVAILABLE, why)).into_response()
}

/// For the one who looks why nothing comes: the sender mostly keeps the answer to itself. Once a second at most, since
/// anybody may send.
fn refusal_aloud(status: StatusCode, why: String) -> Response {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
        *last = Some(Instant::now());
        tracing::warn!(status = status.as_u16(), why, "an event was refused");
    }
    refusal(status, why)
}

fn refusal(status: StatusCode, why: String) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_in_the_forms_that_senders_have() {
        let known = |given: &str, token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, given.parse().unwrap());
            knows(&headers, token)
        };
        for given in ["Bearer s3cret", "bearer  s3cret ", "s3cret", "Basic c3BvdHRlcjpzM2NyZXQ="] {
            assert!(known(given, "s3cret"), "{given}");
        }
        // MinIO leaves an auth_token of two words as it is.
        assert!(known("Token s3cret", "Token s3cret") && known("Bearer s3cret", "Bearer s3cret"));
        for given in [
            "",
            "Bearer",
            "Bearer s3cre",
            "Bearer S3CRET",
            "Basic s3cret",
            "Basic c3BvdHRlcjpzM2NyZQ==",
            "Token s3cret",
        ] {
            assert!(!known(given, "s3cret"), "{given}");
        }
        assert!(!knows(&HeaderMap::new(), "s3cret"));
    }
}
